"""The watch: passes each network's step to the probes that are due, and fills the record.

Both entry points use it: gandiag's own loop passes its tensors, an attached loop those that its
hooks collected. The watch changes nothing of the training: no global random state, no BatchNorm
statistic, no train or eval flag, no gradient. A probe that raises an exception is switched off with
one warning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from gandiag.monitoring.distributed import Message, Ranks, average_messages, rank_share
from gandiag.monitoring.history import SampleHistory
from gandiag.monitoring.reference import Reference
from gandiag.monitoring.schedule import ScheduledProbe
from gandiag.monitoring.side_effects import without_side_effects
from gandiag.monitoring.snapshot import Call, NetworkName, Snapshot
from gandiag.monitoring.transfer import to_rows
from gandiag.plugins.errors import warn_user
from gandiag.records.record import Row
from gandiag.records.writer import Recorder

NETWORKS: tuple[NetworkName, ...] = ("generator", "discriminator")
# Key of the generated samples in a message of another rank; all other keys are signals.
FAKES = "fakes"


class Watch:
    """Watches one training run.

    Attributes:
        step: number of generator steps completed.
        history: the newest generated samples, the fixed latents, and the reference.

    Args:
        probes: the probes with their schedules.
        recorder: stores the measured numbers.
        probability: function from scores to P(real); None for a Wasserstein critic.
        flush_every: generator steps between two copies of the measured numbers to the host.
        sample_grid_every: generator steps between two sample grids; 0 for no grids.
        save_sample_grid: ``(step, samples)`` saves the samples of one grid.
        after_flush: ``(rows, step)`` is called with the new rows of the record; live reporters and
            the online monitor use it.
        after_step: ``(step)`` is called at the end of each generator step.
        ranks: the processes that train together. Rank 0 averages the numbers of all ranks and
            evaluates the samples of all; the other ranks send theirs and record nothing.
    """

    def __init__(
        self,
        probes: Sequence[ScheduledProbe],
        recorder: Recorder,
        probability: Callable[[Tensor], Tensor] | None = None,
        flush_every: int = 50,
        sample_grid_every: int = 0,
        save_sample_grid: Callable[[int, Tensor], None] | None = None,
        after_flush: Callable[[Sequence[Row], int], None] | None = None,
        after_step: Callable[[int], None] | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        self.probes = list(probes)
        self.recorder = recorder
        self.probability = probability
        self.ranks = ranks or Ranks()
        for scheduled in self.probes:
            # All ranks must evaluate a probe at the same steps, whatever its time on one of them.
            scheduled.has_budget = scheduled.has_budget and self.ranks.count == 1
        self.step = 0
        self._flush_every = flush_every
        self._grid_every = sample_grid_every
        self._save_grid = save_sample_grid
        self._after_flush = after_flush
        self._after_step = after_step
        self._pending: dict[int, dict[str, float | Tensor]] = {}  # by step and signal
        self.history = SampleHistory()
        self._next: dict[NetworkName, int] = {}  # step before which no probe is due
        self._last_flush = -1
        self._next_grid = 0

    def set_reference(self, reference: Reference) -> None:
        """Compare the samples with this reference from now on, and store its facts."""
        self.history.reference = reference
        self.recorder.add_facts(**reference.to_facts())

    def is_due(self, step: int, network_name: NetworkName) -> bool:
        """Whether a probe is due for this network; cheap, as it is called before every step."""
        if step < self._next.get(network_name, 0):
            return False
        # With several ranks, all evaluate at the same steps, though a probe may fail on one only.
        is_alone = self.ranks.count == 1
        active = (probe for probe in self.probes if not (is_alone and probe.is_switched_off))
        return any(probe.is_due(step, network_name) for probe in active)

    def is_field_due(self, field: str, step: int) -> bool:
        """Whether a probe that uses this field of a snapshot is due at `step` for any network."""
        users = [probe for probe in self.probes if field in probe.probe.uses]
        return any(probe.is_due(step, name) for probe in users for name in NETWORKS)

    def idle_until(self, ahead: int) -> int:
        """Step before which the watch needs no calls but the count of steps.

        Collecting batches begins before the next evaluation, so that the samples are complete
        then: as many steps before as there are batches, since each step adds at least one batch.

        Args:
            ahead: further steps that the caller needs before an evaluation.

        Returns:
            A generator step; not later than the next step if nothing can be skipped.
        """
        if not self.history.is_full or self._after_step is not None:
            return 0
        evaluation = min(self._next.get(name, 0) for name in NETWORKS)
        flush = ((self._last_flush - 1) // self._flush_every + 1) * self._flush_every
        grid = self._next_grid - 1 if self._grid_every else evaluation
        return min(evaluation - self.history.recent_fakes.batch_count - ahead, flush, grid)

    def add_batch(self, fake: Tensor, *args: Any, **kwargs: Any) -> None:
        """Add a batch that G, or the average of its weights, generated in a generator step.

        Args:
            fake: ``(B, *shape)`` generated samples.
            *args: positional arguments of the call that generated them. Those of the first calls
                become the fixed latents, so that gandiag draws no random numbers.
            **kwargs: keyword arguments of that call.
        """
        self.add_call(fake, Call(args, kwargs))

    def add_call(self, fake: Tensor, call: Call) -> None:
        """Add a generated batch ``(B, *shape)`` like `add_batch`, with the call that made it."""
        self.history.add_batch(fake, call)

    def observe(self, snapshot: Snapshot) -> None:
        """Evaluate the probes that are due at this step."""
        step, name = snapshot.step, snapshot.network_name
        due = [probe for probe in self.probes if probe.is_due(step, name)]
        if not due:
            return
        # Before any evaluation: the schedule continues even if a probe raises an exception.
        for scheduled in due:
            scheduled.last_steps[name] = step
        self._next[name] = min(probe.next_step(name) for probe in self.probes)
        active = [probe for probe in due if not probe.is_switched_off]
        about = f"{step}/{name}"
        if not self.ranks.is_first:
            self.ranks.send(about, self._rank_message(snapshot, active))
            return
        messages = self.ranks.receive(about)
        row = self._evaluate(replace(snapshot, probability=self.probability), active, messages)
        # Both networks' numbers of a step share one row of the record.
        self._pending.setdefault(step, {}).update(average_messages(row, messages))

    def after_generator_step(self, step: int, generator: nn.Module) -> None:
        """Save a sample grid and flush where it is time, after generator step number `step`."""
        self.step = step
        if self._grid_every and step >= self._next_grid and self.history.latents.calls:
            self._next_grid = (step // self._grid_every + 1) * self._grid_every
            self._save_sample_grid(step, generator)
        # A flush comes one step after a multiple of `flush_every`: most evaluations are at
        # multiples, and theirs are complete then.
        if (step - 1) // self._flush_every > (self._last_flush - 1) // self._flush_every:
            self.flush(step)
        if self._after_step is not None:
            self._after_step(step)

    def flush(self, step: int) -> None:
        """Copy the pending numbers to the host at once, record them, and pass them on."""
        self._last_flush = step
        rows = to_rows(self._pending)
        self._pending = {}
        self.recorder.add(rows)
        if self._after_flush:
            self._after_flush(rows, step)

    def generate_samples(self, generator: nn.Module) -> Tensor:
        """Generate the fixed samples ``(count, *shape)``, in the generator's current mode."""
        return self.history.generate_samples(generator)

    def state(self) -> dict[str, Any]:
        """All that decides the further measurements, for `load_state`; call it between two steps.

        The measurements since the last flush are part of it.
        """
        return {
            "step": self.step,
            "pending": self._pending,
            "history": self.history.state(),
            "next": self._next,
            "last_flush": self._last_flush,
            "grids": [self._grid_every, self._next_grid],
            "probes": [
                [probe.last_steps, probe.every, probe.is_switched_off, probe.notice]
                for probe in self.probes
            ],
        }

    def load_state(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go on with the measurements of the watch that gave this `state`."""
        self.step, self._pending = state["step"], state["pending"]
        self.history.load_state(state["history"], device)
        self._next, self._last_flush = state["next"], state["last_flush"]
        self._grid_every, self._next_grid = state["grids"]
        for probe, (last_steps, every, is_switched_off, notice) in zip(
            self.probes, state["probes"], strict=True
        ):
            probe.last_steps, probe.every = last_steps, every
            probe.is_switched_off, probe.notice = is_switched_off, notice

    def _evaluate(
        self, snapshot: Snapshot, active: Sequence[ScheduledProbe], messages: Sequence[Message]
    ) -> dict[str, float | Tensor]:
        """Numbers of the active probes, by ``probe/quantity/network``."""
        # Most forward passes are made in generator steps: the random states are saved once for all.
        is_generator_step = snapshot.network_name == "generator"
        row: dict[str, float | Tensor] = {}
        noticed = {scheduled.name: scheduled.notice for scheduled in active}
        with without_side_effects() if is_generator_step else nullcontext():
            others = [message[FAKES] for message in messages if FAKES in message]
            complete = self.history.complete_snapshot(snapshot, active, others)
            for scheduled in active:
                # Completing the snapshot switches probes off whose fields cannot be computed.
                if not scheduled.is_switched_off:
                    row.update(scheduled.observe(complete))
        for scheduled in active:
            if scheduled.notice != noticed[scheduled.name]:
                text = f"The {scheduled.notice}."
                self.recorder.add_limit(f"probe {scheduled.name}", text, [scheduled.name])
        return row

    def _save_sample_grid(self, step: int, generator: nn.Module) -> None:
        if self._save_grid is None:
            return
        try:
            self._save_grid(step, self.generate_samples(generator))
        except Exception as error:  # such as a generator with a fixed batch size, or a full disk
            self._grid_every = 0
            warn_user(f"no sample grids since step {step}: {type(error).__name__}: {error}")

    def _rank_message(
        self, snapshot: Snapshot, active: Sequence[ScheduledProbe]
    ) -> dict[str, float | Tensor]:
        """The message of a rank other than 0: numbers of its own batch, and its samples.

        Probes that use samples of more than one batch are evaluated on rank 0 only, with the
        samples of all ranks.
        """
        history = self.history
        complete = replace(snapshot, probability=self.probability, reference=history.reference)
        message: dict[str, float | Tensor] = {}
        for scheduled in active:
            if scheduled.probe.uses <= {"reference", "loop_trace"}:
                message.update(scheduled.observe(complete))
        uses_samples = any(scheduled.probe.uses & {"recent", "fake_stats"} for scheduled in active)
        if uses_samples and snapshot.network_name == "generator" and history.recent_fakes.count:
            newest = history.recent_fakes.select_newest(history.sample_size)
            message[FAKES] = rank_share(newest, history.sample_size, self.ranks.count)
        return message
