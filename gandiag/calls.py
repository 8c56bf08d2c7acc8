"""The discriminator's calls within a turn, and which of them were on real and which on fakes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Scored", "Turn", "tell_apart"]


@dataclass(eq=False)  # two calls are never one
class Scored:
    """One call of the discriminator.

    Attributes:
        samples: what it scored, ``(B, *shape)``, detached.
        output: what it said, raw, detached.
        again: says it again, with the weights as they are then.
        fake: True if the samples are the generator's, False if the user said they are real, None
            if that is not known.
        asks_slope: whether the loop asks for the slope at the samples, as penalties do.
        to_generator: whether a gradient can flow through the samples to the generator.
        output_gradient: gradient at `output`, of the newest backward pass through it.
        sample_gradient: the same at the samples.
    """

    samples: Tensor
    output: Tensor
    again: Callable[[], Tensor]
    fake: bool | None
    asks_slope: bool
    to_generator: bool
    output_gradient: Tensor | None = None
    sample_gradient: Tensor | None = None


class Turn(NamedTuple):
    """A discriminator's turn told apart: real and fake samples and what was said of them."""

    real: Tensor | None
    fake: Tensor | None
    real_output: Tensor | None
    fake_output: Tensor | None
    score_real: Callable[[], Tensor] | None
    score_fake: Callable[[], Tensor] | None


NOTHING = Turn(None, None, None, None, None, None)


def tell_apart(calls: Sequence[Scored]) -> Turn:
    """Find the real and the fake samples among the calls of a discriminator's turn.

    Fakes are known by their memory, or because the user labelled them. Beside known fakes, the
    other calls are on real samples, but for those whose slope the loop asks for, if there are any
    where it does not: they are the interpolates of a gradient penalty. Where no fake is known (it
    was cloned, scaled or concatenated), the gradients tell: descending the loss raises the scores
    of what the loop takes for real, so there they are negative.
    """
    fakes = [call for call in calls if call.fake]
    others = [call for call in calls if not call.fake]
    labelled = [call for call in others if call.fake is False]
    plain = [call for call in others if not call.asks_slope]
    if fakes and others:
        return _turn(labelled or plain or others[:1], fakes)
    return _by_gradient(calls)


def _turn(real: Sequence[Scored], fake: Sequence[Scored]) -> Turn:
    """The parts joined, where a loop accumulates several calls before a step."""
    return Turn(
        torch.cat([call.samples for call in real]),
        torch.cat([call.samples for call in fake]),
        torch.cat([call.output for call in real]),
        torch.cat([call.output for call in fake]),
        lambda: torch.cat([call.again() for call in real]),
        lambda: torch.cat([call.again() for call in fake]),
    )


def _by_gradient(calls: Sequence[Scored]) -> Turn:
    """Told by the signs of the gradients; on a GPU this waits for them."""
    known = [call for call in calls if call.output_gradient is not None]
    raised = [_share_raised(call) > 0.5 for call in known]
    real = [call for call, up in zip(known, raised, strict=True) if bool(up.all())]
    fake = [call for call, up in zip(known, raised, strict=True) if not bool(up.any())]
    if real and fake:
        return _turn(real, fake)
    mixed = [(c, up) for c, up in zip(known, raised, strict=True) if up.any() and not up.all()]
    return _parted(*mixed[0]) if mixed else NOTHING


def _parted(call: Scored, is_real: Tensor) -> Turn:
    return Turn(
        call.samples[is_real],
        call.samples[~is_real],
        call.output[is_real],
        call.output[~is_real],
        lambda: call.again()[is_real],
        lambda: call.again()[~is_real],
    )


def _share_raised(call: Scored) -> Tensor:
    """By sample, the share of its scores that a step against the gradient would raise."""
    gradient = call.output_gradient
    assert gradient is not None
    return (gradient.reshape(len(gradient), -1) < 0).float().mean(1)
