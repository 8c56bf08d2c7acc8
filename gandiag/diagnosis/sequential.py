"""The sequential test of all detectors: valid at every evaluation, without independence.

Each evaluation lies beyond the definition of a failure or does not. The claim that is tested is
that the run is healthy: whatever came before, the next evaluation lies beyond the definition with a
probability of at most `HEALTHY`. A bet against this claim multiplies the wealth M by
1 + `STAKE` (1 - `HEALTHY`) if the evaluation lies beyond, and by 1 - `STAKE` `HEALTHY` if not, so
that under the claim M does not grow on average. M never falls below 1. The failure is present once
M reaches `BUDGET`. Such an e-detector raises, under the claim, a false alarm once in `BUDGET`
evaluations or less often, however dependent the evaluations are (Shin, Ramdas & Rinaldo 2022,
"E-detectors", theorem 2.4; the bets are those of Waudby-Smith & Ramdas 2023). The number of
evaluations between false alarms is far larger where evaluations beyond the definition are rarer
than `HEALTHY`: 13,000 at 1 in 10.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gandiag.records.arrays import Bools

# Largest probability with which an evaluation of a healthy run lies beyond a definition.
HEALTHY = 0.25
# Fewest evaluations, on average, between two false alarms under the claim.
BUDGET = 100.0
# The stake with which the wealth grows fastest where four of five evaluations lie beyond: for a
# probability p it is (p - HEALTHY) / (HEALTHY (1 - HEALTHY)) (Kelly 1956).
STAKE = (0.8 - HEALTHY) / (HEALTHY * (1 - HEALTHY))
_WON, _LOST = 1 + STAKE * (1 - HEALTHY), 1 - STAKE * HEALTHY
# Evaluations in a row that raise an alarm: 4.
FEWEST = math.ceil(math.log(BUDGET) / math.log(_WON))


class Alarm(NamedTuple):
    """Result of the test at each evaluation.

    Attributes:
        state: ``(n,)`` whether the failure is present.
        onset: index of the evaluation at which the newest alarm began; None if it is not present at
            the last evaluation.
    """

    state: Bools
    onset: int | None


def find_alarm(beyond: Bools, bets: Bools | None = None, healthy: Bools | None = None) -> Alarm:
    """Test at each evaluation whether a failure is present.

    The failure ends where the same test of the opposite, that the evaluations do not lie beyond the
    definition any more, reaches the budget. The onset is the evaluation at which M last left 1, in
    a second account that bets at every evaluation: a failure may begin before bets are placed.

    Args:
        beyond: ``(n,)`` whether each evaluation lies beyond the definition of the failure.
        bets: ``(n,)`` whether a bet is placed; the state stays as it is where none is. All, if not
            given.
        healthy: ``(n,)`` whether an evaluation counts as healthy although it lies beyond the
            definition; for the onset it counts as it is. None, if not given.

    >>> beyond = np.array([0, 1, 1, 1, 1, 0, 0, 0, 0], bool)
    >>> alarm = find_alarm(beyond)
    >>> alarm.state.astype(int).tolist(), alarm.onset
    ([0, 0, 0, 0, 1, 1, 1, 1, 0], None)
    >>> find_alarm(beyond[:6]).onset
    1
    """
    state = np.zeros(len(beyond), dtype=bool)
    bets = np.ones(len(beyond), dtype=bool) if bets is None else bets
    lost = beyond if healthy is None else beyond & ~healthy
    # Most runs cannot raise an alarm; a monitor calls this function at each evaluation.
    if int((lost & bets).sum()) < FEWEST:
        return Alarm(state, None)
    onset: int | None = None
    left, began, wealth = 1.0, 0, 1.0
    flags = zip(beyond.tolist(), lost.tolist(), bets.tolist(), strict=True)
    for index, (is_beyond, is_lost, is_bet) in enumerate(flags):
        if left <= 1:
            began = index
        left = _bet(left, is_beyond)
        if is_bet:
            # Once the failure is present, the bets are on its end.
            wealth = _bet(wealth, is_lost if onset is None else not is_lost)
            if wealth >= BUDGET:
                onset, wealth = (began if onset is None else None), 1.0
        state[index] = onset is not None
    return Alarm(state, onset)


def _bet(wealth: float, is_won: bool) -> float:
    # More wealth than the budget decides nothing, and would take long to lose again.
    return min(max(1.0, wealth) * (_WON if is_won else _LOST), BUDGET)
