"""The discriminator's calls within a discriminator step, split into real and generated samples."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

RECENT_BATCHES = 8  # generated batches to remember: the fakes that D sees next are among them


@dataclass(eq=False)  # calls are compared by identity: their tensors have no truth value
class DiscriminatorCall:
    """One call of the discriminator by the training loop.

    Attributes:
        samples: the samples that D scored, ``(B, *shape)``, detached.
        output: D's raw output, ``(B, ...)``, detached.
        rescore: computes the scores again, with D's weights at that time.
        is_fake: True for generated samples, False for samples that the user labelled as real, None
            if unknown.
        needs_input_gradient: whether the loop asks for the gradient of D at the samples, as
            gradient penalties do.
        to_generator: whether a gradient can flow through the samples to the generator.
        is_only_input: whether the samples are the only input of the call (no labels).
        discriminator_steps: steps of D's optimizer before the call.
        conditions: D's other inputs that have one row for each sample, detached.
        output_gradient: gradient of the loss at `output` in the latest backward pass through it.
        input_gradient: gradient of the loss at `samples`, likewise.
    """

    samples: Tensor
    output: Tensor
    rescore: Callable[[], Tensor]
    is_fake: bool | None
    needs_input_gradient: bool
    to_generator: bool
    is_only_input: bool
    discriminator_steps: int
    conditions: tuple[Tensor, ...] = ()
    output_gradient: Tensor | None = None
    input_gradient: Tensor | None = None


class FakeRegistry:
    """Recognises generated samples by their memory, and labelled ones by the user's labels.

    Attributes:
        fakes: the latest generated batches ``(B, *shape)``, detached. They are kept alive, so that
            no other tensor can take over their address.
    """

    def __init__(self) -> None:
        """Start without batches and labels."""
        self.fakes: deque[Tensor] = deque(maxlen=RECENT_BATCHES)
        self._labels: deque[tuple[Tensor, bool]] = deque(maxlen=RECENT_BATCHES)

    def label(self, real: Tensor | None, fake: Tensor | None) -> None:
        """Remember that a tensor holds real or generated samples, see `Attachment.label`."""
        for tensor, is_fake in ((real, False), (fake, True)):
            if tensor is not None:
                self._labels.append((tensor, is_fake))

    def select_samples(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor | None:
        """The samples among the inputs of a discriminator call; None if there is no tensor.

        The first tensor that has the shape of generated samples is chosen, else the first one of a
        floating-point type: class labels are integers.
        """
        tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
        shape = self.fakes[-1].shape[1:] if self.fakes else None
        shaped = [tensor for tensor in tensors if tensor.shape[1:] == shape]
        floating = [tensor for tensor in tensors if tensor.is_floating_point()]
        return next(iter(shaped or floating), None)

    def is_fake(self, samples: Tensor) -> bool | None:
        """True for generated samples, False for those labelled as real, None if unknown."""
        address = _storage_address(samples)
        for tensor, is_fake in self._labels:
            if _storage_address(tensor) == address:
                return is_fake
        return True if any(_storage_address(fake) == address for fake in self.fakes) else None

    def clear(self) -> None:
        """Release every tensor."""
        self.fakes.clear()
        self._labels.clear()


class DiscriminatorStep(NamedTuple):
    """The real and the generated samples of one discriminator step, with their outputs.

    Attributes:
        real: real samples, ``(B, *shape)``.
        fake: generated samples, ``(B, *shape)``.
        real_output: D's raw output on `real`, ``(B, ...)``.
        fake_output: D's raw output on `fake`, ``(B, ...)``.
        score_real: computes the scores of `real` again, with D's weights at that time.
        score_fake: computes the scores of `fake` again.
        real_gradient: gradient of the loss at `real_output`, times the number of outputs: for a
            loss that is a mean over the batch, the derivative of each sample's own loss.
        fake_gradient: the gradient at `fake_output`, likewise.
        has_known_split: whether memory or labels identified the fakes, not the gradients' signs.
        has_mixed_batch: whether one call of D scored both real and generated samples.
    """

    real: Tensor | None = None
    fake: Tensor | None = None
    real_output: Tensor | None = None
    fake_output: Tensor | None = None
    score_real: Callable[[], Tensor] | None = None
    score_fake: Callable[[], Tensor] | None = None
    real_gradient: Tensor | None = None
    fake_gradient: Tensor | None = None
    has_known_split: bool = False
    has_mixed_batch: bool = False


NO_STEP = DiscriminatorStep()


def split_real_fake(calls: Sequence[DiscriminatorCall]) -> DiscriminatorStep:
    """Find the real and the generated samples among the calls of a discriminator step.

    Three rules, in this order:

    1. Calls on known fakes (by memory or label), else calls through which a gradient could flow to
       the generator, are on generated samples.
    2. The other calls are on real samples: those that the user labelled as real, else those
       without a gradient at the input, else the first call. A gradient at the input means that the
       call scores the interpolates of a gradient penalty (Gulrajani et al. 2017). Calls that lead
       to the generator without being on a known fake are left out: they score interpolates whose
       fakes were not detached.

       Calls whose scores are in D's loss are preferred: a loop may score samples to log their
       scores, or the gradient at them, which no optimizer steps with.
    3. Without known fakes (a loop has cloned, scaled or concatenated them), the signs of the
       gradients decide: a descent step raises the scores of the samples that the loop calls real,
       so the gradient at their outputs is negative.
    """
    leading = [call for call in calls if call.to_generator]
    fakes = [call for call in calls if call.is_fake] or leading
    others = [call for call in calls if not call.is_fake and not call.to_generator]
    labelled = [call for call in others if call.is_fake is False]
    plain = [call for call in others if not call.needs_input_gradient]
    if fakes and others:
        real = labelled or plain or _select_in_loss(others)[:1]
        return _join_calls(_select_in_loss(real), _select_in_loss(fakes), has_known_split=True)
    return _split_by_gradient(calls)


def select_rows(values: Iterable[Any], samples: Tensor) -> tuple[Tensor, ...]:
    """The tensors among the inputs of a call that have one row for each sample, detached.

    Args:
        values: the inputs.
        samples: the samples of the call, ``(B, *shape)``; left out where they are an input.
    """
    return tuple(
        value.detach()
        for value in values
        if isinstance(value, Tensor)
        and value is not samples
        and value.ndim
        and len(value) == len(samples)
    )


def join_batches(batches: Sequence[Tensor]) -> Tensor | None:
    """The batches as one tensor; None without any. A single batch is not copied."""
    if not batches:
        return None
    return batches[0] if len(batches) == 1 else torch.cat(list(batches))


def join_output_gradients(calls: Sequence[DiscriminatorCall]) -> Tensor | None:
    """Gradients at the calls' outputs, joined, times their number; None where one is unknown."""
    known = [call.output_gradient for call in calls if call.output_gradient is not None]
    if not known or len(known) < len(calls):
        return None
    return torch.cat(known) * sum(gradient.numel() for gradient in known)


def _join_calls(
    real: Sequence[DiscriminatorCall], fake: Sequence[DiscriminatorCall], has_known_split: bool
) -> DiscriminatorStep:
    """Join several calls, as a loop that accumulates gradients over small batches makes them."""
    return DiscriminatorStep(
        real=join_batches([call.samples for call in real]),
        fake=join_batches([call.samples for call in fake]),
        real_output=join_batches([call.output for call in real]),
        fake_output=join_batches([call.output for call in fake]),
        score_real=lambda: _rescore(real),
        score_fake=lambda: _rescore(fake),
        real_gradient=join_output_gradients(real),
        fake_gradient=join_output_gradients(fake),
        has_known_split=has_known_split,
    )


def _select_in_loss(calls: Sequence[DiscriminatorCall]) -> Sequence[DiscriminatorCall]:
    """The calls that a loss was differentiated through; all calls where there is none."""
    return [call for call in calls if call.output_gradient is not None] or calls


def _rescore(calls: Sequence[DiscriminatorCall]) -> Tensor:
    scores = join_batches([call.rescore() for call in calls])
    assert scores is not None  # a discriminator step is joined from one call or more
    return scores


def _split_by_gradient(calls: Sequence[DiscriminatorCall]) -> DiscriminatorStep:
    """Rule 3 of `split_real_fake`. On a GPU, the host waits for the gradients here."""
    known = [call for call in calls if call.output_gradient is not None]
    raised = [_share_raised(call) > 0.5 for call in known]
    real = [call for call, up in zip(known, raised, strict=True) if bool(up.all())]
    fake = [call for call, up in zip(known, raised, strict=True) if not bool(up.any())]
    if real and fake:
        return _join_calls(real, fake, has_known_split=False)
    mixed = [(c, up) for c, up in zip(known, raised, strict=True) if up.any() and not up.all()]
    return _split_batch(*mixed[0]) if mixed else NO_STEP


def _split_batch(call: DiscriminatorCall, is_real: Tensor) -> DiscriminatorStep:
    """Split one call on real and generated samples by a mask ``(B,)``."""
    gradients = join_output_gradients([call])
    assert gradients is not None  # the mask was made of them
    # A mean over the whole batch is half the sum of the means over its two (equal) parts.
    half = 0.5
    return DiscriminatorStep(
        real=call.samples[is_real],
        fake=call.samples[~is_real],
        real_output=call.output[is_real],
        fake_output=call.output[~is_real],
        score_real=lambda: call.rescore()[is_real],
        score_fake=lambda: call.rescore()[~is_real],
        real_gradient=gradients[is_real] * half,
        fake_gradient=gradients[~is_real] * half,
        has_mixed_batch=True,
    )


def _share_raised(call: DiscriminatorCall) -> Tensor:
    """For each sample, the share of its outputs that a descent step would raise, ``(B,)``."""
    gradient = call.output_gradient
    assert gradient is not None
    return (gradient.reshape(len(gradient), -1) < 0).float().mean(1)


def _storage_address(tensor: Tensor) -> int:
    """Address of a tensor's memory: the same for all its views, and for its detached tensor."""
    return tensor.untyped_storage().data_ptr()
