"""Tests of the verdicts: from made-up outcomes to cures, helps, harms or no evidence."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandiag.comparison.analysis import compare_outcomes
from gandiag.comparison.json_data import comparison_as_json
from gandiag.comparison.outcome import Outcome
from gandiag.comparison.results import QUALITY, Comparison, ScenarioResult
from gandiag.comparison.scenarios import ComparedScenario, build_compared_scenarios
from gandiag.scenario.schema import Choice, Scenario

COMPARED = build_compared_scenarios(Scenario(data=Choice(name="ring")), ["r1", "packing", "hinge"])
SHORT = {"p": "present", "a": "absent", "?": "inconclusive"}


def runs(
    compared: ComparedScenario, collapse: str, other: str = "", distances: Sequence[float] = ()
) -> list[Outcome]:
    """Return one outcome for each letter, the status of mode collapse or non-convergence."""
    other = other or "a" * len(collapse)
    distances = distances or [1.0] * len(collapse)
    return [
        Outcome(
            compared.name,
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


def compare_runs(base: list[Outcome], *others: list[Outcome], planned: int = 0) -> Comparison:
    """Compare runs of the baseline with those of one fix after the other."""
    compared = COMPARED[: len(others) + 1]
    return compare_outcomes(compared, [*base, *(o for each in others for o in each)], planned)


def only(comparison: Comparison) -> ScenarioResult:
    """Return the result of the only fix."""
    (result,) = comparison.fix_results
    return result


def p_of(result: ScenarioResult) -> float:
    """Return the p-value of the claim that more runs are failure-free with the fix."""
    assert result.failure_free is not None
    return result.failure_free.p


def test_failure_free_runs_cure() -> None:
    """A failure that all runs of the baseline and none with the fix have is cured."""
    found = compare_runs(runs(COMPARED[0], "pppppp"), runs(COMPARED[1], "aaaaaa"))
    assert found.targets == ("mode_collapse",)
    assert only(found).verdict == "cures"
    assert p_of(only(found)) == pytest.approx(2 / 2**6)


def test_few_seeds_are_no_evidence() -> None:
    """The same with three seeds is no evidence, and a note names the number of seeds needed."""
    found = compare_runs(runs(COMPARED[0], "ppp"), runs(COMPARED[1], "aaa"))
    assert only(found).verdict == "no evidence"
    assert p_of(only(found)) == pytest.approx(0.25)
    assert "needs at least 6 seeds" in found.notes[0]


def test_more_fixes_need_more_seeds() -> None:
    """Six seeds are enough for one fix and too few for three, after Holm's correction."""
    others = [runs(each, "aaaaaa") for each in COMPARED[1:]]
    alone = compare_runs(runs(COMPARED[0], "pppppp"), others[0])
    together = compare_runs(runs(COMPARED[0], "pppppp"), *others)
    assert only(alone).verdict == "cures"
    assert {r.verdict for r in together.fix_results} == {"no evidence"}
    assert p_of(together.fix_results[0]) == pytest.approx(3 * 2 / 2**6)


def test_planned_fixes_are_corrected_for() -> None:
    """The p-value of a fix is corrected for all fixes that may be tried."""
    base, other = runs(COMPARED[0], "pppppp"), runs(COMPARED[1], "aaaaaa")
    assert only(compare_runs(base, other, planned=1)).verdict == "cures"
    assert only(compare_runs(base, other, planned=2)).verdict == "no evidence"


def test_a_new_condition_is_no_cure() -> None:
    """A new condition, even in one run, turns a cure into help."""
    result = only(
        compare_runs(runs(COMPARED[0], "p" * 8), runs(COMPARED[1], "a" * 8, "p" + "a" * 7))
    )
    assert result.verdict == "helps"
    assert "non-convergence is present in 1 of 8 runs with the fix and in 0" in result.summary


def test_worse_samples_are_no_cure() -> None:
    """Samples further from the data for most seeds prevent a cure; for all seeds, they harm."""
    base = runs(COMPARED[0], "p" * 8)
    most = runs(COMPARED[1], "a" * 8, distances=[2.0] * 5 + [0.5] * 3)
    every = runs(COMPARED[1], "a" * 8, distances=[2.0] * 8)
    assert only(compare_runs(base, most)).verdict == "helps"
    assert only(compare_runs(base, every)).verdict == "harms"


def test_harm_needs_no_target() -> None:
    """A fix that makes healthy runs fail harms; without a failure nothing can cure."""
    found = compare_runs(runs(COMPARED[0], "a" * 8), runs(COMPARED[1], "p" * 8))
    assert found.targets == ()
    assert only(found).verdict == "harms"


def test_better_samples_help() -> None:
    """Samples nearer to the data for all seeds help, even if the failure stays."""
    nearer = runs(COMPARED[1], "p" * 8, distances=[0.5] * 8)
    assert only(compare_runs(runs(COMPARED[0], "p" * 8), nearer)).verdict == "helps"


@pytest.mark.parametrize("factor", [0.96, 1.04])
def test_tiny_differences_are_no_evidence(factor: float) -> None:
    """A distance that differs by less than 5 % is no evidence, however many seeds there are."""
    base = runs(COMPARED[0], "p" * 20)
    result = only(compare_runs(base, runs(COMPARED[1], "p" * 20, distances=[factor] * 20)))
    assert result.verdict == "no evidence"


def test_equal_outcomes_are_no_evidence() -> None:
    """A fix with the outcomes of the baseline has no effect, with p = 1."""
    result = only(compare_runs(runs(COMPARED[0], "p" * 20), runs(COMPARED[1], "p" * 20)))
    assert result.verdict == "no evidence"
    assert {c.p for c in result.paired_tests} == {1.0}


def test_inconclusive_pairs_are_left_out() -> None:
    """A run with an inconclusive condition is in no pair and in no rate of that condition."""
    found = compare_runs(runs(COMPARED[0], "pppppp??"), runs(COMPARED[1], "aaaaaaa?"))
    test = only(found).paired_tests[0]
    assert (test.better, test.worse, test.pairs) == (6, 0, 6)
    assert found.baseline.rates["mode_collapse"][:2] == (6, 6)
    assert only(found).rates["mode_collapse"][:2] == (0, 7)


def test_cure_needs_all_targets() -> None:
    """A fix that removes one of two failures helps and does not cure."""
    base = runs(COMPARED[0], "p" * 8, "p" * 8)
    assert only(compare_runs(base, runs(COMPARED[1], "a" * 8, "p" * 8))).verdict == "helps"
    assert only(compare_runs(base, runs(COMPARED[1], "a" * 8, "a" * 8))).verdict == "cures"


def test_targets_are_tested_together() -> None:
    """A failure of 6 of 10 runs is too rare to test alone; failure-free runs are tested."""
    base = runs(COMPARED[0], "p" * 10, "p" * 6 + "a" * 4)
    cured = only(compare_runs(base, runs(COMPARED[1], "a" * 10, "a" * 10), planned=4))
    assert cured.verdict == "cures"
    assert p_of(cured) == pytest.approx(4 * 2 / 2**10)
    assert (
        only(compare_runs(base, runs(COMPARED[1], "a" * 10, "p" * 6 + "a" * 4))).verdict == "helps"
    )


def test_exchanged_failure_is_no_cure() -> None:
    """If one target disappears and another appears, few runs are failure-free."""
    base = runs(COMPARED[0], "p" * 10, "p" * 5 + "a" * 5)
    other = only(compare_runs(base, runs(COMPARED[1], "a" * 10, "p" * 8 + "a" * 2)))
    assert other.verdict == "helps"
    assert other.failure_free is not None
    assert other.failure_free.with_fix[:2] == (2, 10)
    assert p_of(other) == pytest.approx(2 * 1 / 2**2)


def test_inconclusive_target_is_left_out() -> None:
    """A run with one target absent and one inconclusive does not count as failure-free or not."""
    base = runs(COMPARED[0], "p" * 8, "p" * 8)
    found = only(compare_runs(base, runs(COMPARED[1], "a" * 8, "a" * 6 + "??")))
    assert found.failure_free is not None
    assert found.failure_free.with_fix[:2] == (6, 6)


def test_cure_needs_a_majority() -> None:
    """13 of 20 failure-free runs may be less than half of all runs: no cure."""
    result = only(compare_runs(runs(COMPARED[0], "p" * 20), runs(COMPARED[1], "a" * 13 + "p" * 7)))
    assert p_of(result) < 0.05
    assert result.verdict == "helps"


@given(st.text("pa?", min_size=1, max_size=9), st.data())
def test_exchange_of_baseline_and_fix(base: str, data: st.DataObject) -> None:
    """If baseline and fix are exchanged, so are better and worse, and each p stays."""
    other = data.draw(st.text("pa?", min_size=len(base), max_size=len(base)))
    there = only(compare_runs(runs(COMPARED[0], base), runs(COMPARED[1], other))).paired_tests
    back = only(compare_runs(runs(COMPARED[0], other), runs(COMPARED[1], base))).paired_tests
    assert [(c.better, c.worse, c.pairs, c.p) for c in there] == [
        (c.worse, c.better, c.pairs, c.p) for c in back
    ]


def test_infinite_distances_are_compared() -> None:
    """An infinite distance is larger than any other and equal to another infinite one."""
    base = runs(COMPARED[0], "ppp", distances=[math.inf, math.inf, 1.0])
    result = only(compare_runs(base, runs(COMPARED[1], "ppp", distances=[1.0, math.inf, 2.0])))
    test = next(c for c in result.paired_tests if c.quantity == QUALITY)
    assert (test.better, test.worse, test.pairs) == (1, 1, 3)


def test_json_holds_every_run() -> None:
    """The data are strict JSON, and outcomes can be read back."""
    base = runs(COMPARED[0], "pp", distances=[math.inf, 1.0])
    found = json.loads(
        json.dumps(comparison_as_json(compare_runs(base, runs(COMPARED[1], "a?"))), allow_nan=False)
    )
    assert [arm["arm"] for arm in found["arms"]] == ["baseline", "r1"]
    assert [Outcome.from_json(run) for run in found["arms"][0]["runs"]] == base


def test_steps_to_quality() -> None:
    """The quality level is the baseline's best distance; steps count until it is reached."""
    base = [
        Outcome(COMPARED[0].name, 0, {}, {}, ((10, 3.0), (20, 1.0), (30, 2.0)), 1, 1, 2.0, "d"),
        Outcome(COMPARED[1].name, 0, {}, {}, ((10, 0.9), (20, 0.5), (30, 0.1)), 1, 1, 3.0, "d"),
    ]
    found = compare_outcomes(COMPARED[:2], base)
    assert found.level == 1.0
    assert [r.steps_to_quality.value for r in found.results] == [20.0, 10.0]
    assert [r.cost.value for r in found.results] == [1.0, 1.5]
