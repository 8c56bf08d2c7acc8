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

Looks = Callable[..., Record]

SWINGING = {"motion": 1.0, "relative": 5.0, "energy": 0.6, "effective": 0.05}
TURNS = np.eye(8)[np.arange(40) % 8]  # every look shows another mode

few = settings(deadline=None, max_examples=20)


def judged(record: Record) -> Diagnosis:
    """What the detector says of a record."""
    return NonConvergence().detect(record)


@pytest.mark.parametrize(
    "restless",
    [
        {"motion": 1.0, "relative": 5.0},  # all move together
        {"motion": 0.3, "relative": 0.5, "bins": TURNS},  # each look has other modes
    ],
)
def test_restless_samples_oscillate(looks: Looks, restless: dict[str, Any]) -> None:
    """Samples that turn into others and get no better oscillate, by motion or by turnover."""
    found = judged(looks(energy=0.6, **restless))
    assert (found.status, found.kind) == ("present", "oscillation")


@pytest.mark.parametrize(
    "calm",
    [
        {"motion": 0.5, "relative": 0.55},  # a high learning rate
        {"motion": 0.2, "relative": 20.0, "effective": 0.03},  # one point that drifts
        {"motion": 1e-4, "relative": 1e-4, "energy": 0.9},  # frozen: another condition
        {"motion": 0.1, "relative": 0.2, "bins": TURNS},  # histograms turn over, no sample moves
    ],
)
def test_little_change_is_absent(looks: Looks, calm: dict[str, Any]) -> None:
    """It takes much motion, and much by the samples' own spread or by the histogram."""
    assert judged(looks(**calm)).status == "absent"


def test_improving_samples_may_change(looks: Looks) -> None:
    """While the distance to the data falls, changing is learning; once it stops, it is not."""
    falling = np.concatenate([np.linspace(1.0, 0.3, 40), np.full(30, 0.3)])
    record = looks(70, motion=1.0, relative=2.0, effective=0.6, energy=falling)
    assert judged(record.until(2000)).status == "absent"
    assert "it is learning" in judged(record.until(2000)).summary
    assert judged(record).kind == "oscillation"


@few
@given(energy=st.floats(-0.01, 1.0), motion=st.floats(0.26, 20.0), relative=st.floats(0.91, 50.0))
def test_samples_that_stay_near_the_data_do_not_swing(
    looks: Looks, energy: float, motion: float, relative: float
) -> None:
    """Where they are as the data are, each may move: modes that swing by .3 are .045 away."""
    found = judged(looks(energy=energy, motion=motion, relative=relative, bins=TURNS))
    assert found.status == ("absent" if energy < 0.05 else "present")


def test_blob_that_drifts_does_not_learn(looks: Looks) -> None:
    """One point that jumps about may come nearer to the data's middle: that is no progress."""
    falling = np.linspace(1.0, 0.5, 40)
    assert judged(looks(**SWINGING | {"energy": falling})).kind == "oscillation"


@pytest.mark.parametrize(
    ("best", "last", "status"),
    [
        (0.3, 0.45, "present"),
        (0.25, 0.37, "present"),  # 1.5 times, and 0.12 more
        (0.5, 0.65, "absent"),  # 1.2 times
        (0.1, 0.19, "absent"),  # 1.9 times, but only 0.09 more
        (-0.03, 0.3, "present"),  # what estimates its square may lie below 0
        (0.4, 0.3, "absent"),
    ],
)
def test_worse_than_its_best_is_regression(
    looks: Looks, best: float, last: float, status: str
) -> None:
    """A regression is a third as far again as at its best, and by more than noise."""
    square = [best * abs(best)] * 20 + [last**2] * 20  # as it is recorded
    found = judged(looks(energy=square))
    assert found.status == status
    if status == "present":
        assert found.kind == "regression"
        assert found.onset is not None
        assert 1050 <= found.onset <= 1200


def test_recovery_ends_it(looks: Looks) -> None:
    """Samples that are back at their best have recovered, and a swing that has ended is over."""
    back = looks(60, energy=[0.1] * 20 + [0.4] * 20 + [0.1] * 20)
    assert judged(back.until(2000)).kind == "regression"
    assert judged(back).status == "absent"
    calm = looks(60, motion=[1.0] * 30 + [0.1] * 30, relative=[5.0] * 30 + [0.2] * 30, energy=0.3)
    assert judged(calm.until(1500)).kind == "oscillation"
    assert judged(calm).status == "absent"


@pytest.mark.parametrize("signal", ["loss", "parameters", "extent"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@few
@given(look=st.integers(0, 5))
def test_nan_is_divergence_at_once(looks: Looks, signal: str, value: float, look: int) -> None:
    """The first value that is no number is the onset, from that step on, warm-up or not."""
    values = [1.0] * 40
    values[look] = value
    record = looks(**{signal: values})
    step = 50 * (look + 1)
    assert judged(record.until(step - 1)).status == "inconclusive"
    for until in (step, 2000):
        found = judged(record.until(until))
        assert (found.status, found.kind, found.onset) == ("present", "divergence", step)
        assert found.severity == 1


@pytest.mark.parametrize("signal", ["parameters", "extent"])
def test_growth_is_divergence(looks: Looks, signal: str) -> None:
    """Parameters twentyfold their first norm, or samples far out of range, have blown up."""
    grown = judged(looks(**{signal: [1.0] * 10 + [20.0] * 30}))
    assert (grown.kind, grown.onset) == ("divergence", 550)
    assert judged(looks(**{signal: [1.0] * 10 + [5.0] * 30})).status == "absent"


@few
@given(scale=st.floats(1e-6, 1e6))
def test_size_of_weights_does_not_matter(looks: Looks, scale: float) -> None:
    """Parameters are compared with their own beginning, whatever the network's width."""
    assert judged(looks(parameters=scale)).status == "absent"
    assert judged(looks(parameters=[scale] * 10 + [20 * scale] * 30)).kind == "divergence"


def test_scaler_overflows_are_not_divergence(looks: Looks) -> None:
    """A mixed-precision scaler overflows by design; three turns in a row are no longer that."""
    assert judged(looks(2, non_finite=[9.0, 9.0])).status == "inconclusive"
    assert judged(looks(non_finite=[9.0, 9.0] + [0.0] * 38)).status == "absent"
    lost = judged(looks(non_finite=[9.0, 9.0] + [0.0] * 30 + [9.0] * 8))
    assert (lost.kind, lost.onset) == ("divergence", 50 * 33)


@few
@given(odd=st.integers(0, 39), sick=st.booleans())
def test_odd_look_changes_nothing(looks: Looks, odd: int, sick: bool) -> None:
    """One look unlike the others neither raises the alarm nor ends it."""
    calm = {"motion": 0.1, "relative": 0.2, "energy": 0.6, "effective": 0.9}
    usual, other = (SWINGING, calm) if sick else (calm, SWINGING | {"energy": 2.0})
    mixed = {name: [value] * 40 for name, value in usual.items()}
    for name, value in other.items():
        mixed[name][odd] = value
    assert judged(looks(**mixed)).status == ("present" if sick else "absent")


@few
@given(st.lists(st.floats(0.3, 3.0), min_size=2, max_size=2))
def test_severity_grows_with_motion(looks: Looks, motions: list[float]) -> None:
    """The further the samples jump, the worse, up to 1."""
    less, more = (judged(looks(**SWINGING | {"motion": m})).severity for m in sorted(motions))
    assert less is not None
    assert more is not None
    assert less <= more <= 1


def test_outrun_discriminator_is_the_cause(looks: Looks) -> None:
    """Where fakes often beat reals, or D's gain is gone at its next turn, D is too weak."""
    assert judged(looks(**SWINGING)).cause is None
    assert judged(looks(**SWINGING, auc=0.1)).cause == "discriminator_too_weak"
    assert judged(looks(**SWINGING, gap=0.1)).cause == "discriminator_too_weak"


@pytest.mark.parametrize("signal", ["motion", "energy"])
def test_nan_looks_are_inconclusive(looks: Looks, signal: str) -> None:
    """Where motion or distance gives no number and nothing blew up, there is no answer."""
    found = judged(looks(**{signal: np.nan}))
    assert found.status == "inconclusive"
    assert signal.replace("motion", "displacement/distance") in found.summary


@few
@given(value=st.floats(-1e6, 1e6), sick=st.booleans())
def test_losses_are_not_asked(looks: Looks, value: float, sick: bool) -> None:
    """A loss may be anything that is finite; signals it does not read change nothing."""
    other = {"loss/value/generator": value, "gradient/norm/generator": value}
    values = SWINGING if sick else {}
    assert judged(looks(other=other, loss=value, **values)) == judged(looks(**values))
