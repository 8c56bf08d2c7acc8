"""Tests of the benchmark of lost kinds: its generators, and its answers on one data set."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gandiag.benchmarks.static.benchmark import evaluate, run_benchmark
from gandiag.benchmarks.static.data_sets import DEVELOPMENT, HELD_OUT, long_tail
from gandiag.benchmarks.static.generators import KEPT, LOST, choose_kept, draw_samples
from gandiag.plugins.errors import BadInput


@pytest.mark.parametrize("data", [*DEVELOPMENT, *HELD_OUT])
def test_every_data_set_draws_finite_samples(data: str) -> None:
    """Samples are finite, differ, and are the same for the same seed; shares sum to 1."""
    source = (DEVELOPMENT | HELD_OUT)[data]()
    assert source.shares.sum() == pytest.approx(1)
    kinds = np.arange(len(source.shares))
    one, same = (
        draw_samples(source, kinds, 40, np.random.default_rng(0), fresh=1) for _ in range(2)
    )
    assert torch.equal(one, same)
    assert bool(one.isfinite().all())
    assert len(torch.unique(one.flatten(1), dim=0)) > 20


@pytest.mark.parametrize("shares", [np.full(12, 1 / 12), long_tail(20)])
def test_half_of_the_kinds_has_half_of_the_data(shares: np.ndarray) -> None:
    """Half of the kinds, of any frequency, has 40 to 60 % of the data; the tail at most 2 %."""
    for seed in range(10):
        stream = np.random.default_rng(seed)
        kept = choose_kept("half", shares, stream)
        assert len(kept) == len(shares) // 2
        assert 0.4 <= shares[kept].sum() <= 0.6
        assert shares[choose_kept("no_tail", shares, stream)].sum() >= 0.98
        assert len(choose_kept("perfect", shares, stream)) == len(shares)


def test_answers_on_the_ring_are_right() -> None:
    """Lost kinds of the ring are called, and generators of all kinds are not."""
    answers = {answer.generator: answer for answer in evaluate("ring", 0)}
    assert answers.keys() == (LOST.keys() | KEPT.keys()) - {"no_tail"}
    assert all(answers[name].is_called for name in LOST)
    assert not any(answers[name].is_called for name in answers if name in KEPT)


def test_unknown_data_set_is_named() -> None:
    """A data set of the other part is refused, with the names that exist."""
    with pytest.raises(BadInput, match="no data set 'ring'"):
        run_benchmark(("ring",), "development", 1, None)
