"""Laws of resting: between two looks most hooks are off, and nothing that a look needs is lost."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters

import gandiag
from tests.attachment import loops
from tests.attachment.loops import game

PLENTY = 160  # steps, most of which lie between two looks


@pytest.fixture
def _nothing_compiled() -> None:
    """Whatever other tests have compiled."""
    counters.clear()


def hooked(network: nn.Module) -> bool:
    """Whether calls of a network are seen."""
    return bool(network._forward_hooks)


@pytest.mark.usefixtures("_nothing_compiled")
@pytest.mark.parametrize("name", ["real_fake_then_generator", "gradient_penalty"])
def test_networks_are_bare_between_looks(name: str) -> None:
    """Neither player has a hook then, but for a critic, whose penalty may come at any step."""
    played = game(name)
    real = torch.cat([batch for batch, _ in loops.reals(50)])
    seen = []
    with gandiag.attach(*played[:4], scores=played.scores, real=real) as watch:
        for _ in range(PLENTY):
            played.play(played, 1)
            seen.append((watch.step, hooked(played.generator), hooked(played.discriminator)))
    at_looks = [now for now in seen if now[0] % 50 == 0]
    assert len(at_looks) == 3
    assert all(g and d for _, g, d in at_looks)
    bare = [now for now in seen if not now[1]]
    assert len(bare) > PLENTY / 3
    assert all(d == (played.scores == "critic") for _, _, d in bare)
    assert not hooked(played.generator)
    assert not hooked(played.discriminator)


@pytest.mark.usefixtures("_nothing_compiled")
@pytest.mark.parametrize("cadence", [7, 30, 50, 64])
def test_steps_are_counted_at_any_cadence(cadence: int) -> None:
    """At each look both players have stepped as often as in the loop, whether hooks rest or not."""
    played = game("real_fake_then_generator")
    real = torch.cat([batch for batch, _ in loops.reals(50)])
    probes = {name: False for name in gandiag.Scenario().probes} | {"loop": {"every": cadence}}
    with gandiag.attach(*played[:4], scores="logits", real=real, probes=probes) as watch:
        played.play(played, PLENTY)
    for player in ("generator", "discriminator"):
        steps, counted = watch.record[f"loop/steps/{player}"]
        assert steps.tolist() == list(range(0, PLENTY, cadence))
        assert counted.tolist() == (steps + 1).tolist()


@pytest.mark.usefixtures("_nothing_compiled")
def test_compiled_networks_keep_their_hooks() -> None:
    """A graph that is made while they are off would not call them: batches change, looks go on."""
    torch._dynamo.reset()
    played = game("real_fake_then_generator")
    real = torch.cat([batch for batch, _ in loops.reals(50)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch's own, while it compiles
        warnings.simplefilter("ignore", UserWarning)
        with gandiag.attach(*played[:4], scores="logits", real=real) as watch:
            networks: list[nn.Module] = [
                torch.compile(n, backend="eager") for n in (played.generator, played.discriminator)
            ]
            for step, (batch, _) in enumerate(loops.reals(PLENTY)):
                _turns(networks, played, batch[: len(batch) - step % 2])
                assert hooked(played.generator)
    assert watch.record["learning_signal/score_gradient/generator"].steps.tolist() == [
        0,
        50,
        100,
        150,
    ]


def _turns(networks: list[nn.Module], played: loops.Game, real: Tensor) -> None:
    generator, discriminator = networks
    fake = generator(torch.randn(len(real), loops.LATENT))
    for optimizer, pairs in (
        (played.discriminator_optimizer, [(real, 1.0), (fake.detach(), 0.0)]),
        (played.generator_optimizer, [(fake, 1.0)]),
    ):
        optimizer.zero_grad()
        for samples, target in pairs:
            scores = discriminator(samples)
            nn.functional.binary_cross_entropy_with_logits(
                scores, torch.full_like(scores, target)
            ).backward()
        optimizer.step()
