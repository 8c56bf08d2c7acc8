"""What stands on the page, in its order: a report turned into plain pieces for the template."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gandiag.diagnosis.diagnosis import Diagnosis, Evidence, humanize
from gandiag.diagnosis.stability import Stability
from gandiag.monitoring.signals import CLASS_HISTOGRAM
from gandiag.records.record import Record
from gandiag.reports.figures import (
    Picture,
    draw_class_shares,
    draw_confidence,
    draw_evidence,
    draw_heatmap,
    draw_losses,
    draw_timeline,
)
from gandiag.reports.figures.curves import is_on_signal_scale
from gandiag.reports.formatting import (
    format_number,
    format_verdict_sentence,
    list_notes,
    select_shown,
    sort_by_status,
    summarize_loop_checks,
)
from gandiag.reports.page.gallery import GridImage, build_grid_images, explain_grids
from gandiag.reports.page.lessons import Lesson, Threshold, list_thresholds, read_lesson
from gandiag.reports.page.teaching import TEACHING, FixedScenario, Teaching, load_fixed_scenarios
from gandiag.reports.report import Report, SuggestedFix

if TYPE_CHECKING:
    from gandiag.plugins.protocols import Detector


MAX_FIGURES_NOT_PRESENT = 4  # figures of a condition that is not present


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
    fixed_scenarios: tuple[FixedScenario, ...]
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


def build_page(report: Report, student: bool = False) -> Page:
    """Gather all that the page shows; nothing is judged here."""
    diagnoses = sort_by_status(select_shown(report.diagnoses))
    onset = find_first_onset(report)
    scenario, record = report.scenario, report.record
    return Page(
        title=report.title,
        verdict=format_verdict_sentence(report),
        headline=list(build_headline(report, diagnoses)),
        about=scenario.about.strip() if scenario else "",
        student=student,
        notes=list_notes(report),
        remarks=[
            line for line in (report.objectives, summarize_loop_checks(report.diagnoses)) if line
        ],
        timeline=draw_timeline(diagnoses, report.history, record.last_step, "timeline-figure"),
        sections=[_build_section(report, diagnosis, student) for diagnosis in diagnoses],
        grids=build_grid_images(record, onset),
        reading=explain_grids(record),
        pictures=_draw_context(report, onset),
        yaml=scenario.as_yaml() if scenario else "",
        seed=scenario.seed if scenario else None,
        environment=list(_list_environment(report.record)),
        signals=[_summarize_signal(name, report.record) for name in sorted(report.record.signals)],
    )


def find_first_onset(report: Report) -> int | None:
    """The earliest step since which something has been there; None where nothing is."""
    onsets = [d.onset for d in report.diagnoses if d.status == "present" and d.onset is not None]
    return min(onsets, default=None)


def build_headline(report: Report, diagnoses: Sequence[Diagnosis]) -> Iterable[tuple[str, str]]:
    """What a reader in a hurry must know beside the verdict."""
    if not diagnoses or diagnoses[0].status != "present":
        return
    first = diagnoses[0]
    if len(diagnoses) > 1 and diagnoses[1].status == "present":
        yield "First", f"{humanize(first.condition)}, since step {first.onset}"
    if first.cause:
        yield "Likely cause", humanize(first.cause)
    if report.suggested_fixes:
        yield "Try first", report.suggested_fixes[0].advice


def _build_section(report: Report, diagnosis: Diagnosis, student: bool) -> Section:
    detector = _find_detector(report.detectors, diagnosis.condition)
    teaching = TEACHING.get(diagnosis.condition) if student else None
    pictures = (
        draw_evidence(report.record, diagnosis, item, f"{diagnosis.condition}-{index}")
        for index, item in enumerate(select_evidence_to_draw(report.record, diagnosis))
    )
    return Section(
        diagnosis=diagnosis,
        lesson=read_lesson(detector),
        teaching=teaching,
        fixed_scenarios=load_fixed_scenarios(teaching) if teaching else (),
        pictures=tuple(picture for picture in pictures if picture is not None),
        suggested_fixes=tuple(
            t for t in report.suggested_fixes if t.condition == diagnosis.condition
        ),
        stability=report.stability(diagnosis),
        thresholds=list_thresholds(detector),
    )


def select_evidence_to_draw(record: Record, diagnosis: Diagnosis) -> list[Evidence]:
    """The evidence whose figure says something that no other does; a few where nothing is there."""
    drawn: dict[str, Evidence] = {}
    for item in sorted(
        diagnosis.evidence, key=lambda e: not is_on_signal_scale(record, diagnosis, e)
    ):
        if item.signal != CLASS_HISTOGRAM:  # which has figures of its own
            drawn.setdefault(item.signal, item)
    return list(drawn.values())[
        : None if diagnosis.status == "present" else MAX_FIGURES_NOT_PRESENT
    ]


def _find_detector(detectors: Iterable[Detector], condition: str) -> Detector | None:
    return next((one for one in detectors if one.condition == condition), None)


def _draw_context(report: Report, onset: int | None) -> list[Picture]:
    """Figures that belong to no single condition."""
    record = report.record
    found = [draw_losses(record, "losses", onset), draw_confidence(record, "confidence", onset)]
    histogram = record[CLASS_HISTOGRAM]
    if histogram.values.ndim == 2:
        shares = record.facts.get("class_shares", ())
        title = "Share of each class over the run"
        hardly = getattr(_find_detector(report.detectors, "mode_collapse"), "hardly", None)
        found.insert(0, draw_heatmap(histogram, "classes", title, shares, onset))
        found.insert(0, draw_class_shares(histogram, shares, "class-bars", hardly))
    return [picture for picture in found if picture is not None]


def _list_environment(record: Record) -> Iterable[tuple[str, str]]:
    for key, value in record.environment.items():
        if isinstance(value, dict):
            yield key, ", ".join(f"{name} {version}" for name, version in value.items())
        else:
            yield key.replace("_", " "), str(value)


def _summarize_signal(name: str, record: Record) -> tuple[str, ...]:
    """A signal in one row: looks, least, median, largest, last, and how many are not finite."""
    steps, values = record[name]
    finite = values[np.isfinite(values)]
    shape = f"{len(steps)}" if values.ndim == 1 else f"{len(steps)} of {values.shape[1]}"
    middle = ("", "", "")
    if len(finite):
        middle = (
            format_number(finite.min()),
            format_number(float(np.median(finite))),
            format_number(finite.max()),
        )
    last = format_number(float(values[-1])) if values.ndim == 1 else ""
    return (name, shape, *middle, last, str(values.size - len(finite)))
