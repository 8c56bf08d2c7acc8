"""The watch: shows each player's turn to the probes that are due, and fills the record.

Both doors use it: gandiag's own loop hands it what it has, an attached loop what its hooks caught.
It may look at everything and change nothing: no global random draw, no BatchNorm statistic, no
train/eval flag, no gradient. A probe that raises is switched off with one warning.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from gandiag.monitoring.distributed import Ranks
from gandiag.monitoring.history import SampleHistory
from gandiag.monitoring.reference import Reference
from gandiag.monitoring.schedule import ScheduledProbe
from gandiag.monitoring.sharing import average_messages, rank_share
from gandiag.monitoring.side_effects import without_side_effects
from gandiag.monitoring.snapshot import Player, Snapshot
from gandiag.monitoring.transfer import to_rows
from gandiag.records.record import Row
from gandiag.records.writer import Recorder

PLAYERS: tuple[Player, ...] = ("generator", "discriminator")
FAKES = "fakes"  # in a message of another rank, beside its numbers


class Watch:
    """Watches one game.

    `step` is the number of generator steps completed.

    Args:
        probes: what to measure, and when.
        recorder: what remembers it.
        probability: scores -> P(real); None for a critic.
        flush_every: steps between two copies of the measured numbers to the host.
        sample_grid_every: steps between two sheets of samples, 0 for none.
        save_sheet: ``(step, samples)`` writes one.
        after_flush: ``(rows, step)`` is called with what is new; the followers and detectors hang
            on it.
        after_step: ``(step)`` is called after each generator step, when all else is done.
        ranks: the processes that train together. Rank 0 averages what all have measured and looks
            at the fakes of all; the others only tell it theirs, and record nothing.
    """

    def __init__(
        self,
        probes: Sequence[ScheduledProbe],
        recorder: Recorder,
        probability: Callable[[Tensor], Tensor] | None = None,
        flush_every: int = 50,
        sample_grid_every: int = 0,
        save_sheet: Callable[[int, Tensor], None] | None = None,
        after_flush: Callable[[Sequence[Row], int], None] | None = None,
        after_step: Callable[[int], None] | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        self.probes = list(probes)
        self.recorder = recorder
        self.probability = probability
        self.ranks = ranks or Ranks()
        self.step = 0
        self._flush_every = flush_every
        self._sheet_every = sample_grid_every
        self._save_sheet = save_sheet
        self._after_flush = after_flush
        self._after_step = after_step
        self._pending: dict[int, dict[str, float | Tensor]] = {}
        self._history = SampleHistory()
        self._next: dict[Player, int] = {}  # step before which no probe is due
        self._flushed = -1
        self._next_sheet = 0

    def set_reference(self, reference: Reference) -> None:
        """Measure against this reference from now on."""
        self._history.reference = reference
        self.recorder.add_facts(**reference.facts())

    def due(self, step: int, player: Player) -> bool:
        """Whether some probe wants this turn. Cheap: asked before every step."""
        if step < self._next.get(player, 0):
            return False
        alone = self.ranks.count == 1  # else all ranks look, though a probe may have failed on one
        wanted = (probe for probe in self.probes if not (alone and probe.failed))
        return any(probe.due(step, player) for probe in wanted)

    def wants(self, field: str, step: int) -> bool:
        """Whether a probe that uses this field of a snapshot wants a turn at `step`."""
        users = [probe for probe in self.probes if field in probe.probe.uses]
        return any(probe.due(step, player) for probe in users for player in PLAYERS)

    def idle_until(self, ahead: int) -> int:
        """Step before which there is nothing to do but to count; not above the next one for none.

        Batches are noted again before a look, so that it has all that it needs: as many steps as
        it has batches, since a step makes one at least, and `ahead` more.
        """
        if not self._history.is_full or self._after_step is not None:
            return 0
        look = min(self._next.get(player, 0) for player in PLAYERS)
        flush = ((self._flushed - 1) // self._flush_every + 1) * self._flush_every
        sheet = self._next_sheet - 1 if self._sheet_every else look
        return min(look - self._history.recent.batches - ahead, flush, sheet)

    def add_batch(self, fake: Tensor, *args: Any, **kwargs: Any) -> None:
        """Take note of a batch that G, or its average, made in G's turn, and of its inputs.

        `fake` is ``(B, *shape)``; the other arguments are what the network was called with. The
        first of them become the fixed latents, so that none need to be drawn.
        """
        self._history.add_batch(fake, args, kwargs)

    def observe(self, snapshot: Snapshot) -> None:
        """Show a turn to the probes that are due."""
        due = [probe for probe in self.probes if probe.due(snapshot.step, snapshot.player)]
        if not due:
            return
        for scheduled in due:
            scheduled.last[snapshot.player] = snapshot.step
        self._next[snapshot.player] = min(probe.next(snapshot.player) for probe in self.probes)
        live = [probe for probe in due if not probe.failed]
        about = f"{snapshot.step}/{snapshot.player}"
        if not self.ranks.is_first:
            self.ranks.send(about, self._rank_message(snapshot, live))
            return
        heard = self.ranks.receive(about)
        snapshot = replace(snapshot, probability=self.probability)
        own = (
            without_side_effects() if snapshot.player == "generator" else nullcontext()
        )  # once for all
        with own:
            full = self._history.complete(snapshot, live, [m[FAKES] for m in heard if FAKES in m])
            row: dict[str, float | Tensor] = {}
            for scheduled in live:
                if not scheduled.failed:  # it may have just been switched off, by what it uses
                    row.update(scheduled.observe(full))
        self._pending.setdefault(snapshot.step, {}).update(average_messages(row, heard))

    def after_generator_step(self, step: int, generator: nn.Module) -> None:
        """A generator step is complete: draw a sheet and flush where it is time."""
        self.step = step
        if self._sheet_every and step >= self._next_sheet and self._history.latents.calls:
            self._next_sheet = (step // self._sheet_every + 1) * self._sheet_every
            self._save_grid(step, generator)
        if (step - 1) // self._flush_every > (self._flushed - 1) // self._flush_every:
            self.flush(step)  # once the turns that began at a multiple are over, for most looks do
        if self._after_step is not None:
            self._after_step(step)

    def flush(self, step: int) -> None:
        """Move what is pending to the host in one copy, and pass it on."""
        self._flushed = step
        rows = to_rows(self._pending)
        self._pending = {}
        self.recorder.add(rows)
        if self._after_flush:
            self._after_flush(rows, step)

    def samples(self, generator: nn.Module) -> Tensor:
        """The generator's output at the fixed latents, in the mode the loop left it in."""
        return self._history.samples(generator)

    def _save_grid(self, step: int, generator: nn.Module) -> None:
        if self._save_sheet is None:
            return
        try:
            self._save_sheet(step, self.samples(generator))
        except Exception as error:
            self._sheet_every = 0
            text = f"no sheets of samples since step {step}: {type(error).__name__}: {error}"
            warnings.warn(text, RuntimeWarning, stacklevel=2)

    def _rank_message(
        self, snapshot: Snapshot, due: Sequence[ScheduledProbe]
    ) -> dict[str, float | Tensor]:
        """What another rank than 0 tells of a turn: numbers of its own batch, and its fakes."""
        memory = self._history
        full = replace(snapshot, probability=self.probability, reference=memory.reference)
        told: dict[str, float | Tensor] = {}
        for scheduled in due:
            if scheduled.probe.uses <= {"reference", "loop_trace"}:
                told.update(scheduled.observe(full))
        wanted = any(scheduled.probe.uses & {"recent", "fake_stats"} for scheduled in due)
        if wanted and snapshot.player == "generator" and memory.recent.count:
            told[FAKES] = rank_share(
                memory.recent.newest(memory.sample_size), memory.sample_size, self.ranks.count
            )
        return told
