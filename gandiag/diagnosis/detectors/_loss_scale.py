"""On which scale a discriminator's loss is to be read, where a log does not say it.

Each objective binds the two players' losses: a discriminator that gives the fakes low scores has a
small loss itself and makes the generator's large. So a pair of losses may be impossible under an
objective, and what is impossible for long is ruled out. What is left may still be more than one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from gandiag.records.arrays import Array

CRITIC = "wasserstein"
CHANCE_LOSS = {  # loss of a discriminator that gives every image the same, best score
    "non_saturating": 2 * math.log(2),  # cross-entropy, real and fake terms summed
    "saturating": 2 * math.log(2),
    "hinge": 2.0,
    "least_squares": 0.25,  # with the paper's factor 1/2 (Mao et al. 2017, eq. 9)
    CRITIC: 0.0,  # of no use as a scale: a critic's score has none
}
LARGEST_CHANCE_LOSS = {**CHANCE_LOSS, "least_squares": 0.5}  # without that factor

SLACK = 0.1  # of the bound: the two losses are of different batches, before and after a step
SIGN = 0.01  # share of values with the wrong sign, above: not a slip


def possible_objectives(discriminator: Array, generator: Array, looks: int) -> tuple[str, ...]:
    """Objectives under which the losses are possible; all but the critic's if none is.

    Args:
        discriminator: ``(n,)`` its loss at each look.
        generator: ``(n,)`` its loss at the same looks; NaN where it was not logged.
        looks: how many impossible looks rule an objective out.
    """
    known = discriminator[np.isfinite(discriminator)]
    if len(known) and np.mean(known < 0) > SIGN:
        return (CRITIC,)  # all others sum terms that are not negative
    left = [
        name
        for name, least in _LEAST.items()
        if (discriminator < SLACK * least(generator)).sum() < looks
    ]
    if np.isnan(generator).all():
        left.remove("saturating")  # the same scale as non_saturating: no reading of its own
    return tuple(left) or tuple(_LEAST)


def _non_saturating(generator: Array) -> Array:
    """The fakes' cross-entropy softplus(s) where the generator's is softplus(-s)."""
    return np.asarray(-np.log(-np.expm1(-np.maximum(generator, 1e-9))))


def _saturating(generator: Array) -> Array:
    return np.where(generator > 0, np.inf, -generator)


def _hinge(generator: Array) -> Array:
    return np.maximum(1 - generator, 0)


def _least_squares(generator: Array) -> Array:
    """The fakes' s^2 where the generator's is (s - 1)^2, both with and without a factor 1/2."""
    root = np.sqrt(np.maximum(generator, 0))
    least = np.minimum((root - 1) ** 2, (math.sqrt(2) * root - 1) ** 2 / 2)
    return np.where(generator < 0, np.inf, least)


_LEAST: Mapping[str, Callable[[Array], Array]] = {  # of D's loss, given G's
    "non_saturating": _non_saturating,
    "saturating": _saturating,
    "hinge": _hinge,
    "least_squares": _least_squares,
}
