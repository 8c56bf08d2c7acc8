"""A comparison as one page and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from gandiag.comparison import verdict as verdicts
from gandiag.comparison.outcome import Outcome, plain_number
from gandiag.comparison.results import QUALITY, Comparison, ScenarioResult
from gandiag.comparison.sample_grids import last_sheets, reading
from gandiag.comparison.statistics import Estimate
from gandiag.diagnosis.diagnosis import humanize
from gandiag.plugins import registry as plugins
from gandiag.records.record import Signal, write_file
from gandiag.reports.figures import Picture
from gandiag.reports.figures.arms import (
    CostPoint,
    Interval,
    cost_figure,
    course_figure,
    rates_figure,
)
from gandiag.reports.templates import templates_of, text_of

PACKAGE = "gandiag.comparison"

PAGE, DATA = "comparison.html", "comparison.json"  # in the comparison's folder
MARKS = {"cures": "●", "helps": "◐", "no evidence": "○", "harms": "✕"}


def write_json(comparison: Comparison, folder: Path) -> Path:
    """Write ``comparison.json`` whole and return its path."""
    text = json.dumps(as_data(comparison), indent=2, allow_nan=False)
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / DATA, text + "\n")
    return folder / DATA


def write_page(comparison: Comparison, folder: Path) -> Path:
    """Write ``comparison.html``, one file that holds its pictures, and return its path."""
    write_file(folder / PAGE, render(comparison, folder))
    return folder / PAGE


def as_data(comparison: Comparison) -> dict[str, Any]:
    """Plain data; numbers that are not finite are the strings NaN, Infinity and -Infinity."""
    return {
        "scenario": comparison.name,
        "conditions": list(comparison.conditions),
        "targets": list(comparison.targets),
        "seeds": list(comparison.seeds),
        "threads": comparison.threads,
        "distance": comparison.distance_name,
        "quality_level": plain_number(comparison.level),
        "notes": list(comparison.notes),
        "arms": [_arm(result) for result in comparison.results],
    }


def render(comparison: Comparison, folder: Path) -> str:
    """The page as text; the same comparison always gives the same page."""
    environment = templates_of(PACKAGE)
    environment.filters |= {"plain": humanize, "number": _number, "arm": _arm_in_words}
    environment.filters |= {"sign": _sign, "times": _times}
    style = text_of("gandiag.reports.page", "page.css") + text_of(PACKAGE, "comparison.css")
    return environment.get_template("comparison.html.j2").render(
        page=comparison,
        headline=_headline(comparison),
        pictures=_pictures(comparison),
        sheets=last_sheets(comparison, folder),
        reading=reading(comparison, folder),
        advice={r.arm.name: _advice(r.arm.fixes) for r in comparison.fixed},
        definitions=_definitions(),
        marks=MARKS,
        quality=QUALITY,
        style=Markup(style),  # ours; what came with a run is escaped
    )


def _arm(result: ScenarioResult) -> dict[str, Any]:
    estimates = ("distance", "coverage", "balance", "steps_to_quality", "cost")
    found: dict[str, Any] = {
        "arm": result.arm.name,
        "fixes": list(result.arm.fixes),
        "verdict": result.verdict,
        "says": result.summary,
        "free": _free(result),
        "rates": {condition: rate._asdict() for condition, rate in result.rates.items()},
        "contrasts": [asdict(contrast) for contrast in result.contrasts],
        "runs": [result.outcomes[seed].as_json() for seed in sorted(result.outcomes)],
    }
    for name in estimates:
        values: Estimate = getattr(result, name)
        found[name] = {key: plain_number(value) for key, value in values._asdict().items()}
    return found


def _free(result: ScenarioResult) -> dict[str, Any] | None:
    """Runs that are free of all targets, treated and untreated, and the p of the difference."""
    freed = result.failure_free
    if freed is None:
        return None
    rates = {"treated": freed.fixed._asdict(), "untreated": freed.baseline._asdict()}
    return {**rates, "p": freed.p}


def _pictures(comparison: Comparison) -> list[Picture]:
    results = comparison.results
    names = [_arm_in_words(result.arm.name) for result in results]
    rates = {
        humanize(condition): [
            Interval(rate.present / rate.judged if rate.judged else math.nan, rate.low, rate.high)
            for rate in (result.rates[condition] for result in results)
        ]
        for condition in comparison.conditions
    }
    spots = [
        CostPoint(name, Interval(*r.cost), Interval(*r.distance))
        for name, r in zip(names, results, strict=True)
    ]
    courses = {
        name: _course(list(r.outcomes.values()))
        for name, r in zip(names, results, strict=True)
        if r.outcomes
    }
    found = [
        rates_figure(names, rates, "rates") if rates else None,
        cost_figure(spots, comparison.distance_name, "cost"),
        course_figure(courses, comparison.distance_name, comparison.level, "course"),
    ]
    return [picture for picture in found if picture is not None]


def _course(outcomes: Sequence[Outcome]) -> Signal:
    """Median distance at the steps that all runs were measured at."""
    shared = sorted(set.intersection(*({step for step, _ in o.distances} for o in outcomes)))
    values = [[dict(o.distances)[step] for o in outcomes] for step in shared]
    return Signal(np.array(shared, np.int64), np.array([float(np.median(v)) for v in values]))


def _advice(fixes: Sequence[str]) -> list[str]:
    return [plugins.load("fixes", name).advice for name in fixes]  # type: ignore[attr-defined]


def _definitions() -> list[tuple[str, str]]:
    """The verdicts as `gandiag.comparison.verdict` defines them."""
    found, term = [], ""
    for line in (verdicts.__doc__ or "").splitlines():
        if line.startswith("*"):
            term = line.strip("*")
            found.append((term, ""))
        elif line.startswith("    ") and found:
            found[-1] = (term, f"{found[-1][1]} {line.strip()}".strip())
    return [(term, text.replace("*", "")) for term, text in found]


def _number(value: float) -> str:
    if math.isnan(value):
        return "unknown"
    return "never" if math.isinf(value) else f"{value:.3g}"


def _headline(comparison: Comparison) -> str:
    """The fixes by what they do, the best first."""
    found = [
        (word, [_arm_in_words(r.arm.name) for r in comparison.fixed if r.verdict == word])
        for word in MARKS
    ]
    told = [f"{word[:1].upper()}{word[1:]}: {', '.join(arms)}." for word, arms in found if arms]
    return " ".join(told) or "No fix was tried."


def _arm_in_words(name: str) -> str:
    """An arm's name for readers; its folder keeps the one with underscores.

    >>> _arm_in_words("r1+minibatch_discrimination")
    'r1 + minibatch discrimination'
    """
    return " + ".join(map(humanize, name.split("+")))


def _times(estimate: Estimate) -> str:
    return "unknown" if math.isnan(estimate.value) else f"{estimate.value:.2f}"


def _sign(line: str) -> str:
    """The class of a line of a unified diff."""
    if line.startswith(("+++", "---", "@@")):
        return "place"
    return {"+": "added", "-": "removed"}.get(line[:1], "same")
