"""Samples that resemble a mode collapse but are none: a generator at its start, or far away.

An adversarial loss first moves the samples, all alike, to the data; only there do they spread. The
number of steps until then depends on the learning rates: from 150 to 1050 in healthy runs. The
distance that the samples move until then depends less on them. So a start is recognised by the
distance that the samples have moved, and by their position: in the center of the data they are
nearer to real samples than real samples are to each other. Samples on a few modes are not.

All distances are energy distances or displacements over the mean distance between two real samples.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis.statistics import rolling_statistic
from gandiag.diagnosis.trends import MIN_VALUES, significant_rise
from gandiag.monitoring.signals import (
    DISPLACEMENT,
    EFFECTIVE_MODES,
    ENERGY_DISTANCE,
    PAIR_DISTANCE,
    PRECISION,
)
from gandiag.records.arrays import Array, Bools
from gandiag.records.record import Record

# Effective number of modes over that of real samples, below which all samples may be alike.
SINGLE_MODE = 0.2
# The same number, from which on the generator has spread its samples once: its start is over.
SPREAD = 0.5
# Displacement per 100 steps of a generator at its start. A larger one jumps from mode to mode: two
# samples of one class of digits lie 0.9 apart. A smaller one does not move at all.
MAX_DISPLACEMENT, MIN_DISPLACEMENT = 0.7, 5e-3
# Largest total displacement of samples on their way to the data. An initialisation lies within one
# distance between real samples of data that are normalised.
MAX_WAY = 1.0
# Largest total displacement of samples in the center of the data. In healthy runs the samples had
# spread after 0.1 to 2.5.
MAX_WAY_IN_CENTER = 3.0
# The samples approach the data where the energy distance falls by this share of itself over 8
# evaluations, with a trend below this p-value. A hint is enough: it only postpones an answer.
FALL, FALL_P = 0.2, 0.05
# Energy distance above which the samples lie outside the data. One repeated sample within the data
# is 0.4 (center) to 1 (on a real sample) away.
OUTSIDE = 1.5
# Displacements are cut at this number: larger ones change no result, and sums stay finite.
DISPLACEMENT_LIMIT = 1e6
# Energy distance of one repeated sample in the center of Gaussian data: X - X' is spread sqrt(2)
# times as far as X - c. It is 0.417 for MNIST digits and 0.577 for a ring.
GAUSSIAN_CENTER = math.sqrt(2) - 1


def center_distance(record: Record) -> float:
    """`ENERGY_DISTANCE` of one repeated sample in the center of the data."""
    return float(record.facts.get("mean_energy_distance", GAUSSIAN_CENTER))


def is_starting(record: Record, steps: NDArray[np.int64]) -> Bools:
    """Find the evaluations at which the generator has yet to spread its samples.

    The samples are then on their way to the data, or in the center of the data. Where the data are
    not normalised the way may be long and the displacement large. The samples are on a straight way
    if at least half of their displacement brings them nearer: `ENERGY_DISTANCE` falls by 2 where
    the samples get nearer by 1.

    Args:
        record: the run so far.
        steps: ``(n,)`` of the evaluations.

    Returns:
        ``(n,)``; False where displacement or distances are unknown.
    """
    modes, displacement = record.at(EFFECTIVE_MODES, steps), record.at(DISPLACEMENT, steps)
    was_spread = np.maximum.accumulate(np.nan_to_num(modes, nan=0.0)) >= SPREAD
    candidates = ~was_spread & (modes < SINGLE_MODE) & (displacement >= MIN_DISPLACEMENT)
    if not candidates.any():  # saves the trends below, which most runs do not need
        return candidates
    energy, moved = record.at(ENERGY_DISTANCE, steps), _total_displacement(record, steps)
    fall = -significant_rise(energy, MIN_VALUES, p=FALL_P)
    approaching = fall > FALL * np.clip(energy, 0, 1)
    intervals = MIN_VALUES - 1  # between the evaluations of a trend
    before = np.concatenate([np.zeros(min(intervals, len(moved))), moved[:-intervals]])
    straight = fall > moved - before
    outside = rolling_statistic(energy, MIN_VALUES, np.nanmax) > OUTSIDE
    slow = displacement < MAX_DISPLACEMENT
    on_the_way = approaching & ((straight & outside) | (slow & (moved < MAX_WAY)))
    in_the_center = slow & _is_in_center(record, steps) & (moved < MAX_WAY_IN_CENTER)
    return np.asarray(candidates & (on_the_way | in_the_center))


def is_untrained(
    record: Record,
    steps: NDArray[np.int64],
    displacement: float,
    still_displacement: float,
    off_data_precision: float,
) -> Bools:
    """Find the evaluations at which the generator still generates samples of its initialisation.

    Such samples do not move and are unlike the data; their diversity is no result of the training.
    Once the samples have moved as far as from one real sample to another, the generator has learned
    something and no evaluation counts as untrained.

    Args:
        record: the run so far.
        steps: ``(n,)`` of the evaluations.
        displacement: per 100 steps, above which the generator has learned something.
        still_displacement: per 100 steps, below which the samples do not move.
        off_data_precision: precision below which the samples are unlike the data.

    Returns:
        ``(n,)``
    """
    moved, precision = record.at(DISPLACEMENT, steps), record.at(PRECISION, steps)
    has_learned = np.maximum.accumulate(np.nan_to_num(moved, nan=0.0)) > displacement
    return ~has_learned & (moved < still_displacement) & (precision < off_data_precision)


def is_far_away(
    record: Record, steps: NDArray[np.int64], far_distance: float, far_spread: float
) -> Bools:
    """Find the evaluations at which the samples are varied but far from the data.

    Far from the data, all samples have the same few nearest modes, however varied they are.

    Args:
        record: the run so far.
        steps: ``(n,)`` of the evaluations.
        far_distance: mean distance from a sample to a real one, above which samples are far away.
        far_spread: mean distance between two samples, above which they are varied.

    Returns:
        ``(n,)``
    """
    energy, pairs = record.at(ENERGY_DISTANCE, steps), record.at(PAIR_DISTANCE, steps)
    return (energy > _energy_distance(far_distance, pairs)) & (pairs > far_spread)


def _is_in_center(record: Record, steps: NDArray[np.int64]) -> Bools:
    """Evaluations at which the samples lie in the center of the data and not on a few modes.

    Two conditions hold. The distribution of the samples is nearer to the data than one repeated
    sample in the center. And a single sample is nearer to real ones than halfway between two
    distances: that of the center from real samples, and that of two real samples.
    """
    energy, pairs = record.at(ENERGY_DISTANCE, steps), record.at(PAIR_DISTANCE, steps)
    center = center_distance(record)
    to_center = (center + 1) / 2  # mean distance from the center to a real sample
    halfway = (to_center + 1) / 2
    return (energy < center) & (energy < _energy_distance(halfway, pairs))


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
