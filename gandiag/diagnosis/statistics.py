"""Pure statistics of one signal: states that persist, levels, medians. numpy in, numbers out."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np

from gandiag.records.arrays import Array, Bools


def persistent_state(
    beyond: Bools, clear: Bools, enter: int = 4, window: int = 5, ready: Bools | None = None
) -> Bools:
    """State of a condition at each probe ``(n,)``, with hysteresis.

    It begins once `enter` of the last `window` probes lie beyond the gate, and ends once `enter` of
    the last `window` are clear of a looser gate. So one odd probe neither raises nor ends it. It
    begins at a probe that is `ready`, if that is given.

    >>> persistent(np.array([1, 1, 1, 1, 0, 0], bool), np.array([0, 0, 0, 0, 1, 1], bool)).tolist()
    [False, False, False, True, True, True]
    """
    if int(beyond.sum()) < enter:  # of nearly all conditions that are asked about
        return np.zeros(len(beyond), dtype=bool)
    on, state = False, []
    entering, leaving = (_of_last(shown, window) for shown in (beyond, clear))
    may = [True] * len(beyond) if ready is None else ready.tolist()
    for beyond_now, clear_now, may_begin in zip(entering, leaving, may, strict=True):
        on = clear_now < enter if on else may_begin and beyond_now >= enter
        state.append(on)
    return np.array(state, dtype=bool)


def _of_last(shown: Bools, window: int) -> list[int]:
    """How many of the last looks, this one included, show it."""
    counts = np.cumsum(shown, dtype=np.int64)
    counts[window:] -= counts[:-window].copy()
    found: list[int] = counts.tolist()
    return found


def forward_fill(shown: Bools, told: Bools) -> Bools:
    """What was shown at the newest look that told something; before the first such look, nothing.

    >>> latched(np.array([1, 1, 0, 0], bool), np.array([0, 1, 0, 1], bool)).tolist()
    [False, True, True, False]
    """
    newest = np.maximum.accumulate(np.where(told, np.arange(len(shown)), -1))
    return np.where(newest >= 0, shown[newest], False)


def find_onset(state: Bools, beyond: Bools, enter: int = 4, window: int = 5) -> int | None:
    """Index of the look at which the state that holds at the end began to show; None if it is off.

    From where the state was turned on, that goes back as long as `enter` of `window` looks lay
    beyond the gate: also into a warm-up in which nothing was judged yet.

    >>> onset_of(np.array([0, 0, 0, 0, 1, 1], bool), np.array([0, 1, 1, 1, 1, 1], bool))
    1
    """
    if not len(state) or not state[-1]:
        return None
    off = np.flatnonzero(~state)
    end = int(off[-1]) + 2 if len(off) else 1
    while end > window and beyond[end - window - 1 : end - 1].sum() >= enter:
        end -= 1
    begin = max(0, end - window)
    return begin + int(np.argmax(beyond[begin:end]))


def recent_median(values: Array, looks: int = 5) -> float:
    """Median of the finite ones among the newest values; NaN where there are none.

    >>> recent_median(np.array([9.0, 1.0, np.nan, 3.0]), looks=3)
    2.0
    """
    finite = [value for value in values[-looks:].tolist() if math.isfinite(value)]
    return statistics.median(finite) if finite else math.nan  # a tenth of numpy's time on a few


def rolling_statistic(values: Array, window: int, statistic: Callable[..., Any] | None = None) -> Array:
    """A statistic of each value with those before it in the window; NaN where none is finite.

    The statistic takes an axis and leaves NaN out; it is the median unless told otherwise.

    >>> rolling(np.array([np.nan, 1.0, 5.0, 3.0]), window=3).tolist()
    [nan, 1.0, 3.0, 3.0]
    """
    taken = np.full(len(values), np.nan)
    if not len(values):
        return taken
    before = np.full(window - 1, np.nan)
    parts = np.lib.stride_tricks.sliding_window_view(np.concatenate([before, values]), window)
    known = np.isfinite(parts).any(1)
    if known.any():
        rows = parts[known]
        taken[known] = row_medians(rows) if statistic is None else statistic(rows, axis=1)
    return taken


def effective_number(shares: Array) -> float:
    """How many equal bins would be as diverse as these ``(K,)``, [1, K]: exp of their entropy.

    `shares` are not negative and add up to 1.

    >>> round(effective_number(np.array([0.25, 0.25, 0.5, 0.0])), 2)
    2.83
    """
    held = shares[shares > 0]
    return float(np.exp(-(held * np.log(held)).sum()))


def row_medians(rows: Array) -> Array:
    """Median of each row of ``(n, w)``, ``(n,)``; NaN where it has no number.

    Ten times as fast as nanmedian.

    >>> medians(np.array([[3.0, 1.0, np.nan], [np.nan, np.nan, np.nan]])).tolist()
    [2.0, nan]
    """
    ordered = np.sort(rows, axis=1)  # NaN last
    count = rows.shape[1] - np.isnan(rows).sum(1)
    low, high, every = np.maximum(count - 1, 0) // 2, count // 2, np.arange(len(rows))
    with np.errstate(invalid="ignore"):  # infinity less infinity
        return np.asarray((ordered[every, low] + ordered[every, high]) / 2)
