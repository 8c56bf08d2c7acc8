"""Steps out of what a log counted: counters that begin anew, runs that were resumed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gandiag.records.arrays import Array, Bools


def newest_branch(steps: NDArray[np.int64]) -> Bools:
    """Which entries, in the order written, no later one went back behind.

    A run that was resumed from a saved model redoes steps: what it redid replaces what it had done.

    >>> newest_branch(np.array([1, 2, 3, 2, 3, 4])).tolist()
    [True, False, False, True, True, True]
    """
    if not len(steps):
        return np.zeros(0, dtype=bool)
    later = np.minimum.accumulate(steps[::-1])[::-1]
    return np.append(steps[:-1] < later[1:], True)


def unrolled(within: Array, epoch: Array | None) -> Array | None:
    """A counter that begins anew with each epoch, counted on; None where it is none.

    Args:
        within: ``(n,)`` the counter, in the order written.
        epoch: ``(n,)`` the epochs, where they were logged.

    >>> unrolled(np.array([0.0, 1.0, 2.0] * 2), np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])).tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    >>> unrolled(np.array([0.0, 1.0, 2.0, 1.0, 2.0, 3.0]), None) is None
    True
    """
    falls = np.flatnonzero(np.diff(within) < 0)
    if epoch is not None:
        rises = np.diff(epoch) > 0
        if not len(falls) or rises[falls].mean() < 0.9:  # some of them may be a resumed run's
            return None
    else:
        tops, starts = within[falls], within[falls + 1]
        alike = len(falls) > 1 and np.ptp(tops) == 0 and np.ptp(starts) == 0
        if not alike or starts[0] != within[0]:
            return None  # a run that was resumed goes back to where it was saved
        epoch = np.concatenate([[0.0], np.cumsum(np.diff(within) < 0)])
    low, gap = float(within.min()), float(np.median(np.abs(np.diff(within))))
    length = float(within.max()) - low + max(gap, 1.0)
    return np.asarray((epoch - epoch[0]) * length + within)
