"""Mode collapse: the generator covers only few modes of the data.

What you see: the same few images in every sample grid. The losses may look normal.

Why it happens: the generator's loss rewards samples that the discriminator accepts, not diversity.
A discriminator that scores one sample at a time cannot detect that a good sample is generated too
often (Salimans et al. 2016, section 3.2). A discriminator that is much stronger or much weaker
than the generator drives all samples to the point with the highest score.

How it is measured: each sample is assigned to a mode, a k-means cell of the real data. The
effective number of modes is exp(entropy) of the mode histogram, over that of real samples of the
same sample size. It is near 1 for real data of any class balance, and k/K for k of K equal modes.
It is 0.73 for five of ten digits, because their cells overlap; so the class histogram is evaluated,
too, where a classifier is available, and the missing classes are listed.

What is no collapse: two or three missing digits, because small networks lack as many for a long
time while they learn. Samples far from the data that differ as much as real ones, because far away
all samples have the same nearest modes. Blurred samples around every mode, although they fill the
modes unevenly. The start of a training, because every generator starts with samples that are all
alike. The mean distance between samples is no measure: with half of the modes it is still 0.96.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis.detectors._class_shares import missing_class_share, name_missing_classes
from gandiag.diagnosis.detectors._collapse_text import (
    describe_collapse,
    explain_no_collapse,
    join_sentences,
)
from gandiag.diagnosis.detectors._collapse_type import compare_causes, find_failure_type
from gandiag.diagnosis.detectors._exclusions import (
    center_distance,
    is_far_away,
    is_starting,
    is_untrained,
)
from gandiag.diagnosis.diagnosis import Diagnosis, Evidence, compare_median
from gandiag.diagnosis.statistics import find_onset, forward_fill, persistent_state, recent_median
from gandiag.diagnosis.trends import MIN_VALUES, find_improvement
from gandiag.monitoring.signals import (
    CLASS_HISTOGRAM,
    EFFECTIVE_MODES,
    ENERGY_DISTANCE,
    JS_DIVERGENCE,
    MISSING_MASS,
    PRECISION,
    WITHIN_MODE_VARIANCE,
)
from gandiag.records.arrays import Array, Bools
from gandiag.records.record import Record


class _Samples(NamedTuple):
    """Measurements of the samples at each evaluation, ``(n,)`` each.

    Attributes:
        steps: generator steps of the evaluations.
        modes: effective number of modes over that of real samples.
        missing_mass: share of the real data in missed modes.
        divergence: Jensen-Shannon divergence over its baseline.
        variance: variance within a mode over the real one.
        distance: energy distance over the mean distance between two real samples.
        missing_classes: share of the real data in missing classes; NaN without a classifier.
    """

    steps: NDArray[np.int64]
    modes: Array
    missing_mass: Array
    divergence: Array
    variance: Array
    distance: Array
    missing_classes: Array


@dataclass(frozen=True)
class ModeCollapse:
    """The generator covers only few modes of the data, or one."""

    # The samples lack modes below this effective number of modes, as a share of real samples'
    # number: draws of real samples have 0.92 or more, half of the modes are 0.5.
    effective_modes: float = 0.70
    # Modes also count as lacking only where the missed modes have more than this share of the real
    # data: a generator of 7 of 8 equal modes misses 0.13.
    missing_mass: float = 0.2
    # An uneven mode histogram counts as a collapse below this effective number of modes.
    uneven_modes: float = 0.5
    # A mode histogram is uneven above this Jensen-Shannon divergence from the real one, in units of
    # the largest of 100 real-vs-real draws.
    js_divergence: float = 3.0
    # Samples are blurred where their variance within a mode exceeds the real one by this factor;
    # blur alone makes modes look missed.
    blurred_variance: float = 10.0
    # Blurred samples are exempt from `effective_modes` below this energy distance, in units of the
    # mean distance between two real samples.
    blurred_distance: float = 0.1
    # Samples within a mode are too alike (failure type intra_mode) below this share of the real
    # variance within a mode.
    within_mode_variance: float = 0.25
    # Missing classes are a collapse above this share of the real data: 5 of 10 digits are 0.5, and
    # runs without a collapse have up to 0.41.
    missing_classes: float = 0.45
    # A class is missing below this share of its real share: 512 samples of ten digits have about 50
    # of each.
    missing_below: float = 0.2
    # All samples are alike (failure type total) below this effective number of modes; a single
    # generated class counts as the same.
    total: float = 0.2
    # No collapse is reported before this many generator steps, because every generator starts with
    # samples that are all alike.
    warm_up: int = 500
    # No result is given before this many evaluations of the samples: a trend needs 8, and 4 of them
    # must agree.
    evaluations: int = 11
    # A collapse in which all samples are alike is reported from this generator step on, unless the
    # samples get better.
    early_warm_up: int = 350
    # The samples get better where a trend has a p-value below this one (Mann-Kendall test).
    trend_p: float = 0.01
    # Samples that are all alike may get better where a trend has a p-value below this one, and are
    # then not reported before `warm_up`.
    early_trend_p: float = 0.05
    # Samples jump from mode to mode (failure type hopping) above this displacement per 100 steps,
    # in units of the mean distance between two real samples: two digits of one class are 0.9 apart.
    displacement: float = 0.7
    # Samples jump together where they also move more than this multiple of the mean distance
    # between two of them per 100 steps.
    relative_displacement: float = 2.0
    # The generated modes change over time where 8 pooled evaluations have this many times the
    # effective number of modes of a single one.
    pooled_modes: float = 1.7
    # The generated modes change over time only where successive mode histograms also differ by more
    # than this total variation distance over the real-vs-real baseline.
    turnover: float = 0.4
    # A generator has not begun to learn below this displacement per 100 steps, in units of the mean
    # distance between two real samples.
    still_displacement: float = 5e-3
    # A generator has not begun to learn where the precision of its samples is also below this share
    # of the real-vs-real baseline.
    off_data_precision: float = 0.05
    # Samples are far from the data above this mean distance to a real sample, in units of the mean
    # distance between two real samples.
    far_distance: float = 1.5
    # Samples that are far from the data are varied, and no collapse, above this mean distance
    # between two of them, in units of that between two real samples.
    far_spread: float = 0.9
    # The discriminator is too strong (a cause) above this median discriminator AUC.
    strong_auc: float = 0.98
    # Generated samples get higher scores than real ones below this discriminator AUC.
    weak_auc: float = 0.3
    # The discriminator is too weak (a cause) where more than this share of the evaluations has an
    # AUC below `weak_auc`; healthy runs have none.
    weak_share: float = 0.2
    # The discriminator is too weak (a cause) where it loses more than this share of a step's gain
    # in score gap by its next step; healthy runs lose -0.1 to 0.3.
    lost_gain: float = 0.4
    # The generator ignores its latents (a cause) below this mean distance between samples at
    # different fixed latents, in units of the mean distance between two real samples.
    latent_spread: float = 0.15
    # The samples get better where the effective number of modes rises by more than this over 20
    # evaluations or over 8.
    diversity_gain: float = 0.05
    # The samples get better where the energy distance falls by more than this share of itself over
    # 20 evaluations or over 8.
    distance_fall: float = 0.2

    condition: ClassVar[str] = "mode_collapse"
    needs: ClassVar[frozenset[str]] = frozenset({EFFECTIVE_MODES, MISSING_MASS, JS_DIVERGENCE})

    def detect(self, record: Record) -> Diagnosis:
        """Evaluate the diversity of the samples, with hysteresis, after the warm-up."""
        steps = record[EFFECTIVE_MODES].steps
        if len(steps) < MIN_VALUES or steps[-1] < self.early_warm_up:
            return self._report_too_early(record, len(steps))
        samples = self._read_samples(record)
        lacks_modes = self._lacks_modes(samples)
        untrained = is_untrained(
            record, steps, self.displacement, self.still_displacement, self.off_data_precision
        )
        # A classifier recognises classes at any distance from the data; nearest modes do not.
        far_away = is_far_away(record, steps, self.far_distance, self.far_spread)
        far_away &= ~(samples.missing_classes > self.missing_classes)
        lacks_diversity = lacks_modes | (samples.variance < self.within_mode_variance)
        # Far from the data the modes are meaningless: the last meaningful evaluation still counts.
        shown = forward_fill(lacks_diversity & ~untrained, ~far_away)
        starting = is_starting(record, steps)
        # Trends are not computed where nothing lacks: they take most of the detector's time.
        improving, may_improve = (
            starting | self._is_improving(record, samples, p) if lacks_diversity.any() else starting
            for p in (self.trend_p, self.early_trend_p)
        )
        evidence = self._compare(samples)
        onset = find_onset(self._find_state(samples, shown, improving, may_improve), shown)
        if onset is not None:
            return self._report_present(record, int(steps[onset]), bool(improving[-1]), evidence)
        if len(steps) < self.evaluations or steps[-1] < self.warm_up:
            return self._report_too_early(record, len(steps))
        is_low, never_trained, is_away = (
            bool(flags[-5:].sum() >= 3) for flags in (lacks_modes, untrained, far_away)
        )
        status, summary = explain_no_collapse(
            evidence[0].observed,
            is_low=is_low,
            is_untrained=never_trained,
            is_starting=bool(starting[-1]),
            is_improving=bool(improving[-1]),
            is_far_away=is_away,
        )
        if not untrained[-1]:
            summary = join_sentences(summary, name_missing_classes(record, self.missing_below))
        return Diagnosis(self.condition, status, summary, evidence=evidence)

    def _read_samples(self, record: Record) -> _Samples:
        steps, modes = record[EFFECTIVE_MODES]
        return _Samples(
            steps,
            modes,
            record.at(MISSING_MASS, steps),
            record.at(JS_DIVERGENCE, steps),
            record.at(WITHIN_MODE_VARIANCE, steps),
            record.at(ENERGY_DISTANCE, steps),
            missing_class_share(record, steps, self.missing_below),
        )

    def _lacks_modes(self, samples: _Samples) -> Bools:
        """Evaluations at which modes or classes are missing, whatever the variance within them."""
        blurred = samples.variance > self.blurred_variance
        blurred &= samples.distance < self.blurred_distance
        few = samples.modes < self.effective_modes
        few &= samples.missing_mass > self.missing_mass
        uneven = samples.modes < self.uneven_modes
        uneven &= samples.divergence > self.js_divergence
        return (few & ~blurred) | uneven | (samples.missing_classes > self.missing_classes)

    def _is_improving(self, record: Record, samples: _Samples, p: float) -> Bools:
        """Evaluations at which the samples get better, over the long window or the short one."""
        find = functools.partial(
            find_improvement,
            samples.distance,
            samples.modes,
            distance_fall=self.distance_fall,
            diversity_gain=self.diversity_gain,
            few_modes=self.total,
            center=center_distance(record),
            p=p,
        )
        return find() | find(window=MIN_VALUES)

    def _find_state(
        self, samples: _Samples, shown: Bools, improving: Bools, may_improve: Bools
    ) -> Bools:
        """Evaluations at which a collapse is present: it persists and the samples get no better.

        Samples that are all alike are reported earlier than missing modes, but not where even a
        weak trend suggests that they get better.
        """
        # The thresholds for the end of a collapse are looser, so that noise does not end it.
        clear = samples.modes > 1.05 * self.effective_modes
        clear &= ~(samples.variance < 1.2 * self.within_mode_variance)
        clear &= ~(samples.missing_classes > 0.8 * self.missing_classes)
        has_trend = np.arange(len(shown)) >= MIN_VALUES - 1
        alike = shown & (samples.modes < self.total)
        ready = has_trend & ~may_improve & alike & (samples.steps >= self.early_warm_up)
        state = persistent_state(shown & has_trend & ~improving, clear)
        state &= samples.steps >= self.warm_up
        return state | persistent_state(alike, clear, ready=ready)

    def _compare(self, samples: _Samples) -> tuple[Evidence, ...]:
        evidence: tuple[Evidence, ...] = (
            compare_median(EFFECTIVE_MODES, samples.modes, "<", self.effective_modes),
            compare_median(MISSING_MASS, samples.missing_mass, ">", self.missing_mass),
            compare_median(
                JS_DIVERGENCE,
                samples.divergence,
                ">",
                self.js_divergence,
                "Jensen-Shannon divergence over its baseline",
            ),
            compare_median(WITHIN_MODE_VARIANCE, samples.variance, "<", self.within_mode_variance),
        )
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
            f"result needs {self.evaluations} evaluations and {self.warm_up} steps, or "
            f"{MIN_VALUES} evaluations and {self.early_warm_up} steps where all samples are alike."
        )
        return Diagnosis(self.condition, "inconclusive", text)

    def _report_present(
        self, record: Record, onset: int, is_improving: bool, evidence: tuple[Evidence, ...]
    ) -> Diagnosis:
        modes, _, _, variance, *classes = evidence
        has_few = modes.holds or not variance.holds or any(item.holds for item in classes)
        kind = find_failure_type(self, record, onset, has_few=has_few)
        causes = compare_causes(self, record, onset)
        cause = next((name for name, sign in causes if sign.holds), None)
        within_mode = variance.observed if variance.holds else 1.0
        summary = describe_collapse(
            onset,
            int(record[EFFECTIVE_MODES].steps[0]),
            modes.observed,
            within_mode,
            is_improving=is_improving,
            is_off_data=recent_median(record[PRECISION].values) < self.off_data_precision,
            missing_classes=name_missing_classes(record, self.missing_below),
            kind=kind,
            cause=cause,
        )
        lost = np.clip(1 - min(modes.observed, within_mode), 0, 1)
        severity = float(np.nan_to_num(lost, nan=1.0))
        evidence += tuple(sign for _, sign in causes)
        return Diagnosis(self.condition, "present", summary, kind, onset, cause, severity, evidence)
