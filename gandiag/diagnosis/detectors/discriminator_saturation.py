"""Discriminator saturation: the discriminator's loss is practically zero.

What you see: in a log of losses, the discriminator's loss is practically zero and stays there; a
critic's loss is zero except for rounding. No other failure sign is visible in the two losses alone.
It is a risk and not a failure: samples may get worse tens of thousands of steps later, or never.

Why it happens: the discriminator separates real and generated samples without error, because it
learns faster or has memorised the training set. Its own loss is then constant, and its gradient for
the generator is noise (Arjovsky & Bottou 2017, theorem 2.6). Or a critic with clipped weights has
become constant (Gulrajani et al. 2017, figure 1): it gives all samples the same score.

How it is measured: the loss is compared with the loss of a discriminator at chance, which depends
on the objective. Where the objective is not given, objectives that are impossible with the two
losses are excluded; the result is inconclusive where the remaining ones disagree. A critic's loss
has no scale: it is dead where it is as small, relative to the generator's loss, as the rounding of
32-bit numbers. Further terms, such as one for classes, only add to the loss: a loss that is low is
low in spite of them, but a loss that is not low may consist of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from gandiag.diagnosis.detectors._discriminators import evaluate_each_discriminator
from gandiag.diagnosis.detectors._loss_scale import (
    CHANCE_LOSS,
    CRITIC,
    LARGEST_CHANCE_LOSS,
    possible_objectives,
)
from gandiag.diagnosis.detectors._loss_windows import (
    LossIntervals,
    find_contradictions,
    find_window,
    leave_out_start,
    possible_class_weights,
    split_into_intervals,
    window_statistic,
)
from gandiag.diagnosis.detectors._positions import format_position
from gandiag.diagnosis.diagnosis import Diagnosis, Evidence, humanize
from gandiag.diagnosis.statistics import find_onset, persistent_state
from gandiag.monitoring.signals import CLASS_LOSS, DISCRIMINATOR_LOSS
from gandiag.records.arrays import Array
from gandiag.records.record import Record

EXPLANATIONS = {
    "saturated": (
        "the discriminator's loss has been practically zero: the discriminator is certain about "
        "all samples, so that neither network learns much from it"
    ),
    "dead_critic": "the critic has given real and generated samples the same score up to rounding",
    "constant": (
        "the discriminator's loss has been constant to its last digit: it gives all samples the "
        "same score, is at the clip of its loss, or is not trained"
    ),
}
TINY = 1e-300  # replaces a denominator of 0
NOT_STARTED = (
    "The discriminator has not started: its loss is exactly 0 in every row, which no untrained "
    "discriminator has. Its training begins later (disc_start, steps_to_start_discriminator, a "
    "warm-up), or its loss is not computed. If it does train, it was certain about all samples "
    "before the first row: then log more digits, and from the first step on, or pass --objective "
    "hinge if that is its loss."
)
CONTRADICTORY = (
    "No usual objective allows these two losses together, so the discriminator's loss has no "
    "scale: see contradictory losses."
)
RISK = (
    "This is a risk, not yet a failure: check the samples, or use gandiag.attach to do so. If they "
    "get worse or all look alike, give the discriminator fewer steps or a lower learning rate, or "
    "regularize it (R1, spectral normalization, noise on its inputs)."
)


@dataclass(frozen=True)
class DiscriminatorSaturation:
    """The discriminator's loss is practically zero: a risk that losses alone can show."""

    # The discriminator is saturated below this share of its loss at chance; 0.02 to 0.05 give the
    # same results on public logs.
    saturated: float = 0.03
    # The result is inconclusive below this share of the loss at chance, and absent above it.
    low: float = 0.10
    # A critic is dead below this share of the generator's absolute loss, which is 100 times the
    # rounding of 32-bit numbers.
    dead: float = 1e-5
    # The loss is constant where its range in a window is below this share of its median; logs have
    # 6 digits.
    constant: float = 1e-6
    # The loss has another term where it is above this multiple of the loss at chance for a whole
    # window.
    above_chance: float = 1.05
    # An interval has at least this many generator steps, or one row where a log counts other units.
    interval: int = 100
    # Medians are taken over this many intervals, and so many medians in a row must agree.
    window: int = 20
    # The window has this many intervals where each row of a log is an epoch, and at least this many
    # where rows are so far apart that fewer than `window` last as long.
    epoch_window: int = 5

    condition: ClassVar[str] = "discriminator_saturation"
    needs: ClassVar[frozenset[str]] = frozenset({DISCRIMINATOR_LOSS})

    def detect(self, record: Record) -> Diagnosis:
        """Evaluate the loss under each possible objective; all of them must agree."""
        return evaluate_each_discriminator(record, self._detect)

    def _detect(self, record: Record) -> Diagnosis:
        started, begin = leave_out_start(record)
        if begin is not None and not len(started[DISCRIMINATOR_LOSS].steps):
            return Diagnosis(self.condition, "inconclusive", NOT_STARTED)
        found = self._detect_started(started)
        if begin is None:
            return found
        start = format_position(record, begin)
        text = f"The discriminator starts at {start}: its loss is exactly 0 before."
        return dataclasses.replace(found, summary=f"{text} {found.summary}")

    def _detect_started(self, record: Record) -> Diagnosis:
        intervals = split_into_intervals(record, self.interval)
        window = find_window(record, intervals, self.window, self.interval, self.epoch_window)
        count, needed = len(intervals.steps), 2 * window - 1
        if count < needed:
            text = f"Too early: {count} intervals of the discriminator's loss; {needed} are needed."
            return Diagnosis(self.condition, "inconclusive", text)
        if find_contradictions(record, intervals, window)[1][-1]:
            return Diagnosis(self.condition, "inconclusive", CONTRADICTORY)
        # A constant loss is dead under every objective, so the others are then not needed.
        readings = [self._read_constant(intervals, window)]
        if readings[0].onset is None:
            readings = list(self._read_objectives(record, intervals, window))
        evidence = tuple(reading.evidence for reading in readings)
        onsets = [reading.onset for reading in readings if reading.onset is not None]
        if len(onsets) == len(readings):
            step = int(intervals.steps[max(onsets)])
            return self._report_present(readings, record, step, evidence)
        above = self._compare_above_chance(record, intervals, readings, window)
        evidence += above
        reason = _explain_inconclusive(record, readings, any(item.holds for item in above))
        scale = _describe_scale(readings)
        if reason is None:
            text = f"The discriminator's loss is not saturated. {scale}"
            return Diagnosis(self.condition, "absent", text, evidence=evidence)
        return Diagnosis(self.condition, "inconclusive", f"{reason} {scale}", evidence=evidence)

    def _read_constant(self, intervals: LossIntervals, window: int) -> _Reading:
        """Whether the loss has been the same in all its logged digits."""
        level = np.abs(window_statistic(intervals.loss, window))
        spread = window_statistic(intervals.loss, window, np.ptp)
        # A loss of exactly 0 is saturated, not constant: its share stays NaN.
        share = np.divide(spread, level, out=np.full(len(level), np.nan), where=level > 0)
        return self._read(
            "constant", share, self.constant, window, "range of D's loss over its median"
        )

    def _read_objectives(
        self, record: Record, intervals: LossIntervals, window: int
    ) -> Iterator[_Reading]:
        """The loss under each objective, with the smallest and the largest weight of classes."""
        chance, given = record.facts.get("chance"), record.facts.get("objective")
        names: tuple[str, ...]
        if given is not None:
            names = (str(given),)
        elif chance == 0:
            names = (CRITIC,)
        else:
            is_weighted = bool(record.facts.get("weighted"))
            names = possible_objectives(
                intervals.loss, intervals.generator, window, is_weighted=is_weighted
            )
        if chance is not None:
            names = names[:1]  # with one given loss at chance, all objectives give the same reading
        for weight in possible_class_weights(record):
            loss = intervals.loss - weight * np.nan_to_num(intervals.classes)
            minus = f" minus {weight:.3g} times its class term" if weight else ""
            median = window_statistic(loss, window)
            for name in names:
                if name == CRITIC:
                    share = self._divide_critic(loss, intervals.generator, window)
                    meaning = f"critic's loss{minus} over the generator's loss"
                    reading = self._read("dead_critic", share, self.dead, window, meaning)
                else:
                    level = float(chance or CHANCE_LOSS[name])
                    meaning = (
                        f"D's loss{minus} over {level:.3g}, the loss at chance for {humanize(name)}"
                    )
                    share = median / level
                    reading = self._read("saturated", share, self.saturated, window, meaning)
                yield reading._replace(objective=name, is_given=given is not None)

    def _divide_critic(self, loss: Array, generator: Array, window: int) -> Array:
        """A critic's loss over the generator's; NaN where it is 0 because the log rounds it.

        A printed 0.0000 says no more than that the loss is below the smallest one that was printed.
        """
        scale = np.maximum(window_statistic(np.abs(generator), window), TINY)
        level = window_statistic(np.abs(loss), window)
        smallest = float(np.min(np.abs(loss[loss != 0]), initial=np.inf))
        is_rounded = (level == 0) & (smallest / scale >= self.dead)
        return np.where(is_rounded, np.nan, level / scale)

    def _read(
        self, kind: str, share: Array, threshold: float, window: int, meaning: str
    ) -> _Reading:
        beyond = share < threshold
        state = persistent_state(beyond, share > 2 * threshold, window, window)
        newest = float(share[-1])
        # The negated comparison also counts an unknown share (NaN) as low: it is not healthy.
        is_low = not newest >= (self.low if kind == "saturated" else threshold)
        evidence = Evidence(DISCRIMINATOR_LOSS, newest, "<", threshold, newest < threshold, meaning)
        return _Reading(kind, find_onset(state, beyond, window, window), is_low, evidence)

    def _compare_above_chance(
        self,
        record: Record,
        intervals: LossIntervals,
        readings: Sequence[_Reading],
        window: int,
    ) -> tuple[Evidence, ...]:
        """Compare the highest loss of a whole window with the highest possible loss at chance."""
        if readings[0].kind == "dead_critic" or len(record[CLASS_LOSS].values):
            return ()
        given = record.facts.get("objective")
        is_weighted = bool(record.facts.get("weighted"))
        names = (
            (str(given),)
            if given
            else possible_objectives(intervals.loss, intervals.generator, window, is_weighted)
        )
        chance = record.facts.get("chance") or max(LARGEST_CHANCE_LOSS[name] for name in names)
        medians = window_statistic(intervals.loss, window)[window - 1 :]
        lasting = window_statistic(medians, window, np.min)
        highest = float(np.nanmax(lasting)) / float(chance)
        is_above = highest > self.above_chance
        meaning = f"highest lasting level of D's loss over {chance:.3g}, the loss at chance"
        return (Evidence(DISCRIMINATOR_LOSS, highest, ">", self.above_chance, is_above, meaning),)

    def _report_present(
        self,
        readings: Sequence[_Reading],
        record: Record,
        step: int,
        evidence: tuple[Evidence, ...],
    ) -> Diagnosis:
        kind, first = readings[0].kind, readings[0].evidence
        depth = first.threshold / max(first.observed, 1e-12)
        # A quarter for each decade below the threshold.
        severity = float(np.clip(np.log10(max(depth, 1e-12)) / 4, 0.1, 1.0))
        since = f"Since {format_position(record, step)}"
        text = f"{since} {EXPLANATIONS[kind]}. {_describe_scale(readings)} {RISK}"
        return Diagnosis(self.condition, "present", text, kind, step, None, severity, evidence)


class _Reading(NamedTuple):
    """The loss on the scale of one objective.

    Attributes:
        kind: failure type that this scale can show.
        onset: index of the interval since which the loss is too low; None if it is not.
        is_low: whether the newest loss is too low to be called healthy.
        evidence: the newest loss on this scale.
        objective: name of the objective; empty for a constant loss.
        is_given: whether the user gave the objective.
    """

    kind: str
    onset: int | None
    is_low: bool
    evidence: Evidence
    objective: str = ""
    is_given: bool = False


def _explain_inconclusive(
    record: Record, readings: Sequence[_Reading], is_above_chance: bool
) -> str | None:
    """A sentence on why the losses do not decide; None if the loss is healthy."""
    if any(reading.onset is not None for reading in readings):
        return (
            "Whether the discriminator's loss is practically zero depends on its scale, which "
            "the log does not contain: pass --objective, --chance or --class-weight."
        )
    if record.facts.get("mixed"):
        return "The discriminator's loss has further terms, so its own value is unknown."
    if is_above_chance:
        return (
            "The discriminator's loss was above its level at chance for long: it has another "
            "term, so its own value is unknown. Log that term separately, or pass --chance."
        )
    if any(reading.is_low for reading in readings):
        return "The discriminator's loss is low, but not low enough for saturation."
    return None


def _describe_scale(readings: Sequence[_Reading]) -> str:
    """A sentence on the objectives whose scales were used, and why these."""
    names = list(dict.fromkeys(humanize(reading.objective) for reading in readings))
    if not names[0]:
        return "This holds for every objective."
    if readings[0].is_given:
        return f"The objective is {names[0]}, as given."
    if len(names) == 1:
        return f"The objective is probably {names[0]}: no other one is possible with both losses."
    return f"The objective is not given; possible with both losses are {' and '.join(names)}."
