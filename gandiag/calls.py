"""The discriminator's calls within a turn, and which of them were on real and which on fakes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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
        to_generator: whether a gradient can flow through the samples to the generator.
        output_gradient: gradient at `output`, of the newest backward pass through it.
        sample_gradient: the same at the samples.
    """

    samples: Tensor
    output: Tensor
    again: Callable[[], Tensor]
    fake: bool | None
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

    Fakes are known by their memory, or because the user labelled them. Beside a known fake, the
    first other call is on real samples: what comes later are interpolates of a gradient penalty.
    Where no fake is known (it was cloned, scaled or concatenated), the gradients tell: descending
    the loss raises the scores of what the loop takes for real, so there they are negative.
    """
    fakes = [call for call in calls if call.fake]
    others = [call for call in calls if not call.fake]
    labelled = [call for call in others if call.fake is False]
    if fakes and others:
        real = (labelled or others)[0]
        fake = fakes[-1]
        return Turn(real.samples, fake.samples, real.output, fake.output, real.again, fake.again)
    return _by_gradient(calls)


def _by_gradient(calls: Sequence[Scored]) -> Turn:
    known = [call for call in calls if call.output_gradient is not None]
    raised = [_share_raised(call) for call in known]
    whole_real = [c for c, share in zip(known, raised, strict=True) if bool((share > 0.5).all())]
    whole_fake = [c for c, share in zip(known, raised, strict=True) if bool((share < 0.5).all())]
    if whole_real and whole_fake:
        real, fake = whole_real[0], whole_fake[0]
        return Turn(real.samples, fake.samples, real.output, fake.output, real.again, fake.again)
    for call, share in zip(known, raised, strict=True):
        is_real = share > 0.5
        if 0 < int(is_real.sum()) < len(is_real):  # one call on a concatenated batch
            return _parted(call, is_real)
    return NOTHING


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
