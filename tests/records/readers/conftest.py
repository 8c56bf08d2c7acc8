"""An artificial training run as a trainer might have logged it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[np.float64]


class LoggedRun(NamedTuple):
    """Steps and the losses of both networks, with a row every 100 steps."""

    steps: NDArray[np.int64]
    discriminator: Array
    generator: Array


@pytest.fixture(scope="session")
def logged_run() -> LoggedRun:
    """A run with hinge loss whose discriminator saturates at step 5000 of 10,000."""
    rng = np.random.default_rng(0)
    steps = np.arange(100, 10_001, 100)
    is_saturated = steps >= 5000
    discriminator = np.where(is_saturated, 0.0, 0.8 + 0.2 * rng.random(len(steps)))
    generator = np.where(is_saturated, 6.0, 0.4) + rng.normal(0, 0.5, len(steps))
    return LoggedRun(steps, discriminator, generator)
