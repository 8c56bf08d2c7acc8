"""Fooled discriminator: it takes generated samples for real ones, and does not learn from that.

What you see: the generator's loss falls to practically zero, and the discriminator's loss rises far
above its level at chance. The generator seems to win, but the samples need not be good.

Why it happens: a discriminator that minimises its own loss can always give all samples the same
score, which has the loss at chance. A loss that stays above this level is not being minimised: the
discriminator's optimizer does not step, has other parameters, or has a learning rate that is much
too low; or the generator's optimizer holds the discriminator's parameters too and moves them
against the discriminator's aim; or the labels of real and generated samples are swapped.

How it is measured: the generator's loss is solved for the score of a generated sample, which gives
the least loss that the discriminator can have on that sample. In a whole window of intervals this
least loss alone is above the level at chance, and so is the logged loss. Further terms of the
discriminator's loss do not explain that, because the generator's loss has none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gandiag.diagnosis.detectors._discriminators import evaluate_each_discriminator
from gandiag.diagnosis.detectors._loss_scale import (
    chance_ratios,
    least_loss,
    possible_objectives,
)
from gandiag.diagnosis.detectors._loss_windows import (
    LossIntervals,
    find_window,
    leave_out_start,
    split_into_intervals,
)
from gandiag.diagnosis.detectors._positions import format_position
from gandiag.diagnosis.diagnosis import (
    About,
    Diagnosis,
    Evidence,
    compare_median,
    format_short,
)
from gandiag.diagnosis.statistics import find_onset, persistent_state, recent_median
from gandiag.monitoring.signals import DISCRIMINATOR_LOSS, GENERATOR_LOSS
from gandiag.records.arrays import Bools
from gandiag.records.record import Record

# D's loss is none of an objective where it is below this share of the least one that G's loss
# allows. The share is below 1 because the two losses come from different batches.
CONSISTENT = 0.5
ADVICE = (
    "Either nothing trains the discriminator, or the generator's optimizer moves it. Check that "
    "the discriminator's optimizer has the discriminator's parameters and steps, that the "
    "generator's optimizer has only the generator's, and that the labels of real and generated "
    "samples are not swapped; then try a higher learning rate for the discriminator."
)


@dataclass(frozen=True)
class FooledDiscriminator:
    """D takes generated samples for real: its loss is above chance and G's is near zero."""

    # An interval has at least this many generator steps in a long run.
    interval: int = 100
    # So many intervals in a row must show it.
    window: int = 20
    # The window has this many intervals where each row of a log is an epoch, which is many steps.
    epoch_window: int = 5
    # Both losses count as above the level at chance above this multiple of it: batches are noisy.
    above_chance: float = 1.05

    condition: ClassVar[str] = "fooled_discriminator"
    needs: ClassVar[frozenset[str]] = frozenset({DISCRIMINATOR_LOSS, GENERATOR_LOSS})
    about: ClassVar[About] = "loop"

    def detect(self, record: Record) -> Diagnosis:
        """Compare D's loss, and the least one that G's loss allows, with the loss at chance."""
        return evaluate_each_discriminator(record, self._detect)

    def _detect(self, record: Record) -> Diagnosis:
        record, _ = leave_out_start(record)
        intervals = split_into_intervals(record, self.interval)
        window = find_window(record, intervals, self.window, self.interval, self.epoch_window)
        known = int(np.isfinite(intervals.generator).sum())
        if known < window:
            text = f"Too early: {known} intervals of both losses; {window} are needed."
            return Diagnosis(self.condition, "inconclusive", text, about=self.about)
        names = self._choose_objectives(record, intervals, window)
        if not names or record.facts.get("weighted"):
            text = "The losses have no known level at chance, or the generator's has a weight."
            return Diagnosis(self.condition, "inconclusive", text, about=self.about)
        fooled, evidence = self._compare(record, intervals, names, window)
        state = persistent_state(fooled, ~fooled, window, window)
        onset = find_onset(state, fooled, window, window)
        if onset is None:
            text = "The discriminator does not take most generated samples for real."
            return Diagnosis(self.condition, "absent", text, evidence=evidence, about=self.about)
        step, times = int(intervals.steps[onset]), evidence[0].observed
        generator = format_short(recent_median(intervals.generator, window))
        text = (
            f"Since {format_position(record, step)} the discriminator is fooled: it takes "
            f"generated samples for real. Its loss is {format_short(times)} times its level at "
            f"chance, and the generator's loss is {generator}. {ADVICE}"
        )
        severity = float(np.clip(1 - 1 / max(times, 1.0), 0.1, 1.0))
        kind = "above_chance"
        return Diagnosis(
            self.condition, "present", text, kind, step, None, severity, evidence, self.about
        )

    def _choose_objectives(
        self, record: Record, intervals: LossIntervals, window: int
    ) -> list[str]:
        """The objectives that have the sign of G's loss; with a positive one these have a floor."""
        given = record.facts.get("objective")
        names = (
            (given,) if given else possible_objectives(intervals.loss, intervals.generator, window)
        )
        is_positive = recent_median(intervals.generator, window) >= 0
        signed = ("non_saturating", "least_squares") if is_positive else ("hinge", "saturating")
        return [str(name) for name in names if name in signed]

    def _compare(
        self, record: Record, intervals: LossIntervals, names: list[str], window: int
    ) -> tuple[Bools, tuple[Evidence, ...]]:
        """In which intervals each objective shows it, and the newest numbers of the least sure."""
        given, found = record.facts.get("chance"), []
        for name in names:
            share, least = chance_ratios(name, intervals.loss, intervals.generator)
            share = intervals.loss / float(given) if given else share
            # D's loss is far below the least one of this objective, so it is none of its losses.
            is_other = intervals.loss < CONSISTENT * least_loss(name, intervals.generator)
            shows = (share > self.above_chance) & (least > self.above_chance)
            found.append((share, least, shows, is_other))
        every = np.all([shows | is_other for _, _, shows, is_other in found], axis=0)
        fooled = every & np.any([shows for _, _, shows, _ in found], axis=0)
        likely = [item for item in found if not item[3][-window:].all()] or found
        share, least, *_ = min(likely, key=lambda item: float(item[2][-window:].sum()))
        texts = ("D's loss over its level at chance", "least D loss that G's allows, over chance")
        numbers = ((DISCRIMINATOR_LOSS, share, texts[0]), (GENERATOR_LOSS, least, texts[1]))
        return fooled, tuple(
            compare_median(signal, values, ">", self.above_chance, text, window)
            for signal, values, text in numbers
        )
