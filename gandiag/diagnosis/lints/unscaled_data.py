"""Unscaled data: real and generated samples do not have the same range of values.

Examples are images of 0 to 255, or of 0 to 1, with a generator that ends in a hyperbolic tangent; a
table whose columns were not standardised; or samples that are mapped to the range of a display
before the discriminator scores them. A bounded last layer cannot reach the data, and any other
layer needs many steps. Scaling the data to the range of the last layer is the first tip of Chintala
et al. 2016 (ganhacks). Where the ranges differ for good, the discriminator needs no other feature.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import (
    About,
    Diagnosis,
    Evidence,
    compare_median,
    format_short,
)
from gandiag.diagnosis.lints._answer import WINDOW, build_diagnosis
from gandiag.diagnosis.statistics import recent_median
from gandiag.monitoring.signals import MAX_ABS, OUT_OF_REACH
from gandiag.records.arrays import Array, Bools
from gandiag.records.record import Record

# Two ends of a range are equal up to this share of the range of the real data: rounding of 16-bit
# numbers is 0.001.
SAME_END = 0.01


@dataclass(frozen=True)
class UnscaledData:
    """Real and generated samples have different ranges of values, or G cannot reach the data."""

    # The bug is present where the largest absolute value of the samples is below this share of the
    # real data's: 1 of 255 is 0.004, and 1 of 127.5 is 0.008.
    reach: float = 0.02
    # The bug is present where more than this share of the real values is beyond the bounds of the
    # generator's last layer. Of data at a bound with normal noise, 0.023 is more than two standard
    # deviations beyond it; of standardised data beside a hyperbolic tangent it is 0.1 or more.
    beyond: float = 0.05
    # Real data have an end of their range at an end, or at the middle, of the bounds of the
    # generator's last layer where the distance is below this share of the bounds' difference.
    near_end: float = 0.05
    # The samples are changed before the discriminator scores them where this moves an end of their
    # range, away from that of the real data, by more than this share of the range of the real data.
    moved: float = 0.25

    condition: ClassVar[str] = "unscaled_data"
    needs: ClassVar[frozenset[str]] = frozenset({MAX_ABS})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Compare the ranges of values of samples and data, as the discriminator sees them."""
        found = (
            self._check_size(record),
            self._check_bounds(record),
            self._check_half(record),
            self._check_change(record),
        )
        return next((each for each in found if each.status == "present"), found[0])

    def _check_size(self, record: Record) -> Diagnosis:
        """Check for samples whose largest absolute value is far below that of the data."""
        steps, share = record[MAX_ABS]
        evidence = (
            compare_median(
                MAX_ABS,
                share,
                "<",
                self.reach,
                "largest value of the samples over the real data's",
                WINDOW,
            ),
        )
        found = (
            f"The largest value of the samples is {evidence[0].observed:.1%} of the largest value "
            "of the real data, so the generator cannot reach the data. A hyperbolic tangent gives "
            "-1 to 1, a sigmoid 0 to 1. Scale the data to this range, for example images of 0 to "
            "255 by x / 127.5 - 1; without such a layer, standardise them."
        )
        clear = "The values of the samples are as large as those of the data."
        faulty = np.asarray(share < self.reach)
        kind = "out_of_reach"
        return build_diagnosis(self.condition, steps, faulty, kind, found, clear, evidence)

    def _check_bounds(self, record: Record) -> Diagnosis:
        """Check for real values beyond the bounds of the generator's last layer."""
        ranges = _Ranges(record)
        share = record.at(OUT_OF_REACH, ranges.steps)
        faulty = np.asarray((share > self.beyond) & ranges.is_unchanged)
        evidence = (compare_median(OUT_OF_REACH, share, ">", self.beyond, evaluations=WINDOW),)
        found = (
            f"The real data range from {ranges.describe('real')}, but the generator's last layer "
            f"can only give {ranges.describe('output')}: {evidence[0].observed:.0%} of the real "
            "values are out of its reach. Scale the data to the range of the last layer, or remove "
            "that layer."
        )
        return self._build(ranges, faulty, "out_of_reach", found, evidence)

    def _check_half(self, record: Record) -> Diagnosis:
        """Check for data of 0 to 1 beside a last layer of -1 to 1."""
        ranges = _Ranges(record)
        low, high = ranges.output
        slack = self.near_end * (high - low)
        real_low, real_high = ranges.real
        from_middle = np.abs(real_low - (low + high) / 2)
        faulty = (from_middle < slack) & (np.abs(real_high - high) < slack) & ranges.is_unchanged
        evidence = (
            compare_median(
                "loop/real_low/discriminator",
                from_middle / (high - low),
                "<",
                self.near_end,
                "distance of the smallest real value from the middle of G's range",
                WINDOW,
            ),
        )
        found = (
            f"The real data range from {ranges.describe('real')}, but the generator's last layer "
            f"gives {ranges.describe('output')}: half of its range is never used, and its first "
            "samples are at the edge of the data. Scale the data to the range of the last layer, "
            "for example x * 2 - 1 for images of 0 to 1."
        )
        return self._build(ranges, np.asarray(faulty), "half_range", found, evidence)

    def _check_change(self, record: Record) -> Diagnosis:
        """Check for samples that are changed before the discriminator scores them."""
        ranges = _Ranges(record)
        width = np.maximum(ranges.real[1] - ranges.real[0], 1e-30)
        cut, widened = np.zeros(len(width)), np.zeros(len(width))
        for end, sign in ((0, -1.0), (1, 1.0)):
            # How far one range goes beyond another.
            of_samples = sign * (ranges.generated[end] - ranges.fake[end]) / width
            of_real = sign * (ranges.real[end] - ranges.fake[end]) / width
            of_both = sign * (ranges.generated[end] - ranges.real[end]) / width
            cut = np.fmax(cut, np.fmin(of_samples, of_real))
            widened = np.fmax(widened, np.where(of_both < self.moved, -of_real, 0))
        # A generator at its start may be wider than the data by itself, so a whole width is needed.
        faulty = (cut > self.moved) | (widened > 1)
        evidence = (
            compare_median(
                "loop/fake_low/generator",
                np.fmax(cut, widened - 1 + self.moved),
                ">",
                self.moved,
                "shift of the samples' range before D, over the range of the real data",
                WINDOW,
            ),
        )
        found = (
            f"The generator's samples range from {ranges.describe('generated')} and the real data "
            f"from {ranges.describe('real')}, but the discriminator gets samples of "
            f"{ranges.describe('fake')}: they are changed on the way, for example for a display. "
            "Pass the discriminator the generator's own output, or change the real data likewise."
        )
        return self._build(ranges, np.asarray(faulty), "changed_range", found, evidence)

    def _build(
        self,
        ranges: _Ranges,
        faulty: Bools,
        kind: str,
        found: str,
        evidence: tuple[Evidence, ...],
    ) -> Diagnosis:
        clear = "The values of the samples are as large as those of the data."
        return build_diagnosis(self.condition, ranges.steps, faulty, kind, found, clear, evidence)


class _Ranges:
    """Smallest and largest values at each evaluation of the discriminator, ``(n,)`` each.

    Attributes:
        steps: of the evaluations.
        real: of the real samples, as the discriminator sees them. Where real and generated samples
            were confused, they have the range of `fake`, and no bug is found.
        fake: of the generated samples in G's step, as the discriminator sees them.
        generated: of the generator's output.
        output: that the generator's last layer can give; NaN where it is not bounded.
    """

    def __init__(self, record: Record) -> None:
        self.steps = record["loop/real_low/discriminator"].steps
        self.real = self._read(record, "real", "discriminator")
        self.fake = self._read(record, "fake", "generator")
        self.generated = self._read(record, "generated", "generator")
        self.output = self._read(record, "output", "discriminator")

    @property
    def is_unchanged(self) -> Bools:
        """Whether the discriminator gets the generator's output as it is."""
        width = self.real[1] - self.real[0]
        changes = [np.abs(a - b) for a, b in zip(self.fake, self.generated, strict=True)]
        return np.asarray(np.fmax(*changes) <= SAME_END * width)

    def describe(self, name: str) -> str:
        """The range at the newest evaluations, such as ``-1 to 1``."""
        low, high = (recent_median(end, WINDOW) for end in getattr(self, name))
        return f"{format_short(low)} to {format_short(high)}"

    def _read(self, record: Record, name: str, network: str) -> tuple[Array, Array]:
        low, high = (
            record.at(f"loop/{name}_{end}/{network}", self.steps) for end in ("low", "high")
        )
        return low, high
