"""Mode collapse: the generator makes too few kinds of samples.

What you see: the same few images on every sheet, while the losses may look as good as ever.

Why it happens: the generator is paid for samples that pass, not for diversity. A discriminator
that looks at one sample at a time cannot object to a good sample that is made too often (Salimans
et al. 2016, section 3.2), and one that is far stronger or far weaker than the generator drives it
to whatever single point it likes best at the moment.

How it is measured: the samples are sorted into cells of the real data (k-means). The effective
number of occupied cells, exp(entropy), over that of the real data and over its null at the same
sample size, is near 1 for real data of any class balance, and k/K for k of K equal modes. The mean
distance between samples is never asked: it stays at 0.96 when every second mode is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis import Diagnosis, Evidence, weigh
from gandiag.record import Record
from gandiag.series import Array, Bools, onset_of, persistent, recent_median, rise

__all__ = ["ModeCollapse"]

EFFECTIVE = "diversity/effective_bins/generator"
MISSING = "diversity/missing_mass/generator"
DIVERGENCE = "diversity/divergence/generator"
DISPERSION = "diversity/dispersion/generator"

STORY = {
    "discriminator_too_strong": (
        "The discriminator tells real from fake almost without error, and drives the generator to "
        "the few samples that it finds least bad."
    ),
    "discriminator_too_weak": (
        "The discriminator is outrun: it often finds the fakes more real than the real samples, "
        "and the generator moves all of them to its newest blind spot."
    ),
    "latent_ignored": "All latents give nearly the same sample: the generator ignores its input.",
}


@dataclass(frozen=True)
class ModeCollapse:
    """The generator covers few of the data's modes, or one."""

    effective_bins: float = (
        0.70  # of the null, below: worst of 300 real draws .92, half the modes .5
    )
    missing_mass: float = 0.2  # real mass of cells that the samples miss, above: 7 of 8 modes .13
    divergence: float = (
        3.0  # Jensen-Shannon over the null's largest, above: instead of missing mass
    )
    dispersion: float = 0.25  # spread within the cells over the real one, below: intra-mode
    total: float = 0.2  # of the null, below: one kind of sample
    warm_up: int = 500  # generator steps before which nothing is judged: every G begins as a blob
    looks: int = 10  # probes before which nothing is judged
    motion: float = 0.25  # real scales per 100 steps, above, and ...
    together: float = 2.0  # ... motion over the samples' own spread, above: hopping as one; or ...
    hopping: float = 1.7  # diversity of 8 looks pooled over that of one, above, and ...
    turnover: float = 0.4  # ... histogram change between looks less its null, above
    at_rest: float = 5e-3  # motion in real scales per 100 steps, below, and ...
    off_the_data: float = 0.05  # ... precision over its null, below: never learned
    sure: float = 0.98  # D's ranking of real over fake, above: too strong
    outrun: float = 0.3  # the same, below in a fifth of the looks: too weak
    ignored: float = 0.15  # spread of the samples at fixed latents in real scales, below
    gain: float = 0.05  # rise of the diversity over 20 looks, above: still on its way

    condition: ClassVar[str] = "mode_collapse"
    needs: ClassVar[frozenset[str]] = frozenset({EFFECTIVE, MISSING, DIVERGENCE})

    def detect(self, record: Record) -> Diagnosis:
        """Judge the newest probes, with hysteresis, once the warm-up is over."""
        steps, effective = record[EFFECTIVE]
        if len(steps) < self.looks or steps[-1] < self.warm_up:
            summary = (
                f"Too early: {len(steps)} looks at the samples until step {record.last_step}. "
                f"Diversity is judged after {self.looks} looks and {self.warm_up} steps."
            )
            return Diagnosis(self.condition, "inconclusive", summary)
        missing, divergence, dispersion = (
            record.at(name, steps) for name in (MISSING, DIVERGENCE, DISPERSION)
        )
        few = (effective < self.effective_bins) & (
            (missing > self.missing_mass) | (divergence > self.divergence)
        )
        narrow = dispersion < self.dispersion
        shown = (few | narrow) & ~self._at_rest_off_the_data(record, steps)
        learning = rise(effective) > self.gain
        clear = (effective > 1.05 * self.effective_bins) & ~(dispersion < 1.2 * self.dispersion)
        state = persistent(shown & ~learning & (steps >= self.warm_up), clear)
        evidence = (
            weigh(EFFECTIVE, effective, "<", self.effective_bins, "effective number of modes"),
            weigh(MISSING, missing, ">", self.missing_mass, "share of the real data missed"),
            weigh(DIVERGENCE, divergence, ">", self.divergence, "histogram distance to the data"),
            weigh(DISPERSION, dispersion, "<", self.dispersion, "variety within a mode"),
        )
        onset = onset_of(state, shown)
        if onset is not None:
            return self._present(record, int(steps[onset]), evidence)
        if few[-5:].sum() >= 3 and learning[-1]:
            summary = (
                f"Few modes so far ({evidence[0].observed:.0%} of the real diversity), and "
                "rising: it is still learning."
            )
            return Diagnosis(self.condition, "inconclusive", summary, evidence=evidence)
        return Diagnosis(self.condition, "absent", _why_absent(evidence), evidence=evidence)

    def _at_rest_off_the_data(self, record: Record, steps: NDArray[np.int64]) -> Bools:
        """Probes at which G stands still and makes nothing like the data: it never learned.

        What it makes then is its initialisation's, and its diversity is no failure of its own.
        """
        motion = record.at("motion/fixed/generator", steps)
        precision = record.at("diversity/precision/generator", steps)
        return (motion < self.at_rest) & (precision < self.off_the_data)

    def _present(self, record: Record, onset: int, evidence: tuple[Evidence, ...]) -> Diagnosis:
        effective = evidence[0].observed
        kind = self._kind(record, onset, effective)
        cause = self._cause(record, onset)
        share = (
            "an unknown part" if np.isnan(effective) else f"{effective:.0%}"
        )  # of late not finite
        parts = [f"Since step {onset} the samples have {share} of the real diversity."]
        missed = _missing_classes(record)
        if missed:
            parts.append(f"Classes hardly made: {', '.join(missed)}.")
        if kind == "hopping":
            parts.append("Which modes they show changes from look to look.")
        if cause:
            parts.append(STORY[cause])
        severity = float(np.nan_to_num(np.clip(1 - effective, 0, 1), nan=1.0))
        summary = " ".join(parts)
        return Diagnosis(self.condition, "present", summary, kind, onset, cause, severity, evidence)

    def _kind(self, record: Record, onset: int, effective: float) -> str:
        motion = recent_median(record["motion/fixed/generator"].values, 10)
        relative = recent_median(record["motion/relative/generator"].values, 10)
        if motion > self.motion and relative > self.together:
            return "hopping"
        steps, bins = record["diversity/bins/generator"]
        since = bins[steps >= onset][-8:]
        if len(since) >= 4:
            pooled = _effective(since.mean(0))
            each = float(np.median([_effective(row) for row in since]))
            turnover = np.abs(np.diff(since, axis=0)).sum(1).mean() / 2
            excess = turnover - float(record.facts.get("turnover_null", 0.0))
            if pooled > self.hopping * each and excess > self.turnover:
                return "hopping"
        if effective < self.total:
            return "total"
        return "partial" if effective < self.effective_bins else "intra_mode"

    def _cause(self, record: Record, onset: int) -> str | None:
        steps, auc = record["confidence/auc/discriminator"]
        since = auc[steps >= onset]
        spread = record["motion/spread/generator"].values
        if len(since) and float(np.mean(since < self.outrun)) >= 0.2:
            return "discriminator_too_weak"
        if len(since) and recent_median(since, 10) > self.sure:
            return "discriminator_too_strong"
        if len(spread) and recent_median(spread) < self.ignored:
            return "latent_ignored"
        return None


def _effective(shares: Array) -> float:
    """Exp of the entropy of a histogram."""
    held = shares[shares > 0]
    return float(np.exp(-(held * np.log(held)).sum()))


def _missing_classes(record: Record) -> list[str]:
    """Classes made at less than a fifth of their real share."""
    histogram = record["classes/histogram/generator"].values
    shares = np.asarray(record.facts.get("class_shares", ()))
    if not len(histogram) or histogram.shape[1:] != shares.shape:
        return []
    made = histogram[-5:].mean(0)
    return [str(index) for index in np.flatnonzero(made < 0.2 * shares)]


def _why_absent(evidence: tuple[Evidence, ...]) -> str:
    effective, missing, divergence, _ = evidence
    if not effective.holds:
        return f"The samples have {effective.observed:.0%} of the real data's diversity."
    if missing.holds or divergence.holds:
        return "Diversity is low of late, but not for long enough, or G has not begun to learn."
    return "Diversity is uneven, but no part of the data is missing."
