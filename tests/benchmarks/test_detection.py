"""Laws of the detection benchmark: its games, how answers are scored, what the rivals say."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from gandiag.benchmarks.detection.baselines import BASELINES, Trace, alarms
from gandiag.benchmarks.detection.cases import FILE, PARTS, Case, chosen, read_cases
from gandiag.benchmarks.detection.matching import OURS, Outcome, compare, evaluate, without_signals
from gandiag.benchmarks.detection.metrics import confusion, f1_at_the_end, healthy, macro_f1, score
from gandiag.benchmarks.detection.play import DONE, ORACLE, Run, folder_of
from gandiag.benchmarks.detection.run import detection
from gandiag.benchmarks.detection.tables import ablation_table, every_run, summary
from gandiag.benchmarks.oracle.labels import ABSENT, CONDITIONS, GREY, PRESENT, Label
from gandiag.benchmarks.statistics import f1
from gandiag.plugins.errors import BadInput
from gandiag.records.record import Record, Row
from gandiag.scenario.schema import Scenario
from gandiag.training.components import Components

STEPS = np.arange(50, 1501, 50)
ASKED = np.arange(100, 1501, 100)
RUN = Run(Case("game", "ring", "tuning", "", Scenario()), 0)


def labelled(begin: int = 2000, end: int = 2000, other: int = ABSENT, kind: str = "total") -> Label:
    """A label that is present from one step to another, and something else around it."""
    state = np.where((begin <= STEPS) & (end >= STEPS), PRESENT, other)
    kinds = [frozenset({kind}) if now == PRESENT else frozenset() for now in state]
    return Label(STEPS, state, tuple(kinds))


def answered(*spans: tuple[int, int]) -> list[str]:
    """Answers that are present in these spans of steps."""
    return [
        "present" if any(begin <= step <= end for begin, end in spans) else "absent"
        for step in ASKED
    ]


def outcome(truth: Label, statuses: Sequence[str], kind: str = "total", case: str = "a") -> Outcome:
    """What is made of such answers to such a label."""
    run = Run(Case(case, "ring", "tuning", "", Scenario()), 0)
    return compare(OURS, run, "mode_collapse", truth, ASKED, statuses, [kind] * len(ASKED))


@pytest.mark.parametrize("case", read_cases(), ids=lambda case: str(case.name))
def test_case_can_be_played(case: Case) -> None:
    """Every plugin and option of a case exists, and it is long enough to be judged."""
    Components.of(case.scenario)
    assert case.scenario.training.steps >= 700
    assert case.part in PARTS
    assert case.intent


def test_cases_keep_what_was_promised() -> None:
    """45 games or more of nine families, 40 % meant to go well, six families held out."""
    cases = [case for case in read_cases() if case.part != "slow"]
    assert len(cases) == len({case.name for case in cases}) >= 45
    assert len({case.family for case in cases}) == 9
    parts = {part: {c.family for c in cases if c.part == part} for part in ("tuning", "held_out")}
    assert len(parts["held_out"] - parts["tuning"]) >= 6
    well = [c for c in cases if c.intent.startswith(("healthy", "tiny", "a saturated"))]
    assert len(well) >= 0.4 * len(cases)


def test_protocol_names_these_games() -> None:
    """The protocol bears the hash of the games: neither can be changed alone."""
    import hashlib

    text = (files("gandiag.benchmarks") / FILE).read_bytes()
    protocol = Path(__file__).parents[2] / "reports" / "detection.md"
    assert hashlib.sha256(text).hexdigest() in protocol.read_text(encoding="utf-8")


def test_names_choose_cases_and_families() -> None:
    """A name is a case's or a family's; one that is neither is answered with the nearest."""
    assert [case.name for case in chosen(["ring_r1"])] == ["ring_r1"]
    assert {case.family for case in chosen(["dirac"])} == {"dirac"}
    assert {case.part for case in chosen(part="held_out")} == {"held_out"}
    with pytest.raises(BadInput, match='nearest is "ring_r1"'):
        chosen(["ring_r2"])


def test_alarm_in_time_is_found() -> None:
    """A present answer while it is there: found, with the steps since the onset as delay."""
    found = outcome(labelled(600, 1500), answered((800, 1500)))
    assert (found.truth, found.found, found.delay, found.wrong) == (PRESENT, True, 200, False)
    assert found.right_kind is True


def test_little_early_is_in_time() -> None:
    """200 steps before the onset is no delay; before that it is a false alarm too."""
    assert outcome(labelled(800, 1500), answered((600, 1500))).delay == 0
    assert not outcome(labelled(800, 1500), answered((600, 1500))).wrong
    early = outcome(labelled(1000, 1500), answered((500, 1500)))
    assert early.wrong
    assert early.found


def test_missed_spell_delays() -> None:
    """Of two spells the first is missed: the delay runs from its onset all the same."""
    twice = labelled(200, 600)
    again = labelled(1100, 1500)
    both = Label(STEPS, np.maximum(twice.state, again.state), twice.kinds[:20] + again.kinds[20:])
    found = outcome(both, answered((1200, 1500)))
    assert (found.onset, found.delay, found.right_kind) == (200, 1000, True)


def test_silence_is_a_miss() -> None:
    """No present answer while it is there is a miss without a delay or a kind."""
    missed = outcome(labelled(600, 1500), answered())
    assert (missed.found, missed.delay, missed.kind, missed.right_kind) == (False, None, None, None)


def test_alarm_out_of_nothing_is_false() -> None:
    """Where nothing speaks for the condition, each new alarm counts; a lasting one counts once."""
    wrong = outcome(labelled(), answered((500, 700), (900, 900)))
    assert (wrong.truth, wrong.false, wrong.wrong) == (ABSENT, 2, True)


def test_detectors_may_look_back() -> None:
    """An alarm up to 500 steps after the condition, or where it was grey, is no false one."""
    assert not outcome(labelled(300, 700), answered((500, 1200))).wrong
    assert outcome(labelled(300, 700), answered((500, 1300))).wrong
    assert not outcome(labelled(100, 400, other=GREY), answered((1200, 1300))).wrong


def test_called_on_the_way_is_counted() -> None:
    """Of the runs that end without it, the table says how many had been called so before."""
    outcomes = [
        outcome(labelled(100, 500), answered((400, 700)), case="a"),
        outcome(labelled(100, 500), answered(), case="b"),
        outcome(labelled(600, 1500), answered((700, 1500)), case="c"),
        outcome(labelled(other=GREY), answered((700, 1500)), case="d"),
    ]
    assert [o.at_end for o in outcomes] == [ABSENT, ABSENT, PRESENT, GREY]
    (row,) = [
        line
        for line in summary(outcomes, "Part").splitlines()
        if line.startswith("| gandiag | gandiag | mode collapse |")
    ]
    assert row.endswith("| 1 of 2 |")


def test_slow_games_are_slow() -> None:
    """Their rates are a tenth or less, but for the cure, and nothing else in the file is new."""
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
    assert {case.name for case in chosen(part="slow")} == {case.name for case in slow}


def test_wrong_kind_is_told() -> None:
    """The kind is compared with what the oracle calls it."""
    assert outcome(labelled(600, 1500), answered((700, 1500)), kind="hopping").right_kind is False


def test_score_counts_runs() -> None:
    """Found, missed, false and grey runs add up to all of them."""
    outcomes = [
        outcome(labelled(600, 1500), answered((700, 1500)), case="a"),
        outcome(labelled(600, 1500), answered(), case="b"),
        outcome(labelled(), answered((800, 900)), case="c"),
        outcome(labelled(), answered(), case="d"),
        outcome(labelled(other=GREY), answered((800, 900)), case="e"),
    ]
    found = score(outcomes, OURS, "mode_collapse")
    assert (found.found, found.missed, found.false, found.absent, found.grey) == (1, 1, 1, 2, 1)
    assert found.f1 == f1(1, 1, 1) == 0.5
    assert found.precision == 0.5
    assert found.kinds == (1, 1)
    assert found.delay(0.5) == 100
    assert found.f1_interval.low <= found.f1 <= found.f1_interval.high


def everywhere(truths: Sequence[int], lasts: Sequence[str], case: str = "a") -> list[Outcome]:
    """Outcomes of one run for the three conditions."""
    made = []
    for condition, truth, last in zip(CONDITIONS, truths, lasts, strict=True):
        label = labelled(600, 1500) if truth == PRESENT else labelled(other=truth)
        said = answered((800, 1500)) if last == "present" else answered()
        run = Run(Case(case, "ring", "tuning", "", Scenario()), 0)
        made.append(compare(OURS, run, condition, label, ASKED, said))
    return made


PERFECT = [
    *everywhere([ABSENT] * 3, ["absent"] * 3, "well"),
    *everywhere([PRESENT, ABSENT, ABSENT], ["present", "absent", "absent"], "vanishing"),
    *everywhere([ABSENT, PRESENT, PRESENT], ["absent", "present", "present"], "hopping"),
]


def test_perfect_judge_has_perfect_figures() -> None:
    """Right answers throughout: macro-F1 1, no false alarm, and nothing off the diagonal."""
    assert macro_f1(PERFECT, OURS)[0] == 1
    assert healthy(PERFECT, OURS).alarmed == ()
    table = confusion(PERFECT, OURS)
    assert table["healthy"] == {**dict.fromkeys(CONDITIONS, 0), "none": 1}
    assert table["mode_collapse"]["non_convergence"] == 1
    assert every_run(PERFECT) == "None."


def test_false_alarm_on_healthy_run_is_named() -> None:
    """It is listed by game and seed, and counted a thousand steps."""
    outcomes = [*PERFECT, *everywhere([ABSENT] * 3, ["absent", "present", "absent"], "ill")]
    found = healthy(outcomes, OURS)
    assert found.alarmed == ("ill/0",)
    assert (found.runs, found.alarms, found.steps) == (2, 1, 3000)
    assert found.rate.low < 1 / 3 < found.rate.high
    assert "| ill/0 | mode collapse | absent | - | 800 | - | false alarm |" in every_run(outcomes)


def test_tables_hold_the_figures() -> None:
    """A part's tables name each condition, each rival and the macro-F1."""
    text = summary(PERFECT, "Part: tuning")
    assert "3 runs of 3 games; 1 of the runs are healthy" in text
    assert "Macro-F1 1.00" in text
    assert all(f"| {rival.name} |" in text for rival in BASELINES)


def test_ablation_counts_last_answers() -> None:
    """Without a signal that is needed nothing is found; its F1 is 0."""
    truths = {(o.case, o.seed, o.condition): o.truth for o in PERFECT}
    last = {(o.case, o.seed): dict.fromkeys(CONDITIONS, "inconclusive") for o in PERFECT}
    assert f1_at_the_end(truths, last, "mode_collapse") == 0
    table = ablation_table(PERFECT, {run: {"": said} for run, said in last.items()})
    assert "| nothing | 0.00 | 0.00 | 0.00 |" in table


def trace(signals: dict[str, Sequence[float]], chance: float = 2 * math.log(2)) -> Trace:
    """A record of a number every ten steps."""
    count = len(next(iter(signals.values())))
    rows = [
        Row(10 * i, {name: float(values[i]) for name, values in signals.items()})
        for i in range(count)
    ]
    sizes = {"0.weight": 100, "2.weight": 100}
    return Trace(Record.from_rows(rows), [{"step": 100, "cosine": 0.8}], sizes, chance)


def fires(name: str, shown: Trace) -> bool:
    """Whether a rival says anything at all."""
    (rival,) = (rival for rival in BASELINES if rival.name == name)
    return bool(alarms(rival, shown, np.array([100, 200, 300, 1000])).any())


TINY = {"gradient/norm.0.weight/generator": [1e-7] * 90, "gradient/norm/generator": [1e-8] * 90}
LOSS = "loss/value/generator"


@pytest.mark.parametrize(
    ("name", "shown", "expected"),
    [
        ("mean abs g < 1e-7", TINY, True),  # 1e-7 over 100 entries: 8e-9 each
        ("mean abs g < 1e-7", {"gradient/norm.0.weight/generator": [1e-5] * 90}, False),
        ("0 < norm < 1e-7", TINY, True),
        ("0 < norm < 1e-7", {"gradient/norm/generator": [0.0] * 90}, False),  # its known gap
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
        ("loss spike", {LOSS: [-1.0] * 60 + [6.0] + [-1.0] * 29}, False),  # off below 0
        ("NaN or infinite", {LOSS: [1.0] * 89 + [math.nan]}, True),
        ("norm > 100", {"gradient/norm/generator": [101.0] * 90}, True),
        ("loss rises", {LOSS: list(np.linspace(1, 2, 90))}, True),
        ("loss rises", {LOSS: list(np.linspace(2, 1, 90))}, False),
    ],
)
def test_rivals_fire_at_their_defaults(
    name: str, shown: dict[str, Sequence[float]], expected: bool
) -> None:
    """Each rule says what its own documentation says it does, gaps included."""
    assert fires(name, trace(shown)) is expected


def test_alarm_counts_once_asked() -> None:
    """An alarm between two questions belongs to the later one."""
    (rival,) = (rival for rival in BASELINES if rival.name == "norm > 100")
    shown = trace({"gradient/norm/generator": [1.0] * 15 + [200.0] + [1.0] * 10})
    assert alarms(rival, shown, np.array([100, 200, 250])).tolist() == [False, True, False]


@pytest.fixture
def played(tmp_path: Path) -> Run:
    """A recorded case in the place of a finished run, with an oracle that saw one mode only."""
    case = chosen(["ring_fifteen_to_one"])[0]
    run = Run(case, 0)
    folder = folder_of(run, tmp_path)
    folder.mkdir(parents=True)
    recorded = Path(__file__).parents[1] / "recorded_runs" / "ring_collapse"
    for file in recorded.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    about = {"about": {"shares": [0.125] * 8, "every": 50}}
    look = {"finite": 1.0, "extent": 1.0, "shares": [1.0] + [0.0] * 7, "variety": 1.0}
    rows = [
        {"step": at, "distance": 1 + 0.1 * (at % 100) / 50, "centre": [0.0], **look}
        for at in range(50, 1001, 50)
    ]
    (folder / ORACLE).write_text("".join(json.dumps(row) + "\n" for row in (about, *rows)))
    (folder / DONE).write_text("")
    return run


def test_recorded_collapse_is_found(played: Run, tmp_path: Path) -> None:
    """A finished run is judged from its folder alone: detectors and every rival."""
    outcomes = evaluate(played, tmp_path)
    (ours,) = (o for o in outcomes if o.judge == OURS and o.condition == "mode_collapse")
    assert ours.truth == PRESENT
    assert ours.found
    assert {o.judge for o in outcomes} == {OURS, *(rival.name for rival in BASELINES)}


def test_needed_signal_cannot_be_missed(played: Run, tmp_path: Path) -> None:
    """Without the effective number of modes nobody can say whether they collapsed."""
    name = "diversity/effective_modes/generator"
    answers = without_signals(played, tmp_path, [name])
    assert answers[""]["mode_collapse"] == "present"
    assert answers[name]["mode_collapse"] == "inconclusive"


def test_benchmark_judges_what_is_there(played: Run, tmp_path: Path) -> None:
    """Without playing, the tables are made of the runs that are finished; of none, none."""
    text = detection(tmp_path, ["ring"], seeds=1, play=False)
    assert "1 runs of 1 games" in text
    with pytest.raises(BadInput, match="nothing played yet"):
        detection(tmp_path, ["dirac"], seeds=1, play=False)
