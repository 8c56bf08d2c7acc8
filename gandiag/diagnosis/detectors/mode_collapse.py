"""Mode collapse: the generator covers only few modes of the data.

What you see: the same few images in every sample grid. The losses may look normal.

Why it happens: the generator's loss rewards samples that the discriminator accepts, not diversity.
A discriminator that scores one sample at a time cannot detect that a good sample is generated too
often (Salimans et al. 2016, section 3.2). A discriminator that is much stronger or much weaker
than the generator drives all samples to the point with the highest score.

How it is measured: each sample is assigned to a mode, a k-means cell of the real data. The
effective number of modes is exp(entropy) of the mode histogram, over that of real samples of the
same sample size. It is near 1 for real data of any class balance, and k/K for k of K equal modes.
It is 0.73 for five of ten digits, because their cells overlap; so other views of the samples count,
too (spectrum, points without order, standardised columns, finer cells), with a permutation test.
Where a classifier is available, the missing classes are listed.

What is no collapse: two or three missing digits, because small networks lack as many for a long
time while they learn. Samples far from the data that differ as much as real ones, because far away
all samples have the same nearest modes. Blurred samples around every mode, although they fill the
modes unevenly. The start of a training, because every generator starts with samples that are all
alike. The mean distance between samples is no measure: with half of the modes it is still 0.96.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis.definitions import define
from gandiag.diagnosis.detectors._causes import compare_causes, name_cause
from gandiag.diagnosis.detectors._class_shares import missing_class_share, name_missing_classes
from gandiag.diagnosis.detectors._collapse_text import (
    describe_collapse,
    explain_no_collapse,
    is_most,
    join_sentences,
)
from gandiag.diagnosis.detectors._collapse_type import find_failure_type
from gandiag.diagnosis.detectors._divergence import find_blow_up
from gandiag.diagnosis.diagnosis import Diagnosis, Evidence, compare_median
from gandiag.diagnosis.phases import Phases, find_phases
from gandiag.diagnosis.sequential import FEWEST, Alarm, find_alarm
from gandiag.diagnosis.statistics import recent_median
from gandiag.diagnosis.trends import MIN_VALUES
from gandiag.monitoring.signals import (
    CLASS_HISTOGRAM,
    EFFECTIVE_MODES,
    KEPT_MODES,
    KEPT_MODES_P,
    MISSING_MASS,
    PRECISION,
    WITHIN_MODE_VARIANCE,
)
from gandiag.records.arrays import Array, Bools
from gandiag.records.record import Record

# Evaluations that a result needs: bets begin once a trend is known, and the fewest bets raise an
# alarm.
EVALUATIONS = MIN_VALUES + FEWEST - 1


class _Samples(NamedTuple):
    """Measurements of the samples at each evaluation, ``(n,)`` each.

    Attributes:
        steps: generator steps of the evaluations.
        modes: effective number of modes over that of real samples.
        missing_mass: share of the real data in missed modes.
        kept_modes: share of the modes kept in any view; NaN where it was not measured.
        variance: variance within a mode over the real one.
        missing_classes: share of the real data in missing classes; NaN without a classifier.
    """

    steps: NDArray[np.int64]
    modes: Array
    missing_mass: Array
    kept_modes: Array
    variance: Array
    missing_classes: Array


@dataclass(frozen=True)
class ModeCollapse:
    """The generator covers only few modes of the data, or one."""

    # The samples lack modes below this effective number of modes, as a share of real samples'
    # number.
    effective_modes: float = define("mode_collapse.effective_modes")
    # Modes also count as lacking only where the missed modes have more than this share of the real
    # data.
    missing_mass: float = define("mode_collapse.missing_mass")
    # Modes lost in any view of the samples (`effective_modes` is their limit, too) count only where
    # fresh real samples keep as few with a probability of at most this one.
    kept_modes_p: float = define("mode_collapse.kept_modes_p")
    # Samples that miss no mode have collapsed, too, below this effective number of modes, as a
    # share of real samples' number.
    uneven_modes: float = define("mode_collapse.uneven_modes")
    # Samples are blurred where their variance within a mode exceeds the real one by this factor;
    # blur alone makes modes look missed, so that only an uneven histogram counts.
    blurred_variance: float = define("mode_collapse.blurred_variance")
    # Samples within a mode are too alike (failure type intra_mode) below this share of the real
    # variance within a mode.
    within_mode_variance: float = define("mode_collapse.within_mode_variance")
    # Missing classes are a collapse above this share of the real data.
    missing_classes: float = define("mode_collapse.missing_classes")
    # A class is missing below this share of its real share.
    missing_below: float = define("mode_collapse.missing_below")
    # All samples are alike (failure type total) below this effective number of modes; a single
    # generated class counts as the same.
    total: float = define("mode_collapse.total")

    condition: ClassVar[str] = "mode_collapse"
    needs: ClassVar[frozenset[str]] = frozenset({EFFECTIVE_MODES, MISSING_MASS})

    def detect(self, record: Record) -> Diagnosis:
        """Test the diversity of the samples outside of the phases that resemble a collapse."""
        steps = record[EFFECTIVE_MODES].steps
        blow_up = find_blow_up(record)
        if blow_up is not None:
            text = (
                f"The samples have diverged since step {blow_up}, so their diversity means nothing."
            )
            return Diagnosis(self.condition, "inconclusive", text)
        if len(steps) < FEWEST:
            return self._report_too_early(record, len(steps))
        samples = self._read_samples(record)
        lacks_modes = self._lacks_modes(samples)
        phases = find_phases(record, steps)
        # A classifier recognises classes at any distance from the data; nearest modes do not.
        phases.away[samples.missing_classes > self.missing_classes] = False
        evidence = self._compare(samples)
        alarm = self._find_alarm(samples, lacks_modes, phases)
        if alarm.onset is not None:
            onset, improving = int(steps[alarm.onset]), bool(phases.improving[-1])
            return self._report_present(record, onset, improving, evidence)
        if len(steps) < EVALUATIONS:
            return self._report_too_early(record, len(steps))
        status, summary = explain_no_collapse(
            evidence[0].observed, is_low=is_most(lacks_modes), phases=phases
        )
        if not phases.untrained[-1]:
            summary = join_sentences(summary, name_missing_classes(record, self.missing_below))
        return Diagnosis(self.condition, status, summary, evidence=evidence)

    def _read_samples(self, record: Record) -> _Samples:
        steps, modes = record[EFFECTIVE_MODES]
        return _Samples(
            steps,
            modes,
            record.at(MISSING_MASS, steps),
            self._read_kept_modes(record, steps),
            record.at(WITHIN_MODE_VARIANCE, steps),
            missing_class_share(record, steps, self.missing_below),
        )

    def _read_kept_modes(self, record: Record, steps: NDArray[np.int64]) -> Array:
        """Modes kept in any view; 1 where fresh real samples may keep as few."""
        by_chance = record.at(KEPT_MODES_P, steps) > self.kept_modes_p
        return np.where(by_chance, 1.0, record.at(KEPT_MODES, steps))

    def _lacks_modes(self, samples: _Samples) -> Bools:
        """Evaluations at which modes or classes are missing, whatever the variance within them."""
        few = samples.modes < self.effective_modes
        few &= samples.missing_mass > self.missing_mass
        few |= samples.kept_modes < self.effective_modes
        few &= ~(samples.variance > self.blurred_variance)
        uneven = samples.modes < self.uneven_modes
        return few | uneven | (samples.missing_classes > self.missing_classes)

    def _find_alarm(self, samples: _Samples, lacks_modes: Bools, phases: Phases) -> Alarm:
        """Test whether the samples lack diversity.

        Where the phases of a run exclude a collapse, no bet is placed; samples that get better
        count as healthy.
        """
        beyond = lacks_modes | (samples.variance < self.within_mode_variance)
        has_trend = np.arange(len(beyond)) >= MIN_VALUES - 1
        excluded = phases.initial | phases.untrained | phases.away
        return find_alarm(beyond & ~phases.untrained, has_trend & ~excluded, phases.improving)

    def _compare(self, samples: _Samples) -> tuple[Evidence, ...]:
        evidence: tuple[Evidence, ...] = (
            compare_median(EFFECTIVE_MODES, samples.modes, "<", self.effective_modes),
            compare_median(MISSING_MASS, samples.missing_mass, ">", self.missing_mass),
            compare_median(WITHIN_MODE_VARIANCE, samples.variance, "<", self.within_mode_variance),
        )
        if np.isfinite(samples.kept_modes).any():
            kept = compare_median(KEPT_MODES, samples.kept_modes, "<", self.effective_modes)
            evidence = (*evidence, kept)
        if not np.isfinite(samples.missing_classes).any():
            return evidence
        classes = compare_median(
            CLASS_HISTOGRAM,
            samples.missing_classes,
            ">",
            self.missing_classes,
            "share of the real data in missing classes",
        )
        return (*evidence, classes)

    def _report_too_early(self, record: Record, evaluations: int) -> Diagnosis:
        text = (
            f"Too early: {evaluations} evaluations of the samples until step {record.last_step}. A "
            f"result needs {EVALUATIONS} evaluations."
        )
        return Diagnosis(self.condition, "inconclusive", text)

    def _report_present(
        self, record: Record, onset: int, is_improving: bool, evidence: tuple[Evidence, ...]
    ) -> Diagnosis:
        modes, _, variance, *others = evidence
        has_few = modes.holds or not variance.holds or any(item.holds for item in others)
        kind = find_failure_type(self, record, onset, has_few=has_few)
        causes = compare_causes(record, onset)
        cause = name_cause(causes)
        lost_in_a_view = [o.observed for o in others if o.signal == KEPT_MODES and o.holds]
        diversity = min([modes.observed, *lost_in_a_view])
        within_mode = variance.observed if variance.holds else 1.0
        summary = describe_collapse(
            onset,
            int(record[EFFECTIVE_MODES].steps[0]),
            diversity,
            within_mode,
            is_improving=is_improving,
            is_off_data=recent_median(record[PRECISION].values) < define("phases.off_data"),
            missing_classes=name_missing_classes(record, self.missing_below),
            kind=kind,
            cause=cause,
        )
        lost = np.clip(1 - min(diversity, within_mode), 0, 1)
        severity = float(np.nan_to_num(lost, nan=1.0))
        evidence += tuple(sign.evidence for sign in causes)
        return Diagnosis(self.condition, "present", summary, kind, onset, cause, severity, evidence)
