"""Tests of the mode collapse detector on records made by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gandiag.diagnosis.detectors.mode_collapse import EVALUATIONS, ModeCollapse
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.monitoring.signals import KEPT_MODES, KEPT_MODES_P
from gandiag.records.record import Record

BuildRecord = Callable[..., Record]
KeepModes = Callable[..., dict[str, Any]]
Array = NDArray[np.float64]

# All samples are alike, on one mode.
ONE_POINT = {
    "modes": 0.03, "missing_mass": 0.97, "divergence": 30.0,
    "latent_spread": 0.5, "pairs": 0.5, "energy": 0.9,
}  # fmt: skip
TEN_CLASSES = {"class_shares": [0.1] * 10}

MISSING = "Missing classes (below 20% of their real share):"

few = settings(deadline=None, max_examples=20)


def detect(record: Record) -> Diagnosis:
    """The detector's diagnosis of a record."""
    return ModeCollapse().detect(record)


def class_histograms(*lost: int, count: int = 40) -> Array:
    """Histograms of ten classes, of which `lost` are missing and the others equally frequent."""
    kept = np.array([label not in lost for label in range(10)], dtype=float)
    return np.tile(kept / kept.sum(), (count, 1))


@pytest.mark.parametrize(
    ("modes", "kind"), [(16, "partial"), (8, "partial"), (3, "total"), (1, "total")]
)
def test_lost_modes_are_present(
    build_record: BuildRecord, keep_modes: KeepModes, modes: int, kind: str
) -> None:
    """A half or a quarter of equal modes is a partial collapse, a tenth or one mode a total one."""
    found = detect(build_record(**keep_modes(modes)))
    assert (found.status, found.kind, found.onset) == ("present", kind, 50)
    assert found.severity == pytest.approx(1 - modes / 32)


@pytest.mark.parametrize("modes", [32, 28, 26])
def test_few_lost_modes_are_absent(
    build_record: BuildRecord, keep_modes: KeepModes, modes: int
) -> None:
    """Seven of eight modes are not few enough for a collapse."""
    assert detect(build_record(**keep_modes(modes))).status == "absent"


def test_uneven_samples_are_no_collapse(build_record: BuildRecord) -> None:
    """Where no mode is missing, uneven modes count only below half of the effective number."""
    uneven = {"missing_mass": 0.0, "divergence": 8.0}
    assert detect(build_record(modes=0.6, **uneven)).status == "absent"
    assert detect(build_record(modes=0.45, **uneven)).kind == "partial"


@pytest.mark.parametrize(("kept", "p", "status"), [
    (0.5, 0.01, "present"), (0.5, 0.3, "absent"), (0.8, 0.01, "absent"),
])  # fmt: skip
def test_modes_lost_in_another_view_count(
    build_record: BuildRecord, kept: float, p: float, status: str
) -> None:
    """Modes may be lost in a view other than the pixels, if fresh real samples rarely lose them."""
    found = detect(build_record(other={KEPT_MODES: kept, KEPT_MODES_P: p}))
    assert found.status == status
    assert found.kind == ("partial" if status == "present" else None)
    assert ("50%" in found.summary) == (status == "present")


@few
@given(seed=st.integers(0, 10**6), peak=st.sampled_from([0.3, 1.0, 30.0]))
def test_real_draws_never_collapse(build_record: BuildRecord, seed: int, peak: float) -> None:
    """Draws of real samples are diverse, however unbalanced the data are."""
    draw = np.random.default_rng(seed)
    real = draw.dirichlet(np.full(32, peak))
    drawn = draw.multinomial(512, real, 40) / 512
    modes = np.exp([entropy(row) - entropy(real) for row in drawn])
    missing = [real[row < 0.2 * real].sum() for row in drawn]
    divergence = [entropy((row + real) / 2) - (entropy(row) + entropy(real)) / 2 for row in drawn]
    record = build_record(
        modes=modes / modes.mean(),
        missing_mass=np.array(missing) - np.mean(missing),
        divergence=np.array(divergence) / max(divergence),
        histogram=drawn,
    )
    assert detect(record).status == "absent"


def entropy(shares: Array) -> float:
    """Entropy in nats."""
    filled = shares[shares > 0]
    return float(-(filled * np.log(filled)).sum())


@few
@given(st.permutations(range(8)), st.booleans())
def test_order_of_modes_does_not_matter(
    build_record: BuildRecord, order: list[int], hopping: bool
) -> None:
    """A permutation of the modes changes nothing, for a total collapse and for hopping."""
    histograms = np.eye(8)[np.arange(40) % 8 if hopping else np.zeros(40, int)]
    one, other = (
        detect(build_record(**ONE_POINT, histogram=rows))
        for rows in (histograms, histograms[:, order])
    )
    assert one == other
    assert one.kind == ("hopping" if hopping else "total")


@few
@given(st.lists(st.integers(1, 20), min_size=2, max_size=2))
def test_severity_grows_with_loss(
    build_record: BuildRecord, keep_modes: KeepModes, modes: list[int]
) -> None:
    """The fewer modes are left, the higher the severity."""
    worse, better = (detect(build_record(**keep_modes(count))).severity for count in sorted(modes))
    assert worse is not None
    assert better is not None
    assert worse >= better


def test_samples_that_move_together_hop(build_record: BuildRecord) -> None:
    """A collapse in which all samples move together, farther than they are apart, is hopping.

    They must move about as far as two real samples are apart: half of that is within one mode.
    """
    assert detect(build_record(**ONE_POINT, displacement=1.0, relative=5.0)).kind == "hopping"
    assert detect(build_record(**ONE_POINT, displacement=0.5, relative=5.0)).kind == "total"


def test_alike_samples_in_a_mode(build_record: BuildRecord) -> None:
    """One repeated sample in each mode is a severe collapse within the modes."""
    found = detect(build_record(variance=0.05))
    assert (found.status, found.kind) == ("present", "intra_mode")
    assert "Within a mode, their variance is 5% of the real variance." in found.summary
    assert found.severity == pytest.approx(0.95)


def test_recovered_samples_have_not_collapsed(
    build_record: BuildRecord, keep_modes: KeepModes
) -> None:
    """A collapse ends once the samples have had enough modes again at four evaluations."""
    lost = keep_modes(16) | {"modes": [0.5] * 20 + [0.72] * 20}
    assert detect(build_record(23, **{**lost, "modes": lost["modes"][:23]})).kind == "partial"
    assert detect(build_record(**lost)).status == "absent"


def test_alike_samples_that_learn_are_inconclusive(build_record: BuildRecord) -> None:
    """Every generator starts with samples that are all alike; a collapse is what stays."""
    rising = np.linspace(0.03, 0.5, 30).tolist()
    record = build_record(
        80, modes=rising + [0.5] * 50, missing_mass=0.5, divergence=10.0, energy=0.3
    )
    assert detect(record.until(1500)).status == "inconclusive"
    assert "getting better" in detect(record.until(1500)).summary
    assert detect(record).status == "present"
    assert detect(record).onset == 50


def test_approaching_samples_are_inconclusive(build_record: BuildRecord) -> None:
    """A fall of the distance shows learning, but not where all samples are alike.

    No repeated sample gets nearer than the center of the data, so below its distance it does.
    """
    approaching = 0.97 ** np.arange(40)
    several, alike = {"modes": 0.5, "missing_mass": 0.5}, {"modes": 0.05, "missing_mass": 0.9}
    assert detect(build_record(**several, energy=approaching)).status == "inconclusive"
    record = build_record(**alike, energy=approaching, displacement=0.8)
    assert detect(record.until(1400)).status == "present"  # at a distance of 0.44
    assert detect(record).status == "inconclusive"  # 0.30


@few
@given(scale=st.floats(1e-3, 1e3))
def test_unit_of_distance_does_not_matter(build_record: BuildRecord, scale: float) -> None:
    """Whether the samples get nearer is relative to the distance itself."""
    approaching = scale * 0.97 ** np.arange(40)
    # `pairs` is too small for samples that are far away and varied.
    several = {"modes": 0.5, "missing_mass": 0.5, "pairs": 0.8}
    assert detect(build_record(**several, energy=approaching)).status == "inconclusive"
    assert detect(build_record(**several, energy=approaching[::-1])).status == "present"


def test_recovery_ends_it(build_record: BuildRecord, keep_modes: KeepModes) -> None:
    """Once the modes are back, the collapse is over."""
    back = {name: [value] * 20 + [{"modes": 0.9}.get(name, 0.0)] * 20
            for name, value in keep_modes(8).items()}  # fmt: skip
    record = build_record(**back)
    assert detect(record.until(1000)).status == "present"
    assert detect(record).status == "absent"


def test_late_loss_is_inconclusive(build_record: BuildRecord, keep_modes: KeepModes) -> None:
    """Three evaluations without diversity are too few for a collapse, and too many for none."""
    full, lost = keep_modes(32), keep_modes(8)
    late = {name: [full[name]] * 37 + [lost[name]] * 3 for name in lost}
    found = detect(build_record(**late))
    assert found.status == "inconclusive"
    assert "train for more steps" in found.summary


@few
@given(odd=st.integers(0, 39), failing=st.booleans())
def test_one_outlier_changes_nothing(
    build_record: BuildRecord, keep_modes: KeepModes, odd: int, failing: bool
) -> None:
    """One evaluation unlike the others neither raises the alarm nor ends it."""
    usual, other = (keep_modes(4), keep_modes(32)) if failing else (keep_modes(32), keep_modes(4))
    mixed = {name: [value] * 40 for name, value in usual.items()}
    for name, value in other.items():
        mixed[name][odd] = value
    assert detect(build_record(**mixed)).status == ("present" if failing else "absent")


@pytest.mark.parametrize(
    ("cause", "changed"),
    [
        ("discriminator_too_weak", {"auc": 0.1}),
        ("discriminator_too_weak", {"auc": [0.1, 0.9, 0.9] * 13 + [0.9]}),  # it alternates
        ("discriminator_too_weak", {"gap": 0.5, "gap_after": 1.0}),  # half of each gain is lost
        ("discriminator_too_strong", {"auc": 0.995}),
        ("latent_ignored", {"latent_spread": 0.05}),
        (None, {}),
    ],
)
def test_cause_comes_from_the_signals(
    build_record: BuildRecord, cause: str | None, changed: dict[str, Any]
) -> None:
    """The cause is the balance of the networks or ignored latents; None without a sign."""
    found = detect(build_record(**ONE_POINT | changed))
    assert (found.status, found.cause) == ("present", cause)


def test_missing_classes_are_listed(build_record: BuildRecord) -> None:
    """With a classifier, the missing classes are listed; two of ten are no collapse."""
    found = detect(build_record(classes=class_histograms(3, 7), facts=TEN_CLASSES))
    assert found.status == "absent"
    assert f"{MISSING} 3, 7." in found.summary


def test_half_of_the_classes_is_a_collapse(build_record: BuildRecord) -> None:
    """Modes of digits overlap: five of ten have 73% of the modes. The classifier detects it."""
    lost = {"modes": 0.73, "missing_mass": 0.15}
    assert detect(build_record(**lost)).status == "absent"
    found = detect(build_record(**lost, classes=class_histograms(0, 2, 4, 6, 8), facts=TEN_CLASSES))
    assert (found.status, found.kind) == ("present", "partial")
    assert f"{MISSING} 0, 2, 4, 6, 8." in found.summary


def test_one_class_alone_is_a_total_collapse(build_record: BuildRecord) -> None:
    """One digit fills several modes, but a single class is a total collapse nevertheless."""
    lost = {"modes": 0.28, "missing_mass": 0.7}
    assert detect(build_record(**lost)).kind == "partial"
    every = set(range(10))
    assert (
        detect(build_record(**lost, classes=class_histograms(*every - {4}), facts=TEN_CLASSES)).kind
        == "total"
    )
    assert (
        detect(
            build_record(**lost, classes=class_histograms(*every - {4, 5}), facts=TEN_CLASSES)
        ).kind
        == "partial"
    )


@pytest.mark.parametrize("count", range(1, 14))
@pytest.mark.parametrize("modes", [3, 16])
def test_collapse_is_never_denied_early(
    build_record: BuildRecord, keep_modes: KeepModes, modes: int, count: int
) -> None:
    """A collapse is inconclusive, not absent, while there are too few evaluations."""
    found = detect(build_record(count, **keep_modes(modes)))
    assert found.status == ("inconclusive" if count < EVALUATIONS else "present")


def test_alike_samples_that_may_learn_are_inconclusive(build_record: BuildRecord) -> None:
    """A rise that may be due to chance postpones the report that all samples are alike.

    Its p-value is 0.024 (Kendall's z = 2.26 with four ties), too large to postpone it later.
    """
    rising = [0.03, 0.03, 0.03, 0.03, 0.07, 0.18, 0.11, 0.15]
    alike = ONE_POINT | {"modes": rising}
    assert detect(build_record(8, **alike)).status == "inconclusive"
    assert detect(build_record(8, **alike | {"modes": rising[::-1]})).status == "present"


@pytest.mark.parametrize("variance", [40.0, 1.0])
def test_blurred_samples_are_no_collapse(build_record: BuildRecord, variance: float) -> None:
    """Blurred samples around all modes fill the modes unevenly, but do not lack diversity.

    Below half of the modes they do.
    """
    uneven = {"missing_mass": 0.25, "variance": variance}
    status = "absent" if variance > 10 else "present"
    assert detect(build_record(modes=0.65, **uneven)).status == status
    assert detect(build_record(modes=0.45, **uneven)).status == "present"


def test_unknown_classes_are_not_used(build_record: BuildRecord) -> None:
    """A class histogram without real shares, or with other classes than theirs, is ignored."""
    for facts in ({}, {"class_shares": [0.5, 0.5]}):
        found = detect(build_record(classes=class_histograms(0, 2, 4, 6, 8), facts=facts))
        assert found.status == "absent"
        assert "classes" not in found.summary


def test_generator_that_never_learned(build_record: BuildRecord) -> None:
    """Samples that do not move and were never like the data have lost no modes."""
    found = detect(build_record(**ONE_POINT, displacement=1e-4, precision=0.0))
    assert found.status == "inconclusive"
    assert "has not begun to learn" in found.summary


@pytest.mark.parametrize(("farthest", "status"), [(0.6, "inconclusive"), (0.8, "present")])
def test_generator_that_moved_and_stopped(
    build_record: BuildRecord, farthest: float, status: str
) -> None:
    """Samples that moved as far as two real ones are apart are not those of the initialisation."""
    displacement = np.full(40, 1e-4)
    displacement[2:4] = farthest
    assert (
        detect(build_record(**ONE_POINT, displacement=displacement, precision=0.0)).status == status
    )


def test_samples_unlike_the_data_are_reported(build_record: BuildRecord) -> None:
    """The summary of a collapse reports samples that are unlike the data."""
    found = detect(build_record(**ONE_POINT, precision=0.0))
    assert found.status == "present"
    assert "Hardly any sample is near a real sample." in found.summary


@few
@given(energy=st.floats(0.5, 30.0), pairs=st.floats(0.0, 3.0))
def test_varied_samples_far_away_have_not_collapsed(
    build_record: BuildRecord, energy: float, pairs: float
) -> None:
    """Far away one mode is the nearest to all samples: only their distances matter there."""
    varied_far_away = (energy + pairs + 1) / 2 > 1.5 and pairs > 0.9
    found = detect(build_record(**ONE_POINT | {"energy": energy, "pairs": pairs}, precision=0.0))
    assert found.status == ("absent" if varied_far_away else "present")
    assert ("far from the data" in found.summary) == varied_far_away


def test_samples_that_leave_the_data_stay_collapsed(build_record: BuildRecord) -> None:
    """While the modes are meaningless, the last meaningful evaluation counts."""
    away = slice(10, 16)
    energy, pairs = np.full(40, 0.9), np.full(40, 0.5)
    energy[away], pairs[away] = 9.0, 1.2
    found = detect(build_record(**ONE_POINT | {"energy": energy, "pairs": pairs}))
    assert (found.status, found.onset) == ("present", 50)


def test_missing_classes_count_far_from_the_data(build_record: BuildRecord) -> None:
    """The class histogram does not depend on the nearest modes."""
    far = ONE_POINT | {"energy": 5.0, "pairs": 1.0}
    lost = class_histograms(*range(6))
    assert detect(build_record(**far, classes=lost, facts=TEN_CLASSES)).status == "present"


# All samples are alike, in the center of the data.
STARTING = ONE_POINT | {"pairs": 0.1, "energy": 0.3, "displacement": 0.2}


def test_start_is_inconclusive(build_record: BuildRecord) -> None:
    """Alike samples in the center of the data are the start of every generator.

    At a displacement of 0.2 per 100 steps they have moved three distances after 1,500 steps.
    """
    record = build_record(60, **STARTING)
    early = detect(record.until(1450))
    assert early.status == "inconclusive"
    assert "Every generator starts like this." in early.summary
    found = detect(record)
    assert (found.status, found.kind) == ("present", "total")


@few
@given(rate=st.floats(0.01, 0.5), step=st.integers(10, 100))
def test_start_ends_by_displacement_not_by_steps(
    build_record: BuildRecord, rate: float, step: int
) -> None:
    """At any learning rate the start lasts until the samples have moved three distances.

    Bets begin then, so that the alarm comes four evaluations later.
    """
    record = build_record(100, **STARTING | {"displacement": rate}).until(50 * step)
    moved, alarm = step * 50 * rate / 100, 3 + 4 * 50 * rate / 100
    assert detect(record).status == ("inconclusive" if moved < alarm - rate else "present") or (
        alarm - rate <= moved <= alarm
    )


@pytest.mark.parametrize(
    "other",
    [
        {"energy": 0.5},  # farther than one point in the center of the data
        {"pairs": 0.5},  # as far from real samples as these are from each other: on few modes
        {"displacement": 0.8},  # they jump from mode to mode
        {"displacement": 1e-4},  # they do not move at all
        {"modes": [0.6] * 3 + [0.03] * 37},  # they were spread before
    ],
    ids=lambda other: next(iter(other)),
)
def test_collapse_is_no_start(build_record: BuildRecord, other: dict[str, Any]) -> None:
    """A collapse that differs from a start in a single signal is reported at once."""
    assert detect(build_record(**STARTING | other).until(1000)).status == "present"


def test_center_distance_comes_from_the_data(build_record: BuildRecord) -> None:
    """The distance of the center depends on the data: 0.58 for a ring instead of 0.41."""
    far = STARTING | {"energy": 0.5}
    assert (
        detect(build_record(20, **far, facts={"mean_energy_distance": 0.58})).status
        == "inconclusive"
    )
    assert detect(build_record(20, **far)).status == "present"


def test_way_to_the_data_is_inconclusive(build_record: BuildRecord) -> None:
    """Alike samples that approach the data have not collapsed, before they have moved far."""
    alike = ONE_POINT | {"energy": np.linspace(1.3, 0.6, 20), "pairs": 0.1}
    slow, fast = (build_record(20, **alike | {"displacement": each}) for each in (0.1, 0.6))
    assert detect(slow).status == "inconclusive"
    assert detect(fast).status == "present"


def test_way_from_outside_may_be_long(build_record: BuildRecord) -> None:
    """Outside of the data every approach counts, however long the way is."""
    approaching = np.linspace(30.0, 2.0, 20)
    alike = ONE_POINT | {"pairs": 0.1, "displacement": 5.0}
    assert detect(build_record(20, **alike | {"energy": approaching})).status == "inconclusive"
    assert detect(build_record(20, **alike | {"energy": approaching[::-1]})).status == "present"


def test_recovery_ends_a_collapse(build_record: BuildRecord) -> None:
    """A collapse whose samples get better has ended: the answer is open, and says so."""
    rising = np.concatenate([np.full(25, 0.1), np.linspace(0.1, 0.5, 15)])
    record = build_record(modes=rising, missing_mass=0.5)
    assert detect(record.until(1250)).status == "present"
    found = detect(record)
    assert found.status == "inconclusive"
    assert "getting better" in found.summary
    assert "better" not in detect(build_record(modes=0.3, missing_mass=0.5)).summary


def test_nan_is_inconclusive(build_record: BuildRecord) -> None:
    """A diversity that is not a number gives no result."""
    assert detect(build_record(modes=np.nan)).status == "inconclusive"


@few
@given(value=st.floats(-1e6, 1e6), failing=st.booleans())
def test_other_signals_change_nothing(
    build_record: BuildRecord, value: float, failing: bool
) -> None:
    """Losses and gradients are not used."""
    other = {"loss/value/generator": value, "gradient/norm/generator": value}
    values = ONE_POINT if failing else {}
    assert detect(build_record(other=other, **values)) == detect(build_record(**values))
