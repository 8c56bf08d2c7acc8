"""A sigmoid applied twice: D's probabilities go into a loss that takes them for logits.

So with ``BCEWithLogitsLoss`` after a network that ends in a sigmoid, or two sigmoids before
``BCELoss``. The probability that the loss sees then lies between 0.5 and 0.73 whatever D says: its
loss never falls below 0.31 on real and 0.69 on fake samples, and all slopes are weak.
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

LOW, HIGH = 0.5, 0.7310586  # sigmoid of 0 and of 1


@dataclass(frozen=True)
class DoubleSigmoid:
    """The loss applies a sigmoid to outputs that are probabilities already."""

    spread: float = 0.2  # of D's outputs over the run, above: logits hardly stay in [0, 1] so long
    evaluations: int = 10  # looks without a sigmoid layer in sight; some logits lie in [0, 1] by chance

    condition: ClassVar[str] = "double_sigmoid"
    needs: ClassVar[frozenset[str]] = frozenset({REAL_OUTPUTS, FAKE_OUTPUTS})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Recognise the loss on D's outputs, and see between which bounds these lie."""
        steps, real = record[REAL_OUTPUTS]
        if len(steps) < WINDOW:
            return report_too_early(self.condition, len(steps))
        fakes = record[FAKE_OUTPUTS].values
        low, high = _bounds(real, fakes)
        probable = low >= 0 and high <= 1
        readings = cross_entropy_outputs(record) if probable else frozenset()  # it takes milliseconds
        layer = record[SIGMOID_OUTPUT].last > 0.5
        sure = layer or (len(steps) >= self.evaluations and high - low > self.spread)
        as_logits = readings == {"logits"} and sure
        long_enough = len(steps) >= self.evaluations
        twice = readings == {"probabilities"} and low >= LOW and high <= HIGH and long_enough
        kind = "probabilities_as_logits" if as_logits else "two_sigmoids"
        text = (
            "The discriminator's outputs are probabilities already, and the loss applies a sigmoid "
            "to them once more. Take the last sigmoid out of the discriminator, or use a loss for "
            "probabilities."
        )
        clear = "No sigmoid is applied to the discriminator's outputs more than once."
        evidence = (
            Evidence(FAKE_OUTPUTS, low, ">", -1e-9, low >= 0, "D's smallest output"),
            Evidence(REAL_OUTPUTS, high, "<", 1 + 1e-9, high <= 1, "D's largest output"),
        )
        faulty = np.full(len(steps), bool(as_logits or twice))
        return build_diagnosis(self.condition, steps, faulty, kind, text, clear, evidence)


def _bounds(*outputs: Array) -> tuple[float, float]:
    finite = [values[np.isfinite(values)] for values in outputs]
    joined = np.concatenate(finite)
    return (float(joined.min()), float(joined.max())) if len(joined) else (np.nan, np.nan)
