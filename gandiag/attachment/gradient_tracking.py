"""What a training loop does with gradients between two optimizer steps.

The loop belongs to the user and may contain faults: gradients that were not cleared, weights that
are clipped at the wrong place, a backward pass that reaches the wrong network. `GradientTracker`
records what the lints in `gandiag.diagnosis.lints` need to detect them.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from gandiag.attachment.calls import DiscriminatorStep
from gandiag.monitoring.snapshot import LoopTrace, NetworkName
from gandiag.monitoring.torch_internals import (
    adds_to_gradient,
    current_backward_pass,
    current_graph_leaves,
    find_output_bounds,
    gradient_accumulator,
    tensor_norms,
)

# Backward passes recorded per step. A loop that accumulates gradients over many small batches makes
# more of them, but the later passes add nothing to the answer.
MAX_BACKWARD_PASSES = 8
# Parameters of each network whose gradients are observed, spread evenly from first to last layer.
# `zero_grad` clears all gradients of an optimizer, so a sample is sufficient.
SAMPLED_PARAMETERS = 8
# Nodes behind D's scores among which a parameter of D's last layers is searched. They include the
# last layer's bias or weight; a walk through the whole graph would take milliseconds.
NEAR_NODES = 50


class BackwardPass(NamedTuple):
    """State of the gradients when a backward pass reached an output of the discriminator.

    Attributes:
        number: number of the pass; one pass may reach several outputs, and is recorded for each.
        to_generator: whether the pass goes on to the generator.
        is_fake: whether the output belongs to known generated samples.
    """

    number: int
    to_generator: bool
    is_fake: bool


class Accumulation(NamedTuple):
    """State of a network's gradients immediately before a backward pass adds to them.

    Attributes:
        number: number of the backward pass.
        opponent_steps: steps of the other network's optimizers before the pass.
        norm: norm of the gradients before the pass, 0-dim; 0 where they were cleared.
    """

    number: int
    opponent_steps: int
    norm: Tensor


class OutputGradient(NamedTuple):
    """D's raw output on some samples, ``(B, ...)``, and the gradient of a loss at this output."""

    output: Tensor | None
    gradient: Tensor | None


class GradientTracker:
    """Counts the optimizer steps of both networks, and traces the steps that are evaluated."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        optimizers: Mapping[NetworkName, Sequence[Optimizer]],
        wrap_hook: Callable[[Callable[..., None]], Callable[..., None]],
    ) -> None:
        """Trace these two networks; the tracker does not keep them alive.

        Args:
            generator: makes samples.
            discriminator: scores samples.
            optimizers: by network, the optimizers that step it.
            wrap_hook: makes a function a hook that cannot end the training.
        """
        self._networks: dict[NetworkName, weakref.ref[nn.Module]] = {
            "generator": weakref.ref(generator),
            "discriminator": weakref.ref(discriminator),
        }
        self._optimizers: dict[NetworkName, list[weakref.ref[Optimizer]]] = {
            name: [weakref.ref(optimizer) for optimizer in several]
            for name, several in optimizers.items()
        }
        self._wrap_hook = wrap_hook
        self._steps: dict[NetworkName, int] = dict.fromkeys(self._networks, 0)
        self._passes: list[BackwardPass] = []
        self._parameters: dict[str, list[nn.Parameter]] = {}  # a cache: listing takes 40 us
        # Of the parameters that a network's optimizers step: a sample, the nodes that add to their
        # gradients, and what was observed since the network's own latest step.
        self._sampled: dict[NetworkName, list[nn.Parameter]] = {}
        self._nodes: dict[NetworkName, list[tuple[Node, RemovableHandle]]] = {}
        self._accumulations: dict[NetworkName, list[Accumulation]] = {
            name: [] for name in self._networks
        }
        self._passes_on_real: set[int] = set()  # numbers of passes through scores of other samples
        self._opponent_steps_before: dict[NetworkName, int] = dict.fromkeys(self._networks, 0)
        self._is_discriminator_complete = True  # whether all was observed since D's latest step
        self._is_discriminator_reached = False  # whether a pass of G's step added to D's gradients
        self._largest_weight: Tensor | None = None
        self._output_bounds: tuple[float, float] | None = None
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

    def record_output(self, samples: Tensor) -> None:
        """Record which values the last layer of the generator can compute.

        Args:
            samples: output of the generator, with its graph where it has one.
        """
        if samples.requires_grad:
            self._output_bounds = find_output_bounds(samples)

    def record_backward(self, to_generator: bool, is_fake: bool) -> None:
        """Record that a backward pass has reached an output of D.

        A pass of ``torch.autograd.grad`` is not recorded: see `adds_to_gradients`.

        Args:
            to_generator: whether the pass goes on to the generator.
            is_fake: whether the output belongs to known generated samples.
        """
        if torch.is_grad_enabled():
            # Autograd records the pass itself (create_graph=True): the loop computes a gradient
            # penalty (Gulrajani et al. 2017), which adds to no ``.grad`` in this pass.
            self._has_gradient_penalty = True
        elif len(self._passes) < MAX_BACKWARD_PASSES:
            number = current_backward_pass()
            if not to_generator and not is_fake:
                self._passes_on_real.add(number)
            self._passes.append(BackwardPass(number, to_generator, is_fake))

    def adds_to_gradients(self) -> bool:
        """Whether the backward pass that is running adds to any ``.grad`` of the two networks.

        ``torch.autograd.grad`` does not. Loops call it to log a gradient, or to compute the weight
        of a loss from a gradient (Esser et al. 2021, equation 7): no optimizer steps with it.
        """
        near = any(adds_to_gradient(leaf) for leaf in current_graph_leaves(NEAR_NODES))
        # A pass restricted by ``backward(inputs=...)`` may leave out D's last layers.
        return near or any(
            adds_to_gradient(gradient_accumulator(parameter))
            for name in self._networks
            for parameter in self._sample_parameters(name)
        )

    def observe_gradients(self, network_name: NetworkName) -> None:
        """Observe what backward passes add to the gradients that this network's optimizers use.

        To be called when the network is called. A network whose parameters are frozen at that time,
        as some loops freeze D in G's step, is observed from a later call on.
        """
        if network_name in self._nodes:
            return
        hook = self._wrap_hook(functools.partial(self._on_accumulation, network_name))
        nodes = map(gradient_accumulator, self._sample_parameters(network_name))
        observed = [(node, node.register_prehook(hook)) for node in nodes if node is not None]
        if observed:
            self._nodes[network_name] = observed

    def release_gradients(self) -> None:
        """Observe the gradients no longer, until the next call of `observe_gradients`."""
        for nodes in self._nodes.values():
            for _, handle in nodes:
                handle.remove()
        self._nodes.clear()
        self._sampled.clear()
        self._is_discriminator_complete = False
        for accumulations in self._accumulations.values():
            accumulations.clear()

    def _on_accumulation(self, network_name: NetworkName, *_: Any) -> None:
        """A backward pass is about to add to one of the sampled gradients."""
        number = current_backward_pass()
        accumulations = self._accumulations[network_name]
        if any(recorded.number == number for recorded in accumulations):
            return
        opponent_steps = self._steps[_opponent(network_name)]
        newest = [each for each in accumulations if each.opponent_steps == opponent_steps]
        if len(newest) < MAX_BACKWARD_PASSES:
            with torch.no_grad():
                norm = _compute_gradient_norm(self._sample_parameters(network_name))
            accumulations.append(Accumulation(number, opponent_steps, norm))

    def _sample_parameters(self, network_name: NetworkName) -> Sequence[nn.Parameter]:
        """A sample of the network's parameters that its optimizers step and that are not frozen."""
        if not self._sampled.get(network_name):
            optimizers = [reference() for reference in self._optimizers[network_name]]
            stepped = {
                id(parameter)
                for optimizer in optimizers
                if optimizer is not None
                for group in optimizer.param_groups
                for parameter in group["params"]
            }
            parameters = self._list_parameters(network_name)
            usable = [p for p in parameters if id(p) in stepped and p.requires_grad]
            step = max(1, (len(usable) - 1) // (SAMPLED_PARAMETERS - 1))
            self._sampled[network_name] = usable[::step]
        return self._sampled[network_name]

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
        return LoopTrace(
            real_output=step.real_output if is_discriminator else None,
            real_gradient=_multiply(step.real_gradient, sign) if is_discriminator else None,
            fake_output=fake.output,
            fake_gradient=_multiply(fake.gradient, sign),
            has_known_split=step.has_known_split,
            has_mixed_batch=step.has_mixed_batch,
            has_gradient_penalty=self._has_gradient_penalty,
            leftover_norm=self._measure_leftover(network_name),
            has_foreign_gradients=is_discriminator and self._has_foreign_gradients(),
            largest_weight=compute_largest_weight(self._list_parameters("discriminator")),
            largest_weight_before=self._largest_weight if is_discriminator else None,
            steps=self._steps[network_name],
            output_bounds=self._output_bounds,
        )

    def count_step(self, network_name: NetworkName) -> None:
        """Count an optimizer step, where nothing was recorded for it."""
        self._steps[network_name] += 1
        self._opponent_steps_before[network_name] = self._steps[_opponent(network_name)]

    def end_step(self, network_name: NetworkName) -> None:
        """Count an optimizer step and forget what was recorded for it."""
        if network_name == "generator":
            of_generator = {each.number for each in self._passes if each.to_generator}
            self._is_discriminator_reached |= any(
                each.number in of_generator - self._passes_on_real
                for each in self._accumulations["discriminator"]
            )
            self._passes_on_real.clear()
        else:
            self._is_discriminator_complete = network_name in self._nodes
        self._accumulations[network_name].clear()
        self.count_step(network_name)
        self._clear_step()

    def clear(self) -> None:
        """Release every tensor."""
        self.release_gradients()
        self._clear_step()

    def _clear_step(self) -> None:
        self._passes.clear()
        self._parameters.clear()
        self._largest_weight = None

    def _measure_leftover(self, network_name: NetworkName) -> Tensor | None:
        """Norm of the gradients in ``.grad`` that belong to no backward pass of the network's step.

        Gradients that were cleared before a pass are 0 there, so the smallest norm before a pass is
        0 where they were cleared at all.

        Returns:
            0-dim; None where no pass was observed, NaN where the passes do not decide it.
        """
        accumulations = self._accumulations[network_name]
        opponent_steps = self._steps[_opponent(network_name)]
        newest = [each for each in accumulations if each.opponent_steps == opponent_steps]
        if not accumulations:
            return None
        if network_name == "generator":
            # A loop may accumulate gradients over several steps of D. A pass of D's loss, before
            # D's step, adds to G's gradients where the samples are not detached.
            has_foreign = any(
                each.number in self._passes_on_real and each.opponent_steps < opponent_steps
                for each in accumulations
            )
            return _find_smallest(newest if newest and has_foreign else accumulations)
        if opponent_steps - self._opponent_steps_before[network_name] <= 1:
            # G's pass of the previous step is not the loop's own part of D's gradients.
            return _find_smallest(newest or accumulations)
        if self._is_discriminator_complete and not self._is_discriminator_reached:
            return _find_smallest(accumulations)
        smallest = _find_smallest(newest or accumulations)
        if self._is_discriminator_reached:
            return smallest
        # D accumulates gradients over several steps of G, and the first of its passes were before
        # the observation began: only cleared gradients are certain.
        return torch.where(smallest > 0, torch.nan, 0.0)

    def _has_foreign_gradients(self) -> bool:
        """Whether G's backward pass added to D's gradients after D's own backward pass.

        D's own pass, or passes, must have gone through its scores of real samples and of fakes
        before. A pass of D's own may go on to the generator, too, where the samples are not
        detached; it then goes through scores of real samples as well.
        """
        added = {each.number for each in self._accumulations["discriminator"]}
        for later in self._passes:
            earlier = [each for each in self._passes if each.number < later.number]
            has_real = any(not each.is_fake for each in earlier)
            has_fake = any(
                each.is_fake and (not each.to_generator or each.number in self._passes_on_real)
                for each in earlier
            )
            is_own = not later.to_generator or later.number in self._passes_on_real
            if has_real and has_fake and not is_own and later.number in added:
                return True
        return False

    def _list_parameters(self, network_name: NetworkName) -> Sequence[nn.Parameter]:
        if network_name not in self._parameters:
            network = self._networks[network_name]()
            assert network is not None  # one of its own passes is running
            self._parameters[network_name] = list(network.parameters())
        return self._parameters[network_name]


def _opponent(network_name: NetworkName) -> NetworkName:
    return "generator" if network_name == "discriminator" else "discriminator"


def _find_smallest(accumulations: Sequence[Accumulation]) -> Tensor:
    smallest: Tensor = torch.stack([each.norm for each in accumulations]).min()
    return smallest


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
        return torch.zeros((), device=parameters[0].device)
    norm: Tensor = torch.stack(tensor_norms(gradients)).norm()
    return norm


def _multiply(gradient: Tensor | None, factor: float | Tensor) -> Tensor | None:
    return None if gradient is None else gradient * factor
