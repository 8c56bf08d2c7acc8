"""Causes of mode collapse and non-convergence, each with the sign by which it is recognised.

The signs are in an order, and the first one that holds names the cause: a sign comes before those
that it explains. A discriminator that is wrong explains one that loses its gain, and either of them
explains samples that ignore their latents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gandiag.diagnosis.definitions import define
from gandiag.diagnosis.diagnosis import Evidence, compare_median
from gandiag.monitoring.signals import AUC, LATENT_SPREAD, SCORE_GAP, SCORE_GAP_AFTER
from gandiag.records.arrays import Array
from gandiag.records.record import Record

TOO_WEAK = "The discriminator cannot keep up: the generator changes faster than it learns."
# Newest evaluations of the AUC in a median: it varies from step to step.
RECENT = 10


class Sign(NamedTuple):
    """The sign of a possible cause."""

    cause: str
    evidence: Evidence


def compare_causes(record: Record, onset: int) -> tuple[Sign, ...]:
    """Compare the sign of each possible cause of a collapse with its definition.

    Args:
        record: the run so far.
        onset: generator step from which the signals are read: the balance before a failure is not
            its cause.

    Returns:
        The signs, the most specific first; one cause may have several.
    """
    wrong, lost = compare_balance(record, onset)
    auc = _finite_values_since(record, AUC, onset)
    strong = compare_median(AUC, auc, ">", define("causes.strong_auc"), evaluations=RECENT)
    spread = record[LATENT_SPREAD].values
    ignored = compare_median(LATENT_SPREAD, spread, "<", define("causes.latent_spread"))
    return (
        wrong,
        Sign("discriminator_too_strong", strong),
        lost,
        Sign("latent_ignored", ignored),
    )


def compare_balance(record: Record, onset: int) -> tuple[Sign, Sign]:
    """Compare two signs of a discriminator that is too weak with their definitions.

    Either sign alone is sufficient. The first one finds a discriminator that is wrong: it gives
    generated samples higher scores than real ones. The second one finds a discriminator that is
    right after each of its steps, but whose gain the next generator step removes again.

    Args:
        record: the run so far.
        onset: generator step from which the signals are read.
    """
    auc, gap, gap_after = (
        _finite_values_since(record, name, onset) for name in (AUC, SCORE_GAP, SCORE_GAP_AFTER)
    )
    weak_auc, weak_share, lost_gain = (
        define(f"causes.{name}") for name in ("weak_auc", "weak_share", "lost_gain")
    )
    share = float(np.mean(auc < weak_auc)) if len(auc) else np.nan
    # A gap at or below 0 after the step is no gain that could be lost.
    gained = float(np.median(gap_after)) if len(gap_after) else np.nan
    lost = 1 - float(np.median(gap)) / gained if len(gap) and gained > 0 else np.nan
    meaning = f"share of evaluations with AUC < {weak_auc:g}"
    wrong = Evidence(AUC, share, ">", weak_share, share > weak_share, meaning)
    meaning = "discriminator gain lost by its next step"
    forgotten = Evidence(SCORE_GAP, lost, ">", lost_gain, lost > lost_gain, meaning)
    return Sign("discriminator_too_weak", wrong), Sign("discriminator_too_weak", forgotten)


def name_cause(signs: Sequence[Sign]) -> str | None:
    """The first cause whose sign holds; None where no sign does."""
    return next((sign.cause for sign in signs if sign.evidence.holds), None)


def _finite_values_since(record: Record, name: str, onset: int) -> Array:
    """The finite values of a signal from a step on."""
    steps, values = record[name]
    return values[(steps >= onset) & np.isfinite(values)]
