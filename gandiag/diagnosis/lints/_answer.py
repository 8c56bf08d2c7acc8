"""The diagnosis of a lint: present once three of the last four evaluations show the bug."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis.diagnosis import Diagnosis, Evidence
from gandiag.diagnosis.statistics import find_onset, persistent_state
from gandiag.records.arrays import Bools

# Evaluations that must show the bug, of the last WINDOW. A bug of the code shows at every
# evaluation, so few are sufficient; one may differ because of an unusual batch.
ENTER, WINDOW = 3, 4


def build_diagnosis(
    condition: str,
    steps: NDArray[np.int64],
    faulty: Bools,
    kind: str,
    found: str,
    clear: str,
    evidence: tuple[Evidence, ...] = (),
) -> Diagnosis:
    """Build the diagnosis of a bug from the evaluations that show it.

    The severity of a present bug is the share of evaluations since its onset that show it.

    Args:
        condition: name of the bug.
        steps: ``(n,)`` of the evaluations.
        faulty: ``(n,)`` whether each evaluation shows the bug.
        kind: failure type and cause, if the bug is present.
        found: the summary if the bug is present: what is wrong, and how to correct it.
        clear: the summary if the bug is absent.
        evidence: the numbers that were compared with thresholds.
    """
    if len(steps) < WINDOW:
        return report_too_early(condition, len(steps))
    onset = find_onset(persistent_state(faulty, ~faulty, ENTER, WINDOW), faulty, ENTER, WINDOW)
    if onset is None:
        return Diagnosis(condition, "absent", clear, evidence=evidence, about="loop")
    share = float(np.mean(faulty[onset:]))
    return Diagnosis(
        condition, "present", found, kind, int(steps[onset]), kind, share, evidence, "loop"
    )


def report_too_early(condition: str, evaluations: int) -> Diagnosis:
    """Build the inconclusive diagnosis of a record with too few evaluations."""
    text = f"Too early: {evaluations} evaluations of the training loop; {WINDOW} are needed."
    return Diagnosis(condition, "inconclusive", text, about="loop")
