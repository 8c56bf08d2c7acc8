"""The page of a comparison: verdicts, figures, samples, tests and runs in one HTML file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup

from gandiag.comparison import verdict as verdicts
from gandiag.comparison.outcome import Outcome
from gandiag.comparison.results import QUALITY, Comparison
from gandiag.comparison.sample_grids import choose_final_grids, explain_final_grids
from gandiag.comparison.statistics import Estimate
from gandiag.diagnosis.diagnosis import humanize
from gandiag.plugins import registry as plugins
from gandiag.records.record import Signal
from gandiag.records.storage import write_file
from gandiag.reports.figures import Picture
from gandiag.reports.figures.variants import (
    CostPoint,
    Interval,
    draw_cost,
    draw_distance,
    draw_failure_rates,
)
from gandiag.reports.templates import load_templates, read_text

PACKAGE = "gandiag.comparison"
PAGE = "comparison.html"  # File name in the comparison's folder.
# Verdicts from best to worst, each with a mark that does not depend on colour.
MARKS = {"cures": "●", "helps": "◐", "no evidence": "○", "harms": "✕"}


def write_page(comparison: Comparison, folder: Path) -> Path:
    """Write ``comparison.html``, one file that contains its figures, and return its path."""
    write_file(folder / PAGE, render_page(comparison, folder))
    return folder / PAGE


def render_page(comparison: Comparison, folder: Path) -> str:
    """Return the page as HTML. The same comparison always gives the same page.

    Args:
        comparison: the results.
        folder: folder of the comparison, whose records have the sample grids.
    """
    environment = load_templates(PACKAGE)
    environment.filters |= {
        "humanize": humanize,
        "number": _format_number,
        "steps": _format_steps,
        "ratio": _format_ratio,
        "label": _format_label,
        "diff_class": _classify_diff_line,
    }
    style = read_text("gandiag.reports.page", "page.css") + read_text(PACKAGE, "comparison.css")
    return environment.get_template("comparison.html.j2").render(
        page=comparison,
        headline=_write_headline(comparison),
        figures=_draw_figures(comparison),
        final_grids=choose_final_grids(comparison, folder),
        grids_caption=explain_final_grids(comparison, folder),
        advice={r.compared.name: _list_advice(r.compared.fixes) for r in comparison.fix_results},
        definitions=_read_definitions(),
        marks=MARKS,
        quality=QUALITY,
        style=Markup(style),  # our own text; everything that a record brings is escaped
    )


def _draw_figures(comparison: Comparison) -> list[Picture]:
    results = comparison.results
    labels = [_format_label(result.compared.name) for result in results]
    rates = {
        humanize(condition): [
            Interval(
                rate.present / rate.evaluated if rate.evaluated else math.nan, rate.low, rate.high
            )
            for rate in (result.rates[condition] for result in results)
        ]
        for condition in comparison.conditions
    }
    points = [
        CostPoint(label, Interval(*result.cost), Interval(*result.distance))
        for label, result in zip(labels, results, strict=True)
    ]
    courses = {
        label: _median_course(list(result.outcomes.values()))
        for label, result in zip(labels, results, strict=True)
        if result.outcomes
    }
    figures = [
        draw_failure_rates(labels, rates, "rates") if rates else None,
        draw_cost(points, comparison.distance_name, "cost"),
        draw_distance(courses, comparison.distance_name, comparison.level, "course"),
    ]
    return [figure for figure in figures if figure is not None]


def _median_course(outcomes: Sequence[Outcome]) -> Signal:
    """Return the median distance over runs, at the steps at which all runs were measured."""
    # At other steps the medians would be those of fewer runs.
    shared = sorted(set.intersection(*({step for step, _ in o.distances} for o in outcomes)))
    values = [[dict(o.distances)[step] for o in outcomes] for step in shared]
    return Signal(np.array(shared, np.int64), np.array([float(np.median(v)) for v in values]))


def _list_advice(fixes: Sequence[str]) -> list[str]:
    return [plugins.load("fixes", name).advice for name in fixes]  # type: ignore[attr-defined]


def _read_definitions() -> list[tuple[str, str]]:
    """Return the terms that the docstring of `gandiag.comparison.verdict` defines, in order."""
    definitions: list[tuple[str, str]] = []
    # One text for the docstring and the page, so that they cannot differ.
    for line in (verdicts.__doc__ or "").splitlines():
        if line.startswith("*"):
            definitions.append((line.strip("*"), ""))
        elif line.startswith("    ") and definitions:
            term, text = definitions[-1]
            definitions[-1] = term, f"{text} {line.strip()}".strip()
    return [(term, text.replace("*", "")) for term, text in definitions]


def _write_headline(comparison: Comparison) -> str:
    """Return the fixes by verdict, the best verdict first."""
    labels = {
        verdict: [
            _format_label(result.compared.name)
            for result in comparison.fix_results
            if result.verdict == verdict
        ]
        for verdict in MARKS
    }
    sentences = [
        f"{verdict.capitalize()}: {', '.join(each)}." for verdict, each in labels.items() if each
    ]
    return " ".join(sentences) or "No fix was tried."


def _format_number(value: float) -> str:
    if math.isnan(value):
        return "unknown"
    return "infinite" if math.isinf(value) else f"{value:.3g}"


def _format_steps(value: float) -> str:
    return "never" if math.isinf(value) else _format_number(value)


def _format_ratio(estimate: Estimate) -> str:
    return "unknown" if math.isnan(estimate.value) else f"{estimate.value:.2f}"


def _format_label(name: str) -> str:
    """Format the name of a compared scenario for readers.

    >>> _format_label("r1+minibatch_discrimination")
    'r1 + minibatch discrimination'
    """
    return " + ".join(map(humanize, name.split("+")))


def _classify_diff_line(line: str) -> str:
    """Return the CSS class of a line of a unified diff."""
    if line.startswith(("+++", "---", "@@")):
        return "place"
    return {"+": "added", "-": "removed"}.get(line[:1], "same")
