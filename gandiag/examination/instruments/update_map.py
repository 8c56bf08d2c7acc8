"""One iteration of plain gradient descent as a map: does it shrink small disturbances?

The vector field may lead in while steps of finite size lead out. At an equilibrium one iteration is
``x -> F x``: with both players stepping at once ``F = 1 + h J``; in turn, D first,
``F = (1 + h_G J_G)^m (1 + h_D J_D)^n``, where J_G and J_D have one player's rows of J and zeros.
Disturbances shrink where all ``|lambda| < 1``. For the plain Dirac-GAN, steps at once have
``|lambda| = sqrt(1 + h^2 / 4) > 1``; steps in turn have ``|lambda| = 1`` as long as
``sqrt(m n) h / 2 <= 2`` (Mescheder et al. 2018).
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

TYPICAL = 40  # iterations that a search asks for; it is only used to say how far one has come
LIMITS = (
    "Exact at an equilibrium; elsewhere both players' curvature is taken at the same point. "
    "Momentum, Adam's scaling and clipped weights are left out."
)


@dataclass(frozen=True)
class UpdateMap:
    """Eigenvalues of one iteration of plain gradient descent: whether its steps are too large."""

    generator_rate: NonNegativeFloat = 0.0  # of plain descent; 0 is the game's own, if it is plain
    discriminator_rate: NonNegativeFloat = 0.0  # likewise
    generator_steps: PositiveInt = 1  # of an iteration, where rates are given
    discriminator_steps: PositiveInt = 1  # likewise
    simultaneous: bool = False  # whether both step at once instead of in turn, D first
    count: PositiveInt = 4  # eigenvalues of largest modulus
    samples: PositiveInt = 256  # of each kind
    draws: PositiveInt = 3  # of samples, of which the range is given
    tolerance: PositiveFloat = 1e-4  # relative accuracy of an eigenvalue of large players

    def examine(self, subject: GameState, progress: Callable[[float], None]) -> Finding:
        """Return the spectral radius of an iteration, and how fast it turns."""
        descent = self._descent(subject)
        if descent is None:
            says = (
                "Not asked: the players do not step by plain gradient descent. "
                "Give generator_rate and discriminator_rate to ask what it would do."
            )
            return Finding("update_map", says, limits=LIMITS)
        found = [self._spectrum(subject, descent, draw, progress) for draw in range(self.draws)]
        values = [spectrum.values for spectrum in found]
        if any(not len(each) for each in values):
            says = "No eigenvalue converged: ask for fewer, or with a larger tolerance."
            return Finding("update_map", says, limits=LIMITS)
        radius = summarize_draws("radius", [np.abs(e).max() for e in values], "largest modulus")
        turns = [2 * np.pi / a if (a := np.abs(np.angle(e[0]))) > 0 else np.inf for e in values]
        period = summarize_draws(
            "period", turns, "iterations that a turn takes, of that eigenvalue"
        )
        curves = {"real": values[0].real.tolist(), "imaginary": values[0].imag.tolist()}
        says = _says(radius.low, radius.high)
        return Finding("update_map", says, (radius, period), curves, LIMITS)

    def _descent(self, subject: GameState) -> DescentSettings | None:
        if not self.generator_rate and not self.discriminator_rate:
            return subject.descent
        return DescentSettings(
            self.generator_rate,
            self.discriminator_rate,
            self.generator_steps,
            self.discriminator_steps,
        )

    def _spectrum(
        self,
        subject: GameState,
        descent: DescentSettings,
        draw: int,
        progress: Callable[[float], None],
    ) -> Spectrum:
        field = TransposedJacobian.at_state(subject, self.samples, draw)
        product = report_progress(
            lambda vector: _iterated(field, descent, vector, self.simultaneous),
            TYPICAL,
            lambda share: progress((draw + share) / self.draws),
        )
        return find_eigenvalues(product, field.size, self.count, ("LM",), draw, self.tolerance)


def _iterated(
    field: TransposedJacobian,
    descent: DescentSettings,
    vector: NDArray[np.float64],
    simultaneous: bool,
) -> NDArray[np.float64]:
    """``F^T w`` of one iteration; transposed, G's steps come first and then D's."""
    if simultaneous:
        scaled = np.array(vector, dtype=np.float64)
        scaled[: field.split] *= descent.generator_rate
        scaled[field.split :] *= descent.discriminator_rate
        return vector + field.multiply(scaled)
    for _ in range(descent.generator_steps):
        vector = vector + descent.generator_rate * field.multiply_rows(vector, generator=True)
    for _ in range(descent.discriminator_steps):
        vector = vector + descent.discriminator_rate * field.multiply_rows(vector, generator=False)
    return vector


def _says(low: float, high: float) -> str:
    slack = 1e-6  # of the modulus 1 that directions have in which nothing happens
    if low > 1 + slack:
        return "Each iteration makes some small disturbance larger: steps this large lead out."
    if high < 1 - slack:
        return "Each iteration makes every small disturbance smaller: steps this large lead in."
    if high <= 1 + slack:
        return "No disturbance grows, and some stay as large as they are."
    return "Some disturbance grows in some draws of samples and not in others."
