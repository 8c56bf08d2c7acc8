"""Tests of the lints on loops written out in full: each bug is found, correct loops have none."""

from __future__ import annotations

import pytest
import torch

import gandiag
from gandiag.diagnosis.diagnosis import Diagnosis
from tests.attachment.loops import LOOPS, build_loop
from tests.diagnosis.lints.written_loops import CORRECT, EVERY, STEPS, WITH_BUG, Run


def find_bugs(run: Run) -> dict[str, Diagnosis]:
    """The lints that are present after a loop, by condition."""
    torch.manual_seed(0)
    found = [d for d in run().diagnose() if d.about == "loop" and d.status == "present"]
    return {d.condition: d for d in found}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", WITH_BUG)
def test_bug_is_found(name: str, unraised_warnings: list[str]) -> None:
    """The bug is present from the first evaluations on, and no other lint is."""
    run, lint, kind = WITH_BUG[name]
    found = find_bugs(run)
    unraised_warnings.clear()  # attach may warn that the bug prevents a measurement
    assert list(found) == [lint], found
    assert found[lint].kind == kind
    assert (found[lint].onset or 0) <= 80


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", CORRECT)
def test_correct_loop_has_no_bug(name: str, unraised_warnings: list[str]) -> None:
    """No lint finds a bug in a correct loop."""
    assert not find_bugs(CORRECT[name])
    unraised_warnings.clear()


@pytest.mark.parametrize("name", LOOPS)
def test_common_style_has_no_bug(name: str, unraised_warnings: list[str]) -> None:
    """No lint finds a bug in a common style of training loop."""
    loop = build_loop(name)
    networks = loop.generator, loop.discriminator
    optimizers = loop.generator_optimizer, loop.discriminator_optimizer
    with gandiag.attach(*networks, *optimizers, scores=loop.scores, probes=EVERY) as watch:
        loop.train(loop, STEPS)
    found = {d.condition for d in watch.diagnose() if d.about == "loop" and d.status == "present"}
    # One call of a discriminator with BatchNorm on real and generated samples is a bug of its own.
    assert found == ({"mixed_batch_norm"} if name == "concatenated" else set())
    unraised_warnings.clear()
