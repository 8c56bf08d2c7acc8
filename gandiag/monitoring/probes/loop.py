"""How somebody's own loop goes about its turns: what it may get wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from gandiag.monitoring.snapshot import LoopTrace, Snapshot

SAMPLED = 4096  # weights, or a few more; to count among 270,000 takes 0.2 ms
TIE = 1e-6  # relative; weights cut off at a bound agree to float32's last digit
MODAL = (_BatchNorm, _DropoutNd)  # layers that differ between training and not
BOUNDED_NORM = re.compile(r"(^|[._])(weight_)?u\d*$")  # the vector of a power iteration


@dataclass(frozen=True)
class Loop:
    """What a loop does to gradients, weights and modes between two steps.

    Signals, each ``/<player>`` unless said otherwise:

    - ``steps``: optimizer steps so far.
    - ``leftover_gradient``: norm of the player's gradients before its turn's first backward pass, over that
      at its step; 0 where they were cleared.
    - ``foreign_gradient/discriminator``: 1 where G's backward pass added to D's gradients after D's own.
    - ``without_gradient``: share of the parameters that want a gradient and got none, or exactly 0.
    - ``eval_mode``: share of the layers that behave differently in evaluation that are in it; none
      is recorded without such layers.
    - ``mixed_batch/discriminator``: 1 where one call held real and fake samples; ``batch_norms``:
      BatchNorm layers of D that were in training mode.
    - ``gradient_penalty/discriminator``: 1 once the loop has asked for D's slope at its input, as
      gradient penalties do; ``spectral_norm``: 1 where D's weights are spectrally normalised.
    - ``sigmoid/discriminator``: 1 where D's last layer is a sigmoid.
    - ``max_weight``: D's largest absolute weight, at D's step and, as ``max_weight/generator``, at G's;
      ``max_weight_before/discriminator``: at the forward pass of D's turn.
    - ``at_clip_bound/discriminator``: share of D's weights as large as the largest, by a sample.
    - ``known_split/discriminator``: 1 where real and fake were told apart by memory or labels.
    """

    uses: ClassVar[frozenset[str]] = frozenset({"loop_trace"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return what the acting player's turn shows."""
        conduct = snapshot.loop_trace
        if conduct is None:
            return {}
        own = _player(snapshot, conduct)
        player = snapshot.network_name
        seen = {f"{name}/{player}": value for name, value in own.items()}
        critic = _critic(snapshot, conduct)
        return seen | {f"{name}/{player}": value for name, value in critic.items()}


def _player(snapshot: Snapshot, conduct: LoopTrace) -> dict[str, float | Tensor]:
    network = snapshot.network
    wanted = [name for name, p in snapshot.parameters.items() if p.requires_grad]
    found = [snapshot.gradient_norms[n] for n in wanted if n in snapshot.gradient_norms]
    seen: dict[str, float | Tensor] = {"steps": float(conduct.steps + 1)}
    modes = [not m.training for m in network.modules() if isinstance(m, MODAL)]
    if modes:
        seen["eval_mode"] = sum(modes) / len(modes)
    if not found:
        return seen | {"without_gradient": 1.0}
    norms = torch.stack(found)
    seen["without_gradient"] = 1 - (norms > 0).sum() / len(wanted)
    if conduct.leftover_norm is not None:
        seen["leftover_gradient"] = conduct.leftover_norm.to(norms) / norms.norm().clamp(min=1e-30)
    return seen


def _critic(snapshot: Snapshot, conduct: LoopTrace) -> dict[str, float | Tensor]:
    network = snapshot.discriminator
    largest = conduct.largest_weight
    if snapshot.network_name == "generator":
        return {} if largest is None else {"max_weight": largest}
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.training]
    seen: dict[str, float | Tensor] = {
        "mixed_batch": float(conduct.has_mixed_batch),
        "known_split": float(conduct.has_known_split),
        "foreign_gradient": float(conduct.has_foreign_gradients),
        "gradient_penalty": float(conduct.has_gradient_penalty),
        "batch_norms": float(len(norms)),
        "spectral_norm": float(_is_normalised(network)),
        "sigmoid": float(isinstance(_last_layer(network), nn.Sigmoid)),
    }
    if largest is not None:
        seen |= {"max_weight": largest, "at_clip_bound": _share_tied(network, largest * (1 - TIE))}
    if conduct.largest_weight_before is not None:
        seen["max_weight_before"] = conduct.largest_weight_before
    return seen


def _share_tied(network: nn.Module, gate: Tensor) -> Tensor:
    """Share of the weights whose absolute value reaches the gate, by an even sample of them."""
    weights = [p.detach().flatten() for p in network.parameters() if p.ndim > 1 and p.numel()]
    stride = sum(map(len, weights)) // SAMPLED | 1  # odd: an even one may stay in a few columns
    return (torch.cat([w[::stride] for w in weights]).abs() >= gate).float().mean()


def _is_normalised(network: nn.Module) -> bool:
    """Whether spectral normalisation is there: by torch's two ways, or by its usual names."""
    names = (name for name, _ in _named(network))
    kinds = {type(module).__name__ for module in network.modules()}
    return any(BOUNDED_NORM.search(name) for name in names) or any(
        "spectral" in kind.lower() or kind.startswith("SN") for kind in kinds
    )


def _named(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from network.named_parameters()
    yield from network.named_buffers()


def _last_layer(network: nn.Module) -> nn.Module | None:
    """The last layer that computes: what only reshapes is passed over."""
    layers = [m for m in network.modules() if not list(m.children())]
    layers = [m for m in layers if not isinstance(m, (nn.Flatten, nn.Unflatten, nn.Identity))]
    return layers[-1] if layers else None
