"""Looks at the two players' losses: medians over a stretch of a run or of somebody's log."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gandiag.monitoring.signals import CLASS_LOSS, DISCRIMINATOR_LOSS, GENERATOR_LOSS
from gandiag.records.arrays import Array
from gandiag.records.record import Record

MAX_INTERVALS = 2000  # looks taken at a log: a longer one gets wider looks, so that it is judged in a second


class LossIntervals(NamedTuple):
    """Medians of what was logged within each look; NaN where nothing finite was.

    Attributes:
        steps: ``(n,)`` the first step of each look.
        loss: ``(n,)`` the discriminator's loss, with all its terms; always finite.
        generator: ``(n,)`` the generator's loss.
        classes: ``(n,)`` class or contrastive term of the discriminator's, before its weight.
    """

    steps: NDArray[np.int64]
    loss: Array
    generator: Array
    classes: Array


def split_into_intervals(record: Record, wide: int) -> LossIntervals:
    """Cut a record of losses into looks.

    Args:
        record: the run so far.
        wide: steps that make one look, at least. Where the fact ``unit`` says that something else
            than steps was counted, a row makes one.
    """
    steps = record[DISCRIMINATOR_LOSS].steps
    counted = record.facts.get("unit", "step") == "step"
    place = steps - steps[:1] if counted else np.arange(len(steps))
    last = int(place[-1]) if len(place) else 0
    span = max(wide if counted else 1, -(-last // MAX_INTERVALS))
    starts = np.flatnonzero(np.diff(place // span, prepend=-1))
    columns = (record.at(name, steps) for name in (DISCRIMINATOR_LOSS, GENERATOR_LOSS, CLASS_LOSS))
    loss, *other = (_medians(values, starts) for values in columns)
    known = np.isfinite(loss)
    return LossIntervals(steps[starts][known], loss[known], *(values[known] for values in other))


def window_statistic(values: Array, held: int, statistic: Callable[..., Array] = np.median) -> Array:
    """A statistic of each value with the `forward_fill` - 1 before it; NaN before a window is whole.

    As `gandiag.diagnosis.statistics.rolling_statistic`, but at once for all windows, since a log may be long.

    >>> over_window(np.array([3.0, 1.0, 5.0]), 2, np.min).tolist()
    [nan, 1.0, 1.0]
    """
    if len(values) < held:
        return np.full(len(values), np.nan)
    found = statistic(np.lib.stride_tricks.sliding_window_view(values, held), axis=1)
    return np.concatenate([np.full(held - 1, np.nan), found])


def possible_class_weights(record: Record) -> tuple[float, ...]:
    """Weights that the class term may have: the one told, or the least and the most possible.

    What else is in the loss is not negative, so the weighted term is never more than the loss.
    """
    told = record.facts.get("class_weight")
    if told is not None:
        return (float(told),)
    steps, classes = record[CLASS_LOSS]
    loss = record.at(DISCRIMINATOR_LOSS, steps)
    both = np.isfinite(loss) & np.isfinite(classes) & (classes > 0)
    most = float((loss[both] / classes[both]).min()) if both.any() else 0.0
    return (0.0, most) if most > 0 else (0.0,)


def _medians(values: Array, starts: NDArray[np.intp]) -> Array:
    parts = np.split(values, starts[1:]) if len(values) else []
    finite = [part[np.isfinite(part)] for part in parts]
    return np.array([np.median(part) if len(part) else np.nan for part in finite], dtype=float)
