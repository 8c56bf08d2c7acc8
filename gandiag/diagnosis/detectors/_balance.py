"""Balance of the two networks: a discriminator that is too weak is a cause of several failures."""

from __future__ import annotations

import numpy as np

from gandiag.diagnosis.diagnosis import Evidence
from gandiag.monitoring.signals import AUC, SCORE_GAP, SCORE_GAP_AFTER
from gandiag.records.arrays import Array
from gandiag.records.record import Record

TOO_WEAK = "The discriminator cannot keep up: the generator changes faster than it learns."


def compare_balance(
    record: Record, onset: int, weak_auc: float, weak_share: float, lost_gain: float
) -> tuple[Evidence, Evidence]:
    """Compare two signs of a discriminator that is too weak with their thresholds.

    Either sign alone is sufficient. The first one finds a discriminator that is wrong: it gives
    generated samples higher scores than real ones. The second one finds a discriminator that is
    right after each of its steps, but whose gain the next generator step removes again.

    Args:
        record: the run so far.
        onset: generator step from which the signals are read: the balance before a failure is not
            its cause.
        weak_auc: discriminator AUC below which generated samples get the higher scores.
        weak_share: share of evaluations with such an AUC, above which the discriminator is weak.
        lost_gain: share of the score gap after a discriminator step that is lost by the next
            discriminator step, above which the discriminator is weak.
    """
    auc, gap, gap_after = (
        finite_values_since(record, name, onset) for name in (AUC, SCORE_GAP, SCORE_GAP_AFTER)
    )
    share = float(np.mean(auc < weak_auc)) if len(auc) else np.nan
    # A gap at or below 0 after the step is no gain that could be lost.
    gained = float(np.median(gap_after)) if len(gap_after) else np.nan
    lost = 1 - float(np.median(gap)) / gained if len(gap) and gained > 0 else np.nan
    return (
        Evidence(
            AUC,
            share,
            ">",
            weak_share,
            share > weak_share,
            f"share of evaluations with AUC < {weak_auc:g}",
        ),
        Evidence(
            SCORE_GAP,
            lost,
            ">",
            lost_gain,
            lost > lost_gain,
            "discriminator gain lost by its next step",
        ),
    )


def finite_values_since(record: Record, name: str, onset: int) -> Array:
    """The finite values of a signal from a step on."""
    steps, values = record[name]
    return values[(steps >= onset) & np.isfinite(values)]
