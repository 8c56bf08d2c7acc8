"""Recognition of the objective: which losses a training loop minimises.

The probe ``objective`` records pairs of a discriminator output and the loss gradient there. These
pairs are sufficient: the user need not name the objective, and a wrong loss is found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gandiag.diagnosis.loss_candidates import USUAL_TARGETS
from gandiag.diagnosis.loss_shapes import SAME_TARGET, LossShape, fit_loss_shape
from gandiag.monitoring.signals import KNOWN_SPLIT
from gandiag.records.arrays import Array
from gandiag.records.facts import LOW_IS_REAL, RELATIVISTIC
from gandiag.records.record import Record

# Evaluations that are used, spread over the run: at late ones the discriminator may be saturated,
# and then all losses have the same gradients.
EVALUATIONS = 20

LOSS_NAMES = {
    "cross_entropy": "cross-entropy",
    "least_squares": "least squares",
    "constant": "a linear loss (a Wasserstein critic's, or hinge within its margin)",
    "hinge": "the hinge loss",
}
_GENERATOR_NAMES = {
    "critic": "the negative score, as with a Wasserstein critic",
    "non_saturating": "non-saturating cross-entropy",
}
_UNKNOWN = "an unknown loss"


@dataclass(frozen=True, slots=True)
class Objectives:
    """The losses that a training loop minimises.

    Attributes:
        generator: shape of the generator's loss; None where unknown.
        real: shape of the discriminator's loss on real samples; None where unknown.
        fake: shape of the discriminator's loss on generated samples; None where unknown.
        has_known_split: whether real and generated samples were identified at every evaluation, not
            only distinguished by the signs of the gradients.
        is_relativistic: whether the losses compare the outputs of real and of generated samples in
            pairs (Jolicoeur-Martineau 2019).
        is_low_real: whether low outputs of the discriminator mean real, as those of an energy.
    """

    generator: LossShape | None
    real: LossShape | None
    fake: LossShape | None
    has_known_split: bool = True
    is_relativistic: bool = False
    is_low_real: bool = False

    @property
    def discriminator(self) -> str | None:
        """Name of the discriminator's loss, where its parts on real and generated samples agree."""
        if self.real is None or self.fake is None:
            return None
        shapes = {self.real.shape, self.fake.shape}
        # A hinge loss is linear while no score has passed its margin.
        if shapes == {"hinge", "constant"}:
            return "hinge"
        return shapes.pop() if len(shapes) == 1 else None

    @property
    def generator_name(self) -> str | None:
        """Usual name of the generator's loss, such as ``non_saturating``; None where unknown."""
        loss = self.generator
        if loss is None:
            return None
        if loss.shape == "cross_entropy":
            if self._is_target_of_real(loss.target):
                return "non_saturating" if loss.sign > 0 else None
            return "minimax" if loss.sign < 0 else None
        return {"constant": "critic", "hinge": "hinge"}.get(loss.shape, loss.shape)

    def _is_target_of_real(self, target: float) -> bool:
        """Whether a target is that of real samples, which is usually 1, in some loops 0."""
        if self.real is None or self.fake is None:
            return target > 0.5
        return abs(target - self.real.target) <= abs(target - self.fake.target)

    def _has_certain_targets(self) -> bool:
        """Whether the targets of real and of generated samples are known without doubt.

        Equal targets mean that the samples were not told apart: no discriminator learns from them.
        """
        if self.discriminator not in ("cross_entropy", "least_squares"):
            return False
        assert self.real is not None  # both parts have the shape
        assert self.fake is not None
        return self.has_known_split and abs(self.real.target - self.fake.target) >= SAME_TARGET

    def describe(self) -> str:
        """Write one sentence for a reader."""
        if self.is_relativistic:
            return (
                "Both networks minimise a relativistic loss: it compares the scores of real and of "
                "generated samples in pairs."
            )
        name = self.generator_name
        generator = _GENERATOR_NAMES.get(name, name.replace("_", " ")) if name else _UNKNOWN
        loss = self.discriminator
        discriminator = LOSS_NAMES[loss] if loss else _UNKNOWN
        part = self.real or self.fake
        outputs = f" on {part.outputs}" if part and loss == "cross_entropy" else ""
        targets = ""
        if self.real and self.fake and self._has_certain_targets():
            targets = (
                f" with targets {self.real.target:.2g} (real) and {self.fake.target:.2g} (fake)"
            )
        return (
            f"The generator minimises {generator}{_describe_target(self.generator)}, the "
            f"discriminator {discriminator}{outputs}{targets}."
            f"{' Low outputs mean real, as those of an energy.' if self.is_low_real else ''}"
        )


def recognise_objectives(record: Record) -> Objectives:
    """Recognise the losses of a run from the signals of the ``objective`` probe."""
    return Objectives(
        fit_loss_shape(*output_gradient_pairs(record, "fake", "generator")),
        fit_loss_shape(*output_gradient_pairs(record, "real", "discriminator")),
        fit_loss_shape(*output_gradient_pairs(record, "fake", "discriminator")),
        # Older records lack the signal.
        bool((record[KNOWN_SPLIT].values > 0.5).all()),
        bool(record.facts.get(RELATIVISTIC)),
        bool(record.facts.get(LOW_IS_REAL)),
    )


def cross_entropy_outputs(record: Record) -> frozenset[str]:
    """What D's cross-entropy losses take its outputs for: ``logits``, ``probabilities``, or both.

    Empty where no part of D's loss is a cross-entropy.
    """
    parts = _discriminator_parts(record)
    return frozenset(p.outputs for p in parts if p is not None and p.shape == "cross_entropy")


def has_linear_loss(record: Record) -> bool:
    """Whether D's loss is linear in its scores on real and on generated samples, as a critic's."""
    return all(p is not None and p.shape == "constant" for p in _discriminator_parts(record))


def is_cut_off(record: Record) -> bool:
    """Whether D's loss has no gradient at some of the scores, as a hinge loss beyond its margin.

    All evaluations are read: scores may be beyond the margin at a few of them only. A linear loss
    has the same gradient, which is not 0, at all scores.
    """
    for side in ("real", "fake"):
        gradients = record[f"objective/gradients_{side}/discriminator"].values
        if (gradients == 0).any():
            return True
    return False


def _discriminator_parts(record: Record) -> tuple[LossShape | None, LossShape | None]:
    real, fake = (
        fit_loss_shape(*output_gradient_pairs(record, side, "discriminator"))
        for side in ("real", "fake")
    )
    return real, fake


def output_gradient_pairs(record: Record, side: str, network: str) -> tuple[Array, Array]:
    """Outputs of D and loss gradients there, at evaluations spread evenly over the run.

    Args:
        record: the run so far.
        side: ``real`` or ``fake``, the samples.
        network: ``generator`` or ``discriminator``, whose loss is differentiated.

    Returns:
        two arrays ``(evaluations, pairs)``; ``(0, 0)`` where nothing was recorded.
    """
    outputs = record[f"objective/outputs_{side}/{network}"].values
    gradients = record[f"objective/gradients_{side}/{network}"].values
    if not len(outputs) or not len(gradients):
        return np.empty((0, 0)), np.empty((0, 0))
    count = min(len(outputs), len(gradients))
    chosen = np.unique(np.linspace(0, count - 1, EVALUATIONS).astype(int))
    return (
        outputs[chosen].reshape(len(chosen), -1),
        gradients[chosen].reshape(len(chosen), -1),
    )


def _describe_target(loss: LossShape | None) -> str:
    """The target of a loss, where it is not one of the usual targets; empty otherwise."""
    if loss is None or not np.isfinite(loss.target) or loss.target in USUAL_TARGETS:
        return ""
    return f" with target {loss.target:.2g}"
