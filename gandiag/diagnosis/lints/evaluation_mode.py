"""Evaluation mode: a network is trained while its BatchNorm and dropout layers are in eval mode.

It starts with ``network.eval()`` before samples are drawn, without ``network.train()`` after it.
BatchNorm then uses its running statistics, which no longer follow the weights, and dropout is off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, compare_median
from gandiag.diagnosis.lints._answer import WINDOW, build_diagnosis, report_too_early
from gandiag.monitoring.signals import GENERATOR_STEPS
from gandiag.records.record import Record


@dataclass(frozen=True)
class EvaluationMode:
    """A network is trained with all its BatchNorm and dropout layers in evaluation mode."""

    # The bug is present where more than this share of a network's BatchNorm and dropout layers is
    # in evaluation mode; a smaller share may be a part of the network that is frozen on purpose.
    share: float = 0.999

    condition: ClassVar[str] = "evaluation_mode"
    needs: ClassVar[frozenset[str]] = frozenset({GENERATOR_STEPS})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Evaluate the mode of each network at its own optimizer steps."""
        evaluations = len(record[GENERATOR_STEPS].steps)
        if evaluations < WINDOW:
            return report_too_early(self.condition, evaluations)
        found = [self._check_network(record, name) for name in ("generator", "discriminator")]
        return next((each for each in found if each.status == "present"), found[0])

    def _check_network(self, record: Record, network: str) -> Diagnosis:
        """Check one network; a network without such layers has no signal and no bug."""
        name = f"loop/eval_mode/{network}"
        steps = record[GENERATOR_STEPS].steps
        share = record.at(name, steps)
        found = (
            f"The {network} is trained in evaluation mode: its BatchNorm and dropout layers do not "
            f"behave as in training. Call {network}.train() before its steps, for example after "
            "samples have been drawn."
        )
        clear = "Both networks are in training mode at their steps."
        evidence = (compare_median(name, share, ">", self.share, evaluations=WINDOW),)
        faulty = np.asarray(share > self.share)
        return build_diagnosis(self.condition, steps, faulty, network, found, clear, evidence)
