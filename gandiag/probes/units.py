"""Units that no longer take part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from gandiag.snapshot import Snapshot
from gandiag.undisturbed import undisturbed

__all__ = ["Units"]

UNBOUNDED = (nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Softplus)
BOUNDED = (nn.Tanh, nn.Sigmoid)
SATURATED = 0.98661  # tanh(2.5), where its slope has fallen below 0.03
STILL = 1e-6  # of the largest output: variation that float32 cannot tell from none


@dataclass(frozen=True)
class Units:
    """Hidden units that say the same to every input, and bounded units that are saturated.

    Signals, each ``/<player>``, both shares in [0, 1] of the worst layer:

    - ``dead``: units whose output does not vary over the batch.
    - ``saturated``: hidden outputs of tanh or sigmoid where the slope is below 3 % of its maximum.
      The generator's last tanh is left out: background pixels belong at its end.
    """

    uses: ClassVar[frozenset[str]] = frozenset({"latents"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Look at D on the real batch in its turn, at G on the fixed latents in its own."""
        player = snapshot.player
        if player == "generator" and snapshot.latents:
            args, kwargs = snapshot.latents[0]
            layers = _layers(snapshot.network, lambda: snapshot.network(*args, **kwargs))
        elif player == "discriminator" and snapshot.score_real is not None:
            layers = _layers(snapshot.network, snapshot.score_real)
        else:
            return {}
        if player == "generator" and layers and layers[-1][1] is not None:
            layers = layers[:-1]
        saturated = [share for _, share in layers if share is not None]
        seen: dict[str, float | Tensor] = {}
        if layers:
            seen[f"dead/{player}"] = torch.stack([dead for dead, _ in layers]).max()
        if saturated:
            seen[f"saturated/{player}"] = torch.stack(saturated).max()
        return seen


def _layers(
    network: nn.Module, look_again: Callable[[], Any]
) -> list[tuple[Tensor, Tensor | None]]:
    """By activation layer: share of dead units, and of saturated outputs if it is bounded."""
    found: list[tuple[Tensor, Tensor | None]] = []

    def look(module: nn.Module, _: Any, output: Tensor) -> None:
        flat = output.detach().flatten(1).float()
        low, high = flat.amin(0), flat.amax(0)  # a quarter of aminmax's time, a tenth of std's
        largest = torch.maximum(-low.min(), high.max())
        still = high - low <= STILL * largest
        share = None
        if isinstance(module, BOUNDED):
            level = flat if isinstance(module, nn.Tanh) else 2 * flat - 1
            share = (level.abs() > SATURATED).float().mean()
        found.append((still.float().mean(), share))

    kinds = (*UNBOUNDED, *BOUNDED)
    hooks = [m.register_forward_hook(look) for m in network.modules() if isinstance(m, kinds)]
    try:
        with undisturbed(network):
            look_again()
    finally:
        for hook in hooks:
            hook.remove()
    return found
