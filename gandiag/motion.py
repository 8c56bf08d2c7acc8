"""How far a game has moved between two looks: samples at fixed latents, and the weights."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from gandiag.snapshot import Call, Player, Snapshot, first_tensor
from gandiag.undisturbed import undisturbed

__all__ = ["FixedLatents", "Weights"]

FIXED = 64  # fixed latents: enough for a mean motion, one cheap forward pass, and an 8 x 8 sheet
LAG = 100  # generator steps over which motion is taken; samples wander, so shorter lags read higher
ENTRIES = 4096  # of a network's weights, spread evenly; their motion stands for that of all


class FixedLatents:
    """The first inputs that the loop itself gave its generator, so that none need to be drawn.

    Attributes:
        calls: calls of the generator with these inputs.
        count: how many samples they make, at most `FIXED`.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.calls: list[Call] = []
        self.count = 0
        self._outputs: deque[tuple[int, Tensor]] = deque()

    def keep(self, batch: int, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Keep what a batch of so many samples was made from, as far as more are wanted."""
        wanted = FIXED - self.count
        kept = tuple(_first(value, batch, wanted) for value in args)
        named = {key: _first(value, batch, wanted) for key, value in kwargs.items()}
        self.calls.append(Call(kept, named))
        self.count += min(batch, wanted)

    def samples(self, generator: nn.Module) -> Tensor:
        """The generator's output at them ``(count, *shape)``, in the mode the loop left it in."""
        with undisturbed(generator):
            outputs = [first_tensor(generator(*c.args, **c.kwargs)) for c in self.calls]
        return torch.cat(outputs)[:FIXED].detach()

    def moved(self, step: int, generator: nn.Module) -> dict[str, Any]:
        """The snapshot's ``fixed``, and what it was `LAG` steps before, once that is known."""
        fixed = self.samples(generator)
        self._outputs.append((step, fixed))
        while len(self._outputs) > 1 and self._outputs[1][0] <= step - LAG:
            self._outputs.popleft()
        before, output = self._outputs[0]
        if before > step - LAG:
            return {"fixed": fixed}
        return {"fixed": fixed, "fixed_before": output, "fixed_steps": step - before}


class Weights:
    """A sample of each player's weights at the last look at them."""

    def __init__(self) -> None:
        """Begin with none."""
        self._last: dict[Player, tuple[int, Tensor]] = {}

    def moved(self, snapshot: Snapshot) -> dict[str, Any]:
        """The snapshot's ``weights``, ``weights_before`` and ``weights_steps``."""
        now, player = _sample_of(snapshot.network), snapshot.player
        if now is None:
            return {}
        step, before = self._last.get(player, (snapshot.step, None))
        self._last[player] = snapshot.step, now
        return {"weights": now, "weights_before": before, "weights_steps": snapshot.step - step}


def _sample_of(network: nn.Module) -> Tensor | None:
    """Entries of the weights, evenly spread over all that are trained; None without any."""
    weights = [p.detach() for p in network.parameters() if p.requires_grad]
    stride = max(1, sum(p.numel() for p in weights) // ENTRIES)
    parts = [p.reshape(-1)[::stride].float() for p in weights]
    return torch.cat(parts) if parts else None


def _first(value: Any, batch: int, wanted: int) -> Any:
    """The part of an input that belongs to the first samples of a batch; others as they are."""
    if isinstance(value, Tensor):
        return value[:wanted].detach().clone() if value.ndim and len(value) == batch else value
    return value
