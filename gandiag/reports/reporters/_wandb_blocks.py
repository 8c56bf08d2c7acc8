"""Builds the blocks of a W&B Report: the parts of the page, in the page's order."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from gandiag.diagnosis.diagnosis import Diagnosis, humanize
from gandiag.monitoring.signals import (
    AUC,
    CLASS_HISTOGRAM,
    DISCRIMINATOR_LOSS,
    GENERATOR_LOSS,
    P_REAL_OF_FAKE,
    P_REAL_OF_REAL,
)
from gandiag.records.record import Record
from gandiag.reports.figures.axes import choose_scale
from gandiag.reports.figures.curves import is_on_signal_scale
from gandiag.reports.formatting import (
    format_exceeded,
    format_number,
    format_signal,
    format_threshold,
    select_shown,
    sort_by_status,
)
from gandiag.reports.page.content import build_headline, select_evidence_to_draw
from gandiag.reports.report import Report, format_verdict
from gandiag.reports.report_text import format_verdict_sentence, list_notes
from gandiag.reports.reporters._rows import convert_for_logging
from gandiag.reports.reporters._wandb_session import STEP

with warnings.catch_warnings():  # wandb_workspaces uses deprecated parts of pydantic
    warnings.simplefilter("ignore", DeprecationWarning)
    import wandb_workspaces.reports.v2 as wr


PANELS_PER_ROW = 2
PANEL_WIDTH, PANEL_HEIGHT = 12, 8  # in units of a Report, which is 24 units wide
MAX_TITLE = 128  # characters; limit of a Report's title
SAMPLE_KEYS = ("samples/real", "samples/generator")  # names of the logged sample grids
CONTEXT = (
    ("Share of each class", (CLASS_HISTOGRAM,)),
    ("Losses of both networks", (DISCRIMINATOR_LOSS, GENERATOR_LOSS)),
    ("Discriminator AUC and mean P(real)", (P_REAL_OF_REAL, P_REAL_OF_FAKE, AUC)),
)


def build_wandb_report(report: Report, run_id: str, project: str, entity: str) -> Any:
    """Build the W&B Report on one run; nothing is sent.

    Args:
        report: gandiag's report on the run.
        run_id: id of the run at W&B that was logged from the same record.
        project: W&B project of the run.
        entity: user or team of the project; empty if not known yet.

    Returns:
        A `wandb_workspaces.reports.v2.Report`.
    """
    return wr.Report(
        project=project,
        entity=entity,
        title=f"{report.title}: {format_verdict(report.diagnoses)}"[:MAX_TITLE],
        blocks=[block for block in _build_blocks(report, run_id) if block is not None],
        width="fluid",
    )


def _build_blocks(report: Report, run_id: str) -> Iterator[Any]:
    diagnoses = sort_by_status(select_shown(report.diagnoses))
    yield wr.CalloutBlock(format_verdict_sentence(report))
    yield from (wr.P(note) for note in list_notes(report))
    yield _build_list(f"{title}: {text}" for title, text in build_headline(report, diagnoses))
    if report.scenario is not None and report.scenario.about:
        yield wr.P(report.scenario.about.strip())
    yield wr.H2("Samples over time")
    browser = wr.MediaBrowser(media_keys=list(SAMPLE_KEYS), layout=wr.Layout(0, 0, 24, 12))
    yield _build_panels(report, run_id, [browser])
    for diagnosis in diagnoses:
        yield from _build_condition(report, diagnosis, run_id)
    yield wr.H2("Context")
    yield _build_panels(report, run_id, _build_context(report.record))
    yield wr.H2("Full report")
    page = wr.MediaBrowser(media_keys=["report"], layout=wr.Layout(0, 0, 24, 20))
    yield _build_panels(report, run_id, [page])
    if report.scenario is not None:
        yield wr.H2("Reproduce")
        yield wr.CodeBlock(report.scenario.as_yaml(), language="yaml")


def _build_condition(report: Report, diagnosis: Diagnosis, run_id: str) -> Iterator[Any]:
    """The blocks of one condition; those of an absent condition are collapsed."""
    title = f"{humanize(diagnosis.condition).capitalize()}: {diagnosis.status}"
    inner = [block for block in _build_evidence(report, diagnosis, run_id) if block is not None]
    if diagnosis.status == "absent":
        yield wr.H2(title, collapsed_blocks=[wr.P(diagnosis.summary), *inner])
    else:
        yield from (wr.H2(title), wr.P(diagnosis.summary), *inner)


def _build_evidence(report: Report, diagnosis: Diagnosis, run_id: str) -> Iterator[Any]:
    stability = report.stability(diagnosis)
    yield wr.H3("Evidence")
    yield _build_list(
        f"{item.meaning}: {format_number(item.observed)}; "
        f"threshold {format_threshold(item)}, exceeded: {format_exceeded(item)}"
        for item in diagnosis.evidence
    )
    yield _build_panels(report, run_id, _build_evidence_charts(report.record, diagnosis))
    if diagnosis.status == "present":
        yield wr.H3("Cause")
        yield wr.P(humanize(diagnosis.cause) if diagnosis.cause else "The cause is unknown.")
        for suggested in report.suggested_fixes:
            if suggested.condition != diagnosis.condition:
                continue
            yield wr.H3(f"Suggested fix: {humanize(suggested.fix)}")
            yield wr.P(suggested.advice)
            yield wr.CodeBlock(suggested.diff, language="yaml") if suggested.diff else None
    if stability.reasons:
        yield wr.H3("Confidence")
        yield wr.P(f"{stability.level.capitalize()}. {' '.join(stability.reasons)}")
    if stability.next_steps:
        yield wr.H3("Next steps")
        yield _build_list(stability.next_steps)


def _build_evidence_charts(record: Record, diagnosis: Diagnosis) -> list[Any]:
    """A panel for each figure of the condition on the page."""
    charts = []
    for item in select_evidence_to_draw(record, diagnosis):
        is_on_scale = is_on_signal_scale(record, diagnosis, item)
        # A panel of W&B cannot draw a line at the threshold, so the title gives the threshold.
        with_threshold = f"{item.meaning}, threshold {format_threshold(item)}"
        title = with_threshold if is_on_scale else format_signal(item.signal)
        marks = (item.threshold,) if is_on_scale else ()
        charts += _build_chart(record, title, [item.signal], marks)
    return charts


def _build_context(record: Record) -> list[Any]:
    return [each for title, names in CONTEXT for each in _build_chart(record, title, names)]


def _build_chart(
    record: Record, title: str, names: Sequence[str], marks: Sequence[float] = ()
) -> list[Any]:
    """A list with one panel of the logged signals; an empty list if none was logged."""
    logged = [name for name in names if _is_logged(record, name)]
    if not logged:
        return []
    scalars = [record[name].values for name in logged if record[name].values.ndim == 1]
    # Linear or logarithmic, as in the figures of the page.
    scale = choose_scale(scalars, marks) if scalars else None
    log = scale is not None and scale.is_log
    return [wr.LinePlot(title=title, x=STEP, y=logged, title_x="generator step", log_y=log)]


def _is_logged(record: Record, name: str) -> bool:
    """Whether a signal was logged under its own name; some vectors are not, see `_rows`."""
    newest = record[name].values[-1:].tolist()
    return any(key == name for value in newest for key, _ in convert_for_logging({name: value}))


def _build_panels(report: Report, run_id: str, panels: Sequence[Any]) -> Any:
    """Panels side by side that show this run only; None without panels."""
    if not panels:
        return None
    for index, panel in enumerate(panels):
        if isinstance(panel, wr.LinePlot):
            row, column = divmod(index, PANELS_PER_ROW)
            panel.layout = wr.Layout(
                column * PANEL_WIDTH, row * PANEL_HEIGHT, PANEL_WIDTH, PANEL_HEIGHT
            )
    # Without a filter the panels would show every run of the project.
    run = wr.Runset(name=report.title, filters=f"Metric('ID') == {run_id!r}")
    return wr.PanelGrid(runsets=[run], panels=list(panels))


def _build_list(texts: Iterable[str]) -> Any:
    items = list(texts)
    return wr.UnorderedList(items=items) if items else None
