"""Trends of one signal: how much it rises over a window, and in how orderly a way.

No p-value is used: tests of a trend assume that evaluations are independent, which those of one
training run are not.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis.definitions import define
from gandiag.diagnosis.statistics import row_medians
from gandiag.records.arrays import Array

# Evaluations over which a trend is computed, and the fewest. Eight values have 28 pairs, so that
# chance alone orders seven of ten of them in one trial of nine.
WINDOW, MIN_VALUES = 20, 5


def find_trend(values: Array, window: int = WINDOW, ordered: float | None = None) -> Array:
    """Rise of a signal over the last `window` evaluations, or 0 where it has no clear order.

    The rise is the median rate of change between all pairs of values (Sen 1968) times the length of
    the window, also where the record is shorter than the window. It counts where Kendall's tau of
    the values against time reaches the definition ``better.ordered``.

    Args:
        values: ``(n,)`` one for each evaluation; values that are not finite are ignored.
        window: evaluations over which the trend is computed.
        ordered: least Kendall's tau in place of the definition.

    Returns:
        ``(n,)`` in the unit of `values`: negative for a fall, NaN for the first `MIN_VALUES` - 1.

    >>> [float(find_trend(values)[-1]) for values in (np.arange(30.0), np.ones(30))]
    [19.0, 0.0]
    """
    rises, taus = _compute_trends(values.astype(np.float64).tobytes(), window)
    least = define("better.ordered") if ordered is None else ordered
    return np.where(np.abs(taus) < least, 0.0, rises)


# Two detectors compute trends of the same signals. Arrays have no hash, so the key is their bytes.
@functools.lru_cache(maxsize=16)
def _compute_trends(values: bytes, window: int) -> tuple[Array, Array]:
    """Rise and Kendall's tau at each evaluation; NaN while there are too few values.

    All windows are computed at once because a monitor needs them at each evaluation, and 60 windows
    one by one take 20 ms.
    """
    series = np.frombuffer(values)
    rises, taus = np.full((2, len(series)), np.nan)
    if len(series) < MIN_VALUES:
        return rises, taus
    finite = np.where(np.isfinite(series), series, np.nan)
    padded = np.concatenate([np.full(window - 1, np.nan), finite])
    windows = np.lib.stride_tricks.sliding_window_view(padded, window)[MIN_VALUES - 1 :]
    i, j = _pair_indices(window)
    differences = windows[:, j] - windows[:, i]
    pairs = np.isfinite(differences).sum(1)
    taus[MIN_VALUES - 1 :] = np.nansum(np.sign(differences), axis=1) / np.maximum(pairs, 1)
    rises[MIN_VALUES - 1 :] = row_medians(differences / (j - i)) * (window - 1)
    return rises, taus


@functools.lru_cache(maxsize=8)
def _pair_indices(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of all pairs of `count` values, the earlier value first."""
    return np.triu_indices(count, 1)
