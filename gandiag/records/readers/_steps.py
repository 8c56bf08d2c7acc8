"""Steps from the counters of a log: counters that restart in each epoch, and resumed runs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gandiag.records.arrays import Array, Bools


def find_newest_branch(steps: NDArray[np.int64]) -> Bools:
    """Which entries were not repeated later.

    A run that is resumed from a checkpoint repeats steps. The repeated entries replace the first
    ones, because the final networks come from them.

    Args:
        steps: ``(n,)`` steps in the order in which they were logged.

    Returns:
        ``(n,)`` true where every later entry has a larger step.

    >>> find_newest_branch(np.array([1, 2, 3, 2, 3, 4])).tolist()
    [True, False, False, True, True, True]
    """
    if not len(steps):
        return np.zeros(0, dtype=bool)
    smallest_from_here = np.minimum.accumulate(steps[::-1])[::-1]
    return np.append(steps[:-1] < smallest_from_here[1:], True)


def unroll_counter(within: Array, epoch: Array | None, length: float | None = None) -> Array | None:
    """Turn a counter that restarts in each epoch into a counter of the whole run.

    Args:
        within: ``(n,)`` the counter in the order in which it was logged.
        epoch: ``(n,)`` the epochs; None if they were not logged.
        length: counts in an epoch, if the log gives it; otherwise it is taken from the counter.

    Returns:
        ``(n,)`` the counter of the whole run; None if `within` does not restart in each epoch. A
        resumed run goes back, too, but to where it was saved, not to the counter's first value.

    >>> epochs = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    >>> unroll_counter(np.array([0.0, 1.0, 2.0] * 2), epochs).tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    >>> unroll_counter(np.array([0.0, 1.0, 2.0, 1.0, 2.0, 3.0]), None) is None
    True
    """
    falls = np.flatnonzero(np.diff(within) < 0)
    if epoch is not None and np.ptp(epoch) > 0:
        rises = np.diff(epoch) > 0
        # One fall in ten may come from resuming the run, not from a new epoch.
        if not len(falls) or rises[falls].mean() < 0.9:
            return None
    else:
        # Without epochs: at least two falls, all from the same value to the counter's first value.
        tops, starts = within[falls], within[falls + 1]
        is_periodic = len(falls) > 1 and np.ptp(tops) == 0 and np.ptp(starts) == 0
        if not is_periodic or starts[0] != within[0]:
            return None
        epoch = np.concatenate([[0.0], np.cumsum(np.diff(within) < 0)])
    # The length of an epoch is one usual distance between entries more than the counter's range.
    low, gap = float(within.min()), float(np.median(np.abs(np.diff(within))))
    span = float(within.max()) - low + max(gap, 1.0)
    # A counter may go beyond the length that the log gives, where that is of something else.
    length = length if length and length >= float(within.max()) - low else span
    return np.asarray((epoch - epoch[0]) * length + within)
