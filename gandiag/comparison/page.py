"""A comparison as one page and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from gandiag.comparison import verdict as verdicts
from gandiag.comparison.outcome import Outcome
from gandiag.comparison.results import QUALITY, Comparison, PairedTest, ScenarioResult
from gandiag.comparison.sample_grids import choose_final_grids, explain_final_grids
from gandiag.comparison.statistics import Estimate, Rate
from gandiag.diagnosis.diagnosis import humanize
from gandiag.plugins import registry as plugins
from gandiag.records.record import Signal
from gandiag.records.storage import encode_number, write_file, write_json_file
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

PAGE, DATA = "comparison.html", "comparison.json"  # in the comparison's folder
MARKS = {"cures": "●", "helps": "◐", "no evidence": "○", "harms": "✕"}


def write_json(comparison: Comparison, folder: Path) -> Path:
    """Write ``comparison.json`` whole and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json_file(folder / DATA, comparison_as_json(comparison))
    return folder / DATA


def write_page(comparison: Comparison, folder: Path) -> Path:
    """Write ``comparison.html``, one file that holds its pictures, and return its path."""
    write_file(folder / PAGE, render_page(comparison, folder))
    return folder / PAGE


def comparison_as_json(comparison: Comparison) -> dict[str, Any]:
    """Plain data; numbers that are not finite are the strings NaN, Infinity and -Infinity."""
    return {
        "scenario": comparison.name,
        "conditions": list(comparison.conditions),
        "targets": list(comparison.targets),
        "seeds": list(comparison.seeds),
        "threads": comparison.threads,
        "distance": comparison.distance_name,
        "quality_level": encode_number(comparison.level),
        "notes": list(comparison.notes),
        "arms": [_result_as_json(result) for result in comparison.results],
    }


def render_page(comparison: Comparison, folder: Path) -> str:
    """The page as text; the same comparison always gives the same page."""
    environment = load_templates(PACKAGE)
    environment.filters |= {
        "plain": humanize,
        "number": _format_number,
        "arm": _format_scenario_name,
    }
    environment.filters |= {"sign": _classify_diff_line, "times": _format_cost}
    style = read_text("gandiag.reports.page", "page.css") + read_text(PACKAGE, "comparison.css")
    return environment.get_template("comparison.html.j2").render(
        page=comparison,
        headline=_write_headline(comparison),
        pictures=_draw_figures(comparison),
        sheets=choose_final_grids(comparison, folder),
        reading=explain_final_grids(comparison, folder),
        advice={r.compared.name: _list_advice(r.compared.fixes) for r in comparison.fix_results},
        definitions=_read_definitions(),
        marks=MARKS,
        quality=QUALITY,
        style=Markup(style),  # ours; what came with a run is escaped
    )


def _result_as_json(result: ScenarioResult) -> dict[str, Any]:
    estimates = ("distance", "coverage", "balance", "steps_to_quality", "cost")
    found: dict[str, Any] = {
        "arm": result.compared.name,
        "fixes": list(result.compared.fixes),
        "verdict": result.verdict,
        "says": result.summary,
        "free": _failure_free_as_json(result),
        "rates": {condition: _rate_as_json(rate) for condition, rate in result.rates.items()},
        "contrasts": [_paired_test_as_json(test) for test in result.paired_tests],
        "runs": [result.outcomes[seed].as_json() for seed in sorted(result.outcomes)],
    }
    for name in estimates:
        values: Estimate = getattr(result, name)
        found[name] = {key: encode_number(value) for key, value in values._asdict().items()}
    return found


def _failure_free_as_json(result: ScenarioResult) -> dict[str, Any] | None:
    """Runs that are free of all targets, treated and untreated, and the p of the difference."""
    freed = result.failure_free
    if freed is None:
        return None
    rates = {"treated": _rate_as_json(freed.with_fix), "untreated": _rate_as_json(freed.baseline)}
    return {**rates, "p": freed.p}


def _rate_as_json(rate: Rate) -> dict[str, Any]:
    return {
        "present": rate.present,
        "judged": rate.evaluated,
        "low": rate.low,
        "high": rate.high,
    }


def _paired_test_as_json(test: PairedTest) -> dict[str, Any]:
    return {
        "what": test.quantity,
        "better": test.better,
        "worse": test.worse,
        "pairs": test.pairs,
        "p": test.p,
        "adjusted": test.adjusted_p,
    }


def _draw_figures(comparison: Comparison) -> list[Picture]:
    results = comparison.results
    names = [_format_scenario_name(result.compared.name) for result in results]
    rates = {
        humanize(condition): [
            Interval(
                rate.present / rate.evaluated if rate.evaluated else math.nan, rate.low, rate.high
            )
            for rate in (result.rates[condition] for result in results)
        ]
        for condition in comparison.conditions
    }
    spots = [
        CostPoint(name, Interval(*r.cost), Interval(*r.distance))
        for name, r in zip(names, results, strict=True)
    ]
    courses = {
        name: _median_course(list(r.outcomes.values()))
        for name, r in zip(names, results, strict=True)
        if r.outcomes
    }
    found = [
        draw_failure_rates(names, rates, "rates") if rates else None,
        draw_cost(spots, comparison.distance_name, "cost"),
        draw_distance(courses, comparison.distance_name, comparison.level, "course"),
    ]
    return [picture for picture in found if picture is not None]


def _median_course(outcomes: Sequence[Outcome]) -> Signal:
    """Median distance at the steps that all runs were measured at."""
    shared = sorted(set.intersection(*({step for step, _ in o.distances} for o in outcomes)))
    values = [[dict(o.distances)[step] for o in outcomes] for step in shared]
    return Signal(np.array(shared, np.int64), np.array([float(np.median(v)) for v in values]))


def _list_advice(fixes: Sequence[str]) -> list[str]:
    return [plugins.load("fixes", name).advice for name in fixes]  # type: ignore[attr-defined]


def _read_definitions() -> list[tuple[str, str]]:
    """The verdicts as `gandiag.comparison.verdict` defines them."""
    found, term = [], ""
    for line in (verdicts.__doc__ or "").splitlines():
        if line.startswith("*"):
            term = line.strip("*")
            found.append((term, ""))
        elif line.startswith("    ") and found:
            found[-1] = (term, f"{found[-1][1]} {line.strip()}".strip())
    return [(term, text.replace("*", "")) for term, text in found]


def _format_number(value: float) -> str:
    if math.isnan(value):
        return "unknown"
    return "never" if math.isinf(value) else f"{value:.3g}"


def _write_headline(comparison: Comparison) -> str:
    """The fixes by what they do, the best first."""
    found = [
        (
            word,
            [
                _format_scenario_name(r.compared.name)
                for r in comparison.fix_results
                if r.verdict == word
            ],
        )
        for word in MARKS
    ]
    told = [f"{word[:1].upper()}{word[1:]}: {', '.join(arms)}." for word, arms in found if arms]
    return " ".join(told) or "No fix was tried."


def _format_scenario_name(name: str) -> str:
    """An arm's name for readers; its folder keeps the one with underscores.

    >>> _arm_in_words("r1+minibatch_discrimination")
    'r1 + minibatch discrimination'
    """
    return " + ".join(map(humanize, name.split("+")))


def _format_cost(estimate: Estimate) -> str:
    return "unknown" if math.isnan(estimate.value) else f"{estimate.value:.2f}"


def _classify_diff_line(line: str) -> str:
    """The class of a line of a unified diff."""
    if line.startswith(("+++", "---", "@@")):
        return "place"
    return {"+": "added", "-": "removed"}.get(line[:1], "same")
