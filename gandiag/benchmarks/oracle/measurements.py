"""Measurements of an oracle as columns, and the horizon over which labels are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

HORIZON = 500  # Generator steps over which a condition must last.
MIN_HORIZON = 300  # Generator steps that must be left near the end of a run; also the least span.
DIVERGENCE = 10.0  # Largest sample value over that of the data from which the run has diverged.
# Displacement of the centre per 100 steps below which samples do not move. Two sets of 10,000
# samples of one distribution already differ by about this much.
UNMOVED = 0.01


@dataclass(frozen=True)
class Measurements:
    """The measurements of an oracle as columns; NaN where samples were not finite.

    Attributes:
        steps: ``(n,)`` generator steps.
        every: generator steps between two measurements.
        diversity: ``(n,)`` effective number of modes over that of the true shares.
        variety: ``(n,)`` variance within a mode over the true one.
        distance: ``(n,)`` distance from the data.
        turnover: ``(n,)`` total variation between the shares now and 100 steps before.
        displacement: ``(n,)`` displacement of the centre over the last 100 steps.
        has_diverged: ``(n,)`` whether samples are not finite or far beyond the data.
    """

    steps: Ints
    every: int
    diversity: Array
    variety: Array
    distance: Array
    turnover: Array
    displacement: Array
    has_diverged: Bools

    @classmethod
    def from_rows(cls, about: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Measurements:
        """Collect the rows of `gandiag.benchmarks.oracle.oracle.read_rows`."""
        every = int(about["every"])
        truth = np.asarray(about["shares"], dtype=float)
        unknown = np.full(len(truth), np.nan)
        shares = np.array([row.get("shares", unknown) for row in rows])
        centre = next((row["centre"] for row in rows if "centre" in row), np.zeros(1))
        centres = np.array([row.get("centre", np.full(len(centre), np.nan)) for row in rows])
        lag = max(100 // every, 1)
        return cls(
            steps=np.array([row["step"] for row in rows], dtype=np.int64),
            every=every,
            # The exponential of an entropy is an effective number of modes: K for K equal shares.
            diversity=np.exp(_entropy(shares) - _entropy(truth[None])),
            variety=np.array([row.get("variety", np.nan) for row in rows], dtype=float),
            distance=np.array([row["distance"] for row in rows], dtype=float),
            turnover=np.abs(_changes(shares, lag)).sum(1) / 2,
            displacement=np.linalg.norm(_changes(centres, lag), axis=1),
            has_diverged=np.array(
                [row["finite"] < 1 or row.get("extent", 0) > DIVERGENCE for row in rows]
            ),
        )

    def horizon(self, index: int, length: int = HORIZON) -> slice:
        """Measurements within `length` generator steps from a measurement on."""
        end = np.searchsorted(self.steps, self.steps[index] + length, side="right")
        return slice(index, int(end))

    def is_unmoved(self, begin: int, end: int) -> bool:
        """Whether the samples as a whole do not move from `begin` to `MIN_HORIZON` after `end`."""
        displacement = self.displacement[begin + 1 : end + 1 + MIN_HORIZON // self.every]
        known = displacement[np.isfinite(displacement)]
        return len(known) > 0 and bool((known < UNMOVED).all())

    def labelled(self, length: int = HORIZON) -> range:
        """Measurements with enough of the horizon left after them to be labelled."""
        is_enough = self.steps[-1] - self.steps >= min(length, MIN_HORIZON)
        return range(int(is_enough.sum()))


def _entropy(shares: Array) -> Array:
    """Entropy of each row of shares in nats, with 0 log 0 = 0; NaN for a row with a NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(shares > 0, shares * np.log(shares), 0.0)
    return np.asarray(np.where(np.isnan(shares).any(1), np.nan, -terms.sum(1)))


def _changes(values: Array, lag: int) -> Array:
    """Change of each row against the row `lag` before; NaN for the first rows."""
    changed = np.full(values.shape, np.nan)
    changed[lag:] = values[lag:] - values[:-lag]
    return changed
