"""What a user's own loop does between two steps, in so far as a loop may get it wrong."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from gandiag.monitoring.probes._value_ranges import describe_ranges
from gandiag.monitoring.snapshot import LoopTrace, Snapshot
from gandiag.monitoring.torch_internals import batch_norm_layers, dropout_layers

# Weights, approximately, among which those at the clipping bound are counted: to count among
# 270,000 weights takes 0.2 ms.
CLIP_SAMPLE_SIZE = 4096
# Relative difference up to which weights are equal: clipped weights agree to float32's last digit.
TIE_TOLERANCE = 1e-6
BATCH_NORM_LAYERS = batch_norm_layers()
# Layers that behave differently in training and in evaluation mode.
LAYERS_WITH_MODES = (*BATCH_NORM_LAYERS, *dropout_layers())
# Usual names of the vector u of a power iteration: u, u0, weight_u, and so on.
POWER_ITERATION_NAME = re.compile(r"(^|[._])(weight_)?u\d*$")


@dataclass(frozen=True)
class Loop:
    """What a user's own loop does to gradients, weights and modes between two steps.

    No number is recorded of layers in evaluation mode for a network without batch normalisation and
    dropout. The share of weights at the clipping bound is computed from a sample of the weights.
    """

    uses: ClassVar[frozenset[str]] = frozenset({"loop_trace"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the numbers of the stepping network's step; none for gandiag's own loop."""
        trace = snapshot.loop_trace
        if trace is None:
            return {}
        numbers = _network_numbers(snapshot, trace) | _discriminator_numbers(snapshot, trace)
        numbers |= describe_ranges(snapshot, trace)
        return {f"{name}/{snapshot.network_name}": value for name, value in numbers.items()}


def _network_numbers(snapshot: Snapshot, trace: LoopTrace) -> dict[str, float | Tensor]:
    """Numbers of the network that is about to step."""
    trainable = [name for name, p in snapshot.parameters.items() if p.requires_grad]
    found = [snapshot.gradient_norms[n] for n in trainable if n in snapshot.gradient_norms]
    # The trace does not yet count the step that is about to happen.
    numbers: dict[str, float | Tensor] = {
        "steps": float(trace.steps + 1),
        "unoptimised": trace.unoptimised,
        "frozen": _share_frozen(snapshot.parameters.values()),
    }
    if snapshot.network_name == "generator":
        numbers["cut_off"] = float(trace.is_cut_off)
    modules = snapshot.network.modules()
    is_eval = [not m.training for m in modules if isinstance(m, LAYERS_WITH_MODES)]
    if is_eval:
        numbers["eval_mode"] = sum(is_eval) / len(is_eval)
    if not found:
        return numbers | {"without_gradient": 1.0}
    norms = torch.stack(found)
    numbers["without_gradient"] = 1 - (norms > 0).sum() / len(trainable)
    if trace.leftover_norm is not None:
        leftover = trace.leftover_norm.to(norms)
        numbers["leftover_gradient"] = leftover / norms.norm().clamp(min=1e-30)
    return numbers


def _share_frozen(parameters: Collection[nn.Parameter]) -> float:
    """Share of the parameters that require no gradient, or have none."""
    frozen = sum(not p.requires_grad or p.grad is None for p in parameters)
    return frozen / max(1, len(parameters))


def _discriminator_numbers(snapshot: Snapshot, trace: LoopTrace) -> dict[str, float | Tensor]:
    """Numbers of the discriminator; in a generator step only its largest weight."""
    network = snapshot.discriminator
    largest = trace.largest_weight
    if snapshot.network_name == "generator":
        return {} if largest is None else {"max_weight": largest}
    norms = [m for m in network.modules() if isinstance(m, BATCH_NORM_LAYERS) and m.training]
    numbers: dict[str, float | Tensor] = {
        "mixed_batch": float(trace.has_mixed_batch),
        "known_split": float(trace.has_known_split),
        "foreign_gradient": float(trace.has_foreign_gradients),
        "gradient_penalty": float(trace.has_gradient_penalty),
        "ungraphed_penalty": float(trace.has_ungraphed_penalty),
        "batch_norms": float(len(norms)),
        "spectral_norm": float(_is_spectrally_normalised(network)),
        "sigmoid": float(isinstance(last_layer(network), nn.Sigmoid)),
    }
    if largest is not None:
        numbers["max_weight"] = largest
        numbers["at_clip_bound"] = _share_at_least(network, largest * (1 - TIE_TOLERANCE))
    if trace.largest_weight_before is not None:
        numbers["max_weight_before"] = trace.largest_weight_before
    return numbers


def _share_at_least(network: nn.Module, bound: Tensor) -> Tensor:
    """Share of a sample of the weights whose absolute value is at least `bound`, 0-dim."""
    weights = [p.detach().flatten() for p in network.parameters() if p.ndim > 1 and p.numel()]
    # An odd stride: an even one could meet the same few columns of a weight matrix in each row.
    stride = sum(map(len, weights)) // CLIP_SAMPLE_SIZE | 1
    return (torch.cat([w[::stride] for w in weights]).abs() >= bound).float().mean()


def _is_spectrally_normalised(network: nn.Module) -> bool:
    """Whether a network has spectral normalisation, by the names of its tensors and layers.

    Both implementations of PyTorch keep the vector u of a power iteration, under different names.
    Third-party layers are recognised by a class name with "spectral" or with the prefix "SN".
    """
    names = (name for name, _ in _named_tensors(network))
    classes = {type(module).__name__ for module in network.modules()}
    return any(POWER_ITERATION_NAME.search(name) for name in names) or any(
        "spectral" in name.lower() or name.startswith("SN") for name in classes
    )


def _named_tensors(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from network.named_parameters()
    yield from network.named_buffers()


def last_layer(network: nn.Module) -> nn.Module | None:
    """The last layer that computes something: layers that only reshape are skipped."""
    layers = [m for m in network.modules() if not list(m.children())]
    layers = [m for m in layers if not isinstance(m, (nn.Flatten, nn.Unflatten, nn.Identity))]
    return layers[-1] if layers else None
