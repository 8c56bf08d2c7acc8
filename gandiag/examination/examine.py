"""``gandiag.examine``: runs the instruments on the user's own networks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from gandiag.attachment.unwrap import inner_network
from gandiag.examination.finding import Finding
from gandiag.examination.game_state import GameState, Latents
from gandiag.examination.runner import build_instruments, run_instruments
from gandiag.models.gan import GAN, Objective
from gandiag.models.losses import OBJECTIVES
from gandiag.models.scores import SCORE_FUNCTIONS, ScoreType
from gandiag.plugins.errors import BadInput, suggest_nearest
from gandiag.plugins.protocols import Instrument

HELD_OUT_FRACTION = 5  # One in 5 real samples is held out if the caller passes no held-out ones.
Penalty = Callable[[Callable[[Tensor], Tensor], Tensor, Tensor], Tensor]


def examine(
    generator: nn.Module,
    discriminator: nn.Module,
    real: Tensor,
    *,
    latents: int | tuple[int, ...] | Latents,
    scores: ScoreType = "logits",
    objective: str | Objective = "non_saturating",
    penalty: Penalty | None = None,
    held_out: Tensor | None = None,
    earlier: tuple[nn.Module, nn.Module] | None = None,
    instruments: Sequence[str] | Mapping[str, Mapping[str, Any] | Instrument] = (),
) -> tuple[Finding, ...]:
    """Examine two networks with their current weights.

    This takes seconds to minutes and works on copies: the networks, their gradients and the global
    random generators stay as they are. The networks are evaluated in the mode, training or
    evaluation, that they are in. The progress is shown on standard error.
    ``gandiag list instruments NAME`` explains an instrument and its options. An instrument that
    fails returns a finding with the error's message.

    Args:
        generator: maps latents to samples ``(B, *shape)``.
        discriminator: maps samples to scores of any shape.
        real: ``(N, *shape)`` real samples, preprocessed as in the training of the discriminator.
        latents: size of a latent, or its shape without the batch dimension; latents are then drawn
            from N(0, I). Or a function from a number to that many latents, which must draw them
            from torch's global generators.
        scores: type of the discriminator's output: ``logits``, ``probabilities`` (the output of a
            sigmoid) or ``critic``.
        objective: losses of both networks on logits or on a critic's scores: a name, or a
            `gandiag.models.gan.Objective`.
        penalty: ``(discriminator, real, fake) -> loss`` that is added to the discriminator's loss.
        held_out: ``(M, *shape)`` real samples that were not used for training. If None, a fifth of
            `real` is held out.
        earlier: generator and discriminator at an earlier step, for `path_angle`.
        instruments: names of instruments; or a mapping from names to options or to instruments of
            the user's own. All of gandiag's instruments with their default options if empty.

    Returns:
        One finding for each instrument, in order.

    Raises:
        BadInput: there is no such instrument, option, objective or type of scores, or there are too
            few real samples.
    """
    chosen = _choose_instruments(instruments)
    gan = _build_gan(objective, scores, penalty, generator, discriminator)
    earlier_gan = _build_gan(objective, scores, penalty, *earlier) if earlier else None
    state = replace(_build_state(gan, real, held_out, latents), earlier=earlier_gan)
    return tuple(run_instruments(state, chosen))


def _build_state(
    gan: GAN, real: Tensor, held_out: Tensor | None, latents: int | tuple[int, ...] | Latents
) -> GameState:
    if held_out is None:
        if len(real) < HELD_OUT_FRACTION:
            raise BadInput("real", f"{len(real)} samples are too few to hold some of them out")
        # Shuffled, as data sets are often sorted by class, and by a fixed seed, so that a second
        # examination holds out the same samples.
        order = torch.randperm(len(real), generator=torch.Generator().manual_seed(0))
        shuffled = real[order.to(real.device)]
        held_out, real = torch.tensor_split(shuffled, [len(real) // HELD_OUT_FRACTION])
    draw = _latent_sampler((latents,) if isinstance(latents, int) else latents)
    # A generator without weights has no device of its own.
    device = next((weight.device for weight in gan.generator.parameters()), real.device)
    return GameState(gan, real.detach().to(device), held_out.detach().to(device), draw)


def _latent_sampler(latents: tuple[int, ...] | Latents) -> Latents:
    if not isinstance(latents, tuple):
        return latents
    return lambda count: torch.randn(count, *latents)


def _build_gan(
    objective: str | Objective,
    scores: ScoreType,
    penalty: Penalty | None,
    generator: nn.Module,
    discriminator: nn.Module,
) -> GAN:
    if isinstance(objective, str):
        if objective not in OBJECTIVES:
            hint = suggest_nearest(objective, OBJECTIVES)
            raise BadInput("objective", f'no objective "{objective}"; {hint}')
        objective = OBJECTIVES[objective]
    if scores not in SCORE_FUNCTIONS:
        hint = suggest_nearest(scores, SCORE_FUNCTIONS)
        raise BadInput("scores", f'no type of scores "{scores}"; {hint}')
    discriminator = inner_network(discriminator)
    if scores == "probabilities":
        # The objectives are functions of logits, so the sigmoid at the end is undone.
        discriminator = _Logits(discriminator)
    # The state draws the latents itself, so `latent_size` is not used.
    return GAN(inner_network(generator), discriminator, objective, latent_size=0, penalty=penalty)


class _Logits(nn.Module):
    """A discriminator that returns logits, made of one that returns probabilities."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, samples: Tensor) -> Tensor:
        """Map samples ``(B, *shape)`` to logits, which have the shape of the probabilities."""
        probabilities: Tensor = self.body(samples)
        # A probability of exactly 0 or 1 would give an infinite logit.
        tiny = torch.finfo(probabilities.dtype).tiny
        low, high = probabilities.clamp(min=tiny), (1 - probabilities).clamp(min=tiny)
        return low.log() - high.log()


def _choose_instruments(
    instruments: Sequence[str] | Mapping[str, Mapping[str, Any] | Instrument],
) -> dict[str, Instrument]:
    if not isinstance(instruments, Mapping):
        return build_instruments(instruments, place="instruments")
    chosen: dict[str, Instrument] = {}
    for name, value in instruments.items():
        # The class of an instrument also has the method, but it cannot be run.
        if isinstance(value, Instrument) and not inspect.isclass(value):
            chosen[name] = value
        else:
            chosen |= build_instruments((name,), {name: value}, "instruments")
    return chosen
