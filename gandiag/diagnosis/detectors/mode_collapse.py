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

from gandiag.diagnosis.detectors._balance import outrun_signs, values_since
from gandiag.diagnosis.detectors._class_shares import makes_one_class, names_unmade, share_unmade
from gandiag.diagnosis.detectors._collapse_text import joined, what_is, why_not
from gandiag.diagnosis.detectors._exclusions import beginning, elsewhere, middle_of, untaught
from gandiag.diagnosis.diagnosis import Diagnosis, Evidence, evidence_for
from gandiag.diagnosis.statistics import (
    effective_number,
    latched,
    onset_of,
    persistent,
    recent_median,
)
from gandiag.diagnosis.trends import LEAST, improving
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

    effective_bins: float = 0.70  # of the null, below: real draws .92 or more, half the modes .5
    missing_mass: float = 0.2  # real mass of cells that the samples miss, above: 7 of 8 modes .13
    uneven: float = 0.5  # of the null, below, and ...; above it an uneven histogram is no collapse
    divergence: float = 3.0  # ... Jensen-Shannon over its null's top, above: modes made too often
    blurred: float = 10.0  # spread within the cells over the real one, above, and ...
    near: float = 0.1  # ... energy distance, below: blur fills the cells unevenly; `uneven` holds
    dispersion: float = 0.25  # spread within the cells over the real one, below: intra-mode
    classes: float = 0.45  # real share of classes hardly made, above: 5 of 10 digits; cured .0-.41
    hardly: float = 0.2  # of its real share, below: a class is hardly made; 512 fakes hold 50 of 10
    total: float = 0.2  # of the null, below, or one class alone: one kind of sample
    warm_up: int = 500  # generator steps before which nothing is judged: every G begins as a blob
    looks: int = 11  # probes before which nothing is judged: 8 tell a trend, 4 of them persist; but
    soon: int = 350  # ... from here on samples of one kind are
    chance: float = 0.01  # p-value of a trend, below: they get better; and ...
    hint: float = 0.05  # ... below this they may, which is enough for samples of one kind
    motion: float = 0.7  # real scales per 100 steps, above; two digits of a class lie .9 apart; and
    together: float = 2.0  # ... over the samples' own spread, above: hopping as one; or ...
    hopping: float = 1.7  # diversity of 8 looks pooled over that of one, above, and ...
    turnover: float = 0.4  # ... histogram change between looks less its null, above
    at_rest: float = 5e-3  # motion in real scales per 100 steps, below, and ...
    off_the_data: float = 0.05  # ... precision over its null, below: G has not begun to learn
    apart: float = 1.5  # distance of a sample from a real one over that of two real, above, and ...
    as_wide: float = 0.9  # ... distance of two samples over that of two real, above: elsewhere
    sure: float = 0.98  # D's ranking of real over fake, above: too strong
    outrun: float = 0.3  # the same, below ...
    often: float = 0.2  # ... in more than this share of the looks: too weak; healthy none; or
    undone: float = 0.4  # share of D's gap that its last step had made and that is lost, above
    ignored: float = 0.15  # spread of the samples at fixed latents in real scales, below
    gain: float = 0.05  # rise of the diversity over 20 looks or 8, above: still on its way; or
    nearer: float = 0.2  # fall of the distance to the data by this share, above

    condition: ClassVar[str] = "mode_collapse"
    needs: ClassVar[frozenset[str]] = frozenset({EFFECTIVE_MODES, MISSING_MASS, JS_DIVERGENCE})

    def detect(self, record: Record) -> Diagnosis:
        """Judge the newest probes, with hysteresis, once the warm-up is over."""
        steps = record[EFFECTIVE_MODES].steps
        if len(steps) < LEAST or steps[-1] < self.soon:
            return self._too_early(record, len(steps))
        seen = self._see(record)
        few = self._few(seen)
        never = untaught(record, steps, self.motion, self.at_rest, self.off_the_data)
        away = elsewhere(record, steps, self.apart, self.as_wide) & ~(seen.unmade > self.classes)
        poor = few | (seen.dispersion < self.dispersion)
        shown = latched(poor & ~never, ~away)
        begins = beginning(record, steps)
        learning, hopeful = (
            begins | self._improving(record, seen, p) if poor.any() else begins
            for p in (self.chance, self.hint)
        )
        evidence = self._evidence(seen)
        onset = onset_of(self._state(seen, shown, learning, hopeful), shown)
        if onset is not None:
            return self._present(record, int(steps[onset]), bool(learning[-1]), evidence)
        if len(steps) < self.looks or steps[-1] < self.warm_up:
            return self._too_early(record, len(steps))
        low, unlearned, far = (bool(signs[-5:].sum() >= 3) for signs in (few, never, away))
        status, text = why_not(
            evidence[0].observed,
            low=low,
            untaught=unlearned,
            beginning=bool(begins[-1]),
            learning=bool(learning[-1]),
            elsewhere=far,
        )
        if not never[-1]:
            text = joined(text, names_unmade(record, self.hardly))
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
            share_unmade(record, steps, self.hardly),
        )

    def _few(self, seen: _Seen) -> Bools:
        """Looks at which there are too few modes, however the samples vary within them."""
        blurred = (seen.dispersion > self.blurred) & (seen.energy < self.near)
        few = (seen.effective < self.effective_bins) & (seen.missing > self.missing_mass)
        uneven = (seen.effective < self.uneven) & (seen.divergence > self.divergence)
        return (few & ~blurred) | uneven | (seen.unmade > self.classes)

    def _state(self, seen: _Seen, shown: Bools, learning: Bools, hopeful: Bools) -> Bools:
        """Looks at which samples lack variety: they have for a while, and do not get better.

        Samples of one kind are told sooner, but not where they may get better.
        """
        clear = seen.effective > 1.05 * self.effective_bins
        clear &= ~(seen.dispersion < 1.2 * self.dispersion) & ~(seen.unmade > 0.8 * self.classes)
        told = np.arange(len(shown)) >= LEAST - 1  # by then a trend could be seen
        alike = shown & (seen.effective < self.total)
        soon = told & ~hopeful & alike & (seen.steps >= self.soon)
        state = persistent(shown & told & ~learning, clear) & (seen.steps >= self.warm_up)
        return state | persistent(alike, clear, ready=soon)

    def _evidence(self, seen: _Seen) -> tuple[Evidence, ...]:
        found: tuple[Evidence, ...] = (
            evidence_for(
                EFFECTIVE_MODES,
                seen.effective,
                "<",
                self.effective_bins,
                "effective number of modes",
            ),
            evidence_for(
                MISSING_MASS, seen.missing, ">", self.missing_mass, "share of the real data missed"
            ),
            evidence_for(
                JS_DIVERGENCE,
                seen.divergence,
                ">",
                self.divergence,
                "unevenness, asked of few modes",
            ),
            evidence_for(
                WITHIN_MODE_VARIANCE, seen.dispersion, "<", self.dispersion, "variety within a mode"
            ),
        )
        if not np.isfinite(seen.unmade).any():
            return found
        classes = evidence_for(
            CLASS_HISTOGRAM, seen.unmade, ">", self.classes, "share of classes hardly made"
        )
        return (*found, classes)

    def _too_early(self, record: Record, looks: int) -> Diagnosis:
        text = (
            f"Too early: {looks} looks at the samples until step {record.last_step}. Diversity is "
            f"judged after {self.looks} looks and {self.warm_up} steps, or, where all samples are "
            f"of one kind, after {LEAST} and {self.soon}."
        )
        return Diagnosis(self.condition, "inconclusive", text)

    def _improving(self, record: Record, seen: _Seen, p: float) -> Bools:
        """Looks at which the samples have been getting better, for some time or of late."""
        ask = functools.partial(
            improving,
            seen.energy,
            seen.effective,
            nearer=self.nearer,
            gain=self.gain,
            few=self.total,
            middle=middle_of(record),
            p=p,
        )
        return ask() | ask(window=LEAST)

    def _present(
        self, record: Record, onset: int, learning: bool, evidence: tuple[Evidence, ...]
    ) -> Diagnosis:
        kind = self._kind(record, onset, evidence)
        reasons = self._reasons(record, onset)
        cause = next((name for name, reason in reasons if reason.holds), None)
        share = evidence[0].observed
        narrow = evidence[3].observed if evidence[3].holds else 1.0
        summary = what_is(
            onset,
            share,
            narrow,
            learning=learning,
            off_the_data=bool(recent_median(record[PRECISION].values) < self.off_the_data),
            unmade=names_unmade(record, self.hardly),
            kind=kind,
            cause=cause,
        )
        severity = float(np.nan_to_num(np.clip(1 - min(share, narrow), 0, 1), nan=1.0))
        evidence += tuple(reason for _, reason in reasons)
        return Diagnosis(self.condition, "present", summary, kind, onset, cause, severity, evidence)

    def _kind(self, record: Record, onset: int, evidence: tuple[Evidence, ...]) -> str:
        motion = recent_median(record[DISPLACEMENT].values, 10)
        relative = recent_median(record[RELATIVE_DISPLACEMENT].values, 10)
        if motion > self.motion and relative > self.together:
            return "hopping"
        steps, bins = record[MODE_HISTOGRAM]
        since = bins[steps >= onset][-8:]
        if len(since) >= 4 and np.isfinite(since).all():
            pooled = effective_number(since.mean(0))
            each = float(np.median([effective_number(row) for row in since]))
            turnover = np.abs(np.diff(since, axis=0)).sum(1).mean() / 2
            excess = turnover - float(record.facts.get("turnover_baseline", 0.0))
            if pooled > self.hopping * each and excess > self.turnover:
                return "hopping"
        if evidence[0].observed < self.total or makes_one_class(record, self.hardly):
            return "total"
        few = evidence[0].holds or any(item.holds for item in evidence[4:])
        return "intra_mode" if evidence[3].holds and not few else "partial"

    def _reasons(self, record: Record, onset: int) -> tuple[tuple[str, Evidence], ...]:
        """What may have caused it, as far as recorded, the most telling first."""
        fooled, undone = outrun_signs(record, onset, self.outrun, self.often, self.undone)
        ranking, spread = values_since(record, AUC, onset), record[LATENT_SPREAD].values
        sure = evidence_for(AUC, ranking, ">", self.sure, "D's ranking of real over fake", 10)
        same = evidence_for(
            LATENT_SPREAD, spread, "<", self.ignored, "spread of the samples over latents"
        )
        return (
            ("discriminator_too_weak", fooled),
            ("discriminator_too_strong", sure),
            ("discriminator_too_weak", undone),
            ("latent_ignored", same),
        )
