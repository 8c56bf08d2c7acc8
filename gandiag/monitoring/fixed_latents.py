"""How far a game has moved between two looks: samples at fixed latents, and the weights."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gandiag.monitoring.forward_pass import ForwardPass
from gandiag.monitoring.snapshot import Call, Player, Snapshot, first_tensor

FIXED = 64  # fixed latents: an 8 x 8 sheet
MOVED = 32  # of them, whose motion is taken; that of all 64 costs a DCGAN's loop 0.2 % more
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
        self._moving: list[Call] = []
        self._outputs: deque[tuple[int, Tensor]] = deque()

    def add(self, batch: int, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Keep what a batch of so many samples was made from, as far as more are wanted."""
        wanted = FIXED - self.count
        self.calls.append(_first_of(Call(args, kwargs), batch, wanted))
        if self.count < MOVED:
            self._moving.append(_first_of(Call(args, kwargs), batch, MOVED - self.count))
        self.count += min(batch, wanted)

    def samples(self, generator: nn.Module) -> Tensor:
        """The generator's output at them ``(count, *shape)``, in the mode the loop left it in."""
        return _pass(generator, self.calls).output[:FIXED]

    def forward_pass(self, generator: nn.Module) -> ForwardPass:
        """Gives the generator's output at the first `MOVED` of them ``(n, *shape)``.

        Samples beyond these belong to calls that could not be cut.
        """
        return _pass(generator, self._moving)

    def displacement(self, step: int, output: Tensor) -> dict[str, Any]:
        """The snapshot's ``fixed``, and what it was `LAG` steps before, once that is known."""
        fixed = output[:MOVED]
        self._outputs.append((step, fixed))
        while len(self._outputs) > 1 and self._outputs[1][0] <= step - LAG:
            self._outputs.popleft()
        before, earlier = self._outputs[0]
        if before > step - LAG:
            return {"fixed": fixed}
        return {"fixed": fixed, "fixed_before": earlier, "fixed_steps": step - before}


class WeightSample:
    """A sample of each player's weights at the last look at them."""

    def __init__(self) -> None:
        """Begin with none."""
        self._last: dict[Player, tuple[int, Tensor]] = {}

    def displacement(self, snapshot: Snapshot) -> dict[str, Any]:
        """The snapshot's ``weights``, ``weights_before`` and ``weights_steps``."""
        now, player = _sample_of(snapshot.parameters.values()), snapshot.player
        if now is None:
            return {}
        step, before = self._last.get(player, (snapshot.step, None))
        self._last[player] = snapshot.step, now
        return {"weights": now, "weights_before": before, "weights_steps": snapshot.step - step}


def _pass(generator: nn.Module, calls: Iterable[Call]) -> ForwardPass:
    return ForwardPass(generator, *(partial(_made, generator, call) for call in calls))


def _made(generator: nn.Module, call: Call) -> Tensor:
    return first_tensor(generator(*call.args, **call.kwargs))


def _sample_of(parameters: Iterable[nn.Parameter]) -> Tensor | None:
    """Entries of the weights, evenly spread over all that are trained; None without any."""
    weights = [p.detach() for p in parameters if p.requires_grad]
    stride = max(1, sum(p.numel() for p in weights) // ENTRIES)
    parts = [p.reshape(-1)[::stride].float() for p in weights]
    return torch.cat(parts) if parts else None


def _first_of(call: Call, batch: int, wanted: int) -> Call:
    args = tuple(_first(value, batch, wanted) for value in call.args)
    return Call(args, {key: _first(value, batch, wanted) for key, value in call.kwargs.items()})


def _first(value: Any, batch: int, wanted: int) -> Any:
    """The part of an input that belongs to the first samples of a batch; others as they are."""
    if isinstance(value, Tensor):
        return value[:wanted].detach().clone() if value.ndim and len(value) == batch else value
    return value
