"""Recognises how the discriminator's output is to be read, where the user does not state it."""

from __future__ import annotations

import weakref

import numpy as np
from torch import nn

from gandiag.attachment.calls import DiscriminatorStep
from gandiag.diagnosis.objective import recognise_objectives
from gandiag.models.scores import ScoreType
from gandiag.monitoring.probes.loop import last_layer
from gandiag.monitoring.probes.objective import Objective
from gandiag.monitoring.snapshot import LoopTrace, Snapshot
from gandiag.monitoring.transfer import to_rows
from gandiag.records.record import Record, Row

# Discriminator steps after which a loss that is still unknown is not going to be recognised: 50
# evaluations are more than twice those that the recognition uses.
PATIENCE = 50
UNKNOWN = (
    "gandiag cannot recognise from the loss how the discriminator's outputs are to be read, so no "
    'probabilities are computed. Pass attach scores="logits" (a sigmoid would turn the outputs '
    'into probabilities), scores="probabilities" (the discriminator ends in a sigmoid), '
    'scores="critic" (Wasserstein, hinge, least squares) or scores="energy" (low values are real).'
)


class ScoreGuess:
    """Collects outputs and gradients of the discriminator's steps until its loss is recognised."""

    def __init__(self, discriminator: nn.Module) -> None:
        """Note whether the discriminator's last layer is a sigmoid."""
        self._discriminator = weakref.ref(discriminator)
        self._ends_in_sigmoid = isinstance(last_layer(discriminator), nn.Sigmoid)
        self._rows: list[Row] = []

    @property
    def steps(self) -> int:
        """Discriminator steps that were used so far."""
        return len(self._rows)

    def add(self, step: DiscriminatorStep) -> ScoreType | None:
        """Use one more discriminator step; return the type of the scores once it is certain."""
        trace = LoopTrace(
            step.real_output, step.real_gradient, step.fake_output, step.fake_gradient
        )
        network = self._discriminator()
        if network is None:
            return None
        snapshot = Snapshot(0, "discriminator", network, network, loop_trace=trace)
        found = Objective().observe(snapshot)
        if len(found) < 4:  # outputs and gradients, on real and on generated samples
            return None
        pairs = {f"objective/{name}": value for name, value in found.items()}
        self._rows += [Row(self.steps, row.signals) for row in to_rows({0: pairs})]
        return self._recognise(Record.from_rows(self._rows))

    def _recognise(self, record: Record) -> ScoreType | None:
        objectives = recognise_objectives(record)
        parts = [part for part in (objectives.real, objectives.fake) if part is not None]
        outputs = {part.outputs for part in parts if part.shape == "cross_entropy"}
        if outputs in ({"logits"}, {"probabilities"}):
            return "logits" if outputs == {"logits"} else "probabilities"
        names = ("outputs_real", "outputs_fake")
        values = [record[f"objective/{name}/discriminator"].values.ravel() for name in names]
        finite = np.concatenate(values)
        finite = finite[np.isfinite(finite)]
        is_inside = bool(np.all((finite >= 0) & (finite <= 1)))
        if self._ends_in_sigmoid and is_inside:
            return "probabilities"
        return "critic" if len(parts) == 2 and not outputs and not self._ends_in_sigmoid else None
