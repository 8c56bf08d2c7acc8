"""Tests of the samples that instruments draw, and of findings."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gandiag.examination.finding import Finding, summarize_draws
from gandiag.examination.game_state import GameState
from tests.conftest import noisy_gan
from tests.examination.conftest import build_state


def test_batches_are_disjoint(normal: Callable[..., Tensor]) -> None:
    """Batches have different real samples as long as there are enough of them."""
    state = build_state(noisy_gan(), normal)
    three = state.draw_batches(25, 0, 3)
    assert len(torch.unique(torch.cat([batch.real for batch in three]), dim=0)) == 75
    again = state.draw_batches(25, 0, 4)
    assert torch.equal(again[3].real, again[0].real)
    assert not torch.equal(again[3].latents, again[0].latents)
    assert len(state.draw_batch(1000, 0).real) == 80


def test_instance_noise_is_added(normal: Callable[..., Tensor]) -> None:
    """Real and generated samples have instance noise of the state's standard deviation."""
    plain = build_state(noisy_gan(), normal)
    noisy = GameState(**{**vars(plain), "noise": 0.5})
    batch = noisy.draw_batch(4000, 0)
    assert isinstance(batch.noise[1], Tensor)
    assert float(batch.noise[1].std()) == pytest.approx(0.5, rel=0.05)
    assert plain.draw_batch(40, 0).noise == (0.0, 0.0)


def test_measure_has_mean_and_range() -> None:
    """A measure has the mean, the smallest and the largest value of the draws."""
    measure = summarize_draws("some", [1.0, 5.0, 3.0], "a number")
    assert (measure.low, measure.value, measure.high) == (1.0, 3.0, 5.0)
    unknown = summarize_draws("some", [1.0, float("nan"), 3.0], "a number")
    assert str(unknown[1:4]) == "(nan, nan, nan)"
    infinite = Finding("some", "It is.", (unknown,), {"curve": [float("inf"), -float("inf"), 1.0]})
    plain = infinite.as_json()
    assert plain["measures"][0]["value"] == "NaN"
    assert plain["curves"]["curve"] == ["Infinity", "-Infinity", 1.0]
