"""Tables of the benchmark as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from gandiag.benchmarks.detection.baselines import BASELINES
from gandiag.benchmarks.detection.matching import GANDIAG, Outcome
from gandiag.benchmarks.detection.metrics import (
    confusion_matrix,
    count_false_alarms,
    f1_at_end,
    group_by_run,
    macro_f1,
    score_method,
)
from gandiag.benchmarks.oracle.labels import ABSENT, CONDITIONS, GREY, PRESENT
from gandiag.benchmarks.statistics import Interval, rule_of_three
from gandiag.diagnosis.diagnosis import humanize

# Words of the tables for the states of a label.
TRUTHS = {PRESENT: "present", ABSENT: "absent", GREY: "grey"}


def format_part(outcomes: Sequence[Outcome], title: str) -> str:
    """Format the figures of one part: totals, gandiag's scores, confusions, baseline rules."""
    tables = [_format_scores(outcomes), _format_confusion(outcomes), _format_baselines(outcomes)]
    return "\n\n".join([f"### {title}", _format_totals(outcomes), *tables])


def format_errors(outcomes: Sequence[Outcome]) -> str:
    """Format a row for each error: misses, false alarms, wrong types, inconclusive answers."""
    head = ("run", "condition", "label", "onset", "first alarm", "failure type", "error")
    rows = [
        _describe_error(o, errors)
        for o in outcomes
        if o.method == GANDIAG and (errors := _list_errors(o))
    ]
    return _format_table(head, rows) if rows else "None."


def _list_errors(outcome: Outcome) -> list[str]:
    is_error = {
        "missed": outcome.truth == PRESENT and not outcome.found,
        "false alarm": outcome.is_false_alarm,
        "wrong type": outcome.is_kind_right is False,
        "inconclusive": outcome.truth != GREY and outcome.last == "inconclusive",
    }
    return [name for name, applies in is_error.items() if applies]


def _describe_error(outcome: Outcome, errors: Sequence[str]) -> tuple[str, ...]:
    kind = "-"
    if outcome.kind and outcome.kinds:
        kind = f"{outcome.kind} for {'/'.join(sorted(outcome.kinds))}"
    return (
        f"{outcome.case}/{outcome.seed}",
        humanize(outcome.condition),
        TRUTHS[outcome.truth],
        "-" if outcome.onset is None else str(outcome.onset),
        "-" if outcome.alarm is None else str(outcome.alarm),
        kind,
        ", ".join(errors),
    )


def format_ablation(
    outcomes: Sequence[Outcome], answers: Mapping[tuple[str, int], Mapping[str, Mapping[str, str]]]
) -> str:
    """Format the F1 of the last answers for each condition, without each signal.

    Args:
        outcomes: outcomes of the detectors, for the labels.
        answers: by case and seed, the result of `matching.diagnose_without_signals`.
    """
    names = list(next(iter(answers.values()))) if answers else []
    truths = {(o.case, o.seed, o.condition): o.truth for o in outcomes if o.method == GANDIAG}
    rows = []
    for name in names:
        last = {run: found[name] for run, found in answers.items()}
        scores = [f1_at_end(truths, last, condition) for condition in CONDITIONS]
        rows.append((name or "none", *(_format_number(score) for score in scores)))
    return _format_table(("removed signal", *map(humanize, CONDITIONS)), rows)


def _format_totals(outcomes: Sequence[Outcome]) -> str:
    ours = [o for o in outcomes if o.method == GANDIAG]
    runs, cases = {(o.case, o.seed) for o in ours}, {o.case for o in ours}
    healthy = count_false_alarms(ours, GANDIAG)
    mean, interval = macro_f1(ours, GANDIAG)
    bound = ""
    # No alarm among a few runs does not mean a rate of 0, so the line gives a bound of the rate.
    if not healthy.alarmed:
        bound = f" (upper 95 % bound: {rule_of_three(healthy.runs):.1%})"
    rate = f"{_format_number(healthy.rate.low, 3)} to {_format_number(healthy.rate.high, 3)}"
    return "\n".join(
        [
            f"- {len(runs)} runs of {len(cases)} cases; {healthy.runs} of the runs are healthy.",
            f"- Macro-F1 {_format_number(mean)} ({_format_interval(interval)} over cases).",
            f"- False alarms on healthy runs: {len(healthy.alarmed)} of {healthy.runs}{bound}; "
            f"{healthy.alarms} in {healthy.steps:,} steps, {rate} per 1,000.",
            *_format_recall_and_delay(ours),
        ]
    )


def _format_recall_and_delay(ours: Sequence[Outcome]) -> Iterable[str]:
    """Format recall and delay over the three conditions together."""
    present = [o for o in ours if o.truth == PRESENT]
    delays = [o.delay for o in present if o.found and o.delay is not None]
    if delays:
        median, late = (float(np.quantile(delays, q)) for q in (0.5, 0.9))
        yield (
            f"- Over all conditions {len(delays)} of {len(present)} are found, {median:.0f} steps "
            f"after their onset (median; 90 % quantile: {late:.0f})."
        )


def _format_scores(outcomes: Sequence[Outcome]) -> str:
    head = (
        "condition", "present", "absent", "grey", "found", "false", "recall", "precision", "F1",
        "median delay", "90 % quantile", "failure types right", "inconclusive",
    )  # fmt: skip
    rows = []
    for condition in CONDITIONS:
        s = score_method(outcomes, GANDIAG, condition)
        right, compared = s.kinds  # Found runs without a failure type of the oracle are left out.
        rows.append(
            (
                humanize(condition),
                str(s.found + s.missed),
                str(s.absent),
                str(s.grey),
                str(s.found),
                str(s.false),
                f"{_format_number(s.recall)} ({_format_interval(s.recall_interval)})",
                _format_number(s.precision),
                f"{_format_number(s.f1)} ({_format_interval(s.f1_interval)})",
                _format_number(s.delay(0.5), 0),
                _format_number(s.delay(0.9), 0),
                f"{right} of {compared}",
                f"{s.inconclusive} of {s.scored}",
            )
        )
    return _format_table(head, rows)


def _format_confusion(outcomes: Sequence[Outcome]) -> str:
    columns = (*CONDITIONS, "none")
    head = ("label of the run, and what was reported at its end", *map(humanize, columns))
    matrix = confusion_matrix(outcomes, GANDIAG)
    return _format_table(
        head,
        [(humanize(row), *(str(cells[name]) for name in columns)) for row, cells in matrix.items()],
    )


def _format_baselines(outcomes: Sequence[Outcome]) -> str:
    head = (
        "rule", "source", "condition", "recall", "precision", "F1", "healthy runs with an alarm",
        "absent at the end, but reported before",
    )  # fmt: skip
    # All methods are compared on the same healthy runs, those without any of the three conditions.
    healthy = _find_healthy_runs(outcomes)
    rows = []
    for condition in CONDITIONS:
        baselines = [(b.name, b.source) for b in BASELINES if b.condition == condition]
        for name, source in [(GANDIAG, "gandiag"), *baselines]:
            s = score_method(outcomes, name, condition)
            selected = [o for o in outcomes if o.method == name and o.condition == condition]
            alarmed = sum(o.false > 0 for o in selected if (o.case, o.seed) in healthy)
            absent_at_end = [o for o in selected if o.at_end == ABSENT]
            rows.append(
                (
                    name,
                    source,
                    humanize(condition),
                    _format_number(s.recall),
                    _format_number(s.precision),
                    _format_number(s.f1),
                    f"{alarmed} of {len(healthy)}",
                    f"{sum(o.alarm is not None for o in absent_at_end)} of {len(absent_at_end)}",
                )
            )
    return _format_table(head, rows)


def _find_healthy_runs(outcomes: Sequence[Outcome]) -> set[tuple[str, int]]:
    runs = group_by_run(outcomes, GANDIAG)
    return {run for run, found in runs.items() if all(o.truth == ABSENT for o in found)}


def _format_interval(interval: Interval) -> str:
    return f"{_format_number(interval.low)} to {_format_number(interval.high)}"


def _format_number(value: float, digits: int = 2) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _format_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
