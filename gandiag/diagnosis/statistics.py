"""Statistics of one signal: persistent states, onsets, medians, diversity. Pure numpy functions.

One value of a signal is one *evaluation*: a step at which a probe measured the networks.
"""

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
    """State of a failure at each evaluation, with hysteresis.

    The state begins once `enter` of the last `window` evaluations are `beyond` the threshold. The
    state ends once `enter` of the last `window` evaluations are `clear` of a looser threshold. So
    one outlier neither begins nor ends a state.

    Args:
        beyond: ``(n,)`` whether each evaluation is beyond the threshold of the failure.
        clear: ``(n,)`` whether each evaluation is on the safe side of the looser threshold.
        enter: evaluations that must agree.
        window: evaluations that are counted.
        ready: ``(n,)`` evaluations at which the state may begin; all, if not given.

    Returns:
        ``(n,)`` whether the failure is present.

    >>> beyond, clear = np.array([1, 1, 1, 1, 0, 0], bool), np.array([0, 0, 0, 0, 1, 1], bool)
    >>> persistent_state(beyond, clear).tolist()
    [False, False, False, True, True, True]
    """
    # The loop below is skipped where the state cannot begin, as in most runs: a monitor calls this
    # function for each failure at each evaluation.
    if int(beyond.sum()) < enter:
        return np.zeros(len(beyond), dtype=bool)
    is_on, state = False, []
    entering, leaving = (_count_recent(flags, window) for flags in (beyond, clear))
    may_begin = [True] * len(beyond) if ready is None else ready.tolist()
    for beyond_count, clear_count, may in zip(entering, leaving, may_begin, strict=True):
        is_on = clear_count < enter if is_on else may and beyond_count >= enter
        state.append(is_on)
    return np.array(state, dtype=bool)


def _count_recent(flags: Bools, window: int) -> list[int]:
    """Number of set flags among the last `window` evaluations, at each evaluation."""
    counts = np.cumsum(flags, dtype=np.int64)
    # The copy is needed: without it the subtraction would read values that it has changed.
    counts[window:] -= counts[:-window].copy()
    recent: list[int] = counts.tolist()
    return recent


def find_onset(state: Bools, beyond: Bools, enter: int = 4, window: int = 5) -> int | None:
    """Index of the evaluation at which the current state began; None if the state is off.

    The state of `persistent_state` begins some evaluations after the first sign. This function goes
    back from there as long as `enter` of `window` evaluations were beyond the threshold, also into
    a warm-up in which the state could not begin.

    Args:
        state: ``(n,)`` the state at each evaluation.
        beyond: ``(n,)`` whether each evaluation is beyond the threshold.
        enter: evaluations that must agree.
        window: evaluations that are counted.

    >>> find_onset(np.array([0, 0, 0, 0, 1, 1], bool), np.array([0, 1, 1, 1, 1, 1], bool))
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


def recent_median(values: Array, evaluations: int = 5) -> float:
    """Median of the finite numbers among the newest values ``(n,)``; NaN where there are none.

    >>> recent_median(np.array([9.0, 1.0, np.nan, 3.0]), evaluations=3)
    2.0
    """
    finite = [value for value in values[-evaluations:].tolist() if math.isfinite(value)]
    # For a few numbers, `statistics.median` takes a tenth of the time of `numpy.median`.
    return statistics.median(finite) if finite else math.nan


def rolling_statistic(
    values: Array, window: int, statistic: Callable[..., Any] | None = None
) -> Array:
    """A statistic over each value and the values before it in the window.

    Args:
        values: ``(n,)``.
        window: number of values in each window; the first windows are shorter.
        statistic: a function of ``(m, window)`` with an argument ``axis`` that ignores NaN, such as
            `numpy.nanmean`; the median, if not given.

    Returns:
        ``(n,)``; NaN where a window has no finite value.

    >>> rolling_statistic(np.array([np.nan, 1.0, 5.0, 3.0]), window=3).tolist()
    [nan, 1.0, 3.0, 3.0]
    """
    result = np.full(len(values), np.nan)
    if not len(values):
        return result
    padding = np.full(window - 1, np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(np.concatenate([padding, values]), window)
    # Windows without a finite value are left out: numpy's statistics warn of them.
    known = np.isfinite(windows).any(1)
    if known.any():
        rows = windows[known]
        result[known] = row_medians(rows) if statistic is None else statistic(rows, axis=1)
    return result


def effective_number(shares: Array) -> float:
    """Number of equally filled bins with the same entropy as `shares`: exp(entropy), in [1, K].

    Args:
        shares: ``(K,)`` not negative, with a sum of 1.

    >>> round(effective_number(np.array([0.25, 0.25, 0.5, 0.0])), 2)
    2.83
    """
    filled = shares[shares > 0]  # the limit of x log x at 0 is 0, but numpy gives NaN
    return float(np.exp(-(filled * np.log(filled)).sum()))


def row_medians(rows: Array) -> Array:
    """Median of each row of ``(n, w)``, shape ``(n,)``, without NaN; NaN for a row of NaN only.

    This takes a tenth of the time of `numpy.nanmedian`.

    >>> row_medians(np.array([[3.0, 1.0, np.nan], [np.nan, np.nan, np.nan]])).tolist()
    [2.0, nan]
    """
    ordered = np.sort(rows, axis=1)  # `numpy.sort` puts NaN last
    count = rows.shape[1] - np.isnan(rows).sum(1)
    low, high, index = np.maximum(count - 1, 0) // 2, count // 2, np.arange(len(rows))
    with np.errstate(invalid="ignore"):  # infinity minus infinity is NaN, which is meant here
        return np.asarray((ordered[index, low] + ordered[index, high]) / 2)
