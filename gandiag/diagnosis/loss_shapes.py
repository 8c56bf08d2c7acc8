"""Recognition of a loss by its gradient as a function of the discriminator's output.

The gradient identifies the loss. sigmoid(s) - t is cross-entropy on logits with target t (t = 1:
non-saturating, t = 0.9: smoothed). -sigmoid(s) is the generator's minimax loss. s - t is least
squares (Mao et al. 2017). A constant is a Wasserstein critic's loss (Arjovsky et al. 2017). A
constant that is cut off at a margin is the hinge loss (Lim & Ye 2017). Each evaluation may have an
unknown factor, from weights and means. A loss that fits none of these shapes is unknown.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gandiag.diagnosis.loss_candidates import (
    Candidate,
    Pairs,
    smoothed_candidates,
    usual_candidates,
)
from gandiag.records.arrays import Array

# A shape fits where the residual is below this share of the gradients' sum of squares. The rounding
# of bfloat16 leaves 4e-6, that of float32 1e-13.
MAX_RESIDUAL = 1e-4
# A shape is better at an evaluation where its residual is so many times smaller.
CLEARLY_BETTER = 10.0
# Residuals below the square of float32's rounding count as equal.
ROUNDING = 4e-15
# Share of evaluations that must fit. A lazy penalty changes the gradients of every 16th step or so
# (Karras et al. 2020, section 3.1).
MIN_SHARE = 0.75
# Targets that differ by less are the same target.
SAME_TARGET = 0.02


class LossShape(NamedTuple):
    """A recognised loss.

    Attributes:
        shape: ``cross_entropy``, ``least_squares``, ``hinge`` or ``constant``.
        outputs: what the loss takes D's outputs for: ``logits``, ``probabilities`` or ``any``.
        target: output (or probability) at which the gradient is 0; NaN for a constant or a hinge.
        sign: of the factor: -1 where the loss is maximised instead of minimised. For a constant and
            a hinge, it is the sign of the gradient itself.
        residual: share of the gradients' sum of squares that the shape does not explain, [0, 1].
    """

    shape: str
    outputs: str
    target: float
    sign: int
    residual: float


def fit_loss_shape(outputs: Array, gradients: Array) -> LossShape | None:
    """Find the one shape that fits the pairs, with a factor for each evaluation.

    Several shapes fit equally well while the outputs hardly differ or D is saturated; then the
    result is None.

    Args:
        outputs: ``(evaluations, pairs)`` outputs of D.
        gradients: ``(evaluations, pairs)`` gradients of the loss at these outputs.
    """
    if not len(outputs) or not len(gradients):
        return None
    # Arrays have no hash, so the cache needs their bytes.
    data = [np.asarray(values, np.float64).tobytes() for values in (outputs, gradients)]
    return _fit(len(outputs), *data)


# Several detectors and the page fit the same pairs, and a fit takes milliseconds.
@functools.lru_cache(maxsize=8)
def _fit(count: int, *data: bytes) -> LossShape | None:
    outputs, gradients = (np.frombuffer(values).reshape(count, -1) for values in data)
    pairs = Pairs.select_informative(outputs, gradients)
    if not len(pairs.gradient):
        return None
    usual = _try_candidates(pairs, usual_candidates(pairs))
    best = _find_best(usual)
    # Smoothed targets are tried only where no usual one fits: they fit whenever a usual one does.
    if best is not None or any(trial.fits for trial in usual):
        return best
    smoothed = smoothed_candidates(pairs)
    return _find_best([*usual, *_try_candidates(pairs, smoothed)]) if smoothed else None


class _Trial(NamedTuple):
    """A candidate after the fit of its factors, with the residual at each evaluation."""

    loss: LossShape
    residuals: Array

    @property
    def fits(self) -> bool:
        return self.loss.residual < MAX_RESIDUAL

    def is_better(self, other: _Trial) -> bool:
        """Whether it fits clearly better at most of the evaluations at which the two differ.

        At evaluations with saturated scores, many shapes fit equally well.
        """
        own, others = (np.maximum(each.residuals, ROUNDING) for each in (self, other))
        better = int((others > CLEARLY_BETTER * own).sum())
        worse = int((own > CLEARLY_BETTER * others).sum())
        return better > 4 * worse


def _try_candidates(pairs: Pairs, candidates: Sequence[Candidate]) -> list[_Trial]:
    """Fit one factor per evaluation to each candidate; all factors must have the same sign.

    The arrays have shape ``(candidates, evaluations, pairs)``: one candidate after another takes
    twice as long.
    """
    gradients = pairs.gradient, pairs.at_logits().gradient
    gradient = np.stack([gradients[candidate.at_logits] for candidate in candidates])
    curve = np.where(pairs.finite, np.stack([each.curve for each in candidates]), 0.0)
    curve_square, gradient_square = (curve**2).sum(2), (gradient**2).sum(2)
    product = (curve * gradient).sum(2)
    known = (curve_square > 0) & (gradient_square > 0)
    zeros = np.zeros_like(curve_square)
    factor = np.divide(product, curve_square, out=zeros.copy(), where=known)
    # The squared cosine of curve and gradient is the share that the best factor explains.
    square = curve_square * gradient_square
    explained = np.divide(product**2, square, out=zeros, where=known)
    sign = np.where(np.median(factor, axis=1) >= 0, 1, -1)
    residuals = np.where(factor * sign[:, None] > 0, np.maximum(1 - explained, 0.0), 1.0)
    # This is the quantile MIN_SHARE; np.quantile takes 60 microseconds more.
    last = math.ceil(MIN_SHARE * residuals.shape[1]) - 1
    residual = np.sort(residuals, axis=1)[:, last]
    return [
        _Trial(
            LossShape(each.shape, each.outputs, each.target, int(each_sign), float(each_residual)),
            each_residuals,
        )
        for each, each_sign, each_residual, each_residuals in zip(
            candidates, sign, residual, residuals, strict=True
        )
    ]


def _find_best(trials: Sequence[_Trial]) -> LossShape | None:
    """The loss that fits, and better than every other one; None if there is no such loss."""
    for trial in trials:
        others = [other for other in trials if not _is_same_loss(other.loss, trial.loss)]
        if trial.fits and all(trial.is_better(other) for other in others):
            return trial.loss
    return None


def _is_same_loss(one: LossShape, other: LossShape) -> bool:
    # The negated comparison is also true for two losses without a target (NaN).
    has_same_target = not abs(one.target - other.target) >= SAME_TARGET
    return one[:2] == other[:2] and has_same_target
