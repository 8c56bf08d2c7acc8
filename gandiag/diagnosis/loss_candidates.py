"""Candidate shapes of a loss: its gradient as a function of the discriminator's output."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gandiag.records.arrays import Array, Bools

# Targets in papers: 0 and 1 for cross-entropy; 0, 1 and -1 for the schemes of least squares (Mao et
# al. 2017, section 3.2).
USUAL_TARGETS = (0.0, 1.0, -1.0)
# Targets of smoothed labels that are accepted for cross-entropy; others come from wrong fits.
LOW_TARGET, HIGH_TARGET = -0.5, 1.5
# Smallest range of a curve over the outputs from which a target can be computed.
MIN_RANGE = 1e-3


class Pairs(NamedTuple):
    """Outputs of D and loss gradients there, ``(evaluations, pairs)`` each.

    Attributes:
        output: raw output of the discriminator; 0 where a pair is not finite.
        gradient: of the loss at that output; 0 where a pair is not finite.
        finite: whether each pair is finite.
    """

    output: Array
    gradient: Array
    finite: Bools

    @classmethod
    def select_informative(cls, output: Array, gradient: Array) -> Pairs:
        """Keep the evaluations with at least two finite pairs and a gradient that is not 0."""
        finite = np.isfinite(output) & np.isfinite(gradient)
        gradient = np.where(finite, gradient, 0.0)
        is_informative = (finite.sum(1) >= 2) & (gradient != 0).any(1)
        output = np.where(finite, output, 0.0)
        return cls(output[is_informative], gradient[is_informative], finite[is_informative])

    @property
    def may_be_probabilities(self) -> bool:
        """Whether all outputs are in [0, 1]."""
        return bool((self.output >= 0).all() and (self.output <= 1).all())

    def at_logits(self) -> Pairs:
        """The gradients at the logits s of outputs p = sigmoid(s): dL/ds = p (1 - p) dL/dp."""
        return self._replace(gradient=self.gradient * self.output * (1 - self.output))


class Candidate(NamedTuple):
    """One shape to be tried.

    Attributes:
        shape: ``cross_entropy``, ``least_squares``, ``hinge`` or ``constant``.
        outputs: what the loss takes the outputs for: ``logits``, ``probabilities`` or ``any``.
        target: of the loss; NaN for a shape without a target.
        curve: ``(evaluations, pairs)`` the gradient at every pair, without its factor.
        at_logits: whether the curve is compared with the gradients at the logits.
    """

    shape: str
    outputs: str
    target: float
    curve: Array
    at_logits: bool = False


def usual_candidates(pairs: Pairs) -> list[Candidate]:
    """All shapes with the targets that papers give."""
    constant = Candidate("constant", "any", np.nan, np.ones_like(pairs.gradient))
    candidates = [constant, *_hinge_candidates(pairs)]
    probabilities = _sigmoid(pairs.output)
    for target in USUAL_TARGETS:
        candidates.append(Candidate("least_squares", "any", target, pairs.output - target))
        if target >= 0:
            curve = probabilities - target
            candidates.append(Candidate("cross_entropy", "logits", target, curve))
            if pairs.may_be_probabilities:
                candidates.append(_probability_candidate(pairs, target))
    return candidates


def smoothed_candidates(pairs: Pairs) -> list[Candidate]:
    """Cross-entropy and least squares with the target that fits best.

    Smoothed labels have targets such as 0.9 (Salimans et al. 2016, section 3.4).
    """
    candidates = []
    for shape, outputs, curve in (
        ("cross_entropy", "logits", _sigmoid(pairs.output)),
        ("least_squares", "any", pairs.output),
    ):
        target = _fit_target(pairs, curve)
        is_accepted = LOW_TARGET < target < HIGH_TARGET or shape == "least_squares"
        if np.isfinite(target) and is_accepted:
            candidates.append(Candidate(shape, outputs, target, curve - target))
    if pairs.may_be_probabilities:
        target = _fit_target(pairs.at_logits(), pairs.output)
        if LOW_TARGET < target < HIGH_TARGET:
            candidates.append(_probability_candidate(pairs, target))
    return candidates


def _hinge_candidates(pairs: Pairs) -> list[Candidate]:
    """The gradients of max(0, 1 - s), for real samples, and of max(0, 1 + s), for generated ones.

    A hinge is a candidate only where one evaluation has outputs on both sides of its margin;
    otherwise its gradient cannot be distinguished from a constant.
    """
    sides = [(pairs.output < 1) & pairs.finite, (pairs.output > -1) & pairs.finite]
    crossed = [
        inside for inside in sides if (inside.any(1) & (pairs.finite & ~inside).any(1)).any()
    ]
    return [Candidate("hinge", "any", np.nan, inside.astype(float)) for inside in crossed]


def _probability_candidate(pairs: Pairs, target: float) -> Candidate:
    """Cross-entropy on probabilities p with target t: the gradient is (p - t) / (p (1 - p)).

    At the logits it is p - t, which has no poles at 0 and 1.
    """
    curve = pairs.output - target
    return Candidate("cross_entropy", "probabilities", target, curve, at_logits=True)


def _fit_target(pairs: Pairs, curve: Array) -> float:
    """Value of the curve at which the gradient is 0, by least squares; median over evaluations.

    NaN where no evaluation has outputs that differ.
    """
    finite, count = pairs.finite, pairs.finite.sum(1)
    mean_curve, mean_gradient = (
        np.where(finite, each, 0.0).sum(1) / count for each in (curve, pairs.gradient)
    )
    deviation = np.where(finite, curve - mean_curve[:, None], 0.0)
    # The regression line of gradient over curve rises by covariance / variance.
    covariance, variance = (deviation * pairs.gradient).sum(1), (deviation**2).sum(1)
    known = (np.ptp(deviation, axis=1) > MIN_RANGE) & (covariance != 0)
    zeros = mean_curve[known] - mean_gradient[known] * variance[known] / covariance[known]
    return float(np.median(zeros)) if len(zeros) else np.nan


def _sigmoid(scores: Array) -> NDArray[np.float64]:
    # This form does not overflow for large scores.
    return 0.5 * (1 + np.tanh(scores / 2))
