"""Tests of all instruments: they change nothing, are reproducible and have complete findings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import gandiag
from gandiag.examination.game_state import GameState
from gandiag.examination.runner import build_instruments, run_instruments
from gandiag.examination.saved_run import load_game_state
from gandiag.plugins import registry as plugins
from gandiag.plugins.builtin import BUILT_IN
from gandiag.scenario.schema import Scenario
from tests.conftest import noisy_gan
from tests.examination.conftest import (
    QUICK,
    SCENARIO,
    build_state,
    copy_full_state,
    ignore_progress,
    normal_latents,
)

every_instrument = pytest.mark.parametrize("name", BUILT_IN["instruments"])


@every_instrument
def test_instrument_changes_nothing(name: str, normal: Callable[..., Tensor]) -> None:
    """Weights, buffers, modes, gradients and random state stay the same, bit by bit."""
    state = build_state(noisy_gan(), normal)
    torch.rand(3)
    before = copy_full_state(state.gan)
    finding = plugins.build("instruments", name, QUICK.get(name)).examine(state, ignore_progress)
    after = copy_full_state(state.gan)
    assert finding.measures
    assert before.keys() == after.keys()
    for key, value in before.items():
        assert torch.equal(value, after[key]), key


@every_instrument
def test_instrument_is_reproducible(name: str, normal: Callable[..., Tensor]) -> None:
    """Two examinations of the same networks give the same numbers."""
    state = build_state(noisy_gan(), normal)
    instrument = plugins.build("instruments", name, QUICK.get(name))
    one, other = (instrument.examine(state, ignore_progress).as_json() for _ in range(2))
    assert one == other


@every_instrument
def test_finding_is_complete(name: str, normal: Callable[..., Tensor]) -> None:
    """A finding has its name, a sentence and its limits; values lie in their ranges."""
    finding = plugins.build("instruments", name, QUICK.get(name)).examine(
        build_state(noisy_gan(), normal), ignore_progress
    )
    assert finding.instrument == name
    assert finding.summary.endswith(".")
    assert finding.limits.endswith(".")
    for measure in finding.measures:
        if measure.low == measure.low:  # not NaN
            assert measure.low - 1e-12 <= measure.value <= measure.high + 1e-12
    assert len({len(curve) for curve in finding.curves.values()}) <= 1
    plain = json.loads(json.dumps(finding.as_json(), allow_nan=False))
    assert [measure["name"] for measure in plain["measures"]] == [m.name for m in finding.measures]


@every_instrument
def test_conditional_networks_get_labels(name: str, tmp_path: Path) -> None:
    """Networks with labels are examined with the labels of the data."""
    scenario = {
        **SCENARIO,
        "variant": {"conditional": {"width": 8, "latent_size": 2, "classes": 8}},
    }
    gandiag.run(Scenario.parse(scenario), tmp_path, checkpoint_every=10)
    state, _ = load_game_state(tmp_path)
    finding = plugins.build("instruments", name, QUICK.get(name)).examine(state, ignore_progress)
    assert finding.measures


VARIANTS: dict[str, dict[str, Any]] = {
    "vanilla": {"width": 8, "latent_size": 2, "minibatch": "stddev", "pack": 2},
    "minibatch_discrimination": {"width": 8, "latent_size": 2},
    "linear_critic": {"width": 8, "latent_size": 2},
    "dirac": {},
    "dcgan": {"width": 4, "latent_size": 2, "spectral_norm": True},
}


@pytest.mark.parametrize(("variant", "options"), VARIANTS.items(), ids=VARIANTS)
def test_every_variant_can_be_examined(
    variant: str, options: dict[str, Any], normal: Callable[..., Tensor]
) -> None:
    """Networks of every variant can be differentiated twice, with all penalties and layers."""
    shape = (1, 28, 28) if variant == "dcgan" else (2,)
    with torch.random.fork_rng([]):
        gan = plugins.build("variants", variant, options).build(shape)
    real = normal((40, *shape))
    state = GameState(gan, real, real, normal_latents(gan.latent_size))
    instruments = build_instruments(
        ("jacobian",), {"jacobian": {"draws": 1, "samples": 8, "count": 1}}
    )
    (finding,) = run_instruments(state, instruments)
    assert finding.measures, finding.summary
    assert finding["modulus"].value > 0


@every_instrument
def test_non_finite_networks_have_a_finding(name: str, normal: Callable[..., Tensor]) -> None:
    """Networks with NaN weights give a finding and no exception."""
    state = build_state(noisy_gan(), normal)
    with torch.no_grad():
        for weight in state.gan.generator.parameters():
            weight.fill_(torch.nan)
    instruments = build_instruments((name,), {name: QUICK.get(name, {})})
    (finding,) = run_instruments(state, instruments)
    assert finding.summary.endswith(".")
