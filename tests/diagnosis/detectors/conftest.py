"""Records made by hand: a healthy run, in which each test changes single signals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from gandiag.monitoring import signals
from gandiag.records.record import Record, Row

Array: TypeAlias = "NDArray[np.float64]"
BuildRecord: TypeAlias = "Callable[..., Record]"

EVERY = 50  # steps between two evaluations
# Short name in the tests, name of the signal, and its value in a healthy run.
HEALTHY: dict[str, tuple[str, Any]] = {
    "modes": (signals.EFFECTIVE_MODES, 0.9),
    "missing_mass": (signals.MISSING_MASS, 0.02),
    "divergence": (signals.JS_DIVERGENCE, 1.2),
    "variance": (signals.WITHIN_MODE_VARIANCE, 1.0),
    "precision": (signals.PRECISION, 0.8),
    "energy": (signals.ENERGY_DISTANCE, 0.02),
    "pairs": (signals.PAIR_DISTANCE, 1.0),
    "max_abs": (signals.MAX_ABS, 1.0),
    "histogram": (signals.MODE_HISTOGRAM, [1 / 8] * 8),
    "displacement": (signals.DISPLACEMENT, 0.1),
    "relative": (signals.RELATIVE_DISPLACEMENT, 0.2),
    "latent_spread": (signals.LATENT_SPREAD, 0.95),
    "score_gradient": (signals.SCORE_GRADIENT, 0.5),
    "discriminator_gradient": (signals.DISCRIMINATOR_GRADIENT, 3.0),
    "score_sd": (signals.SCORE_SD, 0.2),
    "backprop_gain": (signals.BACKPROP_GAIN, 10.0),
    "first_to_last": (signals.FIRST_TO_LAST, 0.3),
    "parameter_norm": (signals.GENERATOR_PARAMETER_NORM, 20.0),
    "non_finite": (signals.GENERATOR_NON_FINITE, 0.0),
    "loss": (signals.DISCRIMINATOR_LOSS, 1.2),
    "auc": (signals.AUC, 0.8),
    "gap": (signals.SCORE_GAP, 1.0),
    "gap_after": (signals.SCORE_GAP_AFTER, 1.1),
    "update": (signals.GENERATOR_UPDATE, 1e-3),
}


@pytest.fixture(scope="session")
def build_record() -> BuildRecord:
    """Build a record: ``build_record(40, auc=0.3)``, ``build_record(2, loss=[1.0, nan])``.

    A number is the value at every evaluation. A sequence has one value, or the rows of an array one
    vector, per evaluation. `other` has further signals by their full names; `classes` is a class
    histogram.
    """

    def build(
        count: int = 40,
        other: dict[str, float] | None = None,
        facts: dict[str, Any] | None = None,
        classes: Array | None = None,
        **changed: float | Sequence[float] | Array,
    ) -> Record:
        values = {
            name: changed.pop(short, healthy) for short, (name, healthy) in HEALTHY.items()
        } | (other or {})
        assert not changed, f"no signal has the short name {next(iter(changed))}"
        if classes is not None:
            values[signals.CLASS_HISTOGRAM] = classes
        rows = [
            Row(EVERY * (index + 1), {name: _at(value, index) for name, value in values.items()})
            for index in range(count)
        ]
        return Record.from_rows(rows, facts={"turnover_baseline": 0.05} | (facts or {}))

    return build


def _at(value: Any, index: int) -> float | list[float]:
    if value is HEALTHY["histogram"][1] or np.ndim(value) == 0:
        return value  # type: ignore[no-any-return]
    chosen = value[index]
    return chosen.tolist() if np.ndim(chosen) else float(chosen)


@pytest.fixture(scope="session")
def keep_modes() -> Callable[..., dict[str, Any]]:
    """Values of the diversity probe for samples that are spread over `kept` of `of` equal modes."""

    def measure(kept: int, of: int = 32) -> dict[str, Any]:
        real = np.full(of, 1 / of)
        generated = np.where(np.arange(of) < kept, 1 / kept, 0.0)
        mixture = (real + generated) / 2
        divergence = _entropy(mixture) - (_entropy(real) + _entropy(generated)) / 2
        return {"modes": kept / of, "missing_mass": 1 - kept / of, "divergence": divergence / 0.02}

    return measure


def _entropy(shares: Array) -> float:
    """Entropy in nats."""
    filled = shares[shares > 0]
    return float(-(filled * np.log(filled)).sum())
