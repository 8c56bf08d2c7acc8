"""Quality regression: the samples of a log were better earlier in the run than at its end.

What you see: the FID falls, reaches its best value, and rises again, often slowly. Or recall or
coverage falls while precision stays: the samples still look good, but there are fewer kinds.

Why it happens: the discriminator memorises the training set or saturates, or the generator
collapses. The losses need not show it.

How it is measured: the median of the newest tenth of the evaluations is compared with the best
median of three evaluations in a row. FID and KID regress at 1.5 times their best value, which is
the definition of the labels of the public StudioGAN logs (see the guide); the inception score, and
diversity (recall, coverage), regress below two thirds of their best value, which is the same ratio.
One evaluation is noisy, so that medians are compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from gandiag.diagnosis.detectors._positions import format_position
from gandiag.diagnosis.diagnosis import Diagnosis, Evidence, format_short
from gandiag.diagnosis.statistics import rolling_statistic
from gandiag.monitoring.signals import (
    COVERAGE,
    FID,
    INCEPTION_SCORE,
    KID,
    LPIPS,
    QUALITY_PRECISION,
    RECALL,
)
from gandiag.records.record import Record

SMALLER_IS_BETTER = {"FID": FID, "KID": KID, "LPIPS": LPIPS}
DIVERSITY = {"recall": RECALL, "coverage": COVERAGE}
LARGER_IS_BETTER = {"inception score": INCEPTION_SCORE, **DIVERSITY}


class _Course(NamedTuple):
    """How one quality went.

    Attributes:
        name: of the quality.
        onset: step of the first evaluation after the best one that is beyond the ratio for good.
        best_step: step of the best evaluation.
        best: best level.
        newest: newest level.
        evidence: ratio of the worse level to the better one.
    """

    name: str
    onset: int
    best_step: int
    best: float
    newest: float
    evidence: Evidence


@dataclass(frozen=True)
class QualityRegression:
    """The samples were clearly better earlier: FID has risen, or their diversity has fallen."""

    # The quality has regressed above this ratio of the newest to the best level; see above.
    ratio: float = 1.5
    # The best level is the median of this many evaluations in a row.
    smooth: int = 3
    # So many evaluations are needed.
    evaluations: int = 10

    condition: ClassVar[str] = "quality_regression"
    needs: ClassVar[frozenset[str]] = frozenset()

    def detect(self, record: Record) -> Diagnosis:
        """Compare the newest level of each logged quality with its best one."""
        courses = list(self._follow(record))
        if not courses:
            text = f"The log has no column such as FID with {self.evaluations} evaluations."
            return Diagnosis(self.condition, "inconclusive", text)
        evidence = tuple(course.evidence for course in courses)
        worse = [course for course in courses if course.evidence.holds]
        if not worse:
            text = f"At the end, {_list_levels(courses)}: not clearly worse than at their best."
            return Diagnosis(self.condition, "absent", text, evidence=evidence)
        first = worse[0]
        is_diversity = first.name in DIVERSITY and self._precision_holds(record, first.best_step)
        what = (
            f"The samples have lost diversity: {first.name} has fallen while precision holds."
            if is_diversity
            else "The samples were better earlier."
        )
        best = format_position(record, first.best_step)
        text = (
            f"{what} {_list_levels(worse)}. Use the checkpoint of {best}, and "
            "look at the samples and losses after it. The usual causes are a discriminator that "
            "memorises the training set (more data, augmentation, R1) and mode collapse."
        )
        severity = float(np.clip(1 - 1 / first.evidence.observed, 0.1, 1.0))
        kind = "lost_diversity" if is_diversity else "regression"
        return Diagnosis(
            self.condition, "present", text, kind, first.onset, None, severity, evidence
        )

    def _follow(self, record: Record) -> Iterator[_Course]:
        """The course of each quality with enough evaluations."""
        for names, sign in ((SMALLER_IS_BETTER, 1), (LARGER_IS_BETTER, -1)):
            for name, signal in names.items():
                steps, values = record[signal]
                known = np.isfinite(values) & (values > 0)
                if known.sum() >= self.evaluations:
                    yield self._compare(name, signal, steps[known], values[known], sign)

    def _compare(
        self, name: str, signal: str, steps: np.ndarray, values: np.ndarray, sign: int
    ) -> _Course:
        levels = rolling_statistic(values, self.smooth)
        levels[: self.smooth - 1] = np.nan  # a first evaluation alone is no level
        best_at = int(np.nanargmin(sign * levels))
        best = float(levels[best_at])
        newest = float(np.median(values[-max(len(values) // 10, 1) :]))
        worse = float(newest / best if sign > 0 else best / newest)
        side = "over its best level" if sign > 0 else "best level over newest"
        evidence = Evidence(signal, worse, ">", self.ratio, worse > self.ratio, f"{name}, {side}")
        beyond = levels / best > self.ratio if sign > 0 else best / levels > self.ratio
        fine = np.flatnonzero(~beyond)
        onset = min(int(fine[-1]) + 1, len(steps) - 1)
        return _Course(name, int(steps[onset]), int(steps[best_at]), best, newest, evidence)

    def _precision_holds(self, record: Record, step: int) -> bool:
        """Whether precision has not fallen by the same ratio since a step."""
        steps, values = record[QUALITY_PRECISION]
        before, after = values[steps <= step], values[steps > step]
        if not len(before) or not len(after):
            return False
        newest = float(np.median(after[-max(len(values) // 10, 1) :]))
        return newest * self.ratio > float(np.median(before[-self.smooth :]))


def _list_levels(courses: list[_Course]) -> str:
    return ", ".join(
        f"{c.name} is {format_short(c.newest)} (best {format_short(c.best)} at {c.best_step})"
        for c in courses
    )
