"""Contradictory losses: no usual objective allows the two losses of a log together.

What you see: both losses are near zero, and they stay there. It looks as if training was perfect.

Why it happens: the two networks have opposite aims. A discriminator with a small loss gives
generated samples low scores, and low scores make the generator's loss large. So both losses cannot
be small at once, neither with cross-entropy, nor with the hinge loss, nor with least squares. Then
the generator minimises what the discriminator minimises (its labels are not flipped, or its loss
is the discriminator's), one of the two losses is computed from the wrong batch, or the logged
numbers are not these losses. Only a critic whose scores are all near zero has such losses.

How it is measured: the generator's loss is solved for the score of a generated sample, which gives
the least loss that the discriminator can have on that sample. In four of five intervals of a window
the logged loss is below a tenth of this least loss, under every objective.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.detectors._discriminators import evaluate_each_discriminator
from gandiag.diagnosis.detectors._loss_scale import (
    CRITIC,
    OBJECTIVES,
    SLACK,
    cap_loss,
    least_loss,
)
from gandiag.diagnosis.detectors._loss_windows import (
    LossIntervals,
    find_contradictions,
    find_window,
    leave_out_start,
    split_into_intervals,
)
from gandiag.diagnosis.detectors._positions import format_position
from gandiag.diagnosis.diagnosis import About, Diagnosis, Evidence, humanize
from gandiag.diagnosis.statistics import find_onset
from gandiag.monitoring.signals import DISCRIMINATOR_LOSS, GENERATOR_LOSS
from gandiag.records.record import Record

CAVEAT = (
    "A Wasserstein critic whose scores are all near zero has such losses, too; if it is one, pass "
    "--objective wasserstein."
)
ADVICE = (
    "The generator may minimise what the discriminator minimises, or the log is not of these "
    "losses. Check that the generator's step labels generated samples as real, that its loss is "
    "computed from the discriminator's output on generated samples, and that the log shows these "
    "two losses."
)


@dataclass(frozen=True)
class ContradictoryLosses:
    """No usual objective allows the two losses together: G may minimise what D minimises."""

    # An interval has at least this many generator steps in a long run.
    interval: int = 100
    # Four of five of this many intervals must have contradictory losses.
    window: int = 20
    # The window has this many intervals where each row of a log is an epoch, which is many steps.
    epoch_window: int = 5

    condition: ClassVar[str] = "contradictory_losses"
    needs: ClassVar[frozenset[str]] = frozenset({DISCRIMINATOR_LOSS, GENERATOR_LOSS})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Compare the discriminator's loss with the least one that the generator's loss allows."""
        return evaluate_each_discriminator(record, self._detect)

    def _detect(self, record: Record) -> Diagnosis:
        record, _ = leave_out_start(record)
        intervals = split_into_intervals(record, self.interval)
        window = find_window(record, intervals, self.window, self.interval, self.epoch_window)
        if len(intervals.steps) < window or np.isnan(intervals.generator).all():
            count = int(np.isfinite(intervals.generator).sum())
            text = f"Too early: {count} intervals of both losses; {window} are needed."
            return Diagnosis(self.condition, "inconclusive", text, about=self.about)
        if record.facts.get("weighted"):
            text = "The generator's loss is one of several terms, whose weight is unknown."
            return Diagnosis(self.condition, "inconclusive", text, about=self.about)
        given = record.facts.get("objective")
        flags, state = find_contradictions(record, intervals, window)
        evidence = self._compare(intervals, str(given) if given else None, window)
        onset = find_onset(state, flags, window * 4 // 5, window)
        if onset is None:
            text = "The two losses are possible together."
            return Diagnosis(self.condition, "absent", text, None, evidence=evidence, about="loop")
        which = f"{humanize(str(given))} does not allow" if given else "no objective allows"
        caveat = "" if given else f" {CAVEAT}"
        step = int(intervals.steps[onset])
        text = (
            f"Since {format_position(record, step)} both losses are too small to belong "
            f"together: {which} this pair of losses. Where the discriminator's loss is near zero, "
            f"the generator's must be large. {ADVICE}{caveat}"
        )
        share = float(np.mean(flags[onset:]))
        kind = "both_near_zero"
        return Diagnosis(
            self.condition, "present", text, kind, step, None, share, evidence, self.about
        )

    def _compare(
        self, intervals: LossIntervals, given: str | None, window: int
    ) -> tuple[Evidence, ...]:
        """The newest loss beside the smallest least loss of all objectives, or the given one."""
        newest, generator = intervals.loss[-window:], intervals.generator[-window:]
        if given == CRITIC or np.isnan(generator).all():
            return ()
        # A saturating loss is never positive.
        never = {"saturating"} if (intervals.generator > 0).any() else set()
        names = (given,) if given else tuple(name for name in OBJECTIVES if name not in never)
        least = min(
            float(np.nanmedian(least_loss(name, cap_loss(name, generator)))) for name in names
        )
        observed, threshold = float(np.median(newest)), SLACK * least
        meaning = "D's loss, beside a tenth of the least one that G's loss allows"
        holds = observed < threshold
        return (Evidence(DISCRIMINATOR_LOSS, observed, "<", threshold, holds, meaning),)
