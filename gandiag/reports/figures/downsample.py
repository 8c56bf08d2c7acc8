"""Long curves made short without losing their peaks. numpy in, numpy out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def thin_curve(
    steps: NDArray[np.int64], values: NDArray[np.float64], most: int = 600
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Keep at most `most` points of a curve, among them the extremes of every stretch.

    The curve is cut into stretches of equal length; each keeps its smallest and its largest value,
    and its first one that is not finite.

    Args:
        steps: ``(n,)``, increasing.
        values: ``(n,)``, may be non-finite.
        most: how many points may stay, at least 6.

    >>> steps, values = thin(np.arange(1000), np.eye(1000)[500], most=60)
    >>> len(steps) <= 60, float(values.max()), int(steps[values.argmax()])
    (True, 1.0, 500)
    """
    if len(steps) <= most:
        return steps, values
    kept: set[int] = {0, len(steps) - 1}
    for stretch in np.array_split(np.arange(len(steps)), (most - 2) // 3):
        part = values[stretch]
        good = np.isfinite(part)
        if good.any():
            kept.add(int(stretch[np.where(good, part, np.inf).argmin()]))
            kept.add(int(stretch[np.where(good, part, -np.inf).argmax()]))
        if not good.all():
            kept.add(int(stretch[good.argmin()]))
    index = np.array(sorted(kept))
    return steps[index], values[index]
