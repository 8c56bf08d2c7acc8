"""Losses of both networks in intervals of a run, or of a log of another tool.

A loss is a mean over one batch and noisy. So the detector reads medians over intervals of steps,
and then statistics over windows of several intervals.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis.detectors._loss_scale import contradictory_intervals
from gandiag.diagnosis.statistics import persistent_state
from gandiag.monitoring.signals import CLASS_LOSS, DISCRIMINATOR_LOSS, GENERATOR_LOSS
from gandiag.records.arrays import Array, Bools
from gandiag.records.record import Record, Signal

# Most intervals of a log. A longer log gets longer intervals, so that its diagnosis takes about a
# second.
MAX_INTERVALS = 2000
# Least number of intervals of a log with so many rows. A run of 10,000 steps has so many intervals
# of 100 steps; a shorter one gets shorter intervals, down to one row each.
MIN_INTERVALS = 100


class LossIntervals(NamedTuple):
    """Median losses in each interval; NaN where no finite value was logged.

    Attributes:
        steps: ``(n,)`` the first step of each interval.
        loss: ``(n,)`` the discriminator's loss with all its terms; always finite.
        generator: ``(n,)`` the generator's loss.
        classes: ``(n,)`` class or contrastive term of the discriminator's loss, without its weight.
    """

    steps: NDArray[np.int64]
    loss: Array
    generator: Array
    classes: Array


def split_into_intervals(record: Record, length: int) -> LossIntervals:
    """Split a record of losses into intervals.

    Args:
        record: the run so far.
        length: least number of steps in an interval of a long run. Where the fact ``unit`` is not
            ``step``, each row is an interval.
    """
    steps = record[DISCRIMINATOR_LOSS].steps
    has_steps = record.facts.get("unit", "step") == "step"
    position = steps - steps[:1] if has_steps else np.arange(len(steps))
    last = int(position[-1]) if len(position) else 0
    # -(-a // b) is a / b, rounded up.
    shortest = max(1, min(length, last // MIN_INTERVALS)) if has_steps else 1
    span = max(shortest, -(-last // MAX_INTERVALS))
    starts = np.flatnonzero(np.diff(position // span, prepend=-1))
    columns = (record.at(name, steps) for name in (DISCRIMINATOR_LOSS, GENERATOR_LOSS, CLASS_LOSS))
    loss, *other = (_interval_medians(values, starts) for values in columns)
    known = np.isfinite(loss)
    return LossIntervals(steps[starts][known], loss[known], *(values[known] for values in other))


def find_window(
    record: Record, intervals: LossIntervals, window: int, interval: int, least: int
) -> int:
    """The number of intervals of a window.

    A window lasts `window` intervals of `interval` steps. Where the rows of a log are further
    apart, fewer of them last as long: each is an evaluation, like the row of an epoch.

    Args:
        record: the run so far; where its unit is epoch, the window has `least` intervals.
        intervals: the intervals of the record.
        window: number of intervals of the usual length in a window.
        interval: usual length of an interval, in steps.
        least: least number of intervals of a window, so that one unusual batch decides nothing.
    """
    unit = record.facts.get("unit", "step")
    if unit == "epoch":
        return least
    if unit != "step" or len(intervals.steps) < 2:
        return window
    apart = float(np.median(np.diff(intervals.steps)))
    return max(least, min(window, -int(-window * interval // apart)))


def window_statistic(
    values: Array, window: int, statistic: Callable[..., Array] = np.median
) -> Array:
    """A statistic over each value and the `window` - 1 values before it.

    Unlike `gandiag.diagnosis.statistics.rolling_statistic`, it does not handle NaN and computes all
    windows at once, because a log may be long.

    Args:
        values: ``(n,)``.
        window: number of values in each window.
        statistic: a function of ``(m, window)`` with an argument ``axis``.

    Returns:
        ``(n,)``; NaN for the first `window` - 1.

    >>> window_statistic(np.array([3.0, 1.0, 5.0]), 2, np.min).tolist()
    [nan, 1.0, 1.0]
    """
    if len(values) < window:
        return np.full(len(values), np.nan)
    result = statistic(np.lib.stride_tricks.sliding_window_view(values, window), axis=1)
    return np.concatenate([np.full(window - 1, np.nan), result])


def find_contradictions(
    record: Record, intervals: LossIntervals, window: int
) -> tuple[Bools, Bools]:
    """Which intervals ``(n,)`` have contradictory losses, and where most of the last ones have.

    Most is four of five of `window` intervals, because the loss of one batch may be unusual. Where
    the generator's loss has an unknown weight, nothing contradicts.
    """
    given = record.facts.get("objective")
    flags = contradictory_intervals(
        intervals.loss, intervals.generator, None if given is None else str(given)
    )
    flags = flags & (not record.facts.get("weighted"))
    return flags, persistent_state(flags, ~flags, window * 4 // 5, window)


def leave_out_start(record: Record) -> tuple[Record, int | None]:
    """The record without the rows before the discriminator starts, and the step of its start.

    A discriminator that was never trained has the loss of its objective at chance, not 0. So a loss
    of exactly 0 from the first row on is one that is not yet computed or is multiplied by 0. Only
    the hinge loss is exactly 0 where the discriminator is certain; the generator's is then 1 or
    more, because each generated sample has a score of -1 or less. The step is None if the first row
    is not 0, or if the objective is given as hinge and the generator's loss agrees; if all rows
    are 0, no row is left.
    """
    steps, loss = record[DISCRIMINATOR_LOSS]
    begin = int(np.argmax(loss != 0)) if (loss != 0).any() else len(loss)
    generator = record.at(GENERATOR_LOSS, steps[:begin])
    is_certain = record.facts.get("objective") == "hinge" and bool((generator >= 1).all())
    if begin == 0 or is_certain:
        return record, None
    first = int(steps[begin]) if begin < len(steps) else int(steps[-1]) + 1
    cut = {
        name: Signal(signal.steps[signal.steps >= first], signal.values[signal.steps >= first])
        for name, signal in record.signals.items()
    }
    return dataclasses.replace(record, signals=cut), first


def possible_class_weights(record: Record) -> tuple[float, ...]:
    """The weight of the class term, if given; otherwise the smallest and the largest possible one.

    The other terms of the loss are not negative, so the weighted term cannot exceed the loss.
    """
    given = record.facts.get("class_weight")
    if given is not None:
        return (float(given),)
    steps, classes = record[CLASS_LOSS]
    loss = record.at(DISCRIMINATOR_LOSS, steps)
    known = np.isfinite(loss) & np.isfinite(classes) & (classes > 0)
    largest = float((loss[known] / classes[known]).min()) if known.any() else 0.0
    return (0.0, largest) if largest > 0 else (0.0,)


def _interval_medians(values: Array, starts: NDArray[np.intp]) -> Array:
    """Median of the finite values in each interval; NaN where there are none."""
    intervals = np.split(values, starts[1:]) if len(values) else []
    finite = [interval[np.isfinite(interval)] for interval in intervals]
    medians = [np.median(interval) if len(interval) else np.nan for interval in finite]
    return np.array(medians, dtype=float)
