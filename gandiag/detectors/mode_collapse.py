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
they fill the cells unevenly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gandiag.detectors.class_shares import (
    CLASSES,
    makes_one_class,
    names_unmade,
    share_unmade,
)
from gandiag.detectors.pace import AUC, TOO_WEAK, outrun_signs, values_since
from gandiag.diagnosis import Diagnosis, Evidence, Status, weigh
from gandiag.record import Record
from gandiag.series import Bools, effective_number, held, onset_of, persistent, recent_median
from gandiag.trends import LEAST, improving

__all__ = ["ModeCollapse"]

EFFECTIVE = "diversity/effective_bins/generator"
MISSING = "diversity/missing_mass/generator"
DIVERGENCE = "diversity/divergence/generator"
DISPERSION = "diversity/dispersion/generator"
PRECISION = "diversity/precision/generator"
ENERGY = "diversity/energy/generator"
MOTION = "motion/fixed/generator"
SPREAD = "motion/spread/generator"
PAIRS = "diversity/spread/generator"

STORY = {
    "discriminator_too_strong": (
        "The discriminator tells real from fake almost without error, and drives the generator to "
        "the few samples that it finds least bad."
    ),
    "discriminator_too_weak": TOO_WEAK,
    "latent_ignored": "All latents give nearly the same sample: the generator ignores its input.",
}


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
    soon: int = 350  # ... from here on samples of one kind are, unless a trend with ...
    hint: float = 0.05  # ... a p-value below this says that they get better
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
    gain: float = 0.05  # rise of the diversity over 20 looks, above: still on its way; or
    nearer: float = 0.2  # fall of the distance to the data over 20 looks by this share, above

    condition: ClassVar[str] = "mode_collapse"
    needs: ClassVar[frozenset[str]] = frozenset({EFFECTIVE, MISSING, DIVERGENCE})

    def detect(self, record: Record) -> Diagnosis:
        """Judge the newest probes, with hysteresis, once the warm-up is over."""
        steps, effective = record[EFFECTIVE]
        early = len(steps) < self.looks or steps[-1] < self.warm_up
        if len(steps) < LEAST or steps[-1] < self.soon:
            return self._too_early(record, len(steps))
        missing, divergence, dispersion, energy = (
            record.at(name, steps) for name in (MISSING, DIVERGENCE, DISPERSION, ENERGY)
        )
        unmade = share_unmade(record, steps, self.hardly)
        blurred = (dispersion > self.blurred) & (energy < self.near)
        few = (effective < self.effective_bins) & (missing > self.missing_mass) & ~blurred
        few |= (effective < self.uneven) & (divergence > self.divergence)
        few |= unmade > self.classes
        untaught = self._untaught(record, steps)
        learning = improving(energy, effective, self.nearer, self.gain, self.total)
        elsewhere = self._elsewhere(record, steps) & ~(unmade > self.classes)
        shown = held((few | (dispersion < self.dispersion)) & ~untaught, ~elsewhere)
        clear = effective > 1.05 * self.effective_bins
        clear &= ~(dispersion < 1.2 * self.dispersion) & ~(unmade > 0.8 * self.classes)
        evidence: tuple[Evidence, ...] = (
            weigh(EFFECTIVE, effective, "<", self.effective_bins, "effective number of modes"),
            weigh(MISSING, missing, ">", self.missing_mass, "share of the real data missed"),
            weigh(DIVERGENCE, divergence, ">", self.divergence, "unevenness, asked of few modes"),
            weigh(DISPERSION, dispersion, "<", self.dispersion, "variety within a mode"),
        )
        if np.isfinite(unmade).any():
            evidence += (weigh(CLASSES, unmade, ">", self.classes, "share of classes hardly made"),)
        untold = np.arange(len(steps)) < LEAST - 1  # too few looks to tell who is learning
        state = persistent(shown & ~learning & ~untold, clear) & (steps >= self.warm_up)
        alike = shown & (effective < self.total)
        if alike.any():
            hopeful = improving(energy, effective, self.nearer, self.gain, self.total, p=self.hint)
            ready = ~hopeful & ~untold & (steps >= self.soon)
            state |= persistent(alike, clear, ready=ready)
        onset = onset_of(state, shown)
        if onset is not None:
            return self._present(record, int(steps[onset]), evidence)
        if early:
            return self._too_early(record, len(steps))
        low, unlearned, far = (seen[-5:].sum() >= 3 for seen in (few, untaught, elsewhere))
        status, text = _why_not(low, unlearned, bool(learning[-1]), far, evidence[0].observed)
        if not untaught[-1]:
            text = _join(text, names_unmade(record, self.hardly))
        return Diagnosis(self.condition, status, text, evidence=evidence)

    def _too_early(self, record: Record, looks: int) -> Diagnosis:
        text = (
            f"Too early: {looks} looks at the samples until step {record.last_step}. Diversity is "
            f"judged after {self.looks} looks and {self.warm_up} steps, or, where all samples are "
            f"of one kind, after {LEAST} and {self.soon}."
        )
        return Diagnosis(self.condition, "inconclusive", text)

    def _untaught(self, record: Record, steps: NDArray[np.int64]) -> Bools:
        """Looks at which G stands still as ever and makes nothing like the data: it never learned.

        What it makes then is its initialisation's, and its diversity is no failure of its own; not
        so once its samples have moved as far as from one real sample to another.
        """
        motion, precision = record.at(MOTION, steps), record.at(PRECISION, steps)
        moved = np.maximum.accumulate(np.nan_to_num(motion, nan=0.0)) > self.motion
        return ~moved & (motion < self.at_rest) & (precision < self.off_the_data)

    def _elsewhere(self, record: Record, steps: NDArray[np.int64]) -> Bools:
        """Looks at which the samples differ as much as real ones do, but far from the data."""
        energy, pairs = record.at(ENERGY, steps), record.at(PAIRS, steps)
        apart = energy > 2 * self.apart - pairs - 1  # as energy is 2 apart - pairs - 1
        return apart & (pairs > self.as_wide)

    def _present(self, record: Record, onset: int, evidence: tuple[Evidence, ...]) -> Diagnosis:
        kind = self._kind(record, onset, evidence)
        reasons = self._reasons(record, onset)
        cause = next((name for name, reason in reasons if reason.holds), None)
        share = evidence[0].observed
        much = "an unknown part" if np.isnan(share) else f"{share:.0%}"  # of late not finite
        narrow = evidence[3].observed if evidence[3].holds else 1.0
        off = recent_median(record[PRECISION].values) < self.off_the_data
        summary = _join(
            f"Since step {onset} the samples have lacked variety: {much} of the real data's now.",
            f"Within a mode they vary {narrow:.0%} as much as real ones." if narrow < 1 else "",
            "Hardly any of them lies near a real sample." if off else "",
            names_unmade(record, self.hardly),
            "Which modes they show changes from look to look." if kind == "hopping" else "",
            STORY[cause] if cause else "",
        )
        severity = float(np.nan_to_num(np.clip(1 - min(share, narrow), 0, 1), nan=1.0))
        evidence += tuple(reason for _, reason in reasons)
        return Diagnosis(self.condition, "present", summary, kind, onset, cause, severity, evidence)

    def _kind(self, record: Record, onset: int, evidence: tuple[Evidence, ...]) -> str:
        motion = recent_median(record[MOTION].values, 10)
        relative = recent_median(record["motion/relative/generator"].values, 10)
        if motion > self.motion and relative > self.together:
            return "hopping"
        steps, bins = record["diversity/bins/generator"]
        since = bins[steps >= onset][-8:]
        if len(since) >= 4:
            pooled = effective_number(since.mean(0))
            each = float(np.median([effective_number(row) for row in since]))
            turnover = np.abs(np.diff(since, axis=0)).sum(1).mean() / 2
            excess = turnover - float(record.facts.get("turnover_null", 0.0))
            if pooled > self.hopping * each and excess > self.turnover:
                return "hopping"
        if evidence[0].observed < self.total or makes_one_class(record, self.hardly):
            return "total"
        few = evidence[0].holds or any(item.holds for item in evidence[4:])
        return "intra_mode" if evidence[3].holds and not few else "partial"

    def _reasons(self, record: Record, onset: int) -> tuple[tuple[str, Evidence], ...]:
        """What may have caused it, as far as recorded, the most telling first."""
        fooled, undone = outrun_signs(record, onset, self.outrun, self.often, self.undone)
        ranking, spread = values_since(record, AUC, onset), record[SPREAD].values
        sure = weigh(AUC, ranking, ">", self.sure, "D's ranking of real over fake", 10)
        same = weigh(SPREAD, spread, "<", self.ignored, "spread of the samples over latents")
        return (
            ("discriminator_too_weak", fooled),
            ("discriminator_too_strong", sure),
            ("discriminator_too_weak", undone),
            ("latent_ignored", same),
        )


def _why_not(
    low: bool, untaught: bool, learning: bool, elsewhere: bool, share: float
) -> tuple[Status, str]:
    """What to answer where no collapse is shown, by what the newest looks are."""
    much = f"{share:.0%} of the real data's diversity"
    if np.isnan(share):
        text = "Of late the diversity of the samples is no finite number: it cannot be judged."
        return "inconclusive", text
    if low and untaught:
        return "inconclusive", (
            "The generator stands still and makes nothing like the data: it has not begun to "
            "learn, and what it has never made it cannot have lost."
        )
    if low and learning:
        return "inconclusive", f"The samples have only {much} so far, but are getting better."
    if low and elsewhere:
        return "absent", (
            "The samples differ as much as real ones do, but lie far from the data: it is not "
            "variety that they lack."
        )
    if low:
        return "inconclusive", f"The samples have {much}, but not for long: more steps would tell."
    return "absent", f"The samples have {much}."


def _join(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)
