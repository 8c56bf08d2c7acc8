"""Failure type of a mode collapse that is present."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gandiag.diagnosis.definitions import define
from gandiag.diagnosis.detectors._class_shares import has_single_class
from gandiag.diagnosis.statistics import effective_number, recent_median
from gandiag.monitoring.signals import (
    DISPLACEMENT,
    EFFECTIVE_MODES,
    MODE_HISTOGRAM,
    RELATIVE_DISPLACEMENT,
)
from gandiag.records.record import Record

if TYPE_CHECKING:
    from gandiag.diagnosis.detectors.mode_collapse import ModeCollapse

# Newest mode histograms that are pooled, and fewest for a pooled histogram to be meaningful.
POOLED, MIN_POOLED = 8, 4
# Newest evaluations of the displacement in a median: it varies from step to step.
RECENT = 10


def find_failure_type(options: ModeCollapse, record: Record, onset: int, *, has_few: bool) -> str:
    """Find the failure type: ``hopping``, ``total``, ``partial`` or ``intra_mode``.

    Args:
        options: thresholds of the detector.
        record: the run so far.
        onset: generator step at which the collapse began.
        has_few: whether modes or classes are missing, not only variance within a mode.
    """
    if _jumps_together(record) or _changes_modes(record, onset):
        return "hopping"
    diversity = recent_median(record[EFFECTIVE_MODES].values)
    if diversity < options.total or has_single_class(record, options.missing_below):
        return "total"
    return "partial" if has_few else "intra_mode"


def _jumps_together(record: Record) -> bool:
    """Whether all samples move together, and farther than from one mode to another."""
    displacement, relative = (
        recent_median(record[name].values, RECENT) for name in (DISPLACEMENT, RELATIVE_DISPLACEMENT)
    )
    if displacement <= define("phases.jump"):
        return False
    return relative > define("mode_collapse.relative_displacement")


def _changes_modes(record: Record, onset: int) -> bool:
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
    return bool(
        pooled > define("mode_collapse.pooled_modes") * single
        and excess > define("non_convergence.turnover")
    )
