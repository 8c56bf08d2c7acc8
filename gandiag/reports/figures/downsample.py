"""Shorten long curves without losing their peaks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def thin_curve(
    steps: NDArray[np.int64], values: NDArray[np.float64], most: int = 600
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Keep at most `most` points of a curve, with the extremes of each part of the curve.

    The curve is cut into parts of equal length. Each part keeps its smallest value, its largest
    value, and its first value that is not finite.

    Args:
        steps: ``(n,)``, increasing.
        values: ``(n,)``, may be non-finite.
        most: largest number of points, at least 6.

    >>> steps, values = thin_curve(np.arange(1000), np.eye(1000)[500], most=60)
    >>> len(steps) <= 60, float(values.max()), int(steps[values.argmax()])
    (True, 1.0, 500)
    """
    if len(steps) <= most:
        return steps, values
    kept: set[int] = {0, len(steps) - 1}
    # Both ends are kept, and up to three points of each part.
    for indices in np.array_split(np.arange(len(steps)), (most - 2) // 3):
        part = values[indices]
        finite = np.isfinite(part)
        if finite.any():
            kept.add(int(indices[np.where(finite, part, np.inf).argmin()]))
            kept.add(int(indices[np.where(finite, part, -np.inf).argmax()]))
        if not finite.all():
            # One such value is enough to mark the part; captions count all of the signal.
            kept.add(int(indices[finite.argmin()]))
    index = np.array(sorted(kept))
    return steps[index], values[index]
