"""What a training loop passes to its networks, and which weights it cannot train.

`GradientTracker` follows the gradients of a step. `LoopEvidence` keeps the other facts about a step
that the lints in `gandiag.diagnosis.lints` need: the inputs of both networks, the weights that are
in no optimizer, scores through which no gradient can reach the generator, and penalties that are
constants for autograd.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gandiag.attachment.calls import DiscriminatorCall, DiscriminatorStep, select_rows
from gandiag.monitoring.snapshot import LoopTrace, NetworkInputs, NetworkName
from gandiag.monitoring.torch_internals import find_differentiated_tensors, has_constant_term

# Entries of each unoptimised weight that are compared with their first values. A trained weight
# changes all its entries, so a few are sufficient.
COMPARED_ENTRIES = 8
# Names of unoptimised weights that a message lists.
LISTED_NAMES = 3


class UnoptimisedWeight(NamedTuple):
    """A trainable weight that was in no optimizer when gandiag was attached.

    Attributes:
        weight: the weight; not kept alive.
        first: its first entries then, ``(n,)``.
    """

    weight: weakref.ref[nn.Parameter]
    first: Tensor


class LoopEvidence:
    """Collects the facts about the steps that are evaluated.

    Args:
        networks: both networks.
        optimizers: by network, the optimizers that step it.
    """

    def __init__(
        self,
        networks: Mapping[NetworkName, nn.Module],
        optimizers: Mapping[NetworkName, Sequence[Optimizer]],
    ) -> None:
        self._optimizers = {name: tuple(map(weakref.ref, optimizers[name])) for name in networks}
        self._unoptimised = {
            name: list_unoptimised(network, optimizers[name]) for name, network in networks.items()
        }
        self._is_cut_off = False
        self._has_constant_scores = False
        self._has_ungraphed_gradient = False
        self._has_constant_term = False
        self._has_graphed_penalty = False
        self._inputs: dict[NetworkName, NetworkInputs] = {}

    def record_constant_scores(self) -> None:
        """Note a call of D through which no gradient can flow, although gradients are enabled."""
        self._has_constant_scores = True

    def record_backward(self, call: DiscriminatorCall, adds: bool) -> None:
        """Note what a backward pass that reaches an output of D differentiates.

        Args:
            call: the call of D that returned the output.
            adds: whether the pass adds to the gradients of a network; `torch.autograd.grad` does
                not.
        """
        if call.to_generator:
            return
        if torch.is_grad_enabled():  # a penalty with a graph: others are computed for a log
            self._has_graphed_penalty |= call.needs_input_gradient
        elif not adds:
            self._has_ungraphed_gradient |= call.needs_input_gradient
        elif self._has_ungraphed_gradient:
            losses = find_differentiated_tensors()
            self._has_constant_term |= any(map(has_constant_term, losses))

    def record_discriminator_step(
        self, calls: Sequence[DiscriminatorCall], step: DiscriminatorStep
    ) -> None:
        """Note the inputs of D in its step that ends."""
        # A step that joins several batches has samples of its own, and no conditions are found.
        real = next((call for call in calls if call.samples is step.real), None)
        fake = next((call for call in calls if call.samples is step.fake), None)
        is_known = real is not None and step.has_known_split
        self._inputs["discriminator"] = NetworkInputs(
            real=step.real if is_known else None,
            real_conditions=real.conditions if real is not None else (),
            fake_conditions=fake.conditions if fake is not None else (),
        )
        self._has_constant_scores = False

    def record_generator_step(
        self,
        calls: Sequence[DiscriminatorCall],
        generated: tuple[Tensor, tuple[Any, ...], Mapping[str, Any]] | None,
    ) -> None:
        """Note D's calls since its last step, and the newest call of G with a gradient.

        Args:
            calls: D's calls.
            generated: the samples of G's call, and its positional and keyword arguments.
        """
        leading = [call for call in calls if call.to_generator]
        detached = any(call.output_gradient is not None for call in calls if not call.to_generator)
        self._is_cut_off = not leading and (detached or self._has_constant_scores)
        self._has_constant_scores = False
        conditions = next((call.conditions for call in leading), ())
        if generated is None:
            self._inputs["generator"] = NetworkInputs(fake_conditions=conditions)
            return
        samples, args, kwargs = generated
        self._inputs["generator"] = NetworkInputs(
            fake_conditions=conditions,
            generator_inputs=select_rows((*args, *kwargs.values()), samples),
            generated=samples,
        )

    def complete(self, trace: LoopTrace, network_name: NetworkName) -> LoopTrace:
        """Add the facts about the step of a network to its trace, and forget them."""
        complete = replace(
            trace,
            unoptimised=self._count_unoptimised(network_name),
            is_cut_off=network_name == "generator" and self._is_cut_off,
            has_ungraphed_penalty=(
                self._has_ungraphed_gradient
                and self._has_constant_term
                and not self._has_graphed_penalty
            ),
            inputs=self._inputs.pop(network_name, None),
        )
        self._is_cut_off = self._has_ungraphed_gradient = self._has_constant_term = False
        return complete

    def clear(self) -> None:
        """Release every tensor of the loop."""
        self._inputs.clear()

    def _count_unoptimised(self, network_name: NetworkName) -> float | Tensor:
        """Number of weights' entries that get a gradient but never change, 0-dim.

        A weight that another optimizer steps has changed; one that was added to an optimizer later
        is in its groups; one without a gradient does not belong to the loop's loss.
        """
        suspected = self._unoptimised[network_name]
        if not suspected:
            return 0.0
        optimizers = [o for reference in self._optimizers[network_name] if (o := reference())]
        optimised = _list_optimised(optimizers)
        counts = [
            _count_unchanged(weight, first)
            for reference, first in suspected
            if (weight := reference()) is not None
            and id(weight) not in optimised
            and weight.grad is not None
        ]
        return torch.stack(counts).sum() if counts else 0.0


def describe_unoptimised(
    network: nn.Module, optimizers: Sequence[Optimizer]
) -> dict[str, Any] | None:
    """The trainable weights of a network that are in none of its optimizers, for a record's facts.

    Returns:
        Number of their entries (``count``), of all trainable entries (``total``), number of
        weights (``weights``), and the first names (``names``); None without such weights.
    """
    optimised = _list_optimised(optimizers)
    trainable = {name: p for name, p in network.named_parameters() if p.requires_grad}
    missing = {name: p for name, p in trainable.items() if id(p) not in optimised}
    if not missing:
        return None
    return {
        "count": sum(p.numel() for p in missing.values()),
        "total": sum(p.numel() for p in trainable.values()),
        "weights": len(missing),
        "names": list(missing)[:LISTED_NAMES],
    }


def list_unoptimised(
    network: nn.Module, optimizers: Sequence[Optimizer]
) -> list[UnoptimisedWeight]:
    """The trainable weights of a network that are in none of the optimizers."""
    optimised = _list_optimised(optimizers)
    return [
        UnoptimisedWeight(weakref.ref(p), p.detach().flatten()[:COMPARED_ENTRIES].clone())
        for p in network.parameters()
        if p.requires_grad and id(p) not in optimised
    ]


def _list_optimised(optimizers: Sequence[Optimizer]) -> set[int]:
    """Identities of all weights in the groups of the optimizers."""
    return {id(p) for o in optimizers for group in o.param_groups for p in group["params"]}


def _count_unchanged(weight: Tensor, first: Tensor) -> Tensor:
    """Number of entries of a weight if its first ones have not changed; else 0. 0-dim."""
    current = weight.detach().flatten()[: len(first)].to(first)
    return (current == first).all() * weight.numel()
