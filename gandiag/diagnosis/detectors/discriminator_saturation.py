"""Discriminator saturation: the discriminator's loss leaves neither player anything to learn.

What you see: in a log of losses, the discriminator's is next to nothing and stays there; a critic's
is zero but for rounding. It is the one failure sign that the two losses alone can show, and a risk
rather than a failure: samples may get worse tens of thousands of steps later, or not at all.

Why it happens: the discriminator has separated real from fake, by learning faster or by knowing
the training set by heart, so its own loss is flat and what it tells the generator is noise
(Arjovsky & Bottou 2017, theorem 2.6). Or a critic whose weights are clipped has become constant
(Gulrajani et al. 2017, figure 1): it gives all images the same score.

How it is measured: the loss is compared with that of a discriminator at chance, which the objective
decides. Where the objective is not told, those that the losses rule out are dropped; where the
others disagree, nothing is said. A critic's loss has no scale; it is dead where it is as small
beside the generator's as the rounding of 32-bit numbers. Terms for classes and the like only add
to the loss: it can be low in spite of them, but what is not low may be theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from gandiag.diagnosis.detectors._loss_scale import CHANCE_LOSS, CRITIC, LARGEST_CHANCE_LOSS, possible_objectives
from gandiag.diagnosis.detectors._loss_windows import LossIntervals, possible_class_weights, split_into_intervals, window_statistic
from gandiag.diagnosis.diagnosis import Diagnosis, Evidence, humanize
from gandiag.diagnosis.statistics import find_onset, persistent_state
from gandiag.monitoring.signals import CLASS_LOSS, DISCRIMINATOR_LOSS
from gandiag.records.arrays import Array
from gandiag.records.record import Record

EXPLANATIONS = {
    "saturated": (
        "the discriminator's loss has been next to nothing: it is sure of all samples, and has "
        "little left to learn or to teach"
    ),
    "dead_critic": "the critic has given real and fake the same score, but for rounding",
    "constant": "the discriminator's loss has not moved: it says the same to every image",
}
TINY = 1e-300  # in place of 0 below a fraction
RISK = "That is a risk, not yet a failure: look at the samples, or let gandiag.attach do it."


@dataclass(frozen=True)
class DiscriminatorSaturation:
    """The discriminator's loss is next to nothing, or dead: a risk that losses alone can show."""

    saturated: float = 0.03  # of the loss at chance, below: .02 to .05 judge public runs alike
    low: float = 0.10  # of the loss at chance, below: too low to be called healthy
    dead: float = 1e-5  # of the generator's loss, below: 100 times the rounding of 32-bit floats
    constant: float = 1e-6  # spread over a window in units of the loss, below: logs have 6 digits
    above_chance: float = 1.05  # of the loss at chance, above, for long: some other term is in it
    interval: int = 100  # generator steps that make one look, at least; of other units, a row is one
    window: int = 20  # looks over which the median is taken, and for which it must hold
    epoch_window: int = 5  # the same where a row is an epoch, which is many steps

    condition: ClassVar[str] = "discriminator_saturation"
    needs: ClassVar[frozenset[str]] = frozenset({DISCRIMINATOR_LOSS})

    def detect(self, record: Record) -> Diagnosis:
        """Judge the loss under each objective that may have made it; they must agree."""
        looks = split_into_intervals(record, self.interval)
        unit = str(record.facts.get("unit", "step"))
        held = self.epoch_window if unit == "epoch" else self.window
        seen, enough = len(looks.steps), 2 * held - 1
        if seen < enough:
            text = f"Too early: {seen} looks at the discriminator's loss; {enough} are needed."
            return Diagnosis(self.condition, "inconclusive", text)
        readings = [self._unmoved(looks, held)]
        if readings[0].onset is None:
            readings = list(self._readings(record, looks, held))
        evidence = tuple(reading.evidence for reading in readings)
        onsets = [reading.onset for reading in readings if reading.onset is not None]
        if len(onsets) == len(readings):
            return self._present(readings, unit, int(looks.steps[max(onsets)]), evidence)
        high = self._above(record, looks, readings, held)
        evidence += high
        if onsets:
            text = (
                "Whether the discriminator's loss is next to nothing depends on its scale, which "
                "the log does not show: say --objective, --chance or --class-weight."
            )
        elif record.facts.get("mixed"):
            text = "The discriminator's loss has other terms in it, so its own share is unknown."
        elif any(item.holds for item in high):
            text = (
                "For long the discriminator's loss was above its level at chance: another term is "
                "in it, and its own share is unknown. Log that term apart, or say --chance."
            )
        elif any(reading.low for reading in readings):
            text = "The discriminator's loss is low, but not so low as to say that it saturates."
        else:
            text = f"The discriminator's loss leaves it something to learn. {_scale(readings)}"
            return Diagnosis(self.condition, "absent", text, evidence=evidence)
        text = f"{text} {_scale(readings)}"
        return Diagnosis(self.condition, "inconclusive", text, evidence=evidence)

    def _unmoved(self, looks: LossIntervals, held: int) -> _Reading:
        """Whether the loss has been the same in all its digits."""
        level = np.abs(window_statistic(looks.loss, held))
        spread, none = window_statistic(looks.loss, held, np.ptp), np.full(len(level), np.nan)
        share = np.divide(spread, level, out=none, where=level > 0)  # 0 is another matter
        return self._reading("constant", share, self.constant, held, "spread of D's loss over it")

    def _readings(self, record: Record, looks: LossIntervals, held: int) -> Iterator[_Reading]:
        """The loss under each objective, with the least and the most that a class term can be."""
        chance, told = record.facts.get("chance"), record.facts.get("objective")
        if told is None:
            names = (CRITIC,) if chance == 0 else possible_objectives(looks.loss, looks.generator, held)
        else:
            names = (str(told),)
        if chance is not None:
            names = names[:1]  # under one level at chance they are all the same
        for weight in possible_class_weights(record):
            loss = looks.loss - weight * np.nan_to_num(looks.classes)
            less = f", less {weight:.3g} of its class term" if weight else ""
            middle = window_statistic(loss, held)
            for name in names:
                if name == CRITIC:
                    beside = window_statistic(np.abs(looks.generator), held)
                    share = window_statistic(np.abs(loss), held) / np.maximum(beside, TINY)
                    text = f"critic's loss{less} over the generator's"
                    found = self._reading("dead_critic", share, self.dead, held, text)
                else:
                    level = float(chance or CHANCE_LOSS[name])
                    text = f"D's loss{less} over {level:.3g}, chance for {name}"
                    found = self._reading("saturated", middle / level, self.saturated, held, text)
                yield found._replace(objective=name, told=told is not None)

    def _reading(self, kind: str, share: Array, gate: float, held: int, meaning: str) -> _Reading:
        beyond = share < gate
        state = persistent_state(beyond, share > 2 * gate, held, held)
        now = float(share[-1])
        low = not now >= (self.low if kind == "saturated" else gate)  # nor where it is unknown
        evidence = Evidence(DISCRIMINATOR_LOSS, now, "<", gate, now < gate, meaning)
        return _Reading(kind, find_onset(state, beyond, held, held), low, evidence)

    def _above(
        self, record: Record, looks: LossIntervals, readings: Sequence[_Reading], held: int
    ) -> tuple[Evidence, ...]:
        """The highest level that the loss has kept for long, over the highest one at chance."""
        if readings[0].kind == "dead_critic" or len(record[CLASS_LOSS].values):
            return ()
        told, names = record.facts.get("objective"), possible_objectives(looks.loss, looks.generator, held)
        names = (str(told),) if told else names
        level = record.facts.get("chance") or max(LARGEST_CHANCE_LOSS[name] for name in names)
        kept = window_statistic(window_statistic(looks.loss, held)[held - 1 :], held, np.min)
        highest = float(np.nanmax(kept)) / float(level)
        meaning = f"highest level of D's loss kept for long, over {level:.3g}, chance"
        return (
            Evidence(DISCRIMINATOR_LOSS, highest, ">", self.above_chance, highest > self.above_chance, meaning),
        )

    def _present(
        self, readings: Sequence[_Reading], unit: str, step: int, evidence: tuple[Evidence, ...]
    ) -> Diagnosis:
        kind, shown = readings[0].kind, readings[0].evidence
        depth = shown.threshold / max(shown.observed, 1e-12)
        severity = float(np.clip(np.log10(max(depth, 1e-12)) / 4, 0.1, 1.0))  # a quarter a decade
        text = f"Since {unit} {step} {EXPLANATIONS[kind]}. {_scale(readings)} {RISK}"
        return Diagnosis(self.condition, "present", text, kind, step, None, severity, evidence)


class _Reading(NamedTuple):
    """The loss as one objective has it: since which look it is too low, or whether it nearly is."""

    kind: str
    onset: int | None
    low: bool
    evidence: Evidence
    objective: str = ""
    told: bool = False


def _scale(readings: Sequence[_Reading]) -> str:
    """On which scale the loss was read, and how that is known."""
    names = list(dict.fromkeys(humanize(reading.objective) for reading in readings))
    if not names[0]:
        return "No scale matters here."
    if readings[0].told:
        return f"It was read as told, as {names[0]}."
    if len(names) == 1:
        return f"Guessed objective: {names[0]}, the only one that allows both losses."
    return f"Objective not told; the losses allow {' or '.join(names)}."
