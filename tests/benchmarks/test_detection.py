"""Detection benchmark: its cases, the scores of answers, the tables, and the baseline rules."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from gandiag.benchmarks.detection.baselines import BASELINES, Trace, find_alarms
from gandiag.benchmarks.detection.benchmark import run_benchmark
from gandiag.benchmarks.detection.cases import (
    CASES_FILE,
    PARTS,
    Case,
    read_cases,
    select_cases,
)
from gandiag.benchmarks.detection.matching import (
    GANDIAG,
    Outcome,
    diagnose_without_signals,
    evaluate_run,
    match,
)
from gandiag.benchmarks.detection.metrics import (
    confusion_matrix,
    count_false_alarms,
    f1_at_end,
    macro_f1,
    score_method,
)
from gandiag.benchmarks.detection.runs import FINISHED_FILE, ORACLE_FILE, Run, run_folder
from gandiag.benchmarks.detection.tables import format_ablation, format_errors, format_part
from gandiag.benchmarks.oracle.labels import ABSENT, CONDITIONS, GREY, PRESENT, Label
from gandiag.benchmarks.statistics import f1
from gandiag.monitoring.signals import EFFECTIVE_MODES
from gandiag.plugins.errors import BadInput
from gandiag.records.record import Record, Row
from gandiag.scenario.schema import Scenario
from gandiag.training.components import Components

STEPS = np.arange(50, 1501, 50)
EVALUATED = np.arange(100, 1501, 100)


def labelled(begin: int = 2000, end: int = 2000, other: int = ABSENT, kind: str = "total") -> Label:
    """A label that is present from `begin` to `end`, and `other` at all other steps."""
    state = np.where((begin <= STEPS) & (end >= STEPS), PRESENT, other)
    kinds = [frozenset({kind}) if now == PRESENT else frozenset() for now in state]
    return Label(STEPS, state, tuple(kinds))


def answer(*spans: tuple[int, int]) -> list[str]:
    """Answers that are present in these spans of steps, and absent otherwise."""
    return [
        "present" if any(begin <= step <= end for begin, end in spans) else "absent"
        for step in EVALUATED
    ]


def outcome(truth: Label, statuses: Sequence[str], kind: str = "total", case: str = "a") -> Outcome:
    """The outcome of such answers for such a label."""
    run = Run(Case(case, "ring", "tuning", "", Scenario()), 0)
    return match(GANDIAG, run, "mode_collapse", truth, EVALUATED, statuses, [kind] * len(EVALUATED))


def test_every_case_can_be_trained() -> None:
    """Every plugin and option of a case exists, and the runs are long enough to be labelled."""
    for case in read_cases():
        Components.from_scenario(case.scenario)
        assert case.scenario.training.steps >= 700, case.name
        assert case.part in PARTS, case.name
        assert case.intent, case.name


def test_cases_are_as_the_protocol_states() -> None:
    """There are 45 cases or more of nine families, 40 % healthy, and six families held out."""
    cases = [case for case in read_cases() if case.part != "slow"]
    assert len(cases) == len({case.name for case in cases}) >= 45
    assert len({case.family for case in cases}) == 9
    parts = {part: {c.family for c in cases if c.part == part} for part in ("tuning", "held_out")}
    assert len(parts["held_out"] - parts["tuning"]) >= 6
    healthy = [c for c in cases if c.intent.startswith(("healthy", "tiny", "a saturated"))]
    assert len(healthy) >= 0.4 * len(cases)


def test_protocol_has_the_checksum_of_the_cases() -> None:
    """The protocol has the checksum of the file, so a changed case does not go unnoticed."""
    text = (files("gandiag.benchmarks") / CASES_FILE).read_bytes()
    protocol = Path(__file__).parents[2] / "reports" / "detection.md"
    assert hashlib.sha256(text).hexdigest() in protocol.read_text(encoding="utf-8")


def test_cases_are_selected_by_name_or_family() -> None:
    """A name is that of a case or a family; the message for any other name has the nearest one."""
    assert [case.name for case in select_cases(["ring_r1"])] == ["ring_r1"]
    assert {case.family for case in select_cases(["dirac"])} == {"dirac"}
    assert {case.part for case in select_cases(part="held_out")} == {"held_out"}
    with pytest.raises(BadInput, match='nearest is "ring_r1"'):
        select_cases(["ring_r2"])


def test_alarm_in_time_is_found() -> None:
    """An alarm while the condition is present finds it; the delay is the steps since the onset."""
    found = outcome(labelled(600, 1500), answer((800, 1500)))
    assert (found.truth, found.found, found.delay, found.is_false_alarm) == (
        PRESENT,
        True,
        200,
        False,
    )
    assert found.is_kind_right is True


def test_slightly_early_alarm_is_right() -> None:
    """An alarm 200 steps before the onset has no delay; an earlier alarm is false as well."""
    assert outcome(labelled(800, 1500), answer((600, 1500))).delay == 0
    assert not outcome(labelled(800, 1500), answer((600, 1500))).is_false_alarm
    early = outcome(labelled(1000, 1500), answer((500, 1500)))
    assert early.is_false_alarm
    assert early.found


def test_missed_span_counts_as_delay() -> None:
    """If the first of two spans is missed, the delay still starts at its onset."""
    twice = labelled(200, 600)
    again = labelled(1100, 1500)
    both = Label(STEPS, np.maximum(twice.state, again.state), twice.kinds[:20] + again.kinds[20:])
    found = outcome(both, answer((1200, 1500)))
    assert (found.onset, found.delay, found.is_kind_right) == (200, 1000, True)


def test_no_alarm_is_a_miss() -> None:
    """Without an alarm the condition is missed, and there is no delay and no failure type."""
    missed = outcome(labelled(600, 1500), answer())
    found = (missed.found, missed.delay, missed.kind, missed.is_kind_right)
    assert found == (False, None, None, None)


def test_alarm_without_a_sign_is_false() -> None:
    """Without any sign of the condition each new alarm is false; a lasting alarm counts once."""
    wrong = outcome(labelled(), answer((500, 700), (900, 900)))
    assert (wrong.truth, wrong.false, wrong.is_false_alarm) == (ABSENT, 2, True)


def test_alarm_shortly_after_the_condition_is_excused() -> None:
    """An alarm up to 500 steps after present or grey measurements is not false."""
    assert not outcome(labelled(300, 700), answer((500, 1200))).is_false_alarm
    assert outcome(labelled(300, 700), answer((500, 1300))).is_false_alarm
    assert not outcome(labelled(100, 400, other=GREY), answer((1200, 1300))).is_false_alarm


def test_alarms_of_runs_that_end_without_the_condition_are_counted() -> None:
    """Of the runs without the condition at their end, the table counts those with an alarm."""
    outcomes = [
        outcome(labelled(100, 500), answer((400, 700)), case="a"),
        outcome(labelled(100, 500), answer(), case="b"),
        outcome(labelled(600, 1500), answer((700, 1500)), case="c"),
        outcome(labelled(other=GREY), answer((700, 1500)), case="d"),
    ]
    assert [o.at_end for o in outcomes] == [ABSENT, ABSENT, PRESENT, GREY]
    (row,) = [
        line
        for line in format_part(outcomes, "Part").splitlines()
        if line.startswith("| gandiag | gandiag | mode collapse |")
    ]
    assert row.endswith("| 1 of 2 |")


def test_slow_cases_have_low_learning_rates() -> None:
    """Learning rates are at most 0.0001, except in the case with minibatch discrimination."""
    slow = [case for case in read_cases() if case.part == "slow"]
    rates = {
        case.name: max(
            case.scenario.training.generator.optimizer.lr,
            case.scenario.training.discriminator.optimizer.lr,
        )
        for case in slow
    }
    assert rates.pop("slow_digits_minibatch_discrimination") == 2e-4
    assert max(rates.values()) <= 1e-4
    assert {case.name for case in select_cases(part="slow")} == {case.name for case in slow}


def test_wrong_failure_type_is_detected() -> None:
    """The failure type is compared with that of the oracle."""
    found = outcome(labelled(600, 1500), answer((700, 1500)), kind="hopping")
    assert found.is_kind_right is False


def test_score_counts_runs() -> None:
    """Found, missed, false, absent and grey runs are counted."""
    outcomes = [
        outcome(labelled(600, 1500), answer((700, 1500)), case="a"),
        outcome(labelled(600, 1500), answer(), case="b"),
        outcome(labelled(), answer((800, 900)), case="c"),
        outcome(labelled(), answer(), case="d"),
        outcome(labelled(other=GREY), answer((800, 900)), case="e"),
    ]
    found = score_method(outcomes, GANDIAG, "mode_collapse")
    assert (found.found, found.missed, found.false, found.absent, found.grey) == (1, 1, 1, 2, 1)
    assert found.f1 == f1(1, 1, 1) == 0.5
    assert found.precision == 0.5
    assert found.kinds == (1, 1)
    assert found.delay(0.5) == 100
    assert found.f1_interval.low <= found.f1 <= found.f1_interval.high


def build_outcomes(truths: Sequence[int], lasts: Sequence[str], case: str) -> list[Outcome]:
    """Outcomes of one run for the three conditions."""
    outcomes = []
    for condition, truth, last in zip(CONDITIONS, truths, lasts, strict=True):
        label = labelled(600, 1500) if truth == PRESENT else labelled(other=truth)
        answers = answer((800, 1500)) if last == "present" else answer()
        run = Run(Case(case, "ring", "tuning", "", Scenario()), 0)
        outcomes.append(match(GANDIAG, run, condition, label, EVALUATED, answers))
    return outcomes


PERFECT = [
    *build_outcomes([ABSENT] * 3, ["absent"] * 3, "healthy"),
    *build_outcomes([PRESENT, ABSENT, ABSENT], ["present", "absent", "absent"], "vanishing"),
    *build_outcomes([ABSENT, PRESENT, PRESENT], ["absent", "present", "present"], "hopping"),
]


def test_right_answers_have_perfect_scores() -> None:
    """If all answers are right, macro-F1 is 1, and there is no false alarm and no error."""
    assert macro_f1(PERFECT, GANDIAG)[0] == 1
    assert count_false_alarms(PERFECT, GANDIAG).alarmed == ()
    matrix = confusion_matrix(PERFECT, GANDIAG)
    assert matrix["healthy"] == {**dict.fromkeys(CONDITIONS, 0), "none": 1}
    assert matrix["mode_collapse"]["non_convergence"] == 1
    assert format_errors(PERFECT) == "None."


def test_false_alarm_on_healthy_run_is_listed() -> None:
    """A false alarm is listed by case and seed, and counted per 1,000 steps."""
    outcomes = [*PERFECT, *build_outcomes([ABSENT] * 3, ["absent", "present", "absent"], "alarmed")]
    found = count_false_alarms(outcomes, GANDIAG)
    assert found.alarmed == ("alarmed/0",)
    assert (found.runs, found.alarms, found.steps) == (2, 1, 3000)
    assert found.rate.low < 1 / 3 < found.rate.high
    row = "| alarmed/0 | mode collapse | absent | - | 800 | - | false alarm |"
    assert row in format_errors(outcomes)


def test_tables_have_totals_and_every_baseline() -> None:
    """The tables of a part have the number of runs, the macro-F1 and every baseline rule."""
    text = format_part(PERFECT, "Part: tuning")
    assert "3 runs of 3 cases; 1 of the runs are healthy" in text
    assert "Macro-F1 1.00" in text
    assert all(f"| {baseline.name} |" in text for baseline in BASELINES)


def test_ablation_scores_the_last_answers() -> None:
    """If a needed signal is removed, nothing is found and F1 is 0."""
    truths = {(o.case, o.seed, o.condition): o.truth for o in PERFECT}
    last = {(o.case, o.seed): dict.fromkeys(CONDITIONS, "inconclusive") for o in PERFECT}
    assert f1_at_end(truths, last, "mode_collapse") == 0
    table = format_ablation(PERFECT, {run: {"": answers} for run, answers in last.items()})
    assert "| none | 0.00 | 0.00 | 0.00 |" in table


def build_trace(signals: dict[str, Sequence[float]]) -> Trace:
    """A run with these signals, recorded every ten steps."""
    count = len(next(iter(signals.values())))
    rows = [
        Row(10 * i, {name: float(values[i]) for name, values in signals.items()})
        for i in range(count)
    ]
    counts = {"0.weight": 100, "2.weight": 100}
    measurements = [{"step": 100, "cosine": 0.8}]
    return Trace(Record.from_rows(rows), measurements, counts, chance_loss=2 * math.log(2))


def fires(name: str, trace: Trace) -> bool:
    """Whether a baseline rule fires at all."""
    (baseline,) = (baseline for baseline in BASELINES if baseline.name == name)
    return bool(find_alarms(baseline, trace, np.array([100, 200, 300, 1000])).any())


TINY = {"gradient/norm.0.weight/generator": [1e-7] * 90, "gradient/norm/generator": [1e-8] * 90}
LOSS = "loss/value/generator"


@pytest.mark.parametrize(
    ("name", "signals", "expected"),
    [
        ("mean abs g < 1e-7", TINY, True),  # Norm 1e-7 of 100 entries: 8e-9 each.
        ("mean abs g < 1e-7", {"gradient/norm.0.weight/generator": [1e-5] * 90}, False),
        ("0 < norm < 1e-7", TINY, True),
        # The rule does not detect a gradient of 0.
        ("0 < norm < 1e-7", {"gradient/norm/generator": [0.0] * 90}, False),
        (
            "layer ratio < 1e-3",
            TINY | {"gradient/first_to_last/generator": [1e-4] * 90},
            True,
        ),
        ("layer ratio < 1e-3", TINY | {"gradient/first_to_last/generator": [1.0] * 90}, False),
        ("D loss < 0.005", {"loss/value/discriminator": [1e-3] * 90}, True),
        ("D loss < 5 % of chance", {"loss/value/discriminator": [0.01] * 90}, True),
        ("D loss < 5 % of chance", {"loss/value/discriminator": [0.5] * 90}, False),
        ("cosine > 0.7", TINY, True),
        ("cosine > 0.9", TINY, False),
        ("loss not falling", {LOSS: [1.0] * 90}, True),
        ("loss not falling", {LOSS: list(np.linspace(2, 1, 90))}, False),
        ("plateau", {LOSS: [1.0] * 90}, True),
        ("plateau", {LOSS: list(np.linspace(2, 1, 90))}, False),
        ("loss spike", {LOSS: [1.0] * 60 + [6.0] + [1.0] * 29}, True),
        # The rule is off below 0.
        ("loss spike", {LOSS: [-1.0] * 60 + [6.0] + [-1.0] * 29}, False),
        ("NaN or infinite", {LOSS: [1.0] * 89 + [math.nan]}, True),
        ("norm > 100", {"gradient/norm/generator": [101.0] * 90}, True),
        ("loss rises", {LOSS: list(np.linspace(1, 2, 90))}, True),
        ("loss rises", {LOSS: list(np.linspace(2, 1, 90))}, False),
    ],
)
def test_baselines_fire_as_documented(
    name: str, signals: dict[str, Sequence[float]], expected: bool
) -> None:
    """Each rule behaves as its source documents it, including its gaps."""
    assert fires(name, build_trace(signals)) is expected


def test_alarm_belongs_to_the_next_evaluation() -> None:
    """An alarm between two evaluations belongs to the later one."""
    (baseline,) = (baseline for baseline in BASELINES if baseline.name == "norm > 100")
    trace = build_trace({"gradient/norm/generator": [1.0] * 15 + [200.0] + [1.0] * 10})
    assert find_alarms(baseline, trace, np.array([100, 200, 250])).tolist() == [False, True, False]


@pytest.fixture
def finished(tmp_path: Path) -> Run:
    """A recorded run as a finished run, with an oracle's file that has one mode only."""
    case = select_cases(["ring_fifteen_to_one"])[0]
    run = Run(case, 0)
    folder = run_folder(run, tmp_path)
    folder.mkdir(parents=True)
    recorded = Path(__file__).parents[1] / "recorded_runs" / "ring_collapse"
    for file in recorded.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    about = {"about": {"shares": [0.125] * 8, "every": 50}}
    measured = {"finite": 1.0, "extent": 1.0, "shares": [1.0] + [0.0] * 7, "variety": 1.0}
    rows = [
        {"step": at, "distance": 1 + 0.1 * (at % 100) / 50, "centre": [0.0], **measured}
        for at in range(50, 1001, 50)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in (about, *rows))
    (folder / ORACLE_FILE).write_text(lines)
    (folder / FINISHED_FILE).write_text("")
    return run


def test_recorded_collapse_is_found(finished: Run, tmp_path: Path) -> None:
    """Detectors and baseline rules are evaluated from the folder of a finished run alone."""
    outcomes = evaluate_run(finished, tmp_path)
    (ours,) = (o for o in outcomes if o.method == GANDIAG and o.condition == "mode_collapse")
    assert ours.truth == PRESENT
    assert ours.found
    methods = {GANDIAG, *(baseline.name for baseline in BASELINES)}
    assert {o.method for o in outcomes} == methods


def test_missing_signal_makes_the_answer_inconclusive(finished: Run, tmp_path: Path) -> None:
    """Without the effective number of modes, mode collapse is inconclusive."""
    answers = diagnose_without_signals(finished, tmp_path, [EFFECTIVE_MODES])
    assert answers[""]["mode_collapse"] == "present"
    assert answers[EFFECTIVE_MODES]["mode_collapse"] == "inconclusive"


def test_benchmark_evaluates_finished_runs(finished: Run, tmp_path: Path) -> None:
    """Without training, the tables contain the finished runs; without any, there is an error."""
    text = run_benchmark(tmp_path, ["ring"], seeds=1, train=False)
    assert "1 runs of 1 cases" in text
    with pytest.raises(BadInput, match="no finished run to evaluate"):
        run_benchmark(tmp_path, ["dirac"], seeds=1, train=False)
