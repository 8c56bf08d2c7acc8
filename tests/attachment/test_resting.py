"""Paused hooks: between evaluations most hooks are removed, and no evaluation misses a call."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters

import gandiag
from tests.attachment import loops
from tests.attachment.loops import build_loop

STEPS = 160  # most of them lie between two evaluations


@pytest.fixture
def _nothing_compiled() -> None:
    """Forget what other tests have compiled."""
    counters.clear()


def has_hooks(network: nn.Module) -> bool:
    """Whether a network has forward hooks."""
    return bool(network._forward_hooks)


@pytest.mark.usefixtures("_nothing_compiled")
@pytest.mark.parametrize("name", ["real_fake_then_generator", "gradient_penalty"])
def test_networks_have_no_hooks_between_evaluations(name: str) -> None:
    """Only a critic keeps its hook: its gradient penalty may be computed at any step."""
    loop = build_loop(name)
    real = torch.cat([batch for batch, _ in loops.generate_real_batches(50)])
    seen = []
    with gandiag.attach(*loop[:4], scores=loop.scores, real=real) as watch:
        for _ in range(STEPS):
            loop.train(loop, 1)
            seen.append((watch.step, has_hooks(loop.generator), has_hooks(loop.discriminator)))
    at_evaluations = [state for state in seen if state[0] % 50 == 0]
    assert len(at_evaluations) == 3
    assert all(g and d for _, g, d in at_evaluations)
    bare = [state for state in seen if not state[1]]
    assert len(bare) > STEPS / 3
    assert all(d == (loop.scores == "critic") for _, _, d in bare)
    assert not has_hooks(loop.generator)
    assert not has_hooks(loop.discriminator)


@pytest.mark.usefixtures("_nothing_compiled")
@pytest.mark.parametrize("cadence", [7, 30, 50, 64])
def test_steps_are_counted_at_any_cadence(cadence: int) -> None:
    """The counted steps are those of the loop at any cadence, also while hooks are paused."""
    loop = build_loop("real_fake_then_generator")
    real = torch.cat([batch for batch, _ in loops.generate_real_batches(50)])
    probes = {name: False for name in gandiag.Scenario().probes} | {"loop": {"every": cadence}}
    with gandiag.attach(*loop[:4], scores="logits", real=real, probes=probes) as watch:
        loop.train(loop, STEPS)
    for name in ("generator", "discriminator"):
        steps, counted = watch.record[f"loop/steps/{name}"]
        assert steps.tolist() == list(range(0, STEPS, cadence))
        assert counted.tolist() == (steps + 1).tolist()


@pytest.mark.usefixtures("_nothing_compiled")
def test_compiled_networks_keep_their_hooks() -> None:
    """Hooks stay if a network is compiled: a graph compiled without them would never call them."""
    torch._dynamo.reset()
    loop = build_loop("real_fake_then_generator")
    real = torch.cat([batch for batch, _ in loops.generate_real_batches(50)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch's own
        warnings.simplefilter("ignore", UserWarning)
        with gandiag.attach(*loop[:4], scores="logits", real=real) as watch:
            networks: list[nn.Module] = [
                torch.compile(n, backend="eager") for n in (loop.generator, loop.discriminator)
            ]
            for step, (batch, _) in enumerate(loops.generate_real_batches(STEPS)):
                _take_steps(networks, loop, batch[: len(batch) - step % 2])
                assert has_hooks(loop.generator)
    assert watch.record["learning_signal/score_gradient/generator"].steps.tolist() == [
        0,
        50,
        100,
        150,
    ]


def _take_steps(networks: list[nn.Module], loop: loops.TrainingLoop, real: Tensor) -> None:
    generator, discriminator = networks
    fake = generator(torch.randn(len(real), loops.LATENT_SIZE))
    for optimizer, pairs in (
        (loop.discriminator_optimizer, [(real, 1.0), (fake.detach(), 0.0)]),
        (loop.generator_optimizer, [(fake, 1.0)]),
    ):
        optimizer.zero_grad()
        for samples, target in pairs:
            scores = discriminator(samples)
            nn.functional.binary_cross_entropy_with_logits(
                scores, torch.full_like(scores, target)
            ).backward()
        optimizer.step()
