"""Tests of the objective probe: pairs of an output and the derivative there."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gandiag.monitoring.probes.objective import Objective
from gandiag.monitoring.snapshot import LoopTrace, Snapshot

MakeSnapshot = Callable[..., Snapshot]


def test_pairs_lie_on_the_curve(make_snapshot: MakeSnapshot, normal: Callable[..., Tensor]) -> None:
    """For a mean loss, each pair is (s, loss'(s)), in ascending order, with both ends."""
    scores = normal((100, 1)).requires_grad_()
    softplus(-scores).mean().backward()
    assert scores.grad is not None
    trace = LoopTrace(fake_output=scores.detach(), fake_gradient=scores.grad * 100)
    found = Objective(pairs=7).observe(make_snapshot(loop_trace=trace))
    outputs, gradients = found["outputs_fake/generator"], found["gradients_fake/generator"]
    assert isinstance(outputs, Tensor)
    assert isinstance(gradients, Tensor)
    torch.testing.assert_close(gradients, -torch.sigmoid(-outputs))
    assert outputs[0] == scores.min()
    assert outputs[-1] == scores.max()


def test_small_batches_are_filled_up(make_snapshot: MakeSnapshot) -> None:
    """Vectors of a signal always have the same length; a small batch is filled up with NaN."""
    trace = LoopTrace(fake_output=torch.ones(3), fake_gradient=torch.ones(3))
    outputs = Objective(pairs=5).observe(make_snapshot(loop_trace=trace))["outputs_fake/generator"]
    assert isinstance(outputs, Tensor)
    assert outputs.isnan().tolist() == [False, False, False, True, True]


def test_no_signal_without_trace(make_snapshot: MakeSnapshot) -> None:
    """Without the trace of a user's loop there are no pairs."""
    assert Objective().observe(make_snapshot()) == {}
