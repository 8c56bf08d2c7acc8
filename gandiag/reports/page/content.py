"""What stands on the page, in its order: a report turned into plain pieces for the template."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gandiag.diagnosis.diagnosis import Diagnosis, Evidence
from gandiag.diagnosis.stability import Stability
from gandiag.monitoring.signals import CLASS_HISTOGRAM
from gandiag.records.record import Record
from gandiag.reports.figures import (
    Picture,
    class_bars,
    confidence_figure,
    evidence_figure,
    heatmap_figure,
    loss_figure,
    timeline_figure,
)
from gandiag.reports.figures.curves import is_measured_on
from gandiag.reports.formatting import by_weight, folded, notes, number, plain, sentence, shown
from gandiag.reports.page.gallery import GridImage, choose_grids, reading_of
from gandiag.reports.page.lessons import Lesson, Threshold, lesson_of, thresholds_of
from gandiag.reports.page.teaching import TEACHING, Cure, Teaching, cures_of
from gandiag.reports.report import Report, SuggestedFix

if TYPE_CHECKING:
    from gandiag.plugins.protocols import Detector


FEW = 4  # figures of a condition that is not present


@dataclass(frozen=True)
class Section:
    """One condition on the page.

    Attributes:
        diagnosis: the answer.
        lesson: what the condition is, from its detector.
        teaching: what a student is taught beside it; None for an engineer or a stranger's detector.
        cures: the shipped games that cure what is taught.
        pictures: a figure for each recorded signal among the evidence.
        treatments: what to try against it.
        certainty: how sure the answer is, and what would settle it.
        thresholds: the detector's options.
    """

    diagnosis: Diagnosis
    lesson: Lesson
    teaching: Teaching | None
    cures: tuple[Cure, ...]
    pictures: tuple[Picture, ...]
    suggested_fixes: tuple[SuggestedFix, ...]
    stability: Stability
    thresholds: tuple[Threshold, ...]


@dataclass(frozen=True)
class Page:
    """The whole page; what is empty is left out by the template."""

    title: str
    verdict: str
    headline: Sequence[tuple[str, str]]
    about: str
    student: bool
    notes: Sequence[str]
    remarks: Sequence[str]
    timeline: Picture | None
    sections: Sequence[Section]
    grids: Sequence[GridImage]
    reading: str
    pictures: Sequence[Picture]
    yaml: str
    seed: int | None
    environment: Sequence[tuple[str, str]]
    signals: Sequence[tuple[str, ...]]


def compose(report: Report, student: bool = False) -> Page:
    """Gather all that the page shows; nothing is judged here."""
    diagnoses = by_weight(shown(report.diagnoses))
    onset = first_onset(report)
    scenario, record = report.scenario, report.record
    return Page(
        title=report.title,
        verdict=sentence(report),
        headline=list(headline_of(report, diagnoses)),
        about=scenario.about.strip() if scenario else "",
        student=student,
        notes=notes(report),
        remarks=[line for line in (report.objectives, folded(report.diagnoses)) if line],
        timeline=timeline_figure(diagnoses, report.history, record.last_step, "timeline-figure"),
        sections=[_section(report, diagnosis, student) for diagnosis in diagnoses],
        grids=choose_grids(record, onset),
        reading=reading_of(record),
        pictures=_context(report, onset),
        yaml=scenario.as_yaml() if scenario else "",
        seed=scenario.seed if scenario else None,
        environment=list(_environment(report.record)),
        signals=[_summary(name, report.record) for name in sorted(report.record.signals)],
    )


def first_onset(report: Report) -> int | None:
    """The earliest step since which something has been there; None where nothing is."""
    onsets = [d.onset for d in report.diagnoses if d.status == "present" and d.onset is not None]
    return min(onsets, default=None)


def headline_of(report: Report, diagnoses: Sequence[Diagnosis]) -> Iterable[tuple[str, str]]:
    """What a reader in a hurry must know beside the verdict."""
    if not diagnoses or diagnoses[0].status != "present":
        return
    first = diagnoses[0]
    if len(diagnoses) > 1 and diagnoses[1].status == "present":
        yield "First", f"{plain(first.condition)}, since step {first.onset}"
    if first.cause:
        yield "Likely cause", plain(first.cause)
    if report.suggested_fixes:
        yield "Try first", report.suggested_fixes[0].advice


def _section(report: Report, diagnosis: Diagnosis, student: bool) -> Section:
    detector = _asked(report.detectors, diagnosis.condition)
    teaching = TEACHING.get(diagnosis.condition) if student else None
    pictures = (
        evidence_figure(report.record, diagnosis, item, f"{diagnosis.condition}-{index}")
        for index, item in enumerate(worth_drawing(report.record, diagnosis))
    )
    return Section(
        diagnosis=diagnosis,
        lesson=lesson_of(detector),
        teaching=teaching,
        cures=cures_of(teaching) if teaching else (),
        pictures=tuple(picture for picture in pictures if picture is not None),
        suggested_fixes=tuple(
            t for t in report.suggested_fixes if t.condition == diagnosis.condition
        ),
        stability=report.stability(diagnosis),
        thresholds=thresholds_of(detector),
    )


def worth_drawing(record: Record, diagnosis: Diagnosis) -> list[Evidence]:
    """The evidence whose figure says something that no other does; a few where nothing is there."""
    drawn: dict[str, Evidence] = {}
    for item in sorted(diagnosis.evidence, key=lambda e: not is_measured_on(record, diagnosis, e)):
        if item.signal != CLASS_HISTOGRAM:  # which has figures of its own
            drawn.setdefault(item.signal, item)
    return list(drawn.values())[: None if diagnosis.status == "present" else FEW]


def _asked(detectors: Iterable[Detector], condition: str) -> Detector | None:
    return next((one for one in detectors if one.condition == condition), None)


def _context(report: Report, onset: int | None) -> list[Picture]:
    """Figures that belong to no single condition."""
    record = report.record
    found = [loss_figure(record, "losses", onset), confidence_figure(record, "confidence", onset)]
    histogram = record[CLASS_HISTOGRAM]
    if histogram.values.ndim == 2:
        shares = record.facts.get("class_shares", ())
        title = "Share of each class over the run"
        hardly = getattr(_asked(report.detectors, "mode_collapse"), "hardly", None)
        found.insert(0, heatmap_figure(histogram, "classes", title, shares, onset))
        found.insert(0, class_bars(histogram, shares, "class-bars", hardly))
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
