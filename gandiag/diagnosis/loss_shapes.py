"""The fingerprint of a loss: its slope as a function of the score names it.

The slope of a loss as a function of the score is a fingerprint: sigmoid(s) - t is cross-entropy
with target t on logits (1: non-saturating, 0.9: smoothed), -sigmoid(s) the generator's minimax
loss, s - t least squares (Mao et al. 2017), a constant a critic's (Arjovsky et al. 2017), and one
that is cut off at a margin hinge (Lim & Ye 2017). An unknown factor before it (weights, means of
two halves) is allowed for; a shape that fits none is *unknown*.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gandiag.records.arrays import Array, Bools

MAX_RESIDUAL = 1e-4  # share of the slopes' square left over, below: bfloat16 leaves 4e-6, float32 1e-13
CLEARLY_BETTER = 10.0  # times less left over than with any other shape, before one is named
ROUNDING = 4e-15  # float32's rounding, squared: below it all are exact
MIN_SHARE = 0.75  # of the looks that must be fitted; a lazy penalty's steps may look otherwise
TARGETS = (0.0, 1.0, -1.0)  # of cross-entropy and of the three schemes of least squares


class LossShape(NamedTuple):
    """One shape of a loss' slope, fitted to what was seen.

    Attributes:
        shape: ``cross_entropy``, ``least_squares``, ``hinge`` or ``constant``.
        reading: how the outputs were read: ``logits``, ``probabilities`` or ``any``.
        target: score (or probability) at which the slope is 0; NaN for a constant or a hinge.
        sign: of the factor: -1 where the loss is climbed instead of descended; for a constant and a
            hinge, of the slope itself.
        left: share of the slopes' square that the shape leaves over, in [0, 1].
    """

    shape: str
    outputs: str
    target: float
    sign: int
    residual: float


def fit_loss_shape(outputs: Array, slopes: Array) -> LossShape | None:
    """The one shape that fits the pairs, each look with a factor of its own; None where none does.

    Where two shapes fit alike, as many do while scores hardly differ or D is sure, none is named.
    """
    if not len(outputs) or not len(slopes):
        return None
    data = [np.asarray(values, np.float64).tobytes() for values in (outputs, slopes)]
    return _fitted(len(outputs), *data)


@functools.lru_cache(maxsize=8)  # several who read one record ask the same, in milliseconds each
def _fitted(count: int, *data: bytes) -> LossShape | None:
    outputs, slopes = (np.frombuffer(values).reshape(count, -1) for values in data)
    looks = _Looks.of(outputs, slopes)
    if not len(looks.slope):
        return None
    customary = _try(looks, [_constant(looks), *_hinges(looks), *_customary(looks)])
    named = _best(customary)
    if named is not None or any(trial.fits for trial in customary):
        return named
    smoothed = _smoothed(looks)
    return _best([*customary, *_try(looks, smoothed)]) if smoothed else None


class _Trial(NamedTuple):
    """A shape tried on every look: the share of the slopes' square left over at each."""

    fit: LossShape
    left: Array

    @property
    def fits(self) -> bool:
        return self.fit.residual < MAX_RESIDUAL

    def beats(self, other: _Trial) -> bool:
        """Whether it is clearly better where the two differ; looks at saturated scores do not."""
        mine, theirs = np.maximum(self.left, ROUNDING), np.maximum(other.left, ROUNDING)
        won, lost = int((theirs > CLEARLY_BETTER * mine).sum()), int((mine > CLEARLY_BETTER * theirs).sum())
        return won > 4 * lost


class _Looks(NamedTuple):
    """The pairs of all looks that tell something, ``(looks, pairs)`` each.

    Attributes:
        output: what D said; 0 where a pair is not finite.
        slope: of the loss there; 0 where a pair is not finite.
        good: whether a pair is finite.
    """

    output: Array
    slope: Array
    good: Bools

    @classmethod
    def of(cls, output: Array, slope: Array) -> _Looks:
        good = np.isfinite(output) & np.isfinite(slope)
        slope = np.where(good, slope, 0.0)
        told = (good.sum(1) >= 2) & (slope != 0).any(1)
        return cls(np.where(good, output, 0.0)[told], slope[told], good[told])

    @property
    def probable(self) -> bool:
        return bool((self.output >= 0).all() and (self.output <= 1).all())

    def at_logits(self) -> _Looks:
        """The slopes at the logits of outputs that are probabilities: p (1 - p) times those."""
        return self._replace(slope=self.slope * self.output * (1 - self.output))


class _Shape(NamedTuple):
    """A shape to be tried: what it is called, and its curve at every pair, ``(looks, pairs)``."""

    shape: str
    reading: str
    target: float
    curve: Array
    at_logits: bool = False  # whether it is compared with the slopes at the logits


def _constant(looks: _Looks) -> _Shape:
    return _Shape("constant", "any", np.nan, np.ones_like(looks.slope))


def _hinges(looks: _Looks) -> list[_Shape]:
    """max(0, 1 - s) on real samples, max(0, 1 + s) on fakes; one that is never cut is constant."""
    sides = [(looks.output < 1) & looks.good, (looks.output > -1) & looks.good]
    cut = [kept for kept in sides if (kept.any(1) & (looks.good & ~kept).any(1)).any()]
    return [_Shape("hinge", "any", np.nan, kept.astype(float)) for kept in cut]


def _customary(looks: _Looks) -> list[_Shape]:
    """Cross-entropy and least squares with the targets that papers give."""
    found, probabilities = [], _sigmoid(looks.output)
    for target in TARGETS:
        found.append(_Shape("least_squares", "any", target, looks.output - target))
        if target >= 0:
            found.append(_Shape("cross_entropy", "logits", target, probabilities - target))
            if looks.probable:
                found.append(_on_probabilities(looks, target))
    return found


def _on_probabilities(looks: _Looks, target: float) -> _Shape:
    """Cross-entropy of an output that is a probability: (p - t) / (p (1 - p))."""
    return _Shape("cross_entropy", "probabilities", target, looks.output - target, at_logits=True)


def _smoothed(looks: _Looks) -> list[_Shape]:
    """The same with a target of the loop's own, such as 0.9 (Salimans et al. 2016, 3.4)."""
    found = []
    for shape, reading, curve in (
        ("cross_entropy", "logits", _sigmoid(looks.output)),
        ("least_squares", "any", looks.output),
    ):
        target = _zero(looks, curve)
        if np.isfinite(target) and (shape == "least_squares" or -0.5 < target < 1.5):
            found.append(_Shape(shape, reading, target, curve - target))
    if looks.probable:
        target = _zero(looks.at_logits(), looks.output)
        if -0.5 < target < 1.5:
            found.append(_on_probabilities(looks, target))
    return found


def _zero(looks: _Looks, curves: Array) -> float:
    """Where the straight lines through (curve, slope) cross zero: their median over the looks."""
    good, count = looks.good, looks.good.sum(1)
    middle, level = (np.where(good, v, 0.0).sum(1) / count for v in (curves, looks.slope))
    away = np.where(good, curves - middle[:, None], 0.0)
    shared, square = (away * looks.slope).sum(1), (away**2).sum(1)  # shared / square: the rise
    told = (np.ptp(away, axis=1) > 1e-3) & (shared != 0)  # a line through one point has no slope
    zeros = middle[told] - level[told] * square[told] / shared[told]
    return float(np.median(zeros)) if len(zeros) else np.nan


def _try(looks: _Looks, shapes: Sequence[_Shape]) -> list[_Trial]:
    """Scale each shape's curves to the slopes, look by look, by factors of one sign.

    All shapes at once: one by one they take twice as long.
    """
    slopes = looks.slope, looks.at_logits().slope
    slope = np.stack([slopes[shape.at_logits] for shape in shapes])  # (shapes, looks, pairs)
    curve = np.where(looks.good, np.stack([shape.curve for shape in shapes]), 0.0)
    size, square, along = (curve**2).sum(2), (slope**2).sum(2), (curve * slope).sum(2)
    known = (size > 0) & (square > 0)
    factor = np.divide(along, size, out=np.zeros_like(size), where=known)
    fitted = np.divide(along**2, size * square, out=np.zeros_like(size), where=known)
    sign = np.where(np.median(factor, axis=1) >= 0, 1, -1)
    left = np.where(factor * sign[:, None] > 0, np.maximum(1 - fitted, 0.0), 1.0)
    last = math.ceil(MIN_SHARE * left.shape[1]) - 1  # np.quantile takes 60 us
    usual = np.sort(left, axis=1)[:, last]
    return [
        _Trial(LossShape(*shape[:3], int(up), float(most)), rest)
        for shape, up, most, rest in zip(shapes, sign, usual, left, strict=True)
    ]


def _best(trials: Sequence[_Trial]) -> LossShape | None:
    for trial in trials:
        rivals = [other for other in trials if not _alike(other.fit, trial.fit)]
        if trial.fits and all(trial.beats(other) for other in rivals):
            return trial.fit
    return None


def _alike(one: LossShape, other: LossShape) -> bool:
    near = not abs(one.target - other.target) >= 0.02  # also where there are none
    return one[:2] == other[:2] and near


def _sigmoid(scores: Array) -> NDArray[np.float64]:
    return 0.5 * (1 + np.tanh(scores / 2))
