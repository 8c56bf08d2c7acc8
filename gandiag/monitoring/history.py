"""What is remembered of a game from look to look, and what of it a probe is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from gandiag.monitoring.fixed_latents import FIXED, FixedLatents, WeightSample
from gandiag.monitoring.recent_fakes import RecentFakes
from gandiag.monitoring.reference import SIZE, Reference
from gandiag.monitoring.schedule import ScheduledProbe
from gandiag.monitoring.sharing import merge_shares
from gandiag.monitoring.snapshot import Snapshot


class SampleHistory:
    """Newest fakes, fixed latents and the weights at the last look.

    Attributes:
        reference: what the real data say about themselves; None while that is not known.
        recent: the newest fakes.
        latents: what the fixed samples are made from.
    """

    def __init__(self) -> None:
        """Remember nothing yet."""
        self.reference: Reference | None = None
        self.recent = RecentFakes()
        self.latents = FixedLatents()
        self._weights = WeightSample()

    @property
    def sample_size(self) -> int:
        """How many fakes are compared at a time."""
        return self.reference.size if self.reference else SIZE

    @property
    def is_full(self) -> bool:
        """Whether there are as many fakes and latents as are wanted."""
        return self.recent.count >= self.sample_size and self.latents.count == FIXED

    def add_batch(self, fake: Tensor, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Take note of a batch ``(B, *shape)`` and of what it was made from."""
        self.recent.add(fake.detach(), self.sample_size)
        if self.latents.count < FIXED:
            self.latents.add(len(fake), args, kwargs)

    def samples(self, generator: nn.Module) -> Tensor:
        """The generator's output at the fixed latents, in the mode the loop left it in."""
        return self.latents.samples(generator)

    def complete(
        self, snapshot: Snapshot, due: Sequence[ScheduledProbe], others: Sequence[Tensor] = ()
    ) -> Snapshot:
        """The snapshot with what the probes that are due use, and no more: it takes time.

        A probe that uses what cannot be had is switched off.

        Args:
            snapshot: of a turn.
            due: who will be shown it.
            others: newest fakes of other processes.
        """
        found: dict[str, Any] = {"reference": self.reference}
        if snapshot.player == "generator" and self.latents.count == FIXED:
            found["fixed_pass"] = self.latents.forward_pass(snapshot.generator)
        base = replace(snapshot, **found)
        if any("activations" in scheduled.probe.uses for scheduled in due):
            for asked in (base.fixed_pass, base.real_pass):
                if asked is not None:
                    asked.watch()
        ways: dict[str, Callable[[], Mapping[str, Any]]] = {
            "recent": lambda: self._recent(base, others),
            "fake_stats": lambda: self._placed(base, others),
            "weights": lambda: self._weights.displacement(base),
            "latents": self._calls,
            "fixed": lambda: self._fixed(base),
        }
        for field, way in ways.items():
            users = [scheduled for scheduled in due if field in scheduled.probe.uses]
            try:
                found |= way() if users else {}
            except Exception as error:  # a generator of one batch size, an embedding that fails
                for scheduled in users:
                    scheduled.switch_off(snapshot.step, error)
        return replace(base, **found)

    def _recent(self, snapshot: Snapshot, others: Sequence[Tensor]) -> dict[str, Any]:
        if snapshot.player != "generator" or not self.recent.count:
            return {}
        return {
            "recent": merge_shares(self.recent.newest(self.sample_size), others, self.sample_size)
        }

    def _placed(self, snapshot: Snapshot, others: Sequence[Tensor]) -> dict[str, Any]:
        if snapshot.player != "generator" or not self.recent.count or self.reference is None:
            return {}
        return {"fake_stats": self.recent.stats(self.reference, others)}

    def _calls(self) -> dict[str, Any]:
        return {"latents": tuple(self.latents.calls)} if self.latents.count == FIXED else {}

    def _fixed(self, snapshot: Snapshot) -> dict[str, Any]:
        made = snapshot.fixed_pass
        if made is None:
            return {}
        if snapshot.evaluated_generator is not None:
            made = self.latents.forward_pass(snapshot.evaluated_generator)
        return self.latents.displacement(snapshot.step, made.output)
