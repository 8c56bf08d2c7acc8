"""How well the discriminator separates the same samples after its step."""

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
    """The discriminator's scores of the batches of its last step, after this step.

    Together with `Confidence`, they show how much D learned from its step. The cost is one forward
    pass of D or two: the scores of the generated batch are already known if G's loss is computed
    from the same batch.
    """

    uses: ClassVar[frozenset[str]] = frozenset()

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the numbers in a generator step, when D has completed its step."""
        if snapshot.network_name != "generator":
            return {}
        if snapshot.real_pass is None or snapshot.score_fake is None:
            return {}
        # A forward pass in train mode would update D's BatchNorm statistics a second time.
        with without_side_effects(snapshot.discriminator):
            fake = snapshot.score_fake()
        return confidence_signals(snapshot, snapshot.real_pass.output, fake)
