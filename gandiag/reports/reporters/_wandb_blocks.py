"""What a Report at Weights & Biases is made of: the page's parts in its order, as panels of it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.monitoring.signals import CLASS_HISTOGRAM, DISCRIMINATOR_LOSS, GENERATOR_LOSS
from gandiag.records.record import Record
from gandiag.reports.figures.axes import scale_of
from gandiag.reports.figures.curves import is_measured_on
from gandiag.reports.formatting import by_weight, gate, holds, notes, number, plain, sentence, shown
from gandiag.reports.page.content import headline_of, worth_drawing
from gandiag.reports.report import Report, verdict
from gandiag.reports.reporters._rows import loggable
from gandiag.reports.reporters._wandb_session import STEP

with warnings.catch_warnings():  # of what it uses and pydantic will take away one day
    warnings.simplefilter("ignore", DeprecationWarning)
    import wandb_workspaces.reports.v2 as wr


ACROSS, WIDE, HIGH = 2, 12, 8  # panels in a row, and their size on a Report's grid of 24 columns
TITLE = 128  # most characters of a Report's title
SAMPLES = ("samples/real", "samples/generator")  # as they are logged
CONTEXT = (
    ("Share of each class over the run", (CLASS_HISTOGRAM,)),
    ("Losses of the two players", (DISCRIMINATOR_LOSS, GENERATOR_LOSS)),
    (
        "How sure the discriminator is",
        tuple(f"confidence/{what}/discriminator" for what in ("real", "fake", "auc")),
    ),
)


def report_at(report: Report, run_id: str, project: str, entity: str) -> Any:
    """The Report on one run, of which nothing has been sent yet.

    Args:
        report: what the page shows, too.
        run_id: of the run at W&B that was logged from the same record.
        project: where that run is.
        entity: whose project; empty where that is not known yet.
    """
    return wr.Report(
        project=project,
        entity=entity,
        title=f"{report.title}: {verdict(report.diagnoses)}"[:TITLE],
        blocks=[block for block in _told(report, run_id) if block is not None],
        width="fluid",
    )


def _told(report: Report, run_id: str) -> Iterator[Any]:
    diagnoses = by_weight(shown(report.diagnoses))
    yield wr.CalloutBlock(sentence(report))
    yield from (wr.P(note) for note in notes(report))
    yield _listed(f"{title}: {text}" for title, text in headline_of(report, diagnoses))
    if report.scenario is not None and report.scenario.about:
        yield wr.P(report.scenario.about.strip())
    yield wr.H2("The samples over time")
    browser = wr.MediaBrowser(media_keys=list(SAMPLES), layout=wr.Layout(0, 0, 24, 12))
    yield _grid(report, run_id, [browser])
    for diagnosis in diagnoses:
        yield from _on(report, diagnosis, run_id)
    yield wr.H2("The game around it")
    yield _grid(report, run_id, _context(report.record))
    yield wr.H2("The whole page")
    page = wr.MediaBrowser(media_keys=["report"], layout=wr.Layout(0, 0, 24, 20))
    yield _grid(report, run_id, [page])
    if report.scenario is not None:
        yield wr.H2("To repeat this")
        yield wr.CodeBlock(report.scenario.as_yaml(), language="yaml")


def _on(report: Report, diagnosis: Diagnosis, run_id: str) -> Iterator[Any]:
    """All on one condition; an answer that nothing is there is folded."""
    title = f"{plain(diagnosis.condition).capitalize()}: {diagnosis.status}"
    inner = [block for block in _evidence(report, diagnosis, run_id) if block is not None]
    if diagnosis.status == "absent":
        yield wr.H2(title, collapsed_blocks=[wr.P(diagnosis.summary), *inner])
    else:
        yield from (wr.H2(title), wr.P(diagnosis.summary), *inner)


def _evidence(report: Report, diagnosis: Diagnosis, run_id: str) -> Iterator[Any]:
    certainty = report.stability(diagnosis)
    yield wr.H3("Evidence")
    yield _listed(
        f"{item.meaning}: {number(item.observed)}, speaks for it {gate(item)}: {holds(item)}"
        for item in diagnosis.evidence
    )
    yield _grid(report, run_id, _charts(report.record, diagnosis))
    if diagnosis.status == "present":
        yield wr.H3("Cause")
        yield wr.P(plain(diagnosis.cause) if diagnosis.cause else "The record shows no cause.")
        for treatment in report.suggested_fixes:
            if treatment.condition != diagnosis.condition:
                continue
            yield wr.H3(f"What to try: {plain(treatment.fix)}")
            yield wr.P(treatment.advice)
            yield wr.CodeBlock(treatment.diff, language="yaml") if treatment.diff else None
    if certainty.reasons:
        yield wr.H3("How sure")
        yield wr.P(f"{certainty.level.capitalize()}. {' '.join(certainty.reasons)}")
    if certainty.settle:
        yield wr.H3("What would settle it")
        yield _listed(certainty.settle)


def _charts(record: Record, diagnosis: Diagnosis) -> list[Any]:
    """A panel for each figure that the page has on a condition."""
    charts = []
    for item in worth_drawing(record, diagnosis):
        own = is_measured_on(record, diagnosis, item)
        title = f"{item.meaning}, speaks for it {gate(item)}" if own else item.signal
        marks = (item.threshold,) if own else ()
        charts += _chart(record, title, [item.signal], marks)
    return charts


def _context(record: Record) -> list[Any]:
    return [each for title, names in CONTEXT for each in _chart(record, title, names)]


def _chart(
    record: Record, title: str, names: Sequence[str], marks: Sequence[float] = ()
) -> list[Any]:
    """A panel of the signals that were logged; none where there are none."""
    logged = [name for name in names if _is_logged(record, name)]
    if not logged:
        return []
    scalars = [record[name].values for name in logged if record[name].values.ndim == 1]
    scale = scale_of(scalars, marks) if scalars else None
    log = scale is not None and scale.log
    return [wr.LinePlot(title=title, x=STEP, y=logged, title_x="generator step", log_y=log)]


def _is_logged(record: Record, name: str) -> bool:
    values = record[name].values[-1:].tolist()
    return any(known == name for value in values for known, _ in loggable({name: value}))


def _grid(report: Report, run_id: str, panels: Sequence[Any]) -> Any:
    """Panels side by side, over this one run; None where there is no panel."""
    if not panels:
        return None
    for index, panel in enumerate(panels):
        if isinstance(panel, wr.LinePlot):
            row, column = divmod(index, ACROSS)
            panel.layout = wr.Layout(column * WIDE, row * HIGH, WIDE, HIGH)
    run = wr.Runset(name=report.title, filters=f"Metric('ID') == {run_id!r}")
    return wr.PanelGrid(runsets=[run], panels=list(panels))


def _listed(texts: Iterable[str]) -> Any:
    items = list(texts)
    return wr.UnorderedList(items=items) if items else None
