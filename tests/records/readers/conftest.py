"""Made-up games as a trainer might have logged them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Game(NamedTuple):
    """Steps and both players' losses, a row every 100 steps."""

    steps: NDArray[np.int64]
    discriminator: Array
    generator: Array


@pytest.fixture(scope="session")
def game() -> Game:
    """A hinge game whose discriminator saturates at step 5000 of 10,000."""
    draw = np.random.default_rng(0)
    steps = np.arange(100, 10_001, 100)
    sick = steps >= 5000
    discriminator = np.where(sick, 0.0, 0.8 + 0.2 * draw.random(len(steps)))
    generator = np.where(sick, 6.0, 0.4) + draw.normal(0, 0.5, len(steps))
    return Game(steps, discriminator, generator)
