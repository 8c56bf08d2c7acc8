"""Phases of a run in which samples resemble a failure but are none, found once for all detectors.

*Initial*: an adversarial loss first moves the samples, all alike, to the center of the data; only
there do they spread. The number of steps until then depends on the learning rates: from 150 to 1050
in healthy runs. The distance that the samples move until then depends less on them. So this phase
is recognised by the distance that the samples have moved, and by their position: in the center of
the data they are nearer to real samples than real samples are to each other, which samples on a few
modes are not. *Untrained*: the samples are still those of the initialisation. *Improving*: the
samples get more diverse or nearer to the data. *Away*: the samples are varied, but far from the
data, where all samples have the same few nearest modes.

All distances are energy distances or displacements over the mean distance between two real samples.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis.definitions import define
from gandiag.diagnosis.statistics import rolling_statistic
from gandiag.diagnosis.trends import MIN_VALUES, WINDOW, find_trend
from gandiag.monitoring.signals import (
    DISPLACEMENT,
    EFFECTIVE_MODES,
    ENERGY_DISTANCE,
    PAIR_DISTANCE,
    PRECISION,
)
from gandiag.records.arrays import Array, Bools
from gandiag.records.record import Record

# Displacements are cut at this number: larger ones change no result, and sums stay finite.
DISPLACEMENT_LIMIT = 1e6
# Energy distance of one repeated sample in the center of Gaussian data: X - X' is spread sqrt(2)
# times as far as X - c. It is 0.417 for MNIST digits and 0.577 for a ring.
GAUSSIAN_CENTER = math.sqrt(2) - 1


class Phases(NamedTuple):
    """Whether each evaluation lies in a phase, ``(n,)`` each.

    Attributes:
        initial: the generator has yet to spread its samples for the first time.
        untrained: the generator has not begun to learn.
        improving: the samples get better, by the one definition of `find_improving`.
        away: the samples are varied, but far from the data.
    """

    initial: Bools
    untrained: Bools
    improving: Bools
    away: Bools


def find_phases(record: Record, steps: NDArray[np.int64]) -> Phases:
    """Find the phases of a run.

    Args:
        record: the run so far.
        steps: ``(n,)`` of the evaluations. A phase is False where its signals are unknown.
    """
    return Phases(
        _is_initial(record, steps),
        _is_untrained(record, steps),
        find_improving(record, steps),
        _is_away(record, steps),
    )


def find_improving(record: Record, steps: NDArray[np.int64]) -> Bools:
    """Evaluations at which the samples clearly get more diverse or nearer to the data.

    A fall of the distance does not count for one repeated sample that wanders within the data: the
    generator learns nothing by that. It counts outside of the data, where every generator starts
    whose data are not normalised, and nearer to the data than the center, where no repeated sample
    gets.
    """
    energy, modes = record.at(ENERGY_DISTANCE, steps), record.at(EFFECTIVE_MODES, steps)
    several = rolling_statistic(modes, 5) > define("mode_collapse.total")
    several |= energy < _center_distance(record)
    several |= rolling_statistic(energy, MIN_VALUES, np.nanmax) > define("phases.outside")
    gained = find_trend(modes) > define("better.diversity_gain")
    return np.asarray(_is_approaching(energy) & several | gained)


def _is_approaching(energy: Array) -> Bools:
    """Evaluations at which the distance from the data clearly falls."""
    level = np.fmax(rolling_statistic(energy, WINDOW), 0)
    return np.asarray(find_trend(energy) < -define("better.distance_fall") * level)


def _is_initial(record: Record, steps: NDArray[np.int64]) -> Bools:
    """Evaluations at which the samples, all alike, are in the center of the data or on the way.

    They have not been spread before, they have yet to move far, and do not jump from mode to mode.
    """
    modes, displacement = record.at(EFFECTIVE_MODES, steps), record.at(DISPLACEMENT, steps)
    was_spread = np.maximum.accumulate(np.nan_to_num(modes, nan=0.0)) >= define("phases.spread")
    candidates = ~was_spread & (modes < define("mode_collapse.total"))
    candidates &= displacement >= define("phases.still")
    at_start = _is_in_center(record, steps) | _is_approaching(record.at(ENERGY_DISTANCE, steps))
    slow = displacement < define("phases.jump")
    slow &= _total_displacement(record, steps) < define("phases.way")
    return np.asarray(candidates & slow & at_start)


def _is_untrained(record: Record, steps: NDArray[np.int64]) -> Bools:
    """Evaluations at which the generator still generates samples of its initialisation.

    Such samples do not move and are unlike the data; their diversity is no result of the training.
    Once the samples have moved as far as from one real sample to another, the generator has learned
    something and no evaluation counts as untrained.
    """
    moved, precision = record.at(DISPLACEMENT, steps), record.at(PRECISION, steps)
    fastest = np.maximum.accumulate(np.nan_to_num(moved, nan=0.0))
    is_still = (fastest <= define("phases.jump")) & (moved < define("phases.still"))
    return is_still & (precision < define("phases.off_data"))


def _is_away(record: Record, steps: NDArray[np.int64]) -> Bools:
    """Evaluations at which the samples are varied but far from the data."""
    energy, pairs = record.at(ENERGY_DISTANCE, steps), record.at(PAIR_DISTANCE, steps)
    is_far = energy > _energy_distance(define("phases.far_distance"), pairs)
    return is_far & (pairs > define("phases.far_spread"))


def _is_in_center(record: Record, steps: NDArray[np.int64]) -> Bools:
    """Evaluations at which the samples lie in the center of the data and not on a few modes.

    Two conditions hold. The distribution of the samples is nearer to the data than one repeated
    sample in the center. And a single sample is nearer to real ones than halfway between two
    distances: that of the center from real samples, and that of two real samples.
    """
    energy, pairs = record.at(ENERGY_DISTANCE, steps), record.at(PAIR_DISTANCE, steps)
    center = _center_distance(record)
    to_center = (center + 1) / 2  # mean distance from the center to a real sample
    halfway = (to_center + 1) / 2
    return (energy < center) & (energy < _energy_distance(halfway, pairs))


def _center_distance(record: Record) -> float:
    """`ENERGY_DISTANCE` of one repeated sample in the center of the data."""
    return float(record.facts.get("mean_energy_distance", GAUSSIAN_CENTER))


def _total_displacement(record: Record, steps: NDArray[np.int64]) -> Array:
    """Sum of the displacements of the samples at fixed latents until each step.

    Between two evaluations the samples may move forth and back, so the true way may be longer.
    """
    displacement = np.nan_to_num(record.at(DISPLACEMENT, steps), nan=0.0)
    per_100_steps = np.clip(displacement, 0, DISPLACEMENT_LIMIT)
    return np.cumsum(per_100_steps * np.diff(steps, prepend=0) / 100)


def _energy_distance(to_real: float, pairs: Array) -> Array:
    """`ENERGY_DISTANCE` from the mean distances of samples to real ones, and between two samples.

    It is 2 E|X - Y| - E|X - X'| - E|Y - Y'| (Székely & Rizzo 2013), here with E|Y - Y'| = 1 as the
    unit for real samples Y.
    """
    return 2 * to_real - pairs - 1
