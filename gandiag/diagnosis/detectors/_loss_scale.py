"""The scale of a discriminator's loss, where a log does not name the objective.

Each objective couples the losses of the two networks: a discriminator that gives generated samples
low scores has a small loss itself and makes the generator's loss large. So a pair of losses may be
impossible under an objective; an objective whose losses are impossible for long is excluded.
Several objectives may remain, or none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from gandiag.records.arrays import Array, Bools

CRITIC = "wasserstein"

# Loss of a discriminator at chance, that is, one with the best single score for all samples. With
# cross-entropy the terms of real and generated samples are added. Least squares has the factor 1/2
# of the paper (Mao et al. 2017, eq. 9). A critic's score has no scale, so its 0 is not used.
CHANCE_LOSS = {
    "non_saturating": 2 * math.log(2),
    "saturating": 2 * math.log(2),
    "hinge": 2.0,
    "least_squares": 0.25,
    CRITIC: 0.0,
}
# The largest of an objective's usual forms: least squares without the factor 1/2.
LARGEST_CHANCE_LOSS = {**CHANCE_LOSS, "least_squares": 0.5}

# A loss below this share of the least possible one is impossible. The share is far below 1 because
# the two losses come from different batches, before and after a step.
SLACK = 0.1
# A loss is a critic's where more than this share of its values is negative; fewer may be noise of
# regularisation terms.
NEGATIVE_SHARE = 0.01


def possible_objectives(
    discriminator: Array, generator: Array, intervals: int, is_weighted: bool = False
) -> tuple[str, ...]:
    """Find the objectives under which the losses are possible.

    Args:
        discriminator: ``(n,)`` loss of the discriminator in each interval.
        generator: ``(n,)`` loss of the generator in the same intervals; NaN where not logged.
        intervals: number of intervals with impossible losses that excludes an objective.
        is_weighted: whether the generator's loss has an unknown positive weight, so that only its
            sign counts.

    Returns:
        names of objectives; all but the critic's if none is possible, because then the losses have
        terms or weights that the log does not show.
    """
    known = discriminator[np.isfinite(discriminator)]
    if len(known) and np.mean(known < 0) > NEGATIVE_SHARE:
        return (CRITIC,)  # the losses of all other objectives are sums of positive terms
    possible = [
        name
        for name in _LEAST_LOSS
        if impossible_intervals(name, discriminator, generator, is_weighted).sum() < intervals
    ]
    if np.isnan(generator).all():
        possible.remove("saturating")  # without G's loss it cannot differ from non_saturating
    return tuple(possible) or tuple(_LEAST_LOSS)


def contradictory_intervals(discriminator: Array, generator: Array, given: str | None) -> Bools:
    """In which intervals ``(n,)`` no objective, or not the given one, allows the two losses.

    A critic differs from the others by negative losses, which are never contradictory.
    """
    names = (given,) if given else tuple(_LEAST_LOSS)
    excluded = [
        impossible_intervals(name, discriminator, cap_loss(name, generator)) for name in names
    ]
    # A saturating loss is never positive; a later 0 may be a small loss that was rounded.
    has_been_positive = np.maximum.accumulate(generator > 0)
    excluded = [
        flags | has_been_positive if name == "saturating" else flags
        for name, flags in zip(names, excluded, strict=True)
    ]
    contradictory: Bools = (discriminator >= 0) & (generator >= 0)
    for is_excluded in excluded:
        contradictory = contradictory & is_excluded
    return contradictory


def impossible_intervals(
    objective: str, discriminator: Array, generator: Array, is_weighted: bool = False
) -> Bools:
    """In which intervals ``(n,)`` an objective does not allow the losses of both networks."""
    if objective == CRITIC:
        return np.zeros(len(discriminator), dtype=bool)  # a critic's scores may have any level
    if is_weighted:
        wrong_sign = generator > 0 if objective == "saturating" else generator < 0
        return np.asarray(wrong_sign & (objective != "hinge"))
    return np.asarray(discriminator < SLACK * least_loss(objective, generator))


def least_loss(objective: str, generator: Array) -> Array:
    """The least loss of a discriminator at each loss of the generator, both of shape ``(n,)``."""
    return np.asarray(_LEAST_LOSS[objective](generator))


def cap_loss(objective: str, generator: Array) -> Array:
    """The generator's loss without what only further terms of it explain, of the same shape.

    Further terms, such as an L1 loss, only add to it. With least squares a loss above 1/2 is that
    of scores below those of generated samples, so it is capped there.
    """
    return np.minimum(generator, 0.5) if objective == "least_squares" else generator


def chance_ratios(objective: str, discriminator: Array, generator: Array) -> tuple[Array, Array]:
    """D's loss, and the least one that G's loss allows, over D's loss at chance; ``(n,)`` each.

    Above 1, the discriminator would do better with the same score for all samples. Least squares
    may have a factor 1/2 or not; the smaller ratio is given. The second ratio is NaN where G's loss
    has a sign that the objective does not have.
    """
    generator = cap_loss(objective, generator)
    if objective == "least_squares":
        root = np.sqrt(np.maximum(generator, 0))
        least = 2 * np.minimum((root - 1) ** 2, (math.sqrt(2) * root - 1) ** 2)
        least = np.where(generator < 0, np.nan, least)
    else:
        least = least_loss(objective, generator) / CHANCE_LOSS[objective]
    finite = np.where(np.isfinite(least), least, np.nan)
    return discriminator / LARGEST_CHANCE_LOSS[objective], np.asarray(finite)


# The functions below give the least loss of a discriminator at a loss of the generator. They solve
# the generator's loss for the score s of a generated sample, and give D's loss there.


def _non_saturating(generator: Array) -> Array:
    """softplus(s), where the generator's loss is softplus(-s)."""
    return np.asarray(-np.log(-np.expm1(-np.maximum(generator, 1e-9))))


def _saturating(generator: Array) -> Array:
    """softplus(s), where the generator's loss is -softplus(s), which is never positive."""
    return np.where(generator > 0, np.inf, -generator)


def _hinge(generator: Array) -> Array:
    """max(0, 1 + s), where the generator's loss is -s."""
    return np.maximum(1 - generator, 0)


def _least_squares(generator: Array) -> Array:
    """s², where the generator's loss is (s - 1)²; the smaller one with and without a factor 1/2."""
    root = np.sqrt(np.maximum(generator, 0))
    least = np.minimum((root - 1) ** 2, (math.sqrt(2) * root - 1) ** 2 / 2)
    return np.where(generator < 0, np.inf, least)


_LEAST_LOSS: Mapping[str, Callable[[Array], Array]] = {
    "non_saturating": _non_saturating,
    "saturating": _saturating,
    "hinge": _hinge,
    "least_squares": _least_squares,
}
#: Objectives whose losses have a scale; a critic's have none.
OBJECTIVES = tuple(_LEAST_LOSS)
