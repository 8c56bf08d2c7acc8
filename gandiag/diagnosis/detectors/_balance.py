"""Whether the discriminator keeps pace: a cause that more than one condition shares."""

from __future__ import annotations

import numpy as np

from gandiag.diagnosis.diagnosis import Evidence
from gandiag.monitoring.signals import AUC, SCORE_GAP, SCORE_GAP_AFTER
from gandiag.records.arrays import Array
from gandiag.records.record import Record

TOO_WEAK = (
    "The discriminator is outrun: much of what it learns at one turn about the fakes no longer "
    "holds at its next, for the generator has moved on to its newest blind spot."
)


def compare_balance(
    record: Record, onset: int, above: float, often: float, undone: float
) -> tuple[Evidence, Evidence]:
    """Signs since `onset` that the generator outruns the discriminator; one of them is enough.

    Args:
        record: the run so far.
        onset: step from which it is read.
        above: D's ranking of real over fake, below which the fakes look more real to it.
        often: share of its turns, above: it finds the fakes more real too often.
        undone: share of the gap between real and fake after D's step that is gone at its next
            turn, above: the generator undoes what D learns.
    """
    ranking, gap, after = (
        finite_values_since(record, name, onset) for name in (AUC, SCORE_GAP, SCORE_GAP_AFTER)
    )
    fooled = float(np.mean(ranking < above)) if len(ranking) else np.nan
    gained = float(np.median(after)) if len(after) else np.nan
    gone = 1 - float(np.median(gap)) / gained if len(gap) and gained > 0 else np.nan
    return (
        Evidence(AUC, fooled, ">", often, fooled > often, "share of D's turns that fakes win"),
        Evidence(
            SCORE_GAP, gone, ">", undone, gone > undone, "share of D's gain gone at its next turn"
        ),
    )


def finite_values_since(record: Record, name: str, onset: int) -> Array:
    """What is finite of a signal since a step."""
    steps, values = record[name]
    return values[(steps >= onset) & np.isfinite(values)]
