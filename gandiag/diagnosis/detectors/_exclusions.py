"""What looks like a mode collapse and is none: a generator that begins, or is somewhere else.

An adversarial loss first moves the samples, all alike, to where the data are; only there they
spread. How many steps that takes is a matter of the learning rates, from 150 to 1050 in games that
went well; how far the samples move until then is less so. So a generator's beginning is told from a
collapse by the way that its samples have gone, and by where they lie: in the middle of the data
they are nearer to real samples than these are to each other, while samples that sit on a few modes
are as far.
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

ONE_KIND = 0.2  # diversity over the real one, below: all samples are of one kind
HALF = 0.5  # the same, above at any look before: the samples have been spread already
LEAPS, AT_REST = 0.7, 5e-3  # motion per 100 steps, above and below: it is about something else
WAY = 1.0  # real distances that samples on their way to the data may have gone: there are no more
FAR = 3.0  # ... and in the middle of the data: games that went well had spread after 0.1 to 2.5
NEARER, HINT = 0.2, 0.05  # fall of the distance over 8 looks by this share of it; p-value, below
OUTSIDE = 1.5  # energy distance, above: one sample over and over is .6 to 1 away, on a mode 1
MOST = 1e6  # motion that is counted: far beyond what matters, far below what overflows
GAUSSIAN = (
    math.sqrt(2) - 1
)  # what `Reference.mean_energy_distance` is for a Gaussian; digits .417, a ring .577


def center_distance(record: Record) -> float:
    """What `ENERGY_DISTANCE` is of one sample in the middle of the data, made over and over."""
    return float(record.facts.get("mean_energy_distance", GAUSSIAN))


def is_starting(record: Record, steps: NDArray[np.int64]) -> Bools:
    """Looks at which G has yet to spread its samples: on the way to the data, or among them.

    From outside the data, as where these are not normalised, the way may be long and the motion
    large; there it is on its way if at least half of what it moves brings it nearer: `ENERGY_DISTANCE` falls
    by 2 where the samples come nearer by 1. False where motion or distances are unknown.
    """
    effective, motion = record.at(EFFECTIVE_MODES, steps), record.at(DISPLACEMENT, steps)
    spread = np.maximum.accumulate(np.nan_to_num(effective, nan=0.0)) >= HALF
    alike = ~spread & (effective < ONE_KIND) & (motion >= AT_REST)
    if not alike.any():
        return alike
    energy, gone = record.at(ENERGY_DISTANCE, steps), _travelled(record, steps)
    fall = -significant_rise(energy, MIN_VALUES, p=HINT)
    coming = fall > NEARER * np.clip(energy, 0, 1)
    before = MIN_VALUES - 1  # intervals between the looks of a trend
    lately = gone - np.concatenate([np.zeros(min(before, len(gone))), gone[:-before]])
    straight = (fall > lately) & (rolling_statistic(energy, MIN_VALUES, np.nanmax) > OUTSIDE)
    small = motion < LEAPS
    on_the_way = coming & (straight | (small & (gone < WAY)))
    among = small & _in_the_middle(record, steps) & (gone < FAR)
    return np.asarray(alike & (on_the_way | among))


def is_untrained(
    record: Record, steps: NDArray[np.int64], moved: float, at_rest: float, off: float
) -> Bools:
    """Looks at which G stands still as ever and makes nothing like the data: it never learned.

    What it makes then is its initialisation's, and its diversity is no failure of its own; not
    so once its samples have moved as far as from one real sample to another.

    Args:
        record: the run so far.
        steps: at which it is asked.
        moved: motion, above: it has learned something.
        at_rest: motion, below: it stands still.
        off: precision, below: nothing like the data.
    """
    motion, precision = record.at(DISPLACEMENT, steps), record.at(PRECISION, steps)
    learned = np.maximum.accumulate(np.nan_to_num(motion, nan=0.0)) > moved
    return ~learned & (motion < at_rest) & (precision < off)


def is_far_away(record: Record, steps: NDArray[np.int64], apart: float, wide: float) -> Bools:
    """Looks at which the samples differ as much as real ones do, but far from the data.

    Args:
        record: the run so far.
        steps: at which it is asked.
        apart: distance of a sample from a real one over that of two real ones, above.
        wide: distance of two samples over that of two real ones, above.
    """
    energy, pairs = record.at(ENERGY_DISTANCE, steps), record.at(PAIR_DISTANCE, steps)
    return (energy > _energy(apart, pairs)) & (pairs > wide)


def _in_the_middle(record: Record, steps: NDArray[np.int64]) -> Bools:
    """Looks at which the samples lie together, and in the middle of the data rather than on it.

    As a whole they are nearer to the data than one point in its middle; and one by one nearer to
    real samples than halfway from that point's distance to the distance between two real samples.
    """
    energy, pairs = record.at(ENERGY_DISTANCE, steps), record.at(PAIR_DISTANCE, steps)
    middle = center_distance(record)
    halfway = ((middle + 1) / 2 + 1) / 2
    return (energy < middle) & (energy < _energy(halfway, pairs))


def _travelled(record: Record, steps: NDArray[np.int64]) -> Array:
    """How far the samples at fixed latents have moved until each step, in real distances.

    The sum of what they moved from look to look, so at most the way that they went.
    """
    motion = np.clip(np.nan_to_num(record.at(DISPLACEMENT, steps), nan=0.0), 0, MOST)
    return np.cumsum(motion * np.diff(steps, prepend=0) / 100)


def _energy(apart: float, pairs: Array) -> Array:
    """`ENERGY_DISTANCE` of samples so far from real ones that lie so far from each other.

    All are mean distances over that of two real samples: it is twice the first, less what it is
    among the samples and among the real ones.
    """
    return 2 * apart - pairs - 1
