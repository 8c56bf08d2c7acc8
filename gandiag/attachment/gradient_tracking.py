"""What a training loop does with gradients between two optimizer steps.

The loop belongs to the user and may contain faults: gradients that were not cleared, weights that
are clipped at the wrong place, a backward pass that reaches the wrong network. `GradientTracker`
records what the lints in `gandiag.diagnosis.lints` need to detect them.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gandiag.attachment.calls import DiscriminatorStep
from gandiag.monitoring.snapshot import LoopTrace, NetworkName
from gandiag.monitoring.torch_internals import current_backward_pass, tensor_norms, tensor_version

# Backward passes recorded per step. A loop that accumulates gradients over many small batches makes
# more of them, but the later passes add nothing to the answer.
MAX_BACKWARD_PASSES = 8


class BackwardPass(NamedTuple):
    """State of the gradients when a backward pass reached an output of the discriminator.

    Attributes:
        number: number of the pass; one pass may reach several outputs, and is recorded for each.
        to_generator: whether the pass goes on to the generator.
        is_fake: whether the output belongs to known generated samples.
        gradient_norms: norm of ``.grad`` by network, for each network whose gradients no earlier
            pass of the step can have changed: what the previous step has left over.
        version: how often the first of D's gradients had been changed in place.
    """

    number: int
    to_generator: bool
    is_fake: bool
    gradient_norms: Mapping[NetworkName, Tensor]
    version: int


class OutputGradient(NamedTuple):
    """D's raw output on some samples, ``(B, ...)``, and the gradient of a loss at this output."""

    output: Tensor | None
    gradient: Tensor | None


class GradientTracker:
    """Counts the optimizer steps of both networks, and traces the steps that are evaluated."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module) -> None:
        """Trace these two networks; the tracker does not keep them alive."""
        networks = {"generator": generator, "discriminator": discriminator}
        self._networks: dict[str, weakref.ref[nn.Module]] = {
            name: weakref.ref(network) for name, network in networks.items()
        }
        self._steps: dict[str, int] = dict.fromkeys(networks, 0)
        self._passes: list[BackwardPass] = []
        self._parameters: dict[str, list[nn.Parameter]] = {}  # a cache: listing takes 40 us
        self._largest_weight: Tensor | None = None
        self._has_gradient_penalty = False

    def steps(self, network_name: NetworkName) -> int:
        """Optimizer steps of a network so far."""
        return self._steps[network_name]

    def mark_gradient_penalty(self) -> None:
        """Note that the loop asks for the gradient of D at its input, as gradient penalties do."""
        self._has_gradient_penalty = True

    def record_largest_weight(self) -> None:
        """Record D's largest weight at its first call of a discriminator step.

        A loop that clips the weights between this call and the optimizer's step has a fault.
        """
        if self._largest_weight is None:
            self._largest_weight = compute_largest_weight(self._list_parameters("discriminator"))

    def record_backward(self, to_generator: bool, is_fake: bool) -> None:
        """Record that a backward pass has reached an output of D, before it changes any ``.grad``.

        Args:
            to_generator: whether the pass goes on to the generator.
            is_fake: whether the output belongs to known generated samples.
        """
        if torch.is_grad_enabled():
            # Autograd records the pass itself (create_graph=True): the loop computes a gradient
            # penalty (Gulrajani et al. 2017), which adds to no ``.grad`` in this pass.
            self._has_gradient_penalty = True
        elif len(self._passes) < MAX_BACKWARD_PASSES:
            norms = {
                name: _compute_gradient_norm(self._list_parameters(name))
                for name in self._list_untouched(to_generator)
            }
            version = _read_gradient_version(self._list_parameters("discriminator"))
            number = current_backward_pass()
            self._passes.append(BackwardPass(number, to_generator, is_fake, norms, version))

    def trace(
        self,
        network_name: NetworkName,
        step: DiscriminatorStep,
        fake: OutputGradient,
        sign: float | Tensor,
    ) -> LoopTrace:
        """Summarise the step that ends.

        Args:
            network_name: the network that the optimizer is about to step.
            step: the discriminator's latest step.
            fake: outputs on the generated samples of the step that ends, and their gradients.
            sign: factor that turns a gradient in ``.grad`` into that of the minimised loss: -1 for
                an optimizer that maximises, over the factor of a gradient scaler.
        """
        is_discriminator = network_name == "discriminator"
        leftover = (
            recorded.gradient_norms[network_name]
            for recorded in self._passes
            if network_name in recorded.gradient_norms
        )
        return LoopTrace(
            real_output=step.real_output if is_discriminator else None,
            real_gradient=_multiply(step.real_gradient, sign) if is_discriminator else None,
            fake_output=fake.output,
            fake_gradient=_multiply(fake.gradient, sign),
            has_known_split=step.has_known_split,
            has_mixed_batch=step.has_mixed_batch,
            has_gradient_penalty=self._has_gradient_penalty,
            leftover_norm=next(leftover, None),
            has_foreign_gradients=is_discriminator and self._has_foreign_gradients(),
            largest_weight=compute_largest_weight(self._list_parameters("discriminator")),
            largest_weight_before=self._largest_weight if is_discriminator else None,
            steps=self._steps[network_name],
        )

    def count_step(self, network_name: NetworkName) -> None:
        """Count an optimizer step, where nothing was recorded for it."""
        self._steps[network_name] += 1

    def end_step(self, network_name: NetworkName) -> None:
        """Count an optimizer step and forget what was recorded for it."""
        self.count_step(network_name)
        self.clear()

    def clear(self) -> None:
        """Release every tensor."""
        self._passes.clear()
        self._parameters.clear()
        self._largest_weight = None

    def _list_untouched(self, to_generator: bool) -> Iterator[NetworkName]:
        """Networks whose gradients no earlier pass of the step can have changed.

        Every pass changes D's gradients; one that goes on to the generator changes G's, too.
        """
        if not self._passes:
            yield "discriminator"
        if to_generator and not any(recorded.to_generator for recorded in self._passes):
            yield "generator"

    def _has_foreign_gradients(self) -> bool:
        """Whether G's backward pass added to D's gradients after D's own backward pass.

        D's own pass, or passes, must have gone through its scores of real samples and of fakes
        before. The version of D's gradients tells whether G's pass changed them afterwards: a loop
        may exclude D's weights from G's pass.
        """
        for later in self._passes:
            earlier = [recorded for recorded in self._passes if recorded.number < later.number]
            is_complete = any(recorded.is_fake for recorded in earlier) and any(
                not recorded.is_fake for recorded in earlier
            )
            if later.to_generator and is_complete:
                version = _read_gradient_version(self._list_parameters("discriminator"))
                return version > later.version
        return False

    def _list_parameters(self, network_name: NetworkName) -> Sequence[nn.Parameter]:
        if network_name not in self._parameters:
            network = self._networks[network_name]()
            assert network is not None  # one of its own passes is running
            self._parameters[network_name] = list(network.parameters())
        return self._parameters[network_name]


def compute_largest_weight(parameters: Sequence[nn.Parameter]) -> Tensor | None:
    """Largest absolute entry of the weight tensors (not of biases), 0-dim; None without any."""
    weights = [p.detach() for p in parameters if p.ndim > 1 and p.numel()]
    if not weights:
        return None
    # aminmax takes a tenth of the time of the infinity norm.
    extremes = [extreme for weight in weights for extreme in torch.aminmax(weight)]
    return torch.stack(extremes).abs().max()


def descent_sign(optimizer: Optimizer) -> float:
    """1 for an optimizer that minimises the loss, -1 for one that maximises it."""
    return -1.0 if optimizer.param_groups[0].get("maximize") else 1.0


def _compute_gradient_norm(parameters: Sequence[nn.Parameter]) -> Tensor:
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return torch.zeros(())
    norm: Tensor = torch.stack(tensor_norms(gradients)).norm()
    return norm


def _read_gradient_version(parameters: Sequence[nn.Parameter]) -> int:
    """How often the first gradient was changed in place; setting ``.grad`` does not count."""
    return next((tensor_version(p.grad) for p in parameters if p.grad is not None), 0)


def _multiply(gradient: Tensor | None, factor: float | Tensor) -> Tensor | None:
    return None if gradient is None else gradient * factor
