"""The Jacobian of the vector field: does training rotate, and does it converge or diverge here?

Near a stationary point, training with small gradient steps follows ``x' = J x``, where J is the
Jacobian of the vector field (see `gandiag.examination.vector_field`). An eigenvalue with a negative
real part converges, one with a positive real part diverges, and an imaginary part rotates. For the
Dirac-GAN the eigenvalues are known: ``+-i/2`` without a penalty, so that training circles around
the equilibrium for ever, and ``-gamma/2 +- sqrt(gamma^2/4 - 1/4)`` with an R1 penalty of weight
gamma (Mescheder et al. 2018).

How it is measured: the gradients of both networks are differentiated once more, in float64, which
gives products of the transposed Jacobian with vectors. ARPACK finds the outermost eigenvalues from
such products. For networks of up to 128 weights all eigenvalues are computed. Each draw of samples
has eigenvalues of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import PositiveFloat, PositiveInt

from gandiag.examination.eigenvalues import Spectrum, Which, find_eigenvalues, report_progress
from gandiag.examination.finding import Finding, Measure, summarize_draws
from gandiag.examination.game_state import GameState
from gandiag.examination.vector_field import TransposedJacobian

TYPICAL_PRODUCTS = 60  # Typical products of a search; used for the progress only.
LIMITS = (
    "Local: the eigenvalues describe small disturbances of these weights, on these samples. The "
    "weights of an unfinished run are no equilibrium. Momentum, Adam's scaling and weight clipping "
    "are left out."
)


@dataclass(frozen=True)
class Jacobian:
    """Eigenvalues of the vector field: whether training rotates, converges or diverges."""

    # This many eigenvalues are searched for each of largest modulus, real and imaginary part.
    count: PositiveInt = 4
    # The losses are means over this many real and generated samples.
    samples: PositiveInt = 256
    # Eigenvalues are computed for this many draws of samples, and their range is reported.
    draws: PositiveInt = 3
    # Each eigenvalue of large networks has this relative accuracy.
    tolerance: PositiveFloat = 1e-4

    def examine(self, state: GameState, progress: Callable[[float], None]) -> Finding:
        """Return the outermost eigenvalues, and whether small steps converge."""
        spectra = [self._find_spectrum(state, draw, progress) for draw in range(self.draws)]
        values = [spectrum.values for spectrum in spectra]
        if any(not len(each) for each in values):
            summary = "No eigenvalue converged: reduce count or increase tolerance."
            return Finding("jacobian", summary, limits=LIMITS)
        measures = (
            summarize_draws("real_part", [e.real.max() for e in values], "largest real part"),
            summarize_draws(
                "imaginary_part", [e.imag.max() for e in values], "largest imaginary part"
            ),
            summarize_draws("modulus", [np.abs(e).max() for e in values], "largest modulus"),
            summarize_draws(
                "rate",
                [_largest_rate(e) for e in values],
                "simultaneous gradient steps converge below this learning rate",
            ),
        )
        # Of the first draw alone: eigenvalues of several draws cannot be matched one by one.
        curves = {"real": values[0].real.tolist(), "imaginary": values[0].imag.tolist()}
        summary = f"{_summarize_measures(measures)} ({_count_eigenvalues(spectra)})."
        return Finding("jacobian", summary, measures, curves, LIMITS)

    def _find_spectrum(
        self, state: GameState, draw: int, progress: Callable[[float], None]
    ) -> Spectrum:
        jacobian = TransposedJacobian.at_state(state, self.samples, draw)
        product = report_progress(
            jacobian.multiply,
            TYPICAL_PRODUCTS,
            lambda share: progress((draw + share) / self.draws),
        )
        # The sentence and the measures need all three: the largest real part decides whether
        # training converges, the imaginary part whether it rotates, and the modulus limits the
        # learning rate.
        kinds: tuple[Which, ...] = ("LM", "LR", "LI")
        return find_eigenvalues(product, jacobian.size, self.count, kinds, draw, self.tolerance)


def _largest_rate(values: NDArray[np.complex128]) -> float:
    """Return the learning rate h below which ``|1 + h lambda| < 1`` for all eigenvalues, or 0.

    From ``|1 + h lambda|^2 = 1 + 2 h Re(lambda) + h^2 |lambda|^2`` the limit is the smallest
    ``-2 Re(lambda) / |lambda|^2``. Eigenvalues of 0 are left out: nothing moves in their direction.
    """
    # Relative to the largest modulus, as rounding leaves zeros of that relative size.
    moving = values[np.abs(values) > 1e-9 * max(float(np.abs(values).max()), 1e-300)]
    if not len(moving):
        return float("inf")
    return max(0.0, float((-2 * moving.real / np.abs(moving) ** 2).min()))


def _summarize_measures(measures: tuple[Measure, ...]) -> str:
    real, imaginary, modulus, rate = measures
    slack = 1e-6 * modulus.value  # rounding leaves such values where the exact part is 0
    rotation = "it rotates" if imaginary.value > slack else "it does not rotate"
    if real.low > slack:
        direction = "Training diverges in at least one direction, in all draws of samples"
    elif real.high < -slack:
        direction = f"Training converges at learning rates below {rate.low:.3g}"
    elif real.high <= slack:
        direction = "In at least one direction training neither converges nor diverges"
    else:
        direction = "Training diverges in some draws of samples but not in all"
    return f"{direction}; {rotation}"


def _count_eigenvalues(spectra: Sequence[Spectrum]) -> str:
    """Return how many eigenvalues were found, and how many did not converge."""
    first = spectra[0]
    if first.is_complete:
        return f"all {len(first.values)} eigenvalues"
    unconverged = sum(spectrum.unconverged for spectrum in spectra)
    suffix = f"; {unconverged} more did not converge" if unconverged else ""
    return f"the outermost {len(first.values)} eigenvalues{suffix}"
