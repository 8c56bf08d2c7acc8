"""The benchmark's figures as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from gandiag.benchmarks.detection.baselines import BASELINES
from gandiag.benchmarks.detection.matching import OURS, Outcome
from gandiag.benchmarks.detection.metrics import (
    Score,
    confusion,
    f1_at_the_end,
    healthy,
    macro_f1,
    score,
)
from gandiag.benchmarks.oracle.labels import ABSENT, CONDITIONS, GREY, PRESENT
from gandiag.benchmarks.statistics import Interval, none_in
from gandiag.diagnosis.diagnosis import humanize

TRUTHS = {PRESENT: "present", ABSENT: "absent", GREY: "grey"}


def summary(outcomes: Sequence[Outcome], title: str) -> str:
    """Everything that is said of one part."""
    parts = [f"### {title}", _counts(outcomes), _ours(outcomes), _confused(outcomes)]
    return "\n\n".join([*parts, _rivals(outcomes)])


def every_run(outcomes: Sequence[Outcome]) -> str:
    """One row a run and condition that is not plainly right: misses, false alarms, wrong kinds."""
    rows = []
    for o in outcomes:
        if o.judge != OURS:
            continue
        faults = [
            text
            for text, there in (
                ("missed", o.truth == PRESENT and not o.found),
                ("false alarm", o.wrong),
                ("wrong kind", o.right_kind is False),
                ("inconclusive", o.truth != GREY and o.last == "inconclusive"),
            )
            if there
        ]
        if faults:
            kinds = f"{o.kind} for {'/'.join(sorted(o.kinds))}" if o.kind and o.kinds else "-"
            onset = "-" if o.onset is None else str(o.onset)
            alarm = "-" if o.alarm is None else str(o.alarm)
            run = f"{o.case}/{o.seed}"
            rows.append(
                (
                    run,
                    humanize(o.condition),
                    TRUTHS[o.truth],
                    onset,
                    alarm,
                    kinds,
                    ", ".join(faults),
                )
            )
    head = ("run", "condition", "truth", "onset", "first alarm", "kind", "fault")
    return _table(head, rows) if rows else "None."


def ablation_table(
    outcomes: Sequence[Outcome], answers: Mapping[tuple[str, int], Mapping[str, Mapping[str, str]]]
) -> str:
    """F1 of the last answers by condition, without each signal.

    Args:
        outcomes: of the detectors, for the truth.
        answers: by case and seed, the result of `matching.without_signals`.
    """
    names = list(next(iter(answers.values()))) if answers else []
    truths = {(o.case, o.seed, o.condition): o.truth for o in outcomes if o.judge == OURS}
    rows = []
    for name in names:
        last = {run: found[name] for run, found in answers.items()}
        each = [f1_at_the_end(truths, last, condition) for condition in CONDITIONS]
        rows.append((name or "nothing", *(_number(value) for value in each)))
    return _table(("taken out", *map(humanize, CONDITIONS)), rows)


def _counts(outcomes: Sequence[Outcome]) -> str:
    ours = [o for o in outcomes if o.judge == OURS]
    runs, cases = {(o.case, o.seed) for o in ours}, {o.case for o in ours}
    well = healthy(ours, OURS)
    macro, interval = macro_f1(ours, OURS)
    bound = f"; with none, at most {none_in(well.runs):.1%}" if not well.alarmed else ""
    rate = f"{_number(well.rate.low, 3)} to {_number(well.rate.high, 3)}"
    return "\n".join(
        [
            f"- {len(runs)} runs of {len(cases)} games; {well.runs} of the runs are healthy.",
            f"- Macro-F1 {_number(macro)} ({_between(interval)} over games).",
            f"- False alarms on healthy runs: {len(well.alarmed)} of {well.runs}{bound}; "
            f"{well.alarms} in {well.steps:,} steps, {rate} per 1,000.",
            *_over_all(ours),
        ]
    )


def _over_all(ours: Sequence[Outcome]) -> Iterable[str]:
    """Recall and delay over the three conditions together."""
    present = [o for o in ours if o.truth == PRESENT]
    delays = [o.delay for o in present if o.found and o.delay is not None]
    if delays:
        middle, late = (float(np.quantile(delays, q)) for q in (0.5, 0.9))
        yield (
            f"- Over all conditions {len(delays)} of {len(present)} are found, {middle:.0f} steps "
            f"after their onset (median; 90 %: {late:.0f})."
        )


def _ours(outcomes: Sequence[Outcome]) -> str:
    head = (
        "condition", "present", "absent", "grey", "found", "false", "recall", "precision", "F1",
        "delay, median", "90 %", "kinds right", "inconclusive",
    )  # fmt: skip
    rows = []
    for condition in CONDITIONS:
        s = score(outcomes, OURS, condition)
        right, compared = s.kinds
        rows.append(
            (
                humanize(condition),
                str(s.found + s.missed),
                str(s.absent),
                str(s.grey),
                str(s.found),
                str(s.false),
                f"{_number(_recall(s))} ({_between(s.recall)})",
                _number(s.precision),
                f"{_number(s.f1)} ({_between(s.f1_interval)})",
                _number(s.delay(0.5), 0),
                _number(s.delay(0.9), 0),
                f"{right} of {compared}",
                f"{s.inconclusive} of {s.scored}",
            )
        )
    return _table(head, rows)


def _rivals(outcomes: Sequence[Outcome]) -> str:
    head = (
        "rule", "of", "condition", "recall", "precision", "F1", "healthy runs alarmed",
        "rid of it at the end, called so before",
    )  # fmt: skip
    rows = []
    for condition in CONDITIONS:
        mine = [r for r in BASELINES if r.condition == condition]
        for name, source in [(OURS, "gandiag"), *((r.name, r.source) for r in mine)]:
            s = score(outcomes, name, condition)
            asked = [o for o in outcomes if o.judge == name and o.condition == condition]
            clear = _healthy_runs(outcomes)
            alarmed = sum(o.false > 0 for o in asked if (o.case, o.seed) in clear)
            rid = [o for o in asked if o.at_end == ABSENT]
            rows.append(
                (
                    name,
                    source,
                    humanize(condition),
                    _number(_recall(s)),
                    _number(s.precision),
                    _number(s.f1),
                    f"{alarmed} of {len(clear)}",
                    f"{sum(o.alarm is not None for o in rid)} of {len(rid)}",
                )
            )
    return _table(head, rows)


def _confused(outcomes: Sequence[Outcome]) -> str:
    table = confusion(outcomes, OURS)
    called = (*CONDITIONS, "none")
    head = ("truth, and what it was called at its end", *map(humanize, called))
    return _table(
        head,
        [(humanize(row), *(str(cells[name]) for name in called)) for row, cells in table.items()],
    )


def _healthy_runs(outcomes: Sequence[Outcome]) -> set[tuple[str, int]]:
    ours = [o for o in outcomes if o.judge == OURS]
    return {(o.case, o.seed) for o in ours} - {(o.case, o.seed) for o in ours if o.truth != ABSENT}


def _recall(s: Score) -> float:
    return s.found / (s.found + s.missed) if s.found + s.missed else math.nan


def _between(interval: Interval) -> str:
    return f"{_number(interval.low)} to {_number(interval.high)}"


def _number(value: float, digits: int = 2) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
