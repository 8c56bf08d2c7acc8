"""Records made by hand: a healthy run, in which a test changes what it is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from gandiag.records.record import Record, Row

Array: TypeAlias = "NDArray[np.float64]"
Looks: TypeAlias = "Callable[..., Record]"

EVERY = 50  # steps between two looks
NAMES = {
    "effective": "diversity/effective_modes/generator",
    "missing": "diversity/missing_mass/generator",
    "divergence": "diversity/js_divergence/generator",
    "dispersion": "diversity/within_mode_variance/generator",
    "precision": "diversity/precision/generator",
    "energy": "diversity/energy_distance/generator",
    "pairs": "diversity/pair_distance/generator",
    "extent": "diversity/max_abs/generator",
    "bins": "diversity/mode_histogram/generator",
    "motion": "displacement/distance/generator",
    "relative": "displacement/relative/generator",
    "spread": "displacement/latent_spread/generator",
    "slope": "learning_signal/score_gradient/generator",
    "critic": "learning_signal/discriminator_gradient/generator",
    "score_spread": "learning_signal/score_sd/generator",
    "passage": "gradient/backprop_gain/generator",
    "layers": "gradient/first_to_last/generator",
    "parameters": "gradient/parameter_norm/generator",
    "non_finite": "gradient/non_finite/generator",
    "loss": "loss/value/discriminator",
    "auc": "confidence/auc/discriminator",
    "gap": "confidence/gap/discriminator",
    "gap_after": "confidence_after/gap/discriminator",
    "classes": "classes/histogram/generator",
    "update": "update/relative/generator",
}
HEALTHY: dict[str, Any] = {
    "effective": 0.9, "missing": 0.02, "divergence": 1.2, "dispersion": 1.0, "precision": 0.8,
    "energy": 0.02, "pairs": 1.0, "extent": 1.0, "bins": [1 / 8] * 8, "motion": 0.1,
    "relative": 0.2, "spread": 0.95, "slope": 0.5, "critic": 3.0, "score_spread": 0.2,
    "passage": 10.0, "layers": 0.3, "parameters": 20.0, "non_finite": 0.0, "loss": 1.2,
    "auc": 0.8, "gap": 1.0, "gap_after": 1.1, "update": 1e-3,
}  # fmt: skip


@pytest.fixture(scope="session")
def looks() -> Looks:
    """Build a record: ``looks(40, motion=0.3)``, ``looks(2, loss=[1.0, nan])``.

    A number holds at every look; a sequence, or the rows of an array, are one a look. Signals that
    have no short name are given in `other`, by their full one.
    """

    def build(
        count: int = 40,
        other: dict[str, float] | None = None,
        facts: dict[str, Any] | None = None,
        **changed: float | Sequence[float] | Array,
    ) -> Record:
        signals = {NAMES[name]: value for name, value in (HEALTHY | changed).items()}
        signals |= other or {}
        rows = [
            Row(EVERY * (look + 1), {name: _at(value, look) for name, value in signals.items()})
            for look in range(count)
        ]
        return Record.from_rows(rows, facts={"turnover_baseline": 0.05} | (facts or {}))

    return build


def _at(value: Any, look: int) -> float | list[float]:
    if value is HEALTHY["bins"] or np.ndim(value) == 0:
        return value  # type: ignore[no-any-return]
    chosen = value[look]
    return chosen.tolist() if np.ndim(chosen) else float(chosen)


@pytest.fixture(scope="session")
def kept() -> Callable[..., dict[str, Any]]:
    """What the diversity probe says of samples that lie in `kept` of `of` equal modes."""

    def say(kept: int, of: int = 32) -> dict[str, Any]:
        real = np.full(of, 1 / of)
        made = np.where(np.arange(of) < kept, 1 / kept, 0.0)
        middle = (real + made) / 2
        apart = _entropy(middle) - (_entropy(real) + _entropy(made)) / 2
        return {"effective": kept / of, "missing": 1 - kept / of, "divergence": apart / 0.02}

    return say


def _entropy(shares: Array) -> float:
    held = shares[shares > 0]
    return float(-(held * np.log(held)).sum())
