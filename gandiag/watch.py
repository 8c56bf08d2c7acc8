"""The watch: shows each player's turn to the probes that are due, and fills the record.

Both doors use it: gandiag's own loop hands it what it has, an attached loop what its hooks caught.
It may look at everything and change nothing: no global random draw, no BatchNorm statistic, no
train/eval flag, no gradient. A probe that raises is switched off with one warning.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from gandiag.contracts import Probe
from gandiag.record import Recorder, Row, Value
from gandiag.reference import SIZE, Reference
from gandiag.snapshot import Call, Player, Snapshot, first_tensor
from gandiag.undisturbed import undisturbed

__all__ = ["Scheduled", "Watch"]

FIXED = 64  # fixed latents: enough for a mean motion, one cheap forward pass, and an 8 x 8 sheet
LAG = 100  # generator steps over which motion is taken; samples wander, so shorter lags read higher


@dataclass
class Scheduled:
    """A probe with its name and cadence."""

    name: str
    probe: Probe
    every: int  # generator steps
    last: dict[Player, int] = field(default_factory=dict)  # step of the last look at each player
    failed: bool = False

    def due(self, step: int, player: Player) -> bool:
        """Whether it is to look at this player's turn at `step`."""
        return not self.failed and step // self.every > self.last.get(player, -1) // self.every


class Watch:
    """Watches one game.

    `step` is the number of generator steps completed; `reference` is what the real data say about
    themselves, None until `refer_to` is called.

    Args:
        probes: what to measure, and when.
        recorder: what remembers it.
        probability: scores -> P(real); None for a critic.
        flush_every: steps between two copies of the measured numbers to the host.
        sheet_every: steps between two sheets of samples, 0 for none.
        save_sheet: ``(step, samples)`` writes one.
        after_flush: ``(rows, step)`` is called with what is new; the followers and detectors hang
            on it.
    """

    def __init__(
        self,
        probes: Sequence[Scheduled],
        recorder: Recorder,
        probability: Callable[[Tensor], Tensor] | None = None,
        flush_every: int = 50,
        sheet_every: int = 0,
        save_sheet: Callable[[int, Tensor], None] | None = None,
        after_flush: Callable[[Sequence[Row], int], None] | None = None,
    ) -> None:
        self.probes = list(probes)
        self.recorder = recorder
        self.reference: Reference | None = None
        self.probability = probability
        self.step = 0
        self._flush_every = flush_every
        self._sheet_every = sheet_every
        self._save_sheet = save_sheet
        self._after_flush = after_flush
        self._pending: dict[int, dict[str, float | Tensor]] = {}
        self._recent: deque[Tensor] = deque()
        self._latents: list[Call] = []
        self._fixed_count = 0
        self._outputs: deque[tuple[int, Tensor]] = deque()
        self._flushed = -1
        self._next_sheet = 0

    def refer_to(self, reference: Reference) -> None:
        """Measure against this reference from now on."""
        self.reference = reference
        self.recorder.know(**reference.facts())

    def due(self, step: int, player: Player) -> bool:
        """Whether some probe wants this turn. Cheap: asked before every step."""
        return any(probe.due(step, player) for probe in self.probes)

    def made(self, fake: Tensor, *args: Any, **kwargs: Any) -> None:
        """Take note of a batch that the generator made in its own turn, and of its inputs.

        The first inputs become the fixed latents, so that none need to be drawn.
        """
        self._recent.append(fake.detach())
        wanted = self.reference.size if self.reference else SIZE
        while sum(len(batch) for batch in self._recent) - len(self._recent[0]) >= wanted:
            self._recent.popleft()
        if self._fixed_count < FIXED:
            wanted = FIXED - self._fixed_count
            kept = tuple(_first(value, len(fake), wanted) for value in args)
            named = {key: _first(value, len(fake), wanted) for key, value in kwargs.items()}
            self._latents.append(Call(kept, named))
            self._fixed_count += min(len(fake), wanted)

    def turn(self, snapshot: Snapshot) -> None:
        """Show a turn to the probes that are due."""
        due = [probe for probe in self.probes if probe.due(snapshot.step, snapshot.player)]
        if not due:
            return
        full = self._with_costly(snapshot, due)
        row = self._pending.setdefault(snapshot.step, {})
        for scheduled in due:
            if not scheduled.failed:
                scheduled.last[snapshot.player] = snapshot.step
                row.update(_observe(scheduled, full))

    def stepped(self, step: int, generator: nn.Module) -> None:
        """A generator step is complete: draw a sheet and flush where it is time."""
        self.step = step
        if self._sheet_every and step >= self._next_sheet and self._latents:
            self._next_sheet = (step // self._sheet_every + 1) * self._sheet_every
            self._draw_sheet(step, generator)
        if step // self._flush_every > self._flushed // self._flush_every:
            self.flush(step)

    def flush(self, step: int) -> None:
        """Move what is pending to the host in one copy, and pass it on."""
        self._flushed = step
        rows = _to_host(self._pending)
        self._pending = {}
        self.recorder.add(rows)
        if self._after_flush:
            self._after_flush(rows, step)

    def samples(self, generator: nn.Module) -> Tensor:
        """The generator's output at the fixed latents, in the mode the loop left it in."""
        with undisturbed(generator):
            outputs = [first_tensor(generator(*c.args, **c.kwargs)) for c in self._latents]
        return torch.cat(outputs)[:FIXED].detach()

    def _draw_sheet(self, step: int, generator: nn.Module) -> None:
        if self._save_sheet is None:
            return
        try:
            self._save_sheet(step, self.samples(generator))
        except Exception as error:
            self._sheet_every = 0
            _warn(f"no sheets of samples since step {step}", error)

    def _with_costly(self, snapshot: Snapshot, due: Sequence[Scheduled]) -> Snapshot:
        uses = frozenset().union(*(probe.probe.uses for probe in due))
        costly: dict[str, Any] = {"probability": self.probability, "reference": self.reference}
        generators_turn = snapshot.player == "generator"
        fixed_ready = self._fixed_count == FIXED
        if "recent" in uses and generators_turn and self._recent:
            costly["recent"] = torch.cat(list(self._recent))
        if "latents" in uses and fixed_ready:
            costly["latents"] = tuple(self._latents)
        if "fixed" in uses and generators_turn and fixed_ready:
            try:
                costly |= self._fixed(snapshot.step, snapshot.generator)
            except Exception as error:  # such as a generator that takes one batch size only
                for scheduled in due:
                    if "fixed" in scheduled.probe.uses:
                        _switch_off(scheduled, snapshot.step, error)
        return replace(snapshot, **costly)

    def _fixed(self, step: int, generator: nn.Module) -> dict[str, Any]:
        fixed = self.samples(generator)
        self._outputs.append((step, fixed))
        while len(self._outputs) > 1 and self._outputs[1][0] <= step - LAG:
            self._outputs.popleft()
        before, output = self._outputs[0]
        if before > step - LAG:
            return {"fixed": fixed}
        return {"fixed": fixed, "fixed_before": output, "fixed_steps": step - before}


def _first(value: Any, batch: int, wanted: int) -> Any:
    """The part of an input that belongs to the first samples of a batch; others as they are."""
    if isinstance(value, Tensor):
        return value[:wanted].detach().clone() if value.ndim and len(value) == batch else value
    return value


def _observe(scheduled: Scheduled, snapshot: Snapshot) -> dict[str, float | Tensor]:
    try:
        with torch.no_grad():
            seen = scheduled.probe.observe(snapshot)
        return {f"{scheduled.name}/{name}": _storable(value) for name, value in seen.items()}
    except Exception as error:  # nobody's training may end because of a probe
        _switch_off(scheduled, snapshot.step, error)
        return {}


def _storable(value: float | Tensor) -> float | Tensor:
    if not isinstance(value, Tensor):
        return float(value)
    if value.ndim > 1:
        raise TypeError(f"a number or a vector can be stored, not a {value.ndim}-dim tensor")
    return value.detach()


def _switch_off(scheduled: Scheduled, step: int, error: Exception) -> None:
    scheduled.failed = True
    _warn(f"probe {scheduled.name} is switched off since step {step}", error)


def _warn(what: str, error: Exception) -> None:
    message = f"{what}: {type(error).__name__}: {error}"
    warnings.warn(message, RuntimeWarning, stacklevel=2)


def _to_host(pending: Mapping[int, Mapping[str, float | Tensor]]) -> list[Row]:
    found = [v for row in pending.values() for v in row.values() if isinstance(v, Tensor)]
    device = next((tensor.device for tensor in found if tensor.is_cuda), None)  # probes may mix
    parts = [tensor.reshape(-1).to(device, torch.float64) for tensor in found]
    flat = iter(torch.cat(parts).tolist() if parts else ())

    def value(item: float | Tensor) -> Value:
        if not isinstance(item, Tensor):
            return float(item)
        return next(flat) if item.ndim == 0 else [next(flat) for _ in range(item.numel())]

    return [
        Row(step, {name: value(item) for name, item in row.items()})
        for step, row in sorted(pending.items())
    ]
