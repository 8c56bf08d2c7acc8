"""Laws of the verdicts: outcomes in, cures, helps, harms or no evidence out."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandiag.comparison.analysis import compare_outcomes
from gandiag.comparison.outcome import Outcome
from gandiag.comparison.page import comparison_as_json
from gandiag.comparison.results import QUALITY, Comparison, ScenarioResult
from gandiag.comparison.scenarios import ComparedScenario, build_compared_scenarios
from gandiag.scenario.schema import Choice, Scenario

ARMS = build_compared_scenarios(Scenario(data=Choice(name="ring")), ["r1", "packing", "hinge"])
SHORT = {"p": "present", "a": "absent", "?": "inconclusive"}


def runs(
    arm: ComparedScenario, collapse: str, other: str = "", distances: Sequence[float] = ()
) -> list[Outcome]:
    """One outcome for each letter: what was said of mode collapse, and of non-convergence."""
    other = other or "a" * len(collapse)
    distances = distances or [1.0] * len(collapse)
    return [
        Outcome(
            arm.name,
            seed,
            {"mode_collapse": SHORT[one], "non_convergence": SHORT[two]},
            {},
            ((100, distance),),
            0.5,
            0.5,
            1.0,
            "energy distance",
        )
        for seed, (one, two, distance) in enumerate(zip(collapse, other, distances, strict=True))
    ]


def judged(base: list[Outcome], *others: list[Outcome], planned: int = 0) -> Comparison:
    """The untreated runs beside those of one arm after the other."""
    arms = ARMS[: len(others) + 1]
    return compare_outcomes(arms, [*base, *(o for each in others for o in each)], planned)


def only(comparison: Comparison) -> ScenarioResult:
    """The one treated arm."""
    (result,) = comparison.fix_results
    return result


def p_of(result: ScenarioResult) -> float:
    """Of the claim that more of an arm's runs are free of all targets."""
    assert result.failure_free is not None
    return result.failure_free.p


def test_a_clean_sweep_cures() -> None:
    """What all untreated runs have and no treated one has is cured, with McNemar's p."""
    found = judged(runs(ARMS[0], "pppppp"), runs(ARMS[1], "aaaaaa"))
    assert found.targets == ("mode_collapse",)
    assert only(found).verdict == "cures"
    assert p_of(only(found)) == pytest.approx(2 / 2**6)


def test_few_seeds_prove_nothing() -> None:
    """The same with three seeds is no evidence, and the note says how many seeds it takes."""
    found = judged(runs(ARMS[0], "ppp"), runs(ARMS[1], "aaa"))
    assert only(found).verdict == "no evidence"
    assert p_of(only(found)) == pytest.approx(0.25)
    assert "fewer than 6" in found.notes[0]


def test_more_arms_need_more() -> None:
    """Six clean seeds are enough for one arm and too few for three: Holm's correction counts."""
    others = [runs(arm, "aaaaaa") for arm in ARMS[1:]]
    alone = judged(runs(ARMS[0], "pppppp"), others[0])
    together = judged(runs(ARMS[0], "pppppp"), *others)
    assert only(alone).verdict == "cures"
    assert {r.verdict for r in together.fix_results} == {"no evidence"}
    assert p_of(together.fix_results[0]) == pytest.approx(3 * 2 / 2**6)


def test_planned_arms_count_too() -> None:
    """An arm that is one of several to be tried is corrected for all of them."""
    base, other = runs(ARMS[0], "pppppp"), runs(ARMS[1], "aaaaaa")
    assert only(judged(base, other, planned=1)).verdict == "cures"
    assert only(judged(base, other, planned=2)).verdict == "no evidence"


def test_a_new_condition_is_no_cure() -> None:
    """A condition in its place, even in one run, makes it no cure; it still helps."""
    result = only(judged(runs(ARMS[0], "p" * 8), runs(ARMS[1], "a" * 8, "p" + "a" * 7)))
    assert result.verdict == "helps"
    assert "non-convergence is present in 1 of 8 runs, untreated in 0" in result.summary


def test_worse_samples_are_no_cure() -> None:
    """Samples further from the data for most seeds make it no cure; for all of them, harm."""
    base = runs(ARMS[0], "p" * 8)
    most = runs(ARMS[1], "a" * 8, distances=[2.0] * 5 + [0.5] * 3)
    every = runs(ARMS[1], "a" * 8, distances=[2.0] * 8)
    assert only(judged(base, most)).verdict == "helps"
    assert only(judged(base, every)).verdict == "harms"


def test_harm_is_seen_without_a_target() -> None:
    """A healthy game that fails with the fix is harmed by it; nothing can cure it."""
    found = judged(runs(ARMS[0], "a" * 8), runs(ARMS[1], "p" * 8))
    assert found.targets == ()
    assert only(found).verdict == "harms"


def test_better_samples_help() -> None:
    """Samples nearer to the data for all seeds help where the failure stays."""
    nearer = runs(ARMS[1], "p" * 8, distances=[0.5] * 8)
    assert only(judged(runs(ARMS[0], "p" * 8), nearer)).verdict == "helps"


@pytest.mark.parametrize("factor", [0.96, 1.04])
def test_what_nobody_would_notice_is_no_evidence(factor: float) -> None:
    """A distance that differs by less than a twentieth helps nobody, for however many seeds."""
    base = runs(ARMS[0], "p" * 20)
    result = only(judged(base, runs(ARMS[1], "p" * 20, distances=[factor] * 20)))
    assert result.verdict == "no evidence"


def test_the_same_is_no_evidence() -> None:
    """An arm with the untreated game's own outcomes has no effect, with p = 1."""
    result = only(judged(runs(ARMS[0], "p" * 20), runs(ARMS[1], "p" * 20)))
    assert result.verdict == "no evidence"
    assert {c.p for c in result.paired_tests} == {1.0}


def test_inconclusive_pairs_are_left_out() -> None:
    """A run that could not be judged is in no pair and in no rate."""
    found = judged(runs(ARMS[0], "pppppp??"), runs(ARMS[1], "aaaaaaa?"))
    contrast = only(found).paired_tests[0]
    assert (contrast.better, contrast.worse, contrast.pairs) == (6, 0, 6)
    assert found.baseline.rates["mode_collapse"][:2] == (6, 6)
    assert only(found).rates["mode_collapse"][:2] == (0, 7)


def test_every_target_must_go() -> None:
    """With two failures, a fix that takes away one of them is no cure but helps."""
    base = runs(ARMS[0], "p" * 8, "p" * 8)
    assert only(judged(base, runs(ARMS[1], "a" * 8, "p" * 8))).verdict == "helps"
    assert only(judged(base, runs(ARMS[1], "a" * 8, "a" * 8))).verdict == "cures"


def test_a_failure_of_some_runs_counts_with_the_others() -> None:
    """A second failure in six of ten runs alone proves little; that all ten are free proves it."""
    base = runs(ARMS[0], "p" * 10, "p" * 6 + "a" * 4)
    freed = only(judged(base, runs(ARMS[1], "a" * 10, "a" * 10), planned=4))
    assert freed.verdict == "cures"
    assert p_of(freed) == pytest.approx(4 * 2 / 2**10)
    assert only(judged(base, runs(ARMS[1], "a" * 10, "p" * 6 + "a" * 4))).verdict == "helps"


def test_a_failure_in_another_s_place_is_no_cure() -> None:
    """Where one target goes and another comes to runs that did not have it, few runs are free."""
    base = runs(ARMS[0], "p" * 10, "p" * 5 + "a" * 5)
    other = only(judged(base, runs(ARMS[1], "a" * 10, "p" * 8 + "a" * 2)))
    assert other.verdict == "helps"
    assert other.failure_free is not None
    assert other.failure_free.with_fix[:2] == (2, 10)
    assert p_of(other) == pytest.approx(2 * 1 / 2**2)


def test_what_was_not_judged_frees_nobody() -> None:
    """A run with one target absent and another one not judged is neither free nor not."""
    base = runs(ARMS[0], "p" * 8, "p" * 8)
    found = only(judged(base, runs(ARMS[1], "a" * 8, "a" * 6 + "??")))
    assert found.failure_free is not None
    assert found.failure_free.with_fix[:2] == (6, 6)


def test_a_share_must_be_proven() -> None:
    """13 of 20 runs free of it are more beyond chance, but may be less than half: no cure."""
    result = only(judged(runs(ARMS[0], "p" * 20), runs(ARMS[1], "a" * 13 + "p" * 7)))
    assert p_of(result) < 0.05
    assert result.verdict == "helps"


@given(st.text("pa?", min_size=1, max_size=9), st.data())
def test_arms_are_told_apart_fairly(base: str, data: st.DataObject) -> None:
    """With treated and untreated exchanged, better and worse are, too, and each p stays."""
    other = data.draw(st.text("pa?", min_size=len(base), max_size=len(base)))
    there = only(judged(runs(ARMS[0], base), runs(ARMS[1], other))).paired_tests
    back = only(judged(runs(ARMS[0], other), runs(ARMS[1], base))).paired_tests
    assert [(c.better, c.worse, c.pairs, c.p) for c in there] == [
        (c.worse, c.better, c.pairs, c.p) for c in back
    ]


def test_infinite_distances_are_compared() -> None:
    """A game that blew up is further away than any other, and as far as another such one."""
    base = runs(ARMS[0], "ppp", distances=[math.inf, math.inf, 1.0])
    result = only(judged(base, runs(ARMS[1], "ppp", distances=[1.0, math.inf, 2.0])))
    contrast = next(c for c in result.paired_tests if c.quantity == QUALITY)
    assert (contrast.better, contrast.worse, contrast.pairs) == (1, 1, 3)


def test_json_holds_every_run() -> None:
    """The data can be written as strict JSON, and outcomes read back are the same."""
    base = runs(ARMS[0], "pp", distances=[math.inf, 1.0])
    found = json.loads(
        json.dumps(comparison_as_json(judged(base, runs(ARMS[1], "a?"))), allow_nan=False)
    )
    assert [arm["arm"] for arm in found["arms"]] == ["untreated", "r1"]
    assert [Outcome.from_json(run) for run in found["arms"][0]["runs"]] == base


def test_steps_to_quality() -> None:
    """Quality is the untreated game's best; it is reached at the first look as good as that."""
    base = [
        Outcome(ARMS[0].name, 0, {}, {}, ((10, 3.0), (20, 1.0), (30, 2.0)), 1, 1, 2.0, "d"),
        Outcome(ARMS[1].name, 0, {}, {}, ((10, 0.9), (20, 0.5), (30, 0.1)), 1, 1, 3.0, "d"),
    ]
    found = compare_outcomes(ARMS[:2], base)
    assert found.level == 1.0
    assert [r.steps_to_quality.value for r in found.results] == [20.0, 10.0]
    assert [r.cost.value for r in found.results] == [1.0, 1.5]
