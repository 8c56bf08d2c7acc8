"""How sure the discriminator is of the same samples, once it has stepped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gandiag.monitoring.probes.confidence import confidence_signals
from gandiag.monitoring.side_effects import without_side_effects
from gandiag.monitoring.snapshot import Snapshot


@dataclass(frozen=True)
class ConfidenceAfter:
    """What D's step has made of its scores on the very batches that it learned from.

    It costs a forward pass of D, or two: what D says of the fakes is known where the generator is
    judged by the same ones.

    Signals, each ``/discriminator``: ``real``, ``fake`` and ``gap``, as in `Confidence`.
    """

    uses: ClassVar[frozenset[str]] = frozenset()

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the reading in G's turn, when D has stepped."""
        if snapshot.network_name != "generator":
            return {}
        if snapshot.real_pass is None or snapshot.score_fake is None:
            return {}
        with without_side_effects(snapshot.discriminator):
            fake = snapshot.score_fake()
        return confidence_signals(snapshot, snapshot.real_pass.output, fake)
