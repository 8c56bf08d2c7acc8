"""Each lint finds its fault in a loop that has it, and none is found in loops written right."""

from __future__ import annotations

import warnings

import pytest

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.plugins.builtin import LINTS
from tests.diagnosis.lints.loops import RIGHT, WRONG, Loop, play


def lints(loop: Loop, steps: int = 220) -> dict[str, Diagnosis]:
    """The answers about the code of a loop, by condition."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a loop with a fault may be warned of it
        return {d.condition: d for d in play(loop, steps).diagnose() if d.about == "loop"}


@pytest.mark.parametrize("name", WRONG)
def test_fault_is_found(name: str) -> None:
    """The fault is named, with its form, and from the first looks on."""
    loop, lint, kind = WRONG[name]
    found = lints(loop)
    assert found[lint].status == "present", found[lint]
    assert found[lint].kind == kind
    assert (found[lint].onset or 0) <= 180


@pytest.mark.parametrize("name", RIGHT)
def test_right_loop_is_left_alone(name: str) -> None:
    """No lint finds a fault, and the objectives are named."""
    loop, generator, discriminator = RIGHT[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        watch = play(loop)
    faults = [d for d in watch.diagnose() if d.about == "loop" and d.status == "present"]
    assert not faults
    seen = watch.objectives
    assert (seen.generator_name, seen.discriminator) == (generator, discriminator), seen


def test_every_lint_is_tried() -> None:
    """Each lint has a loop with its fault here."""
    assert {lint for _, lint, _ in WRONG.values()} == set(LINTS)
