"""Failure type and possible causes of a mode collapse that is present."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gandiag.diagnosis.detectors._balance import compare_balance, finite_values_since
from gandiag.diagnosis.detectors._class_shares import has_single_class
from gandiag.diagnosis.diagnosis import Evidence, compare_median
from gandiag.diagnosis.statistics import effective_number, recent_median
from gandiag.monitoring.signals import (
    AUC,
    DISPLACEMENT,
    EFFECTIVE_MODES,
    LATENT_SPREAD,
    MODE_HISTOGRAM,
    RELATIVE_DISPLACEMENT,
)
from gandiag.records.record import Record

if TYPE_CHECKING:
    from gandiag.diagnosis.detectors.mode_collapse import ModeCollapse

# Newest mode histograms that are pooled, and fewest for a pooled histogram to be meaningful.
POOLED, MIN_POOLED = 8, 4
# Newest evaluations of the displacement and of the AUC in a median: both vary from step to step.
RECENT = 10


def find_failure_type(options: ModeCollapse, record: Record, onset: int, *, has_few: bool) -> str:
    """Find the failure type: ``hopping``, ``total``, ``partial`` or ``intra_mode``.

    Args:
        options: thresholds of the detector.
        record: the run so far.
        onset: generator step at which the collapse began.
        has_few: whether modes or classes are missing, not only variance within a mode.
    """
    if _jumps_together(options, record) or _changes_modes(options, record, onset):
        return "hopping"
    diversity = recent_median(record[EFFECTIVE_MODES].values)
    if diversity < options.total or has_single_class(record, options.missing_below):
        return "total"
    return "partial" if has_few else "intra_mode"


def compare_causes(
    options: ModeCollapse, record: Record, onset: int
) -> tuple[tuple[str, Evidence], ...]:
    """Compare the signs of each possible cause with their thresholds, the most specific first.

    Returns:
        pairs of a cause and its evidence; one cause may have several.
    """
    wrong, lost = compare_balance(
        record, onset, options.weak_auc, options.weak_share, options.lost_gain
    )
    auc = finite_values_since(record, AUC, onset)
    strong = compare_median(AUC, auc, ">", options.strong_auc, evaluations=RECENT)
    spread = record[LATENT_SPREAD].values
    ignored = compare_median(LATENT_SPREAD, spread, "<", options.latent_spread)
    return (
        ("discriminator_too_weak", wrong),
        ("discriminator_too_strong", strong),
        ("discriminator_too_weak", lost),
        ("latent_ignored", ignored),
    )


def _jumps_together(options: ModeCollapse, record: Record) -> bool:
    """Whether all samples move together, and farther than from one mode to another."""
    displacement, relative = (
        recent_median(record[name].values, RECENT) for name in (DISPLACEMENT, RELATIVE_DISPLACEMENT)
    )
    return displacement > options.displacement and relative > options.relative_displacement


def _changes_modes(options: ModeCollapse, record: Record, onset: int) -> bool:
    """Whether successive evaluations since the onset have different modes.

    Samples on few modes at a time fill many modes over time, so the pooled histogram is more
    diverse than a single one. Small samples of the same modes do so, too; therefore the histograms
    must also differ by more than those of two draws of real samples.
    """
    steps, histograms = record[MODE_HISTOGRAM]
    recent = histograms[steps >= onset][-POOLED:]
    if len(recent) < MIN_POOLED or not np.isfinite(recent).all():
        return False
    pooled = effective_number(recent.mean(0))
    single = float(np.median([effective_number(row) for row in recent]))
    turnover = np.abs(np.diff(recent, axis=0)).sum(1).mean() / 2
    excess = turnover - float(record.facts.get("turnover_baseline", 0.0))
    return bool(pooled > options.pooled_modes * single and excess > options.turnover)
