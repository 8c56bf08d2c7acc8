"""The discriminator's calls within a turn, and which of them were on real and which on fakes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from gandiag.models.scores import Reading

__all__ = ["NOTHING", "Fakes", "Scored", "Turn", "tell_apart"]


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
        alone: whether the samples are all that the discriminator was given.
        after: steps of the discriminator's optimizer before the call.
        output_gradient: gradient at `output`, of the newest backward pass through it.
        sample_gradient: the same at the samples.
    """

    samples: Tensor
    output: Tensor
    again: Callable[[], Tensor]
    fake: bool | None
    asks_slope: bool
    to_generator: bool
    alone: bool
    after: int
    output_gradient: Tensor | None = None
    sample_gradient: Tensor | None = None


class Turn(NamedTuple):
    """A discriminator's turn told apart: real and fake samples and what was said of them.

    Slopes are gradients at the outputs, times the number of outputs: a mean loss' own derivative.
    `certain` is whether the two were told apart by memory or labels, `mixed` whether one call held
    both.
    """

    real: Tensor | None = None
    fake: Tensor | None = None
    real_output: Tensor | None = None
    fake_output: Tensor | None = None
    score_real: Callable[[], Tensor] | None = None
    score_fake: Callable[[], Tensor] | None = None
    real_slope: Tensor | None = None
    fake_slope: Tensor | None = None
    certain: bool = False
    mixed: bool = False


NOTHING = Turn()


class Fakes(NamedTuple):
    """The fakes of a player's turn, what D said to them, and the gradients there.

    Attributes:
        samples: ``(B, *shape)``, detached.
        output: what D said, raw.
        slope: gradients at `output`, times their number.
        score_gradient: gradients at the scores that `output` is read as; generator's turn.
        input_gradient: gradients at `samples`; generator's turn.
        newest: whether D has not stepped since it said so, and was given nothing else.
    """

    samples: Tensor | None
    output: Tensor | None
    slope: Tensor | None
    score_gradient: Tensor | None = None
    input_gradient: Tensor | None = None
    newest: bool = False

    @classmethod
    def judged(cls, calls: Sequence[Scored], reading: Reading, steps: int) -> Fakes:
        """Those of a generator's turn, by the discriminator's calls that lead to the generator.

        Args:
            calls: these calls, joined where a loop accumulates several before a step.
            reading: how the discriminator's output is to be read.
            steps: of the discriminator's optimizer so far.
        """
        graded = [call for call in calls if call.output_gradient is not None]
        slopes = [reading.slope(c.output, c.output_gradient) for c in graded]  # type: ignore[arg-type]
        inputs = [call.sample_gradient for call in graded if call.sample_gradient is not None]
        return cls(
            _joined_if_any([call.samples for call in calls]),
            _joined_if_any([call.output for call in calls]),
            _slopes_of(graded) if len(graded) == len(calls) else None,
            _joined_if_any(slopes),
            _joined_if_any(inputs),
            all(call.alone and call.after == steps for call in calls),
        )


def tell_apart(calls: Sequence[Scored]) -> Turn:
    """Find the real and the fake samples among the calls of a discriminator's turn.

    Fakes are known by their memory, or because the user labelled them; without such, they are what
    a gradient could flow through to the generator. Beside known fakes, the other calls are on real
    samples, but for those whose slope the loop asks for, if there are any where it does not: they
    are the interpolates of a gradient penalty. So are those that lead to the generator, but are not
    what it made. Where no fake is known (it was cloned, scaled or concatenated), the gradients
    tell: descending the loss raises the scores of what the loop takes for real, so there they
    are negative.
    """
    leading = [call for call in calls if call.to_generator]
    fakes = [call for call in calls if call.fake] or leading
    others = [call for call in calls if not call.fake and not call.to_generator]
    labelled = [call for call in others if call.fake is False]
    plain = [call for call in others if not call.asks_slope]
    if fakes and others:
        return _turn(labelled or plain or others[:1], fakes, certain=True)
    return _by_gradient(calls)


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """The parts of a batch as one tensor; a batch that is whole is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def _joined_if_any(parts: Sequence[Tensor]) -> Tensor | None:
    return _joined(parts) if parts else None


def _slopes_of(calls: Sequence[Scored]) -> Tensor | None:
    """Gradients at the calls' outputs, joined, times their number; None where one is unknown."""
    known = [call.output_gradient for call in calls if call.output_gradient is not None]
    if not known or len(known) < len(calls):
        return None
    return torch.cat(known) * sum(gradient.numel() for gradient in known)


def _turn(real: Sequence[Scored], fake: Sequence[Scored], certain: bool) -> Turn:
    """The parts joined, where a loop accumulates several calls before a step."""
    return Turn(
        _joined([call.samples for call in real]),
        _joined([call.samples for call in fake]),
        _joined([call.output for call in real]),
        _joined([call.output for call in fake]),
        lambda: _joined([call.again() for call in real]),
        lambda: _joined([call.again() for call in fake]),
        _slopes_of(real),
        _slopes_of(fake),
        certain,
    )


def _by_gradient(calls: Sequence[Scored]) -> Turn:
    """Told by the signs of the gradients; on a GPU this waits for them."""
    known = [call for call in calls if call.output_gradient is not None]
    raised = [_share_raised(call) > 0.5 for call in known]
    real = [call for call, up in zip(known, raised, strict=True) if bool(up.all())]
    fake = [call for call, up in zip(known, raised, strict=True) if not bool(up.any())]
    if real and fake:
        return _turn(real, fake, certain=False)
    mixed = [(c, up) for c, up in zip(known, raised, strict=True) if up.any() and not up.all()]
    return _parted(*mixed[0]) if mixed else NOTHING


def _parted(call: Scored, is_real: Tensor) -> Turn:
    slopes = _slopes_of([call])
    assert slopes is not None  # by which it is parted
    half = 0.5  # a loss that is a mean over both is half the sum of a mean over each
    return Turn(
        call.samples[is_real],
        call.samples[~is_real],
        call.output[is_real],
        call.output[~is_real],
        lambda: call.again()[is_real],
        lambda: call.again()[~is_real],
        slopes[is_real] * half,
        slopes[~is_real] * half,
        mixed=True,
    )


def _share_raised(call: Scored) -> Tensor:
    """By sample, the share of its scores that a step against the gradient would raise."""
    gradient = call.output_gradient
    assert gradient is not None
    return (gradient.reshape(len(gradient), -1) < 0).float().mean(1)
