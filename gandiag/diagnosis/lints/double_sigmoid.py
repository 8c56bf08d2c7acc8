"""Double sigmoid: the loss takes D's outputs for logits, but they are probabilities already.

This happens with ``BCEWithLogitsLoss`` after a network that ends in a sigmoid, or with two sigmoids
before ``BCELoss``. The loss then sees probabilities between 0.5 and 0.73 only. It cannot fall below
0.31 on real and 0.69 on generated samples, and all gradients are small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, Evidence
from gandiag.diagnosis.lints._answer import WINDOW, build_diagnosis, report_too_early
from gandiag.diagnosis.objective import cross_entropy_outputs
from gandiag.monitoring.signals import FAKE_OUTPUTS, REAL_OUTPUTS, SIGMOID_OUTPUT
from gandiag.records.arrays import Array
from gandiag.records.record import Record

# Range of the sigmoid of a probability: sigmoid(0) and sigmoid(1).
LOW, HIGH = 0.5, 0.7310586
# Slack of the bounds 0 and 1 in the evidence: outputs at the bounds themselves are probabilities.
SLACK = 1e-9


@dataclass(frozen=True)
class DoubleSigmoid:
    """The loss applies a sigmoid to outputs that are probabilities already."""

    # Outputs in [0, 1] are probabilities where their range over the run is larger than this: logits
    # hardly stay in [0, 1] for that long.
    spread: float = 0.2
    # Without a sigmoid layer in D, this many evaluations are needed, because the first logits may
    # be in [0, 1] by chance.
    evaluations: int = 10

    condition: ClassVar[str] = "double_sigmoid"
    needs: ClassVar[frozenset[str]] = frozenset({REAL_OUTPUTS, FAKE_OUTPUTS})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Recognise the loss on D's outputs, and compare the range of the outputs with [0, 1]."""
        steps, real = record[REAL_OUTPUTS]
        if len(steps) < WINDOW:
            return report_too_early(self.condition, len(steps))
        low, high = _find_range(real, record[FAKE_OUTPUTS].values)
        in_unit_range = low >= 0 and high <= 1
        # The recognition takes milliseconds, so it is skipped for other outputs.
        taken_for = cross_entropy_outputs(record) if in_unit_range else frozenset()
        is_long = len(steps) >= self.evaluations
        has_layer = record[SIGMOID_OUTPUT].last > 0.5
        are_probabilities = has_layer or (is_long and high - low > self.spread)
        as_logits = taken_for == {"logits"} and are_probabilities
        twice = taken_for == {"probabilities"} and low >= LOW and high <= HIGH and is_long
        kind = "probabilities_as_logits" if as_logits else "two_sigmoids"
        found = (
            "The discriminator's outputs are probabilities already, and the loss applies a sigmoid "
            "to them again. Remove the last sigmoid from the discriminator, or use a loss for "
            "probabilities."
        )
        clear = "No sigmoid is applied to the discriminator's outputs more than once."
        evidence = (
            Evidence(FAKE_OUTPUTS, low, ">", -SLACK, low >= 0, "D's smallest output"),
            Evidence(REAL_OUTPUTS, high, "<", 1 + SLACK, high <= 1, "D's largest output"),
        )
        faulty = np.full(len(steps), bool(as_logits or twice))
        return build_diagnosis(self.condition, steps, faulty, kind, found, clear, evidence)


def _find_range(*outputs: Array) -> tuple[float, float]:
    """Smallest and largest finite output; NaN where there is none."""
    finite = np.concatenate([values[np.isfinite(values)] for values in outputs])
    return (float(finite.min()), float(finite.max())) if len(finite) else (np.nan, np.nan)
