"""What stands on the page, in its order: a report turned into plain pieces for the template."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gandiag.diagnosis import Diagnosis
from gandiag.figures import (
    Picture,
    confidence_figure,
    evidence_figure,
    heatmap_figure,
    loss_figure,
)
from gandiag.figures.points import READING
from gandiag.record import Record
from gandiag.report import Report, Treatment
from gandiag.reporters.gallery import Plate, hang
from gandiag.reporters.lessons import Lesson, Threshold, lesson_of, thresholds_of
from gandiag.reporters.wording import by_weight, notes, number, sentence

if TYPE_CHECKING:
    from gandiag.contracts import Detector

__all__ = ["Page", "Section", "compose"]

CLASSES = "classes/histogram/generator"


@dataclass(frozen=True)
class Section:
    """One condition on the page.

    Attributes:
        diagnosis: the answer.
        lesson: what the condition is, from its detector.
        pictures: a figure for each recorded signal among the evidence.
        thresholds: the detector's options.
    """

    diagnosis: Diagnosis
    lesson: Lesson
    pictures: tuple[Picture, ...]
    thresholds: tuple[Threshold, ...]


@dataclass(frozen=True)
class Page:
    """The whole page; what is empty is left out by the template."""

    title: str
    verdict: str
    about: str
    notes: Sequence[str]
    sections: Sequence[Section]
    plates: Sequence[Plate]
    reading: str
    pictures: Sequence[Picture]
    treatments: Sequence[Treatment]
    yaml: str
    seed: int | None
    environment: Sequence[tuple[str, str]]
    signals: Sequence[tuple[str, ...]]


def compose(report: Report) -> Page:
    """Gather all that the page shows; nothing is judged here."""
    diagnoses = by_weight(report.diagnoses)
    onsets = [d.onset for d in diagnoses if d.status == "present" and d.onset is not None]
    onset = min(onsets, default=None)
    scenario = report.scenario
    return Page(
        title=report.title,
        verdict=sentence(report),
        about=scenario.about.strip() if scenario else "",
        notes=notes(report),
        sections=[_section(report, diagnosis) for diagnosis in diagnoses],
        plates=hang(report.record, onset),
        reading=READING,
        pictures=_context(report.record, onset),
        treatments=report.treatments,
        yaml=scenario.as_yaml() if scenario else "",
        seed=scenario.seed if scenario else None,
        environment=list(_environment(report.record)),
        signals=[_summary(name, report.record) for name in sorted(report.record.signals)],
    )


def _section(report: Report, diagnosis: Diagnosis) -> Section:
    detector = _asked(report.detectors, diagnosis.condition)
    drawn = [
        evidence_figure(report.record, diagnosis, item, f"{diagnosis.condition}-{index}")
        for index, item in enumerate(diagnosis.evidence)
    ]
    return Section(
        diagnosis=diagnosis,
        lesson=lesson_of(detector),
        pictures=tuple(picture for picture in drawn if picture is not None),
        thresholds=thresholds_of(detector),
    )


def _asked(detectors: Iterable[Detector], condition: str) -> Detector | None:
    return next((one for one in detectors if one.condition == condition), None)


def _context(record: Record, onset: int | None) -> list[Picture]:
    """Figures that belong to no single condition."""
    found = [loss_figure(record, "losses", onset), confidence_figure(record, "confidence", onset)]
    histogram = record[CLASSES]
    if histogram.values.ndim == 2:
        shares = record.facts.get("class_shares", ())
        title = "Which classes the generator makes, by their share of its samples"
        found.insert(0, heatmap_figure(histogram, "classes", title, shares, onset))
    return [picture for picture in found if picture is not None]


def _environment(record: Record) -> Iterable[tuple[str, str]]:
    for key, value in record.environment.items():
        if isinstance(value, dict):
            yield key, ", ".join(f"{name} {version}" for name, version in value.items())
        else:
            yield key.replace("_", " "), str(value)


def _summary(name: str, record: Record) -> tuple[str, ...]:
    """A signal in one row: looks, least, median, largest, last, and how many are not finite."""
    steps, values = record[name]
    finite = values[np.isfinite(values)]
    shape = f"{len(steps)}" if values.ndim == 1 else f"{len(steps)} of {values.shape[1]}"
    middle = ("", "", "")
    if len(finite):
        middle = (number(finite.min()), number(float(np.median(finite))), number(finite.max()))
    last = number(float(values[-1])) if values.ndim == 1 else ""
    return (name, shape, *middle, last, str(values.size - len(finite)))
