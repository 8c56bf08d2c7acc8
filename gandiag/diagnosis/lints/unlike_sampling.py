"""Unlike sampling: the samples that a user will draw are worse than those seen in training.

The generator in evaluation mode uses the running statistics of its batch normalisation, and an
average of the weights needs these buffers, too. Where they are wrong, the losses and the samples of
the training look right, and the samples drawn afterwards do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.diagnosis import About, Diagnosis, compare_median
from gandiag.diagnosis.lints._answer import ENTER, WINDOW, report_too_early
from gandiag.diagnosis.statistics import find_onset, persistent_state
from gandiag.monitoring.signals import (
    AVERAGED_DISTANCE,
    EVALUATION_DISTANCE,
    GENERATOR_STEPS,
    TRAINING_DISTANCE,
)
from gandiag.records.record import Record

WAYS = {
    EVALUATION_DISTANCE: (
        "evaluation_mode",
        "in evaluation mode",
        "Check the momentum of its batch normalisation, which may be too small or too large for "
        "the number of steps, and batches of one sample; or draw samples in training mode.",
    ),
    AVERAGED_DISTANCE: (
        "averaged",
        "with averaged weights",
        "Copy the buffers of the batch normalisation into the average, too, and start the average "
        "with a smaller decay.",
    ),
}


@dataclass(frozen=True)
class UnlikeSampling:
    """The generator makes other samples when they are drawn than in training."""

    # Excess of the distance from the real samples, over the distance of total mode collapse. At 64
    # samples, chance explains about 0.05 of it.
    excess: float = 0.3

    condition: ClassVar[str] = "unlike_sampling"
    needs: ClassVar[frozenset[str]] = frozenset({GENERATOR_STEPS})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Compare the distances of both ways of drawing samples with that in training."""
        clear = "The generator's samples are as near to the real ones when they are drawn."
        evaluations = len(record[GENERATOR_STEPS].steps)
        if evaluations < WINDOW:
            return report_too_early(self.condition, evaluations)
        evidence = []
        for signal, (kind, way, change) in WAYS.items():
            steps, distances = record[signal]
            if len(steps) < WINDOW:
                continue
            excess = distances - record.at(TRAINING_DISTANCE, steps)
            item = compare_median(signal, excess, ">", self.excess, evaluations=WINDOW)
            evidence.append(item)
            # An average lags behind while the generator improves; then its excess shrinks.
            is_lag = np.r_[False, excess[1:] < 0.8 * excess[:-1]]
            faulty = np.asarray((excess > self.excess) & ~is_lag)
            state = persistent_state(faulty, ~faulty, ENTER, WINDOW)
            onset = find_onset(state, faulty, ENTER, WINDOW)
            if onset is not None:
                found = (
                    f"The samples that the generator makes {way} are much further from the real "
                    f"ones than those that it makes in training. {change}"
                )
                share = float(np.mean(faulty[onset:]))
                start = int(steps[onset])
                given = tuple(evidence)
                return Diagnosis(
                    self.condition, "present", found, kind, start, kind, share, given, "loop"
                )
        return Diagnosis(self.condition, "absent", clear, evidence=tuple(evidence), about="loop")
