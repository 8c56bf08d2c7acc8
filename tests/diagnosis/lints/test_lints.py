"""Tests of the lints: each finds its bug in a loop that has it, and none in correct loops."""

from __future__ import annotations

import warnings

import pytest

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.plugins.builtin import LINTS
from tests.diagnosis.lints import written_loops
from tests.diagnosis.lints.loops import CORRECT, WITH_BUG, Loop, train


def check_loop(loop: Loop, steps: int = 220) -> dict[str, Diagnosis]:
    """The diagnoses of a loop's code, by condition."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # attach may warn of a bug itself
        return {d.condition: d for d in train(loop, steps).diagnose() if d.about == "loop"}


@pytest.mark.parametrize("name", WITH_BUG)
def test_bug_is_found(name: str, unraised_warnings: list[str]) -> None:
    """The bug is present from the first evaluations on, with the right failure type."""
    loop, lint, kind = WITH_BUG[name]
    found = check_loop(loop)
    assert found[lint].status == "present", found[lint]
    assert found[lint].kind == kind
    assert (found[lint].onset or 0) <= 180
    unraised_warnings.clear()  # some bugs hide the loop from gandiag, which warns of that


@pytest.mark.parametrize("name", CORRECT)
def test_correct_loop_has_no_bug(name: str) -> None:
    """No lint finds a bug in a correct loop, and its objectives are recognised."""
    loop, generator, discriminator = CORRECT[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        watch = train(loop)
    bugs = [d for d in watch.diagnose() if d.about == "loop" and d.status == "present"]
    assert not bugs
    objectives = watch.objectives
    recognised = objectives.generator_name, objectives.discriminator
    assert recognised == (generator, discriminator), objectives


def test_every_lint_is_tried() -> None:
    """Each lint has a loop with its bug here."""
    bugs = [*WITH_BUG.values(), *written_loops.WITH_BUG.values()]
    # The samples of `unlike_sampling` need other loops: test_unlike_sampling.py.
    assert {lint for _, lint, _ in bugs} | {"unlike_sampling"} == set(LINTS)
