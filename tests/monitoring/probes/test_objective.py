"""Laws of the objective probe: pairs of an output and the slope there."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gandiag.monitoring.probes.objective import Objective
from gandiag.monitoring.snapshot import LoopTrace, Snapshot

MakeSnapshot = Callable[..., Snapshot]


def test_pairs_lie_on_the_curve(make_snapshot: MakeSnapshot, normal: Callable[..., Tensor]) -> None:
    """Of a mean loss, each pair is (s, loss'(s)), in the order of s, ends included."""
    scores = normal((100, 1)).requires_grad_()
    softplus(-scores).mean().backward()
    assert scores.grad is not None
    conduct = LoopTrace(fake_output=scores.detach(), fake_gradient=scores.grad * 100)
    seen = Objective(pairs=7).observe(make_snapshot(loop_trace=conduct))
    outputs, slopes = seen["outputs_fake/generator"], seen["gradients_fake/generator"]
    assert isinstance(outputs, Tensor)
    assert isinstance(slopes, Tensor)
    torch.testing.assert_close(slopes, -torch.sigmoid(-outputs))
    assert outputs[0] == scores.min()
    assert outputs[-1] == scores.max()


def test_small_batches_are_filled_up(make_snapshot: MakeSnapshot) -> None:
    """Vectors of a signal keep their length; what a small batch lacks is NaN."""
    conduct = LoopTrace(fake_output=torch.ones(3), fake_gradient=torch.ones(3))
    outputs = Objective(pairs=5).observe(make_snapshot(loop_trace=conduct))[
        "outputs_fake/generator"
    ]
    assert isinstance(outputs, Tensor)
    assert outputs.isnan().tolist() == [False, False, False, True, True]


def test_own_loops_have_nothing_to_recognise(make_snapshot: MakeSnapshot) -> None:
    """Without somebody's own loop, there are no pairs."""
    assert Objective().observe(make_snapshot()) == {}
