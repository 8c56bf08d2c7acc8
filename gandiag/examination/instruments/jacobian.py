"""The Jacobian of the game's vector field: does it turn, and does it lead in or out?

Near an equilibrium, the motion of both players under small gradient steps is that of
``x' = J x``. A negative real part of an eigenvalue pulls in, a positive one pushes out, and an
imaginary part turns. Of the Dirac-GAN the eigenvalues are known: ``+-i/2`` for plain players, which
go round for ever, and ``-gamma/2 +- sqrt(gamma^2/4 - 1/4)`` with an R1 penalty (Mescheder et al.
2018).

How it is measured: products with the transposed Jacobian by differentiating the players' gradients
once more, in float64; the outermost eigenvalues by ARPACK (all of them for very small players),
anew for each draw of samples.
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
from gandiag.examination.vector_field import TransposedJacobian as FieldJacobian

TYPICAL = 60  # products of a search; it is only used to say how far one has come
LIMITS = (
    "Local: it says what small disturbances do at these weights, on these samples. Weights of a "
    "run under way are no equilibrium. Momentum, Adam's scaling and clipped weights are left out."
)


@dataclass(frozen=True)
class Jacobian:
    """Eigenvalues of the game's vector field: whether it turns, and leads in or out."""

    count: PositiveInt = 4  # eigenvalues of largest modulus, real part and imaginary part each
    samples: PositiveInt = 256  # of each kind; the losses are means over them
    draws: PositiveInt = 3  # of samples, of which the range is given
    tolerance: PositiveFloat = 1e-4  # relative accuracy of an eigenvalue of large players

    def examine(self, subject: GameState, progress: Callable[[float], None]) -> Finding:
        """Return the outermost eigenvalues, and what they say of small steps."""
        found = [self._spectrum(subject, draw, progress) for draw in range(self.draws)]
        values = [spectrum.values for spectrum in found]
        if any(not len(each) for each in values):
            says = "No eigenvalue converged: ask for fewer, or with a larger tolerance."
            return Finding("jacobian", says, limits=LIMITS)
        measures = (
            summarize_draws("real_part", [e.real.max() for e in values], "largest real part"),
            summarize_draws(
                "imaginary_part", [e.imag.max() for e in values], "largest imaginary part"
            ),
            summarize_draws("modulus", [np.abs(e).max() for e in values], "largest modulus"),
            summarize_draws(
                "rate",
                [_largest_rate(e) for e in values],
                "steps at once shrink it below this rate",
            ),
        )
        curves = {"real": values[0].real.tolist(), "imaginary": values[0].imag.tolist()}
        says = f"{_says(measures)} ({_counted(found)})."
        return Finding("jacobian", says, measures, curves, LIMITS)

    def _spectrum(
        self, subject: GameState, draw: int, progress: Callable[[float], None]
    ) -> Spectrum:
        field = FieldJacobian.at_state(subject, self.samples, draw)
        product = report_progress(
            field.multiply, TYPICAL, lambda share: progress((draw + share) / self.draws)
        )
        kinds: tuple[Which, ...] = ("LM", "LR", "LI")
        return find_eigenvalues(product, field.size, self.count, kinds, draw, self.tolerance)


def _largest_rate(values: NDArray[np.complex128]) -> float:
    """The rate h below which ``|1 + h lambda| < 1`` for all: ``min -2 Re / |lambda|^2``; else 0.

    Eigenvalues of 0 are directions in which nothing happens, and left out.
    """
    moving = values[np.abs(values) > 1e-9 * max(float(np.abs(values).max()), 1e-300)]
    if not len(moving):
        return float("inf")
    return max(0.0, float((-2 * moving.real / np.abs(moving) ** 2).min()))


def _says(measures: tuple[Measure, ...]) -> str:
    real, imaginary, modulus, rate = measures
    slack = 1e-6 * modulus.value  # what rounding may leave of a part that is 0
    turning = "turns" if imaginary.value > slack else "does not turn"
    if real.low > slack:
        return f"The game {turning}, and is pushed outwards somewhere in all draws of samples"
    if real.high < -slack:
        return f"The game {turning}, and is pulled in by steps at rates below {rate.low:.3g}"
    if real.high <= slack:
        return f"The game {turning}, and is somewhere neither pulled in nor pushed outwards"
    return f"The game {turning}, and is pushed outwards in some draws of samples and not in others"


def _counted(found: Sequence[Spectrum]) -> str:
    """Which eigenvalues were seen."""
    first = found[0]
    if first.is_complete:
        return f"all {len(first.values)} eigenvalues"
    missed = sum(spectrum.unconverged for spectrum in found)
    late = f"; {missed} more did not converge" if missed else ""
    return f"the outermost {len(first.values)} eigenvalues{late}"
