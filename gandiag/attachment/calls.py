"""The discriminator's calls within a turn, and which of them were on real and which on fakes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from gandiag.models.scores import ScoreFunctions


@dataclass(eq=False)  # two calls are never one
class DiscriminatorCall:
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
    rescore: Callable[[], Tensor]
    fake: bool | None
    needs_input_gradient: bool
    to_generator: bool
    is_only_input: bool
    discriminator_steps: int
    output_gradient: Tensor | None = None
    input_gradient: Tensor | None = None


class DiscriminatorStep(NamedTuple):
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
    real_gradient: Tensor | None = None
    fake_gradient: Tensor | None = None
    certain: bool = False
    mixed: bool = False


NO_STEP = DiscriminatorStep()


class FakeBatch(NamedTuple):
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
    gradient: Tensor | None
    score_gradient: Tensor | None = None
    input_gradient: Tensor | None = None
    is_current: bool = False

    @classmethod
    def from_calls(
        cls, calls: Sequence[DiscriminatorCall], reading: ScoreFunctions, steps: int
    ) -> FakeBatch:
        """Those of a generator's turn, by the discriminator's calls that lead to the generator.

        Args:
            calls: these calls, joined where a loop accumulates several before a step.
            reading: how the discriminator's output is to be read.
            steps: of the discriminator's optimizer so far.
        """
        graded = [call for call in calls if call.output_gradient is not None]
        slopes = [reading.gradient(c.output, c.output_gradient) for c in graded]  # type: ignore[arg-type]
        inputs = [call.input_gradient for call in graded if call.input_gradient is not None]
        return cls(
            _joined_if_any([call.samples for call in calls]),
            _joined_if_any([call.output for call in calls]),
            _output_gradients(graded) if len(graded) == len(calls) else None,
            _joined_if_any(slopes),
            _joined_if_any(inputs),
            all(call.is_only_input and call.discriminator_steps == steps for call in calls),
        )


def split_real_fake(calls: Sequence[DiscriminatorCall]) -> DiscriminatorStep:
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
    plain = [call for call in others if not call.needs_input_gradient]
    if fakes and others:
        return _step_of(labelled or plain or others[:1], fakes, certain=True)
    return _by_gradient(calls)


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """The parts of a batch as one tensor; a batch that is whole is not copied."""
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def _joined_if_any(parts: Sequence[Tensor]) -> Tensor | None:
    return _joined(parts) if parts else None


def _output_gradients(calls: Sequence[DiscriminatorCall]) -> Tensor | None:
    """Gradients at the calls' outputs, joined, times their number; None where one is unknown."""
    known = [call.output_gradient for call in calls if call.output_gradient is not None]
    if not known or len(known) < len(calls):
        return None
    return torch.cat(known) * sum(gradient.numel() for gradient in known)


def _step_of(
    real: Sequence[DiscriminatorCall], fake: Sequence[DiscriminatorCall], certain: bool
) -> DiscriminatorStep:
    """The parts joined, where a loop accumulates several calls before a step."""
    return DiscriminatorStep(
        _joined([call.samples for call in real]),
        _joined([call.samples for call in fake]),
        _joined([call.output for call in real]),
        _joined([call.output for call in fake]),
        lambda: _joined([call.rescore() for call in real]),
        lambda: _joined([call.rescore() for call in fake]),
        _output_gradients(real),
        _output_gradients(fake),
        certain,
    )


def _by_gradient(calls: Sequence[DiscriminatorCall]) -> DiscriminatorStep:
    """Told by the signs of the gradients; on a GPU this waits for them."""
    known = [call for call in calls if call.output_gradient is not None]
    raised = [_share_raised(call) > 0.5 for call in known]
    real = [call for call, up in zip(known, raised, strict=True) if bool(up.all())]
    fake = [call for call, up in zip(known, raised, strict=True) if not bool(up.any())]
    if real and fake:
        return _step_of(real, fake, certain=False)
    mixed = [(c, up) for c, up in zip(known, raised, strict=True) if up.any() and not up.all()]
    return _parted(*mixed[0]) if mixed else NO_STEP


def _parted(call: DiscriminatorCall, is_real: Tensor) -> DiscriminatorStep:
    slopes = _output_gradients([call])
    assert slopes is not None  # by which it is parted
    half = 0.5  # a loss that is a mean over both is half the sum of a mean over each
    return DiscriminatorStep(
        call.samples[is_real],
        call.samples[~is_real],
        call.output[is_real],
        call.output[~is_real],
        lambda: call.rescore()[is_real],
        lambda: call.rescore()[~is_real],
        slopes[is_real] * half,
        slopes[~is_real] * half,
        mixed=True,
    )


def _share_raised(call: DiscriminatorCall) -> Tensor:
    """By sample, the share of its scores that a step against the gradient would raise."""
    gradient = call.output_gradient
    assert gradient is not None
    return (gradient.reshape(len(gradient), -1) < 0).float().mean(1)
