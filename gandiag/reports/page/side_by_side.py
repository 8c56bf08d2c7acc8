"""Two runs side by side: what differs in their settings, their answers, samples and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.reports.figures import Picture, paired_figure, timeline_figure
from gandiag.reports.figures.curves import is_measured_on
from gandiag.reports.figures.paired import Compared
from gandiag.reports.formatting import by_weight, notes, sentence, shown
from gandiag.reports.page.gallery import GridImage, choose_grids, grid_steps, reading_of
from gandiag.reports.page.teaching import changed
from gandiag.reports.report import Report

MOST = 8  # figures of both runs


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
    """The whole page.

    Attributes:
        title: both names.
        sides: the two runs.
        reading: how to read the sheets.
        rows: each condition with both answers.
        diff: what differs in how they were played.
        pictures: with both runs in one figure.
    """

    title: str
    sides: Sequence[Side]
    reading: str
    rows: Sequence[tuple[str, Sequence[Diagnosis | None]]]
    diff: str
    pictures: Sequence[Picture]


def pair_up(report: Report, other: Report) -> Pair:
    """Gather what two runs show beside each other; nothing is judged here."""
    names = _titles(report, other)
    shared = grid_steps(report.record) & grid_steps(other.record)
    first, second = report.scenario, other.scenario
    found = {d.condition: d for d in by_weight(report.diagnoses)}
    against = {d.condition: d for d in other.diagnoses}
    pictures = [
        paired_figure((report.record, other.record), names, item, f"twin-{index}")
        for index, item in enumerate(_shown(report, other))
    ]
    return Pair(
        title=f"{names[0]} and {names[1]}",
        sides=[
            _side(report, names[0], "first", shared),
            _side(other, names[1], "second", shared),
        ],
        reading=reading_of(report.record),
        rows=[(each, (found.get(each), against.get(each))) for each in {**found, **against}],
        diff=changed(first, second) if first is not None and second is not None else "",
        pictures=[picture for picture in pictures if picture is not None],
    )


def _shown(report: Report, other: Report) -> list[Compared]:
    """The evidence on what is present in either, a signal once; on everything if nothing is."""
    found: dict[str, Compared] = {}
    for wanted in (("present",), ("absent", "inconclusive")):
        for each in (report, other):
            for diagnosis in by_weight(each.diagnoses):
                if diagnosis.status in wanted:
                    for item in diagnosis.evidence:
                        fits = is_measured_on(each.record, diagnosis, item)
                        compared = Compared(item, diagnosis.condition, fits)
                        found.setdefault(item.signal, compared)
        if found:
            break
    return list(found.values())[:MOST]


def _titles(report: Report, other: Report) -> tuple[str, str]:
    """Both names; with their folders' where they are the same."""
    names = report.title, other.title
    if names[0] != names[1]:
        return names
    folders = [each.record.folder for each in (report, other)]
    first, second = (folder.name if folder else "" for folder in folders)
    return f"{names[0]} ({first or 'first'})", f"{names[1]} ({second or 'second'})"


def _side(report: Report, title: str, name: str, shared: frozenset[int]) -> Side:
    diagnoses = by_weight(shown(report.diagnoses))
    timeline = timeline_figure(diagnoses, report.history, report.record.last_step, name, 4.6)
    return Side(
        title=title,
        verdict=sentence(report),
        notes=notes(report),
        about=report.scenario.about.strip() if report.scenario else "",
        diagnoses=diagnoses,
        timeline=timeline,
        grids=choose_grids(report.record, None, name, shared),
    )
