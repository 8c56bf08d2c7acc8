"""The content of the report page: texts, tables and figures, in the order of the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gandiag.diagnosis.diagnosis import Diagnosis, Evidence, humanize
from gandiag.diagnosis.stability import Stability, StabilityLevel
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
    select_shown,
    sort_by_status,
    summarize_loop_checks,
)
from gandiag.reports.page.gallery import GridImage, build_grid_images, explain_grids
from gandiag.reports.page.lessons import Lesson, Threshold, list_thresholds, read_lesson
from gandiag.reports.page.teaching import TEACHING, FixedScenario, Teaching, load_fixed_scenarios
from gandiag.reports.report import Report, SuggestedFix
from gandiag.reports.report_text import format_verdict_sentence, list_notes

if TYPE_CHECKING:
    from gandiag.plugins.protocols import Detector


# What each level of stability means, as the first sentence about the confidence in a diagnosis.
CONFIDENCE: Mapping[StabilityLevel, str] = {
    "steady": "Steady: the result was the same in the last half of the run.",
    "recent": "Recent: the result changed in the last half of the run.",
    "open": "Open: the record cannot decide.",
}
MAX_FIGURES_NOT_PRESENT = 4  # figures of a failure that is absent or inconclusive


@dataclass(frozen=True)
class Section:
    """The section of one diagnosis.

    Attributes:
        diagnosis: the diagnosis.
        lesson: explanation of the failure, from the docstring of its detector.
        teaching: formula and question for students; None for an engineer's page and for failures
            of third-party detectors.
        fixed_scenarios: shipped scenarios that fix the failing scenario of `teaching`.
        pictures: a figure for each recorded signal among the evidence.
        suggested_fixes: fixes for the failure.
        confidence: level of the stability, in one sentence.
        stability: how stable the diagnosis is, and what would confirm it.
        thresholds: the options of the detector.
    """

    diagnosis: Diagnosis
    lesson: Lesson
    teaching: Teaching | None
    fixed_scenarios: tuple[FixedScenario, ...]
    pictures: tuple[Picture, ...]
    suggested_fixes: tuple[SuggestedFix, ...]
    confidence: str
    stability: Stability
    thresholds: tuple[Threshold, ...]


@dataclass(frozen=True)
class Page:
    """The content of a report page, in its order; the template leaves out what is empty.

    Attributes:
        title: name of the run.
        verdict: one sentence.
        headline: (title, text) of the facts below the verdict, such as the likely cause.
        about: description of the scenario.
        for_student: whether the page teaches.
        notes: reasons for caution about the verdict.
        remarks: sentences about the objectives and the checks of the loop's code.
        timeline: the timeline figure.
        sections: one for each shown diagnosis, the present ones first.
        grids: a few sample grids.
        grids_caption: how to read the sample grids.
        pictures: figures that belong to no single failure.
        yaml: the scenario file; empty without a scenario.
        seed: seed of the run.
        environment: (name, value) of versions and hardware.
        signals: one row for each recorded signal, see `_summarize_signal`.
    """

    title: str
    verdict: str
    headline: Sequence[tuple[str, str]]
    about: str
    for_student: bool
    notes: Sequence[str]
    remarks: Sequence[str]
    timeline: Picture | None
    sections: Sequence[Section]
    grids: Sequence[GridImage]
    grids_caption: str
    pictures: Sequence[Picture]
    yaml: str
    seed: int | None
    environment: Sequence[tuple[str, str]]
    signals: Sequence[tuple[str, ...]]


def build_page(report: Report, student: bool = False) -> Page:
    """Gather the content of a report page. Nothing is diagnosed here.

    Args:
        report: the report of the run.
        student: whether the page explains each present failure as a lesson.
    """
    diagnoses = sort_by_status(select_shown(report.diagnoses))
    # Figures outside the sections mark the earliest onset, as later failures often follow from it.
    onset = find_first_onset(report)
    scenario, record = report.scenario, report.record
    return Page(
        title=report.title,
        verdict=format_verdict_sentence(report),
        headline=list(build_headline(report, diagnoses)),
        about=scenario.about.strip() if scenario else "",
        for_student=student,
        notes=list_notes(report),
        remarks=[
            line for line in (report.objectives, summarize_loop_checks(report.diagnoses)) if line
        ],
        timeline=draw_timeline(diagnoses, report.history, record.last_step, "timeline-figure"),
        sections=[_build_section(report, diagnosis, student) for diagnosis in diagnoses],
        grids=build_grid_images(record, onset),
        grids_caption=explain_grids(record),
        pictures=_draw_context(report, onset),
        yaml=scenario.as_yaml() if scenario else "",
        seed=scenario.seed if scenario else None,
        environment=list(_list_environment(report.record)),
        signals=[_summarize_signal(name, report.record) for name in sorted(report.record.signals)],
    )


def find_first_onset(report: Report) -> int | None:
    """The earliest onset of a present failure; None if no failure is present."""
    onsets = [d.onset for d in report.diagnoses if d.status == "present" and d.onset is not None]
    return min(onsets, default=None)


def build_headline(report: Report, diagnoses: Sequence[Diagnosis]) -> Iterable[tuple[str, str]]:
    """Yield (title, text) of the facts that a reader needs first, below the verdict."""
    if not diagnoses or diagnoses[0].status != "present":
        return
    first = diagnoses[0]  # the earliest onset, see `sort_by_status`
    if len(diagnoses) > 1 and diagnoses[1].status == "present":
        yield "First failure", f"{humanize(first.condition)}, since step {first.onset}"
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
    stability = report.stability(diagnosis)
    return Section(
        diagnosis=diagnosis,
        lesson=read_lesson(detector),
        teaching=teaching,
        fixed_scenarios=load_fixed_scenarios(teaching) if teaching else (),
        pictures=tuple(picture for picture in pictures if picture is not None),
        suggested_fixes=tuple(
            t for t in report.suggested_fixes if t.condition == diagnosis.condition
        ),
        confidence=CONFIDENCE[stability.level],
        stability=stability,
        thresholds=list_thresholds(detector),
    )


def select_evidence_to_draw(record: Record, diagnosis: Diagnosis) -> list[Evidence]:
    """Select the evidence to draw: each signal once, only a few if the failure is not present.

    Evidence whose threshold has the scale of the signal comes first: its figure shows more.
    """
    drawn: dict[str, Evidence] = {}
    for item in sorted(
        diagnosis.evidence, key=lambda e: not is_on_signal_scale(record, diagnosis, e)
    ):
        if item.signal != CLASS_HISTOGRAM:  # drawn in the context, as heat map and bars
            drawn.setdefault(item.signal, item)
    return list(drawn.values())[
        : None if diagnosis.status == "present" else MAX_FIGURES_NOT_PRESENT
    ]


def _find_detector(detectors: Iterable[Detector], condition: str) -> Detector | None:
    return next((each for each in detectors if each.condition == condition), None)


def _draw_context(report: Report, onset: int | None) -> list[Picture]:
    """Draw the figures that belong to no single failure: classes, losses and P(real)."""
    record = report.record
    pictures = [draw_losses(record, "losses", onset), draw_confidence(record, "confidence", onset)]
    histogram = record[CLASS_HISTOGRAM]
    if histogram.values.ndim == 2:
        shares = record.facts.get("class_shares", ())
        title = "Share of each class over the run"
        # The bars mark a class as missing by the same threshold as the detector.
        detector = _find_detector(report.detectors, "mode_collapse")
        missing_below = getattr(detector, "missing_below", None)
        pictures.insert(0, draw_heatmap(histogram, "classes", title, shares, onset))
        pictures.insert(0, draw_class_shares(histogram, shares, "class-bars", missing_below))
    return [picture for picture in pictures if picture is not None]


def _list_environment(record: Record) -> Iterable[tuple[str, str]]:
    for key, value in record.environment.items():
        if isinstance(value, dict):
            yield key, ", ".join(f"{name} {version}" for name, version in value.items())
        else:
            yield key.replace("_", " "), str(value)


def _summarize_signal(name: str, record: Record) -> tuple[str, ...]:
    """Summarize a signal in one row of the table of signals.

    Returns:
        Name, number of evaluations, least, median, largest and last value, and the number of
        values that are not finite.
    """
    steps, values = record[name]
    finite = values[np.isfinite(values)]
    count = f"{len(steps)}" if values.ndim == 1 else f"{len(steps)} x {values.shape[1]}"
    statistics = ("", "", "")
    if len(finite):
        statistics = (
            format_number(finite.min()),
            format_number(float(np.median(finite))),
            format_number(finite.max()),
        )
    last = format_number(float(values[-1])) if values.ndim == 1 else ""
    return (name, count, *statistics, last, str(values.size - len(finite)))
