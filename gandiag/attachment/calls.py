"""The discriminator's calls within a discriminator step, split into real and generated samples."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gandiag.attachment.outputs import Role, energy_gradient, join_heads

RECENT_BATCHES = 8  # generated batches to remember: the fakes that D sees next are among them


@dataclass(eq=False)  # calls are compared by identity: their tensors have no truth value
class DiscriminatorCall:
    """One call of the discriminator by the training loop.

    Attributes:
        samples: the samples that D scored, ``(B, *shape)``, detached.
        output: D's raw output, ``(B, ...)``, detached; several heads as ``(B, n)``.
        rescore: computes the scores again, with D's weights at that time.
        is_fake: True for generated samples, False for samples that the user labelled as real, None
            if unknown.
        needs_input_gradient: whether the loop asks for the gradient of D at the samples, as
            gradient penalties do.
        to_generator: whether a gradient can flow through the samples to the generator.
        is_output: whether the samples are, by their memory, what the generator returned.
        is_only_input: whether the samples are the only input of the call (no labels).
        discriminator_steps: steps of D's optimizer before the call.
        conditions: D's other inputs that have one row for each sample, detached.
        residual: D's output minus its input, ``(B, *shape)``, where D is an autoencoder, whose
            mean squared error is `output`; else None.
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
    is_output: bool = False
    conditions: tuple[Tensor, ...] = ()
    residual: Tensor | None = None
    output_gradient: Tensor | None = None
    input_gradient: Tensor | None = None
    _head_gradients: dict[int, Tensor] = field(default_factory=dict)

    def add_output_gradient(self, head: int, heads: Sequence[Tensor], gradient: Tensor) -> None:
        """Store the gradient of the loss at one head; heads without one have the gradient 0.

        Losses are means over each head and sums over heads. The gradients of a small head are
        larger for this reason alone; they are scaled to those of a mean over all heads.

        Args:
            head: index of the head.
            heads: outputs of all heads of the call, detached.
            gradient: dL/dhead, with the shape of this head.
        """
        if self.residual is not None:
            self.output_gradient = energy_gradient(self.residual, gradient)
            return
        if len(heads) == 1:
            self.output_gradient = gradient.detach()
            return
        share = gradient.numel() / sum(each.numel() for each in heads)
        self._head_gradients[head] = gradient.detach() * share
        self.output_gradient = join_heads(
            [self._head_gradients.get(i, torch.zeros_like(each)) for i, each in enumerate(heads)]
        )


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
        self._place: int | str | None = None  # of the samples among D's inputs, once it is known

    def label(self, real: Tensor | None, fake: Tensor | None) -> None:
        """Remember that a tensor holds real or generated samples, see `Attachment.label`."""
        for tensor, is_fake in ((real, False), (fake, True)):
            if tensor is not None:
                self._labels.append((tensor, is_fake))

    def select_samples(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor | None:
        """The samples among the inputs of a discriminator call; None if they are not known.

        Candidates are the tensors that have the shape of generated samples, else those of a
        floating-point type: class labels are integers. Of several inputs of that shape, as where D
        scores an image together with the image that it was made from, generated samples are known
        by their memory or by their path to the generator; real samples are the input at the same
        place.
        """
        inputs = _list_tensors(args, kwargs)
        shaped = self._select_shaped(inputs)
        if len(shaped) < 2:
            floating = [tensor for tensor in inputs.values() if tensor.is_floating_point()]
            return next(iter([*shaped.values(), *floating]), None)
        known = [place for place, tensor in shaped.items() if self._is_generated(tensor)]
        self._place = known[0] if known else self._place
        return None if self._place is None else shaped.get(self._place)

    def select_pair(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> dict[Role | None, Tensor]:
        """Real and generated samples of a call that takes both; empty if there are no two inputs.

        Without known generated samples among them, the real ones come first.
        """
        inputs = _list_tensors(args, kwargs)
        candidates = self._select_shaped(inputs) or inputs
        if len(candidates) < 2:
            return {}
        real, fake, *_ = candidates.values()
        if self._is_generated(real) and not self._is_generated(fake):
            real, fake = fake, real
        return {"real": real, "fake": fake}

    def _select_shaped(self, inputs: Mapping[int | str, Tensor]) -> dict[int | str, Tensor]:
        shape = self.fakes[-1].shape[1:] if self.fakes else None
        return {place: each for place, each in inputs.items() if each.shape[1:] == shape}

    def _is_generated(self, samples: Tensor) -> bool:
        return bool(self.is_fake(samples)) or (samples.requires_grad and not samples.is_leaf)

    def is_fake(self, samples: Tensor) -> bool | None:
        """True for generated samples, False for those labelled as real, None if unknown."""
        address = _storage_address(samples)
        for tensor, is_fake in self._labels:
            if _storage_address(tensor) == address:
                return is_fake
        return True if self.is_output(samples) else None

    def is_output(self, samples: Tensor) -> bool:
        """Whether the samples share their memory with an output of the generator."""
        address = _storage_address(samples)
        return any(_storage_address(fake) == address for fake in self.fakes)

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
    3. Without known fakes (a loop has cloned, scaled or concatenated them), the gradients decide:
       the loss asks for higher scores of the samples that the loop calls real. Of several calls,
       those whose gradients are smaller at the same score are on real samples; in a single call,
       the samples with negative gradients are, as a descent step raises their scores.
    """
    leading = [call for call in calls if call.to_generator]
    fakes = [call for call in calls if call.is_fake] or leading
    others = [call for call in calls if not call.is_fake and not call.to_generator]
    labelled = [call for call in others if call.is_fake is False]
    plain = [call for call in others if not call.needs_input_gradient]
    if fakes and others:
        real = labelled or plain or _select_in_loss(others)[:1]
        if len(real) > 1 and not labelled:
            real = _exclude_fakes(real, fakes)
        return _join_calls(_select_in_loss(real), _select_in_loss(fakes), has_known_split=True)
    return _split_by_gradient(calls)


def is_penalty_alone(calls: Sequence[DiscriminatorCall]) -> bool:
    """Whether a discriminator step has nothing but a gradient penalty, as in StyleGAN2.

    Such a step scores real samples, generated ones or interpolates, but not two kinds of them.
    """
    is_needed = bool(calls) and all(call.needs_input_gradient for call in calls)
    return is_needed and split_real_fake(calls) is NO_STEP


def _exclude_fakes(
    others: Sequence[DiscriminatorCall], fakes: Sequence[DiscriminatorCall]
) -> Sequence[DiscriminatorCall]:
    """Those of several other calls that the loss does not move like known generated samples.

    A loop may score copies of generated samples, such as those of a replay buffer, besides.
    """
    known = [call for call in (*fakes, *others) if call.output_gradient is not None]
    is_real = _compare_calls(known) if len(known) > 1 else None
    if is_real is None:
        return others
    real = [call for call, is_low in zip(known, is_real, strict=True) if is_low]
    # Where the loss asks for higher scores of known fakes, the comparison says nothing.
    is_consistent = real and not any(call in fakes for call in real)
    return real if is_consistent else others


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
    plain = [call for call in known if not call.needs_input_gradient] or known
    if len(plain) > 1:
        return _split_calls(plain)
    for call in plain:
        is_raised = _share_raised(call) > 0.5
        if is_raised.any() and not is_raised.all():
            return _split_batch(call, is_raised)
    return NO_STEP


def _split_calls(calls: Sequence[DiscriminatorCall]) -> DiscriminatorStep:
    """Split several calls by the scores that the loss asks for."""
    is_real = _compare_calls(calls)
    if is_real is None:
        return NO_STEP
    real = [call for call, is_low in zip(calls, is_real, strict=True) if is_low]
    fake = [call for call, is_low in zip(calls, is_real, strict=True) if not is_low]
    return _join_calls(real, fake, has_known_split=False)


def _compare_calls(calls: Sequence[DiscriminatorCall]) -> list[bool] | None:
    """`compare_targets` of several calls with gradients at their outputs."""
    gradients = [join_output_gradients([call]) for call in calls]
    known = [gradient for gradient in gradients if gradient is not None]
    return compare_targets([call.output for call in calls], known)


def compare_targets(outputs: Sequence[Tensor], gradients: Sequence[Tensor]) -> list[bool] | None:
    """Which of several batches the loss asks higher outputs of; None if it is unknown.

    The sign of a gradient is not sufficient: least squares lowers the scores of real samples that
    are above their target. The losses of GANs are convex in the score, with about the same second
    derivative b for both parts (0 for a linear loss). So gradient - b * score, the gradient at the
    score 0, tells the parts apart: at the same score, it is smaller on real samples.

    Args:
        outputs: D's raw outputs on each batch.
        gradients: of the loss at these outputs, times their number.
    """
    scores = [output.float().flatten() for output in outputs]
    flat = [gradient.float().flatten() for gradient in gradients]
    # The second derivative within the calls; between them the targets differ.
    centred = [score - score.mean() for score in scores]
    variance = torch.stack([each.square().sum() for each in centred]).sum()
    products = [(a * b).sum() for a, b in zip(centred, flat, strict=True)]
    curvature = (torch.stack(products).sum() / variance.clamp(min=1e-12)).clamp(min=0)
    rests = [gradient - curvature * score for gradient, score in zip(flat, scores, strict=True)]
    levels = torch.stack([rest.mean() for rest in rests])
    spread = torch.stack([(rest - rest.mean()).abs().mean() for rest in rests]).max()
    low, high = levels.min(), levels.max()
    # Calls that differ by less than their own values do belong to one kind of samples: there is no
    # split, as with a hinge loss whose margins are all satisfied.
    if not bool(high - low > spread):
        return None
    answers: list[bool] = (levels < (low + high) / 2).tolist()
    return answers


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


def _list_tensors(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[int | str, Tensor]:
    """The tensors among the inputs of a call, by position or name."""
    inputs: tuple[tuple[int | str, Any], ...] = (*enumerate(args), *kwargs.items())
    return {place: value for place, value in inputs if isinstance(value, Tensor)}


def _storage_address(tensor: Tensor) -> int:
    """Address of a tensor's memory: the same for all its views, and for its detached tensor."""
    return tensor.untyped_storage().data_ptr()
