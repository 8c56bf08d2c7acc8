"""A snapshot of one training step: the only input of a probe."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, is_dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from gandiag.monitoring.forward_pass import ForwardPass
from gandiag.monitoring.reference import Reference
from gandiag.monitoring.sample_metrics import FakeStats
from gandiag.monitoring.torch_internals import tensor_norms

NetworkName = Literal["generator", "discriminator"]


class Call(NamedTuple):
    """The arguments of one call of a network, or of one of its methods.

    Attributes:
        args: positional arguments.
        kwargs: keyword arguments.
        method: name of the method; ``__call__`` for a call of the network itself.
    """

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    method: str = "__call__"


def first_tensor(output: Any) -> Tensor:
    """A network's output, or the first tensor in it where a network returns several values.

    Raises:
        TypeError: the output contains no tensor.
    """
    if isinstance(output, Tensor):
        return output
    # Generators may return a tuple such as (images, latents), or a dictionary or dataclass of them.
    fields = vars(output) if is_dataclass(output) else output
    parts = fields.values() if isinstance(fields, Mapping) else fields
    if isinstance(parts, Iterable):
        for part in parts:
            if isinstance(part, Tensor):
                return part
    raise TypeError(
        f"no tensor in an output of type {type(output).__name__}; the generator's forward must "
        "return its samples as a tensor, or as the first tensor of a tuple or dictionary"
    )


@dataclass(frozen=True, slots=True)
class NetworkInputs:
    """What a user's own loop passes to the networks in a step. Every tensor is detached.

    Attributes:
        real: in a discriminator step, the real samples, ``(B, *shape)``; None where D scored them
            in several calls, or where they are not known for certain.
        real_conditions: in a discriminator step, D's inputs with one row for each sample, beside
            the real samples: labels, for example.
        fake_conditions: these inputs beside the generated samples of the step.
        generator_inputs: in a generator step, G's inputs with one row for each sample.
        generated: in a generator step, G's output for these inputs, ``(B, *shape)``.
    """

    real: Tensor | None = None
    real_conditions: tuple[Tensor, ...] = ()
    fake_conditions: tuple[Tensor, ...] = ()
    generator_inputs: tuple[Tensor, ...] = ()
    generated: Tensor | None = None


@dataclass(frozen=True, slots=True)
class LoopTrace:
    """What a user's own loop did during a step, in so far as a loop may get it wrong.

    The stepping network is the one whose optimizer is about to step.

    Attributes:
        real_output: D's raw output on the real batch of its step, ``(B, ...)``.
        real_gradient: dL_D/d`real_output` as D's optimizer descends it, times the number of
            outputs, so that it is the derivative of a loss that is a mean over the batch.
        fake_output: D's raw output on the generated batch of this step, ``(B, ...)``.
        fake_gradient: dL/d`fake_output` of the stepping network's loss, times the number of
            outputs.
        has_known_split: whether real and generated samples were identified by their tensors'
            memory or by the user, not by the signs of the gradients.
        has_mixed_batch: whether one call of D had both real and generated samples.
        has_gradient_penalty: whether the loop has computed D's gradient at its input so far, as
            gradient penalties do.
        leftover_norm: norm of the stepping network's gradients before the first backward pass of
            its step, 0-dim; None where no backward pass was observed.
        has_foreign_gradients: whether the other network's backward pass added to these gradients
            between this network's own backward pass and its step.
        largest_weight: largest absolute weight of D now, 0-dim.
        largest_weight_before: largest absolute weight of D at the forward pass of D's step, 0-dim.
        steps: optimizer steps of the stepping network so far.
        unoptimised: number of entries of the stepping network's weights that get a gradient, but
            are in none of its optimizers and have never changed, 0-dim.
        is_cut_off: whether D scored samples in a generator step, and none of the scores can pass a
            gradient on to the generator.
        has_ungraphed_penalty: whether D's gradient at its input was computed without a graph
            (``create_graph``) in a discriminator step whose loss has a constant term.
        inputs: what the loop passed to the networks; None where no call was observed.
        output_bounds: least and largest value that G's last layer can compute: -1 and 1 for a
            hyperbolic tangent, 0 and 1 for a sigmoid; None for other layers.
    """

    real_output: Tensor | None = None
    real_gradient: Tensor | None = None
    fake_output: Tensor | None = None
    fake_gradient: Tensor | None = None
    has_known_split: bool = False
    has_mixed_batch: bool = False
    has_gradient_penalty: bool = False
    leftover_norm: Tensor | None = None
    has_foreign_gradients: bool = False
    largest_weight: Tensor | None = None
    largest_weight_before: Tensor | None = None
    steps: int = 0
    unoptimised: float | Tensor = 0.0
    is_cut_off: bool = False
    has_ungraphed_penalty: bool = False
    inputs: NetworkInputs | None = None
    output_bounds: tuple[float, float] | None = None


@dataclass(frozen=True)
class Snapshot:
    """One step of one network: after its backward passes, before its optimizer step. Read only.

    A field is None where the loop cannot provide it. Every tensor is detached and stays on its
    device. "This step" is the step of the network `network_name`.

    Attributes:
        step: generator steps completed before this step.
        network_name: the network that is about to step. Only this network's ``.grad`` is
            meaningful: the generator's backward pass also adds to the discriminator's.
        generator: the network that generates samples.
        discriminator: the network that scores samples.
        evaluated_generator: the network that generated `recent` and `fixed`: a running average of
            the generator's weights where the loop keeps one; None for the generator itself.
        real: the real batch of D's last step, ``(B, *shape)``; like `fake`, without instance noise.
        fake: generated batch, ``(B, *shape)``: in a discriminator step the batch that D scored, in
            a generator step the batch from which G's loss is computed.
        real_scores: D's output on `real` in its last step, ``(B, ...)``.
        fake_scores: D's output on `fake` in this step, ``(B, ...)``.
        real_pass: scores `real` again, with D's current weights.
        score_fake: scores the generated batch of D's last step again, with D's current weights; to
            be called within `gandiag.monitoring.side_effects.without_side_effects`.
        score_gradient: in a generator step, dL_G/dscores, with the shape of `fake_scores`.
        input_gradient: in a generator step, dL_G/dfake, with the shape of `fake`.
        probability: function from scores to P(real); None for a Wasserstein critic.
        loss: the loss that the network minimises in this step, 0-dim.
        recent: the newest generated samples of the loop, ``(n, *shape)``, newest last; where the
            loop averages the generator, samples of the average from the same latents.
        fake_stats: the newest of these samples compared with the real data, as many as
            `Reference.sample_size`; None while there are fewer.
        latents: calls of the generator that generate the fixed samples; empty until complete.
        fixed_pass: generates the first fixed samples, with the generator's current weights.
        fixed: output of `evaluated_generator` at the first fixed latents, ``(k, *shape)``.
        fixed_before: this output at the newest evaluation that is at least 100 steps old, None
            before there is one.
        fixed_steps: generator steps between `fixed_before` and `fixed`.
        sampled: samples ``(k, *shape)`` at the fixed latents by the way of drawing: ``training``,
            ``evaluation`` (mode) and ``averaged``; None where there is one way only.
        reference: reference statistics of the real data.
        gradient_scale: factor that is still in ``.grad`` where the optimizer's step itself divides
            by the loss scale (fused optimizers under `torch.amp.GradScaler`); else 1.
        weights: a sample of the stepping network's weights, ``(n,)``.
        weights_before: this sample at the last evaluation, None at the first one.
        weights_steps: generator steps between `weights_before` and `weights`.
        loop_trace: what the loop did during this step; None for gandiag's own loop.
    """

    step: int
    network_name: NetworkName
    generator: nn.Module
    discriminator: nn.Module
    evaluated_generator: nn.Module | None = None
    real: Tensor | None = None
    fake: Tensor | None = None
    real_scores: Tensor | None = None
    fake_scores: Tensor | None = None
    real_pass: ForwardPass | None = None
    score_fake: Callable[[], Tensor] | None = None
    score_gradient: Tensor | None = None
    input_gradient: Tensor | None = None
    probability: Callable[[Tensor], Tensor] | None = None
    loss: Tensor | None = None
    recent: Tensor | None = None
    fake_stats: FakeStats | None = None
    latents: tuple[Call, ...] = ()
    fixed_pass: ForwardPass | None = None
    fixed: Tensor | None = None
    fixed_before: Tensor | None = None
    fixed_steps: int = 0
    sampled: Mapping[str, Tensor] | None = None
    reference: Reference | None = None
    gradient_scale: float | Tensor = 1.0
    weights: Tensor | None = None
    weights_before: Tensor | None = None
    weights_steps: int = 0
    loop_trace: LoopTrace | None = None

    @property
    def network(self) -> nn.Module:
        """The network that is about to step."""
        return self.generator if self.network_name == "generator" else self.discriminator

    @functools.cached_property
    def parameters(self) -> Mapping[str, nn.Parameter]:
        """Parameters of the stepping network by name.

        Cached, as walking through the modules of a network takes 20 us or more.
        """
        return dict(self.network.named_parameters())

    @functools.cached_property
    def gradient_norms(self) -> Mapping[str, Tensor]:
        """Euclidean norm of each parameter's ``.grad``, 0-dim, by name; without missing gradients.

        The norms still contain `gradient_scale`.
        """
        # The dictionary keeps the order of `parameters`: layers are compared from first to last.
        gradients = {n: p.grad for n, p in self.parameters.items() if p.grad is not None}
        if not gradients:
            return {}
        with torch.no_grad():
            return dict(zip(gradients, tensor_norms(list(gradients.values())), strict=True))
