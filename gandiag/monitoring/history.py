"""What is kept between evaluations, and the snapshot fields that are computed from it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from gandiag.monitoring.distributed import merge_shares
from gandiag.monitoring.fixed_latents import FIXED_LATENTS, FixedLatents, WeightSample
from gandiag.monitoring.recent_fakes import RecentFakes
from gandiag.monitoring.reference import SAMPLE_SIZE, Reference
from gandiag.monitoring.schedule import ScheduledProbe
from gandiag.monitoring.side_effects import in_evaluation_mode
from gandiag.monitoring.snapshot import Call, Snapshot
from gandiag.monitoring.torch_internals import batch_norm_layers, dropout_layers

# Layers that behave differently in training and in evaluation mode.
LAYERS_WITH_MODES = (*batch_norm_layers(), *dropout_layers())


class SampleHistory:
    """The newest generated samples, the fixed latents, and the weights at the last evaluation.

    Attributes:
        reference: reference statistics of the real data; None before they are computed.
        recent_fakes: the newest generated samples.
        latents: the fixed latents.
        averaged: the user's average of the generator's weights; None without one.
        has_comparable_samples: whether `recent_fakes` are comparable with the reference.
        has_comparable_outputs: whether what G generates at the fixed latents is, too.
    """

    def __init__(self) -> None:
        """Start without samples."""
        self.reference: Reference | None = None
        self.recent_fakes = RecentFakes()
        self.latents = FixedLatents()
        self.averaged: weakref.ref[nn.Module] | None = None
        self.has_comparable_samples = self.has_comparable_outputs = True
        self._weights = WeightSample()

    @property
    def sample_size(self) -> int:
        """Number of generated samples that are compared at a time."""
        return self.reference.sample_size if self.reference else SAMPLE_SIZE

    @property
    def is_full(self) -> bool:
        """Whether all samples and fixed latents that are needed have been collected."""
        return self.recent_fakes.count >= self.sample_size and self.latents.count == FIXED_LATENTS

    def add_batch(self, fake: Tensor, call: Call) -> None:
        """Add a generated batch ``(B, *shape)`` and the call that generated it."""
        self.add_samples(fake)
        self.add_latents(len(fake), call)

    def add_samples(self, fake: Tensor) -> None:
        """Add a batch ``(B, *shape)`` of samples to those that are compared with real ones."""
        self.recent_fakes.add(fake.detach(), self.sample_size)

    def add_latents(self, batch: int, call: Call) -> None:
        """Add a call that generated `batch` samples to the fixed latents, if some are missing."""
        if self.latents.count < FIXED_LATENTS:
            self.latents.add(batch, call)

    def forget_samples(self) -> None:
        """Forget the generated samples: those that are added from now on are something else."""
        self.recent_fakes = RecentFakes()

    def generate_samples(self, generator: nn.Module) -> Tensor:
        """Generate the fixed samples ``(count, *shape)``, in the generator's current mode."""
        return self.latents.generate_samples(generator)

    def state(self) -> dict[str, Any]:
        """All that decides the further snapshots, except the reference, for `load_state`."""
        return {
            "recent_fakes": self.recent_fakes.state(),
            "latents": self.latents.state(),
            "weights": self._weights.state(),
        }

    def load_state(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go on with the history that gave this `state`."""
        self.recent_fakes.load_state(state["recent_fakes"], device)
        self.latents.load_state(state["latents"], device)
        self._weights.load_state(state["weights"], device)

    def complete_snapshot(
        self, snapshot: Snapshot, due: Sequence[ScheduledProbe], others: Sequence[Tensor] = ()
    ) -> Snapshot:
        """Add the fields that the due probes use; other fields are not computed, to save time.

        If a field cannot be computed, the probes that use it are switched off.

        Args:
            snapshot: the snapshot of a step.
            due: the probes that will be evaluated.
            others: newest generated samples of other processes.
        """
        found: dict[str, Any] = {"reference": self.reference}
        # Forward passes are cheap to prepare: they are computed only if a probe reads their output.
        if snapshot.network_name == "generator" and self.latents.count == FIXED_LATENTS:
            found["fixed_pass"] = self.latents.build_forward_pass(snapshot.generator)
        base = replace(snapshot, **found)
        if any("activations" in scheduled.probe.uses for scheduled in due):
            for forward_pass in (base.fixed_pass, base.real_pass):
                if forward_pass is not None:
                    forward_pass.record_activations()
        # Functions, not values: only those whose field a due probe uses are called.
        compute_fields: dict[str, Callable[[], Mapping[str, Any]]] = {
            "recent": lambda: self._recent(base, others),
            "fake_stats": lambda: self._fake_stats(base, others),
            "weights": lambda: self._weights.update_displacement(base),
            "latents": self._latents,
            "sampled": lambda: self._sampled(base),
            "fixed": lambda: self._fixed(base),
        }
        for field, compute in compute_fields.items():
            users = [scheduled for scheduled in due if field in scheduled.probe.uses]
            try:
                found |= compute() if users else {}
            except Exception as error:  # such as a generator with a fixed batch size
                for scheduled in users:
                    scheduled.switch_off(snapshot.step, error)
        return replace(base, **found)

    def _recent(self, snapshot: Snapshot, others: Sequence[Tensor]) -> dict[str, Any]:
        if snapshot.network_name != "generator" or not self.recent_fakes.count:
            return {}
        newest = self.recent_fakes.select_newest(self.sample_size)
        return {"recent": merge_shares(newest, others, self.sample_size)}

    def _fake_stats(self, snapshot: Snapshot, others: Sequence[Tensor]) -> dict[str, Any]:
        if snapshot.network_name != "generator" or self.reference is None:
            return {}
        if not self.recent_fakes.count or not self.has_comparable_samples:
            return {}
        return {"fake_stats": self.recent_fakes.update_stats(self.reference, others)}

    def _latents(self) -> dict[str, Any]:
        return {"latents": tuple(self.latents.calls)} if self.latents.count == FIXED_LATENTS else {}

    def _sampled(self, snapshot: Snapshot) -> dict[str, Any]:
        """Samples as the user will draw them, beside those in training."""
        if snapshot.network_name != "generator" or self.latents.count < FIXED_LATENTS:
            return {}
        if self.reference is None or not self.has_comparable_outputs:
            return {}
        generator = snapshot.generator
        averaged = None if self.averaged is None else self.averaged()
        ways: dict[str, nn.Module] = {} if averaged is None else {"averaged": averaged}
        if any(isinstance(module, LAYERS_WITH_MODES) for module in generator.modules()):
            ways["evaluation"] = generator
        if not ways:
            return {}
        found = {"training": self.generate_samples(generator)}
        for way, network in ways.items():
            with in_evaluation_mode(network):
                found[way] = self.generate_samples(network)
        return {"sampled": found}

    def _fixed(self, snapshot: Snapshot) -> dict[str, Any]:
        forward_pass = snapshot.fixed_pass
        if forward_pass is None or not self.has_comparable_outputs:
            return {}
        if snapshot.evaluated_generator is not None:
            # The displacement is that of the network whose samples the user keeps.
            forward_pass = self.latents.build_forward_pass(snapshot.evaluated_generator)
        return self.latents.update_displacement(snapshot.step, forward_pass.output)
