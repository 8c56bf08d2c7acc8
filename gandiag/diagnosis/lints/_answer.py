"""The answer of a lint: present once three of the last four looks show the fault."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis.diagnosis import Diagnosis, Evidence
from gandiag.diagnosis.statistics import find_onset, persistent_state
from gandiag.records.arrays import Bools

ENTER, WINDOW = 3, 4  # looks; a fault of the code shows at each, an odd batch at one


def build_diagnosis(
    condition: str,
    steps: NDArray[np.int64],
    faulty: Bools,
    kind: str,
    found: str,
    clear: str,
    evidence: tuple[Evidence, ...] = (),
) -> Diagnosis:
    """Judge the looks.

    Args:
        condition: the fault's name.
        steps: ``(n,)`` of the looks.
        faulty: ``(n,)`` whether each shows the fault.
        kind: which form of it, where it is there.
        found: sentences that say what is wrong and what to do.
        clear: a sentence for where it is not there.
        evidence: the numbers that were weighed.
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


def report_too_early(condition: str, looks: int) -> Diagnosis:
    """The answer while there are too few looks."""
    text = f"Only {looks} looks at the loop so far; {WINDOW} are needed."
    return Diagnosis(condition, "inconclusive", text, about="loop")
