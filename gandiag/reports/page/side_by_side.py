"""The content of the page of two runs: settings, diagnoses, samples and curves side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.reports.figures import Picture, draw_pair, draw_timeline
from gandiag.reports.figures.curves import is_on_signal_scale
from gandiag.reports.figures.paired import PairedEvidence
from gandiag.reports.formatting import (
    select_shown,
    sort_by_status,
)
from gandiag.reports.page.gallery import (
    GridImage,
    build_grid_images,
    explain_grids,
    list_grid_steps,
)
from gandiag.reports.page.teaching import diff_settings
from gandiag.reports.report import Report
from gandiag.reports.report_text import format_verdict_sentence, list_notes

MAX_FIGURES = 8  # figures with the curves of both runs


@dataclass(frozen=True)
class Side:
    """One of two runs."""

    title: str
    verdict: str
    notes: Sequence[str]
    about: str
    diagnoses: Sequence[Diagnosis]
    timeline: Picture | None
    grids: Sequence[GridImage]


@dataclass(frozen=True)
class Pair:
    """The content of a page of two runs.

    Attributes:
        title: the names of both runs.
        sides: the two runs.
        grids_caption: how to read the sample grids.
        rows: each failure with the diagnoses of both runs; None if a run was not diagnosed for it.
        diff: unified diff of the settings that change the training.
        pictures: figures with the curves of both runs.
    """

    title: str
    sides: Sequence[Side]
    grids_caption: str
    rows: Sequence[tuple[str, Sequence[Diagnosis | None]]]
    diff: str
    pictures: Sequence[Picture]


def build_pair(report: Report, other: Report) -> Pair:
    """Gather the content of a page of two runs. Nothing is diagnosed here."""
    names = _build_titles(report, other)
    # Samples can be compared only at equal steps.
    shared = list_grid_steps(report.record) & list_grid_steps(other.record)
    first, second = report.scenario, other.scenario
    diagnoses = {d.condition: d for d in sort_by_status(report.diagnoses)}
    others = {d.condition: d for d in other.diagnoses}
    pictures = [
        draw_pair((report.record, other.record), names, item, f"pair-{index}")
        for index, item in enumerate(_select_evidence(report, other))
    ]
    return Pair(
        title=f"{names[0]} and {names[1]}",
        sides=[
            _build_side(report, names[0], "first", shared),
            _build_side(other, names[1], "second", shared),
        ],
        grids_caption=explain_grids(report.record),
        rows=[(each, (diagnoses.get(each), others.get(each))) for each in {**diagnoses, **others}],
        diff=diff_settings(first, second) if first is not None and second is not None else "",
        pictures=[picture for picture in pictures if picture is not None],
    )


def _select_evidence(report: Report, other: Report) -> list[PairedEvidence]:
    """Select the evidence on failures present in either run, or on all failures if none is.

    Each signal is drawn once.
    """
    found: dict[str, PairedEvidence] = {}
    # The second pass runs only if no failure is present in either run.
    for wanted in (("present",), ("absent", "inconclusive")):
        for each in (report, other):
            for diagnosis in sort_by_status(each.diagnoses):
                if diagnosis.status in wanted:
                    for item in diagnosis.evidence:
                        has_scale = is_on_signal_scale(each.record, diagnosis, item)
                        paired = PairedEvidence(item, diagnosis.condition, has_scale)
                        found.setdefault(item.signal, paired)
        if found:
            break
    return list(found.values())[:MAX_FIGURES]


def _build_titles(report: Report, other: Report) -> tuple[str, str]:
    """The names of both runs, with the names of their folders if the runs have the same name."""
    names = report.title, other.title
    if names[0] != names[1]:
        return names
    folders = [each.record.folder for each in (report, other)]
    first, second = (folder.name if folder else "" for folder in folders)
    return f"{names[0]} ({first or 'first'})", f"{names[1]} ({second or 'second'})"


def _build_side(report: Report, title: str, name: str, shared: frozenset[int]) -> Side:
    diagnoses = sort_by_status(select_shown(report.diagnoses))
    timeline = draw_timeline(diagnoses, report.history, report.record.last_step, name, 4.6)
    return Side(
        title=title,
        verdict=format_verdict_sentence(report),
        notes=list_notes(report),
        about=report.scenario.about.strip() if report.scenario else "",
        diagnoses=diagnoses,
        timeline=timeline,
        # No onset: it would add a grid to one run that the other run does not show.
        grids=build_grid_images(report.record, None, name, shared),
    )
