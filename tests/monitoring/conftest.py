"""A snapshot in which every field is set, for the tests of probes and signals."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gandiag.monitoring.forward_pass import ForwardPass
from gandiag.monitoring.reference import Reference
from gandiag.monitoring.snapshot import Call, LoopTrace, NetworkInputs, NetworkName, Snapshot


@pytest.fixture
def full_snapshot(
    ring_reference: Reference, normal: Callable[..., Tensor]
) -> Callable[[str, NetworkName], Snapshot]:
    """Makes a snapshot of a network's step with every field that a probe may use."""
    # Hidden tanh layers may be saturated; dropout differs between train and eval mode.
    generator = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Dropout(), nn.Linear(4, 2), nn.Tanh())
    discriminator = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Dropout(), nn.Linear(4, 1))
    for parameter in (*generator.parameters(), *discriminator.parameters()):
        parameter.grad = torch.ones_like(parameter)
    fake_stats = ring_reference.compute_fake_stats(normal((512, 2)))

    def make(probe: str, network: NetworkName) -> Snapshot:
        is_generator_step = network == "generator"
        inputs = NetworkInputs(
            real=normal((8, 2)), real_conditions=(normal((8,)),), fake_conditions=(normal((8,)),),
            generator_inputs=(normal((8, 2)),), generated=normal((8, 2)),
        )  # fmt: skip
        trace = LoopTrace(
            real_output=None if is_generator_step else normal((8,)),
            real_gradient=None if is_generator_step else normal((8,)),
            fake_output=normal((8,)),
            fake_gradient=normal((8,)),
            leftover_norm=normal(()).abs(),
            largest_weight=normal(()).abs(),
            largest_weight_before=normal(()).abs(),
            inputs=inputs,
            output_bounds=(-1.0, 1.0),
        )
        recent = normal((64, 1, 28, 28)) if probe == "classes" else normal((512, 2))
        return Snapshot(
            3, network, generator, discriminator, real=normal((8, 2)), fake=normal((8, 2)),
            real_pass=ForwardPass(discriminator, lambda: discriminator(normal((8, 2)))),
            fixed_pass=ForwardPass(generator, lambda: generator(normal((64, 2)))),
            score_fake=lambda: discriminator(normal((8, 2))),
            real_scores=normal((8,)), fake_scores=normal((8,)), score_gradient=normal((8,)),
            input_gradient=normal((8, 2)) if is_generator_step else None, loss=normal(()),
            recent=recent, fake_stats=fake_stats, latents=(Call((normal((64, 2)),), {}),),
            fixed=normal((64, 2)), fixed_before=normal((64, 2), seed=1), fixed_steps=100,
            sampled={way: normal((64, 2)) for way in ("training", "evaluation", "averaged")},
            reference=ring_reference, probability=torch.sigmoid,
            weights=normal((9,)), weights_before=normal((9,), seed=1), weights_steps=10,
            loop_trace=trace,
        )  # fmt: skip

    return make
