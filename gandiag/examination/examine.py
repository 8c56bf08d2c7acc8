"""Examines a game of anybody's own, held still."""

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

HELD_OUT_FRACTION = 5  # one real sample in so many is held out, where none are given
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
    """Examine a game of your own, at the weights that its players have now.

    It takes seconds to minutes, and works on copies: the networks, their gradients and your random
    numbers are as they were. Networks are asked in the mode, training or evaluation, that they are
    in. Progress is shown on standard error. What an instrument asks is said by
    ``gandiag list instruments NAME``; one that fails is answered for.

    Args:
        generator: gives samples, ``(B, *shape)``, of latents.
        discriminator: gives scores, of any shape, of samples.
        real: ``(N, *shape)`` samples, as the discriminator is given them.
        latents: size of a latent, or its shape without the batch, drawn from N(0, I); or a function
            that draws so many from torch's generators.
        scores: what the discriminator's output is: ``logits``, ``probabilities`` (it ends in a
            sigmoid), or ``critic``.
        objective: what the players minimise, on logits or a critic's scores: its name, or a
            `gandiag.models.gan.Objective` of your own.
        penalty: ``(discriminator, real, fake) -> loss`` that is added to the discriminator's loss.
        held_out: ``(M, *shape)`` real samples that the discriminator has not seen; otherwise a
            fifth of `real` is held out.
        earlier: generator and discriminator as they were earlier, for `path_angle`.
        instruments: names, or options or an instrument of your own by name; all of gandiag's, with
            their defaults, if empty.

    Returns:
        A finding for each instrument, in order.

    Raises:
        BadInput: there is no such instrument, option or objective, or too few real samples.
    """
    chosen = _choose_instruments(instruments)
    game = _build_gan(objective, scores, penalty, generator, discriminator)
    before = _build_gan(objective, scores, penalty, *earlier) if earlier else None
    subject = replace(_build_state(game, real, held_out, latents), earlier=before)
    return tuple(run_instruments(subject, chosen))


def _build_state(
    game: GAN, real: Tensor, held_out: Tensor | None, latents: int | tuple[int, ...] | Latents
) -> GameState:
    if held_out is None:
        if len(real) < HELD_OUT_FRACTION:
            raise BadInput("real", f"{len(real)} samples are too few to hold some out of them")
        order = torch.randperm(len(real), generator=torch.Generator().manual_seed(0))
        shuffled = real[order.to(real.device)]
        held_out, real = torch.tensor_split(shuffled, [len(real) // HELD_OUT_FRACTION])
    draw = _latent_sampler((latents,) if isinstance(latents, int) else latents)
    device = next((weight.device for weight in game.generator.parameters()), real.device)
    return GameState(game, real.detach().to(device), held_out.detach().to(device), draw)


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
        raise BadInput("scores", f'no reading "{scores}"; {suggest_nearest(scores, SCORE_FUNCTIONS)}')
    discriminator = inner_network(discriminator)
    if scores == "probabilities":
        discriminator = _Logits(discriminator)
    return GAN(inner_network(generator), discriminator, objective, latent_size=0, penalty=penalty)


class _Logits(nn.Module):
    """Logits of a discriminator that gives probabilities."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, samples: Tensor) -> Tensor:
        """``(B, *shape)`` samples to logits, of the shape of the probabilities."""
        probabilities: Tensor = self.body(samples)
        tiny = torch.finfo(probabilities.dtype).tiny
        low, high = probabilities.clamp(min=tiny), (1 - probabilities).clamp(min=tiny)
        return low.log() - high.log()


def _choose_instruments(
    instruments: Sequence[str] | Mapping[str, Mapping[str, Any] | Instrument],
) -> dict[str, Instrument]:
    if not isinstance(instruments, Mapping):
        return build_instruments(instruments, place="instruments")
    chosen: dict[str, Instrument] = {}
    for name, given in instruments.items():
        if isinstance(given, Instrument) and not inspect.isclass(given):
            chosen[name] = given
        else:
            chosen |= build_instruments((name,), {name: given}, "instruments")
    return chosen
