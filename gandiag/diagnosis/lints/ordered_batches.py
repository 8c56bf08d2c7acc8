"""Ordered batches: real batches differ from one another more than random draws from the data do.

The data is sorted, by class for example, and not shuffled, so that each batch shows a part of the
data only. The generator then follows the part that was shown last, which looks like mode collapse.

The test is that of an analysis of variance: for random draws, the variance of batch means is the
variance within a batch, divided by the batch size. The share of the variance that lies between the
batches is the intraclass correlation (Fisher 1925).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, compare_median
from gandiag.diagnosis.lints._answer import WINDOW, build_diagnosis, report_too_early
from gandiag.monitoring.signals import REAL_BATCH_MEAN, REAL_BATCH_SIZE, REAL_BATCH_VARIANCE
from gandiag.records.record import Record


@dataclass(frozen=True)
class OrderedBatches:
    """The means of real batches differ more than those of random draws."""

    # The bug is present above this share of the variance between batches, in the direction with the
    # largest one. Random draws have 0; batches sorted by digit 0.1 to 0.5 (MNIST).
    share: float = 0.05
    # Probability of the observed means under random draws, below which chance is excluded: small,
    # as it is tested in eight directions, at every evaluation and in every run.
    chance: float = 1e-7

    condition: ClassVar[str] = "ordered_batches"
    needs: ClassVar[frozenset[str]] = frozenset({REAL_BATCH_MEAN})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Compare the means of all batches up to each evaluation with the variance within them."""
        steps, means = record[REAL_BATCH_MEAN]
        if len(steps) < WINDOW:
            return report_too_early(self.condition, len(steps))
        sizes = record.at(REAL_BATCH_SIZE, steps)
        share, chance = _test_means(means, record[REAL_BATCH_VARIANCE].values, sizes)
        found = (
            "Real batches differ from one another more than random draws from the data would: each "
            "shows a part of the data only, such as one class. Shuffle the data, for example by "
            "DataLoader(..., shuffle=True)."
        )
        clear = "Real batches differ from one another no more than random draws would."
        evidence = (
            compare_median(
                REAL_BATCH_MEAN,
                share,
                ">",
                self.share,
                "share of the data's variance that lies between batches",
                WINDOW,
            ),
        )
        faulty = np.asarray((share > self.share) & (chance < self.chance))
        return build_diagnosis(self.condition, steps, faulty, "ordered", found, clear, evidence)


def _test_means(
    means: np.ndarray, variances: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The analysis of variance of all batches up to each evaluation.

    Args:
        means: ``(n, directions)`` mean of each batch.
        variances: ``(n, directions)`` variance within each batch.
        sizes: ``(n,)`` batch sizes.

    Returns:
        ``(n,)`` the largest intraclass correlation over the directions, and the probability of its
        F statistic for random draws; NaN for the first batch and for batches without variance.
    """
    from scipy.stats import f as f_distribution  # takes 0.3 s to import

    count = np.arange(1, len(means) + 1)[:, None]
    with np.errstate(all="ignore"):  # numbers that are not finite, or without variance, give NaN
        centred = means - means[:1]  # otherwise a large mean would cancel in the squares
        total, squares = np.cumsum(centred, 0), np.cumsum(centred**2, 0)
        between = (squares - total**2 / count) / (count - 1)
        within = np.cumsum(variances, 0) / count
        size = np.cumsum(sizes)[:, None] / count
        statistic = size * between / within
        share = (statistic - 1) / (statistic - 1 + size)
        chance = f_distribution.sf(statistic, count - 1, count * (size - 1))
    share = np.where(np.isfinite(share), share, -np.inf)
    largest = share.argmax(1)[:, None]
    share, chance = (np.take_along_axis(each, largest, 1)[:, 0] for each in (share, chance))
    return np.where(np.isfinite(share), share, np.nan), chance
