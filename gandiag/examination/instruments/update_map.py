"""One iteration of gradient descent as a map: are the steps too large to converge here?

The vector field may converge although steps of finite size diverge. Near an equilibrium one
iteration is linear, ``x -> F x``. If both networks step simultaneously, ``F = 1 + h J``. If they
alternate, the discriminator first,

``F = (1 + h_G J_G)^m (1 + h_D J_D)^n``

where J_G and J_D have the rows of one network and zeros elsewhere, and m and n are the numbers of
steps. The iteration converges if all eigenvalues have a modulus below 1. For the Dirac-GAN without
a penalty, simultaneous steps have ``|lambda| = sqrt(1 + h^2 / 4) > 1``, and alternating steps have
``|lambda| = 1`` as long as ``sqrt(m n) h / 2 <= 2`` (Mescheder et al. 2018).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from gandiag.examination.eigenvalues import Spectrum, find_eigenvalues, report_progress
from gandiag.examination.finding import Finding, summarize_draws
from gandiag.examination.game_state import DescentSettings, GameState
from gandiag.examination.vector_field import TransposedJacobian

TYPICAL_PRODUCTS = 40  # Typical iterations of a search; used for the progress only.
LIMITS = (
    "Exact at an equilibrium. Elsewhere all steps of an iteration use the curvature of the same "
    "point. Momentum, Adam's scaling and weight clipping are left out."
)


@dataclass(frozen=True)
class UpdateMap:
    """Eigenvalues of one iteration of plain gradient descent: whether its steps are too large."""

    # The generator's learning rate; 0 takes the run's own, if the run uses SGD without momentum.
    generator_rate: NonNegativeFloat = 0.0
    # The discriminator's learning rate; 0 takes the run's own in the same way.
    discriminator_rate: NonNegativeFloat = 0.0
    # An iteration has this many generator steps, if a learning rate is given.
    generator_steps: PositiveInt = 1
    # An iteration has this many discriminator steps, if a learning rate is given.
    discriminator_steps: PositiveInt = 1
    # Both networks step simultaneously instead of in alternation.
    simultaneous: bool = False
    # This many eigenvalues of largest modulus are searched.
    count: PositiveInt = 4
    # The losses are means over this many real and generated samples.
    samples: PositiveInt = 256
    # Eigenvalues are computed for this many draws of samples, and their range is reported.
    draws: PositiveInt = 3
    # Each eigenvalue of large networks has this relative accuracy.
    tolerance: PositiveFloat = 1e-4

    def examine(self, state: GameState, progress: Callable[[float], None]) -> Finding:
        """Return the spectral radius of an iteration, and the period of its rotation."""
        descent = self._choose_descent(state)
        if descent is None:
            summary = (
                "Not applicable: the networks are not trained by plain gradient descent. Set "
                "generator_rate and discriminator_rate to examine such steps."
            )
            return Finding("update_map", summary, limits=LIMITS)
        spectra = [
            self._find_spectrum(state, descent, draw, progress) for draw in range(self.draws)
        ]
        values = [spectrum.values for spectrum in spectra]
        if any(not len(each) for each in values):
            summary = "No eigenvalue converged: reduce count or increase tolerance."
            return Finding("update_map", summary, limits=LIMITS)
        radius = summarize_draws("radius", [np.abs(e).max() for e in values], "largest modulus")
        angles = [np.abs(np.angle(e[0])) for e in values]  # the largest modulus comes first
        # A positive real eigenvalue does not rotate, so its period is infinite.
        periods = [2 * np.pi / angle if angle > 0 else np.inf for angle in angles]
        period = summarize_draws(
            "period", periods, "iterations of one rotation, for the largest modulus"
        )
        curves = {"real": values[0].real.tolist(), "imaginary": values[0].imag.tolist()}
        summary = _summarize_radius(radius.low, radius.high)
        return Finding("update_map", summary, (radius, period), curves, LIMITS)

    def _choose_descent(self, state: GameState) -> DescentSettings | None:
        if not self.generator_rate and not self.discriminator_rate:
            return state.descent
        return DescentSettings(
            self.generator_rate,
            self.discriminator_rate,
            self.generator_steps,
            self.discriminator_steps,
        )

    def _find_spectrum(
        self,
        state: GameState,
        descent: DescentSettings,
        draw: int,
        progress: Callable[[float], None],
    ) -> Spectrum:
        jacobian = TransposedJacobian.at_state(state, self.samples, draw)
        product = report_progress(
            lambda vector: _apply_iteration(jacobian, descent, vector, self.simultaneous),
            TYPICAL_PRODUCTS,
            lambda share: progress((draw + share) / self.draws),
        )
        return find_eigenvalues(product, jacobian.size, self.count, ("LM",), draw, self.tolerance)


def _apply_iteration(
    jacobian: TransposedJacobian,
    descent: DescentSettings,
    vector: NDArray[np.float64],
    simultaneous: bool,
) -> NDArray[np.float64]:
    """Return ``F^T w``; the transposition reverses the order: generator steps come first."""
    if simultaneous:
        # With one rate for each network, F = 1 + H J for a diagonal H, hence F^T w = w + J^T (H w).
        scaled = np.array(vector, dtype=np.float64)
        scaled[: jacobian.split] *= descent.generator_rate
        scaled[jacobian.split :] *= descent.discriminator_rate
        return vector + jacobian.multiply(scaled)
    for _ in range(descent.generator_steps):
        rows = jacobian.multiply_rows(vector, generator=True)
        vector = vector + descent.generator_rate * rows
    for _ in range(descent.discriminator_steps):
        rows = jacobian.multiply_rows(vector, generator=False)
        vector = vector + descent.discriminator_rate * rows
    return vector


def _summarize_radius(low: float, high: float) -> str:
    slack = 1e-6  # directions in which nothing moves have a modulus of 1, up to rounding
    if low > 1 + slack:
        return "Each iteration increases some small disturbance: steps of this size diverge."
    if high < 1 - slack:
        return "Each iteration decreases all small disturbances: steps of this size converge."
    if high <= 1 + slack:
        return "No small disturbance grows, and some keep their size."
    return "Some small disturbance grows in some draws of samples but not in all."
