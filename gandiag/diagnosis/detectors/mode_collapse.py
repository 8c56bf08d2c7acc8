"""Mode collapse: the generator makes too few kinds of samples.

What you see: the same few images on every sheet, while the losses may look as good as ever.

Why it happens: the generator is paid for samples that pass, not for diversity. A discriminator
that looks at one sample at a time cannot object to a good sample that is made too often (Salimans
et al. 2016, section 3.2), and one that is far stronger or far weaker than the generator drives it
to whatever single point it likes best at the moment.

How it is measured: the samples are sorted into cells of the real data (k-means). The effective
number of occupied cells, exp(entropy), over that of the real data and over its null at the same
sample size, is near 1 for real data of any class balance, and k/K for k of K equal modes; but 0.73
for five of ten digits, whose cells overlap. So a class histogram, where recorded, is asked too, and
names what is missing. Two or three missing digits raise no alarm: small networks lack as many for
long while they learn. The samples' mean distance raises none: with half the modes it is 0.96. But
samples far from the data that lie as far apart as real ones do not lack variety, whatever the cells
say: seen from afar few are the nearest. Nor do samples strewn widely around every mode, although
they fill the cells unevenly. And a generator that begins makes one kind of sample, too, for as long
as its learning rate has it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis.detectors._balance import compare_balance, finite_values_since
from gandiag.diagnosis.detectors._class_shares import has_single_class, name_missing_classes, missing_class_share
from gandiag.diagnosis.detectors._collapse_text import join_sentences, describe_collapse, explain_no_collapse
from gandiag.diagnosis.detectors._exclusions import is_starting, is_far_away, center_distance, is_untrained
from gandiag.diagnosis.diagnosis import Diagnosis, Evidence, compare_median
from gandiag.diagnosis.statistics import (
    effective_number,
    forward_fill,
    find_onset,
    persistent_state,
    recent_median,
)
from gandiag.diagnosis.trends import MIN_VALUES, find_improvement
from gandiag.monitoring.signals import (
    AUC,
    CLASS_HISTOGRAM,
    DISPLACEMENT,
    EFFECTIVE_MODES,
    ENERGY_DISTANCE,
    JS_DIVERGENCE,
    LATENT_SPREAD,
    MISSING_MASS,
    MODE_HISTOGRAM,
    PRECISION,
    RELATIVE_DISPLACEMENT,
    WITHIN_MODE_VARIANCE,
)
from gandiag.records.arrays import Array, Bools
from gandiag.records.record import Record


class _Seen(NamedTuple):
    """What was seen at each look at the samples' diversity, ``(n,)`` each."""

    steps: NDArray[np.int64]
    effective: Array
    missing: Array
    divergence: Array
    dispersion: Array
    energy: Array
    unmade: Array


@dataclass(frozen=True)
class ModeCollapse:
    """The generator covers few of the data's modes, or one."""

    effective_modes: float = 0.70  # of the null, below: real draws .92 or more, half the modes .5
    missing_mass: float = 0.2  # real mass of cells that the samples miss, above: 7 of 8 modes .13
    uneven_modes: float = 0.5  # of the null, below, and ...; above it an uneven histogram is no collapse
    js_divergence: float = 3.0  # ... Jensen-Shannon over its null's top, above: modes made too often
    blurred_variance: float = 10.0  # spread within the cells over the real one, above, and ...
    blurred_distance: float = 0.1  # ... energy distance, below: blur fills the cells unevenly; `uneven_modes` holds
    within_mode_variance: float = 0.25  # spread within the cells over the real one, below: intra-mode
    missing_classes: float = 0.45  # real share of classes hardly made, above: 5 of 10 digits; cured .0-.41
    rare_class: float = 0.2  # of its real share, below: a class is hardly made; 512 fakes hold 50 of 10
    total: float = 0.2  # of the null, below, or one class alone: one kind of sample
    warm_up: int = 500  # generator steps before which nothing is judged: every G begins as a blob
    evaluations: int = 11  # probes before which nothing is judged: 8 tell a trend, 4 of them persist; but
    early_warm_up: int = 350  # ... from here on samples of one kind are
    trend_p: float = 0.01  # p-value of a trend, below: they get better; and ...
    early_trend_p: float = 0.05  # ... below this they may, which is enough for samples of one kind
    displacement: float = 0.7  # real scales per 100 steps, above; two digits of a class lie .9 apart; and
    relative_displacement: float = 2.0  # ... over the samples' own spread, above: hopping as one; or ...
    pooled_modes: float = 1.7  # diversity of 8 looks pooled over that of one, above, and ...
    turnover: float = 0.4  # ... histogram change between looks less its null, above
    still_displacement: float = 5e-3  # motion in real scales per 100 steps, below, and ...
    off_data_precision: float = 0.05  # ... precision over its null, below: G has not begun to learn
    far_distance: float = 1.5  # distance of a sample from a real one over that of two real, above, and ...
    far_spread: float = 0.9  # ... distance of two samples over that of two real, above: elsewhere
    strong_auc: float = 0.98  # D's ranking of real over fake, above: too strong
    weak_auc: float = 0.3  # the same, below ...
    weak_share: float = 0.2  # ... in more than this share of the looks: too weak; healthy none; or
    lost_gain: float = 0.4  # share of D's gap that its last step had made and that is lost, above
    latent_spread: float = 0.15  # spread of the samples at fixed latents in real scales, below
    diversity_gain: float = 0.05  # rise of the diversity over 20 looks or 8, above: still on its way; or
    distance_fall: float = 0.2  # fall of the distance to the data by this share, above

    condition: ClassVar[str] = "mode_collapse"
    needs: ClassVar[frozenset[str]] = frozenset({EFFECTIVE_MODES, MISSING_MASS, JS_DIVERGENCE})

    def detect(self, record: Record) -> Diagnosis:
        """Judge the newest probes, with hysteresis, once the warm-up is over."""
        steps = record[EFFECTIVE_MODES].steps
        if len(steps) < MIN_VALUES or steps[-1] < self.early_warm_up:
            return self._too_early(record, len(steps))
        seen = self._see(record)
        few = self._few(seen)
        never = is_untrained(record, steps, self.displacement, self.still_displacement, self.off_data_precision)
        away = is_far_away(record, steps, self.far_distance, self.far_spread) & ~(seen.unmade > self.missing_classes)
        poor = few | (seen.dispersion < self.within_mode_variance)
        shown = forward_fill(poor & ~never, ~away)
        begins = is_starting(record, steps)
        learning, hopeful = (
            begins | self._improving(record, seen, p) if poor.any() else begins
            for p in (self.trend_p, self.early_trend_p)
        )
        evidence = self._evidence(seen)
        onset = find_onset(self._state(seen, shown, learning, hopeful), shown)
        if onset is not None:
            return self._present(record, int(steps[onset]), bool(learning[-1]), evidence)
        if len(steps) < self.evaluations or steps[-1] < self.warm_up:
            return self._too_early(record, len(steps))
        low, unlearned, far = (bool(signs[-5:].sum() >= 3) for signs in (few, never, away))
        status, text = explain_no_collapse(
            evidence[0].observed,
            low=low,
            untaught=unlearned,
            beginning=bool(begins[-1]),
            learning=bool(learning[-1]),
            elsewhere=far,
        )
        if not never[-1]:
            text = join_sentences(text, name_missing_classes(record, self.rare_class))
        return Diagnosis(self.condition, status, text, evidence=evidence)

    def _see(self, record: Record) -> _Seen:
        steps, effective = record[EFFECTIVE_MODES]
        return _Seen(
            steps,
            effective,
            record.at(MISSING_MASS, steps),
            record.at(JS_DIVERGENCE, steps),
            record.at(WITHIN_MODE_VARIANCE, steps),
            record.at(ENERGY_DISTANCE, steps),
            missing_class_share(record, steps, self.rare_class),
        )

    def _few(self, seen: _Seen) -> Bools:
        """Looks at which there are too few modes, however the samples vary within them."""
        blurred = (seen.dispersion > self.blurred_variance) & (seen.energy < self.blurred_distance)
        few = (seen.effective < self.effective_modes) & (seen.missing > self.missing_mass)
        uneven = (seen.effective < self.uneven_modes) & (seen.divergence > self.js_divergence)
        return (few & ~blurred) | uneven | (seen.unmade > self.missing_classes)

    def _state(self, seen: _Seen, shown: Bools, learning: Bools, hopeful: Bools) -> Bools:
        """Looks at which samples lack variety: they have for a while, and do not get better.

        Samples of one kind are told sooner, but not where they may get better.
        """
        clear = seen.effective > 1.05 * self.effective_modes
        clear &= ~(seen.dispersion < 1.2 * self.within_mode_variance) & ~(seen.unmade > 0.8 * self.missing_classes)
        told = np.arange(len(shown)) >= MIN_VALUES - 1  # by then a trend could be seen
        alike = shown & (seen.effective < self.total)
        soon = told & ~hopeful & alike & (seen.steps >= self.early_warm_up)
        state = persistent_state(shown & told & ~learning, clear) & (seen.steps >= self.warm_up)
        return state | persistent_state(alike, clear, ready=soon)

    def _evidence(self, seen: _Seen) -> tuple[Evidence, ...]:
        found: tuple[Evidence, ...] = (
            compare_median(
                EFFECTIVE_MODES,
                seen.effective,
                "<",
                self.effective_modes,
                "effective number of modes",
            ),
            compare_median(
                MISSING_MASS, seen.missing, ">", self.missing_mass, "share of the real data missed"
            ),
            compare_median(
                JS_DIVERGENCE,
                seen.divergence,
                ">",
                self.js_divergence,
                "unevenness, asked of few modes",
            ),
            compare_median(
                WITHIN_MODE_VARIANCE, seen.dispersion, "<", self.within_mode_variance, "variety within a mode"
            ),
        )
        if not np.isfinite(seen.unmade).any():
            return found
        classes = compare_median(
            CLASS_HISTOGRAM, seen.unmade, ">", self.missing_classes, "share of classes hardly made"
        )
        return (*found, classes)

    def _too_early(self, record: Record, looks: int) -> Diagnosis:
        text = (
            f"Too early: {looks} looks at the samples until step {record.last_step}. Diversity is "
            f"judged after {self.evaluations} looks and {self.warm_up} steps, or, where all samples are "
            f"of one kind, after {MIN_VALUES} and {self.early_warm_up}."
        )
        return Diagnosis(self.condition, "inconclusive", text)

    def _improving(self, record: Record, seen: _Seen, p: float) -> Bools:
        """Looks at which the samples have been getting better, for some time or of late."""
        ask = functools.partial(
            find_improvement,
            seen.energy,
            seen.effective,
            nearer=self.distance_fall,
            gain=self.diversity_gain,
            few=self.total,
            middle=center_distance(record),
            p=p,
        )
        return ask() | ask(window=MIN_VALUES)

    def _present(
        self, record: Record, onset: int, learning: bool, evidence: tuple[Evidence, ...]
    ) -> Diagnosis:
        kind = self._kind(record, onset, evidence)
        reasons = self._reasons(record, onset)
        cause = next((name for name, reason in reasons if reason.holds), None)
        share = evidence[0].observed
        narrow = evidence[3].observed if evidence[3].holds else 1.0
        summary = describe_collapse(
            onset,
            share,
            narrow,
            learning=learning,
            off_the_data=bool(recent_median(record[PRECISION].values) < self.off_data_precision),
            unmade=name_missing_classes(record, self.rare_class),
            kind=kind,
            cause=cause,
        )
        severity = float(np.nan_to_num(np.clip(1 - min(share, narrow), 0, 1), nan=1.0))
        evidence += tuple(reason for _, reason in reasons)
        return Diagnosis(self.condition, "present", summary, kind, onset, cause, severity, evidence)

    def _kind(self, record: Record, onset: int, evidence: tuple[Evidence, ...]) -> str:
        motion = recent_median(record[DISPLACEMENT].values, 10)
        relative = recent_median(record[RELATIVE_DISPLACEMENT].values, 10)
        if motion > self.displacement and relative > self.relative_displacement:
            return "hopping"
        steps, bins = record[MODE_HISTOGRAM]
        since = bins[steps >= onset][-8:]
        if len(since) >= 4 and np.isfinite(since).all():
            pooled = effective_number(since.mean(0))
            each = float(np.median([effective_number(row) for row in since]))
            turnover = np.abs(np.diff(since, axis=0)).sum(1).mean() / 2
            excess = turnover - float(record.facts.get("turnover_baseline", 0.0))
            if pooled > self.pooled_modes * each and excess > self.turnover:
                return "hopping"
        if evidence[0].observed < self.total or has_single_class(record, self.rare_class):
            return "total"
        few = evidence[0].holds or any(item.holds for item in evidence[4:])
        return "intra_mode" if evidence[3].holds and not few else "partial"

    def _reasons(self, record: Record, onset: int) -> tuple[tuple[str, Evidence], ...]:
        """What may have caused it, as far as recorded, the most telling first."""
        fooled, undone = compare_balance(record, onset, self.weak_auc, self.weak_share, self.lost_gain)
        ranking, spread = finite_values_since(record, AUC, onset), record[LATENT_SPREAD].values
        sure = compare_median(AUC, ranking, ">", self.strong_auc, "D's ranking of real over fake", 10)
        same = compare_median(
            LATENT_SPREAD, spread, "<", self.latent_spread, "spread of the samples over latents"
        )
        return (
            ("discriminator_too_weak", fooled),
            ("discriminator_too_strong", sure),
            ("discriminator_too_weak", undone),
            ("latent_ignored", same),
        )
