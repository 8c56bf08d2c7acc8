"""The objective, recognised: which losses a loop really uses, from scores and slopes alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gandiag.diagnosis.loss_shapes import TARGETS, LossShape, fit_loss_shape
from gandiag.records.arrays import Array
from gandiag.records.record import Record

EVALUATIONS = 20  # looks that are asked, spread over the run: late ones may be saturated

LOSS_NAMES = {
    "cross_entropy": "cross-entropy",
    "least_squares": "least squares",
    "constant": "a linear loss (a critic's, or hinge within its margin)",
    "hinge": "the hinge loss",
}


@dataclass(frozen=True, slots=True)
class Objectives:
    """What a loop minimises, as far as its scores and slopes show it.

    Attributes:
        generator: fit of the generator's loss; None where unknown.
        real: fit of the discriminator's loss on real samples.
        fake: fit of the discriminator's loss on fakes.
    """

    generator: LossShape | None
    real: LossShape | None
    fake: LossShape | None

    @property
    def discriminator(self) -> str | None:
        """The discriminator's objective, where both its halves agree."""
        shapes = {side.shape for side in (self.real, self.fake) if side}
        if self.real is None or self.fake is None:
            return None
        if shapes == {"hinge", "constant"}:  # a half whose margin no score has passed yet
            return "hinge"
        return shapes.pop() if len(shapes) == 1 else None

    @property
    def generator_name(self) -> str | None:
        """The generator's objective by its usual name."""
        side = self.generator
        if side is None:
            return None
        if side.shape == "cross_entropy":
            if self._aims_at_real(side.target):
                return "non_saturating" if side.sign > 0 else None
            return "minimax" if side.sign < 0 else None
        return {"constant": "critic", "hinge": "hinge"}.get(side.shape, side.shape)

    def _aims_at_real(self, target: float) -> bool:
        """Whether a target is that of real samples: 1 by custom, but some turn the two around."""
        if self.real is None or self.fake is None:
            return target > 0.5
        return abs(target - self.real.target) <= abs(target - self.fake.target)

    def describe(self) -> str:
        """One sentence for a reader."""
        words = {"critic": "a critic's score", "non_saturating": "non-saturating cross-entropy"}
        name = self.generator_name
        g = words.get(name, name.replace("_", " ")) if name else "something unknown"
        d = self.discriminator
        said = f"The generator minimises {g}{_aim(self.generator)}, "
        how = LOSS_NAMES[d] if d else "something unknown"
        reads = (self.real or self.fake or _NONE).outputs
        on = f" on {reads}" if d == "cross_entropy" else ""
        targets = ""
        if self.real and self.fake and d in ("cross_entropy", "least_squares"):
            targets = (
                f" with targets {self.real.target:.2g} (real) and {self.fake.target:.2g} (fake)"
            )
        return said + f"the discriminator {how}{on}{targets}."


_NONE = LossShape("", "any", np.nan, 1, 1.0)


def recognise_objectives(record: Record) -> Objectives:
    """Name what is minimised, from what the ``objective`` probe has recorded."""
    return Objectives(
        fit_loss_shape(*output_gradient_pairs(record, "fake", "generator")),
        fit_loss_shape(*output_gradient_pairs(record, "real", "discriminator")),
        fit_loss_shape(*output_gradient_pairs(record, "fake", "discriminator")),
    )


def cross_entropy_outputs(record: Record) -> frozenset[str]:
    """How D's outputs are read by those halves of its loss that are cross-entropies."""
    sides = (fit_loss_shape(*output_gradient_pairs(record, side, "discriminator")) for side in ("real", "fake"))
    return frozenset(s.outputs for s in sides if s is not None and s.shape == "cross_entropy")


def has_linear_loss(record: Record) -> bool:
    """Whether the discriminator's loss is linear in its scores on both sides, as a critic's."""
    sides = (fit_loss_shape(*output_gradient_pairs(record, side, "discriminator")) for side in ("real", "fake"))
    return all(side is not None and side.shape == "constant" for side in sides)


def output_gradient_pairs(record: Record, side: str, player: str) -> tuple[Array, Array]:
    """Outputs and slopes, ``(looks, pairs)`` each, of looks spread evenly over the run."""
    outputs = record[f"objective/outputs_{side}/{player}"].values
    slopes = record[f"objective/gradients_{side}/{player}"].values
    if not len(outputs) or not len(slopes):
        return np.empty((0, 0)), np.empty((0, 0))
    count = min(len(outputs), len(slopes))
    at = np.unique(np.linspace(0, count - 1, EVALUATIONS).astype(int))
    return outputs[at].reshape(len(at), -1), slopes[at].reshape(len(at), -1)


def _aim(side: LossShape | None) -> str:
    """The target, where it is none of the customary ones."""
    if side is None or not np.isfinite(side.target) or side.target in TARGETS:
        return ""
    return f" with target {side.target:.2g}"
