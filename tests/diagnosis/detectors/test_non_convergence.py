"""Tests of the non-convergence detector on records made by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandiag.diagnosis.detectors.non_convergence import NonConvergence
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.records.record import Record

BuildRecord = Callable[..., Record]

OSCILLATING = {"displacement": 1.0, "relative": 5.0, "energy": 0.6, "modes": 0.05}
SWAPPED_MODES = np.eye(8)[np.arange(40) % 8]  # each evaluation has another mode

few = settings(deadline=None, max_examples=20)


def detect(record: Record) -> Diagnosis:
    """The detector's diagnosis of a record."""
    return NonConvergence().detect(record)


@pytest.mark.parametrize(
    "changing",
    [
        {"displacement": 1.0, "relative": 5.0},  # all samples move together
        {"displacement": 0.3, "relative": 0.5, "histogram": SWAPPED_MODES},
    ],
)
def test_changing_samples_oscillate(build_record: BuildRecord, changing: dict[str, Any]) -> None:
    """Samples that turn into others without getting better oscillate, by either measure."""
    found = detect(build_record(energy=0.6, **changing))
    assert (found.status, found.kind) == ("present", "oscillation")


@pytest.mark.parametrize(
    "calm",
    [
        {"displacement": 0.5, "relative": 0.55},  # a high learning rate
        {"displacement": 0.2, "relative": 20.0, "modes": 0.03},  # one point that drifts
        {"displacement": 1e-4, "relative": 1e-4, "energy": 0.9},  # frozen: another failure
        # The histogram changes, but no sample moves.
        {"displacement": 0.1, "relative": 0.2, "histogram": SWAPPED_MODES},
    ],
)
def test_little_change_is_absent(build_record: BuildRecord, calm: dict[str, Any]) -> None:
    """An oscillation needs a large displacement, relative to the samples or with swapped modes."""
    assert detect(build_record(**calm)).status == "absent"


def test_improving_samples_may_change(build_record: BuildRecord) -> None:
    """While the distance to the data falls, the generator learns; afterwards it oscillates."""
    falling = np.concatenate([np.linspace(1.0, 0.3, 40), np.full(30, 0.3)])
    record = build_record(70, displacement=1.0, relative=2.0, modes=0.6, energy=falling)
    assert detect(record.until(2000)).status == "absent"
    assert "the generator is learning" in detect(record.until(2000)).summary
    assert detect(record).kind == "oscillation"


@few
@given(
    energy=st.floats(-0.01, 1.0), displacement=st.floats(0.26, 20.0), relative=st.floats(0.91, 50.0)
)
def test_samples_near_the_data_do_not_oscillate(
    build_record: BuildRecord, energy: float, displacement: float, relative: float
) -> None:
    """Where the samples are distributed like the data, each one may move."""
    moving = {"energy": energy, "displacement": displacement, "relative": relative}
    assert detect(build_record(**moving)).status == ("absent" if energy < 0.05 else "present")
    # Each time some of the modes are missing, however near the samples are to the data.
    assert detect(build_record(**moving, histogram=SWAPPED_MODES)).status == "present"


def test_repeated_sample_that_drifts_does_not_learn(build_record: BuildRecord) -> None:
    """A repeated sample may get nearer to the center of the data, but this is no progress."""
    falling = np.linspace(1.0, 0.5, 40)
    assert detect(build_record(**OSCILLATING | {"energy": falling})).kind == "oscillation"


@pytest.mark.parametrize(
    ("best", "last", "status"),
    [
        (0.3, 0.45, "present"),
        (0.25, 0.37, "present"),  # 1.5 times, and 0.12 more
        (0.5, 0.65, "absent"),  # 1.2 times
        (0.1, 0.19, "absent"),  # 1.9 times, but only 0.09 more
        (-0.03, 0.3, "present"),  # the estimate of a square may be negative
        (0.4, 0.3, "absent"),
    ],
)
def test_worse_than_its_best_is_regression(
    build_record: BuildRecord, best: float, last: float, status: str
) -> None:
    """A regression is a distance 1.3 times as large as the best one, and by more than noise."""
    square = [best * abs(best)] * 20 + [last**2] * 20  # the record has the squared distance
    found = detect(build_record(energy=square))
    assert found.status == status
    if status == "present":
        assert found.kind == "regression"
        assert found.onset is not None
        assert 1050 <= found.onset <= 1200


def test_recovery_ends_it(build_record: BuildRecord) -> None:
    """Samples that are as good as their best have recovered; an oscillation may end, too."""
    back = build_record(60, energy=[0.1] * 20 + [0.4] * 20 + [0.1] * 20)
    assert detect(back.until(2000)).kind == "regression"
    assert detect(back).status == "absent"
    calm = build_record(
        60,
        displacement=[1.0] * 30 + [0.1] * 30,
        relative=[5.0] * 30 + [0.2] * 30,
        energy=0.3,
    )
    assert detect(calm.until(1500)).kind == "oscillation"
    assert detect(calm).status == "absent"


@pytest.mark.parametrize("signal", ["loss", "parameter_norm", "max_abs"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@few
@given(index=st.integers(0, 5))
def test_nan_is_divergence_at_once(
    build_record: BuildRecord, signal: str, value: float, index: int
) -> None:
    """The first value that is not finite is the onset, also during the warm-up."""
    values = [1.0] * 40
    values[index] = value
    record = build_record(**{signal: values})
    step = 50 * (index + 1)
    assert detect(record.until(step - 1)).status == "inconclusive"
    for until in (step, 2000):
        found = detect(record.until(until))
        assert (found.status, found.kind, found.onset) == ("present", "divergence", step)
        assert found.severity == 1


@pytest.mark.parametrize("signal", ["parameter_norm", "max_abs"])
def test_growth_is_divergence(build_record: BuildRecord, signal: str) -> None:
    """Parameters of 20 times their first norm, or samples far out of range, have diverged."""
    grown = detect(build_record(**{signal: [1.0] * 10 + [20.0] * 30}))
    assert (grown.kind, grown.onset) == ("divergence", 550)
    assert detect(build_record(**{signal: [1.0] * 10 + [5.0] * 30})).status == "absent"


@few
@given(scale=st.floats(1e-6, 1e6))
def test_size_of_weights_does_not_matter(build_record: BuildRecord, scale: float) -> None:
    """The parameter norm is compared with its first value, whatever the network's width."""
    assert detect(build_record(parameter_norm=scale)).status == "absent"
    grown = build_record(parameter_norm=[scale] * 10 + [20 * scale] * 30)
    assert detect(grown).kind == "divergence"


def test_scaler_overflows_are_not_divergence(build_record: BuildRecord) -> None:
    """Mixed precision overflows at its start; three evaluations in a row are a divergence."""
    assert detect(build_record(2, non_finite=[9.0, 9.0])).status == "inconclusive"
    assert detect(build_record(non_finite=[9.0, 9.0] + [0.0] * 38)).status == "absent"
    lost = detect(build_record(non_finite=[9.0, 9.0] + [0.0] * 30 + [9.0] * 8))
    assert (lost.kind, lost.onset) == ("divergence", 50 * 33)


@few
@given(odd=st.integers(0, 39), failing=st.booleans())
def test_one_outlier_changes_nothing(build_record: BuildRecord, odd: int, failing: bool) -> None:
    """One evaluation unlike the others neither raises the alarm nor ends it."""
    calm = {"displacement": 0.1, "relative": 0.2, "energy": 0.6, "modes": 0.9}
    usual, other = (OSCILLATING, calm) if failing else (calm, OSCILLATING | {"energy": 2.0})
    mixed = {name: [value] * 40 for name, value in usual.items()}
    for name, value in other.items():
        mixed[name][odd] = value
    assert detect(build_record(**mixed)).status == ("present" if failing else "absent")


@few
@given(st.lists(st.floats(0.3, 3.0), min_size=2, max_size=2))
def test_severity_grows_with_displacement(
    build_record: BuildRecord, displacements: list[float]
) -> None:
    """The farther the samples move, the higher the severity, up to 1."""
    less, more = (
        detect(build_record(**OSCILLATING | {"displacement": each})).severity
        for each in sorted(displacements)
    )
    assert less is not None
    assert more is not None
    assert less <= more <= 1


def test_weak_discriminator_is_the_cause(build_record: BuildRecord) -> None:
    """The cause is a low AUC, or a gain of D that is lost by its next step."""
    assert detect(build_record(**OSCILLATING)).cause is None
    assert detect(build_record(**OSCILLATING, auc=0.1)).cause == "discriminator_too_weak"
    assert detect(build_record(**OSCILLATING, gap=0.1)).cause == "discriminator_too_weak"


@pytest.mark.parametrize(
    ("short", "name"),
    [("displacement", "displacement/distance"), ("energy", "diversity/energy_distance")],
)
def test_nan_is_inconclusive(build_record: BuildRecord, short: str, name: str) -> None:
    """Where displacement or distance is not finite and nothing diverged, there is no result."""
    found = detect(build_record(**{short: np.nan}))
    assert found.status == "inconclusive"
    assert name in found.summary


@few
@given(value=st.floats(-1e6, 1e6), failing=st.booleans())
def test_losses_are_not_used(build_record: BuildRecord, value: float, failing: bool) -> None:
    """A finite loss may have any value, and signals that the detector does not read may, too."""
    other = {"loss/value/generator": value, "gradient/norm/generator": value}
    values = OSCILLATING if failing else {}
    changed = detect(build_record(other=other, loss=value, **values))
    assert changed == detect(build_record(**values))
