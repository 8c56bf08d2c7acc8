from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gandiag.diagnosis.detectors.mode_collapse import ModeCollapse
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.records.record import Record

Looks = Callable[..., Record]
Kept = Callable[..., dict[str, Any]]
Array = NDArray[np.float64]

ONE_POINT = {
    "effective": 0.03, "missing": 0.97, "divergence": 30.0,
    "spread": 0.5, "pairs": 0.5, "energy": 0.9,
}  # fmt: skip
TEN = {"class_shares": [0.1] * 10}

few = settings(deadline=None, max_examples=20)


def judged(record: Record) -> Diagnosis:
    """What the detector says of a record."""
    return ModeCollapse().detect(record)


def digits(*lost: int, count: int = 40) -> Array:
    """Class histograms in which some of ten digits are never made."""
    made = np.array([digit not in lost for digit in range(10)], dtype=float)
    return np.tile(made / made.sum(), (count, 1))


@pytest.mark.parametrize(
    ("modes", "kind"), [(16, "partial"), (8, "partial"), (3, "total"), (1, "total")]
)
def test_lost_modes_are_present(looks: Looks, kept: Kept, modes: int, kind: str) -> None:
    """Half or a quarter of equal modes is a partial collapse, a tenth or one a total one."""
    found = judged(looks(**kept(modes)))
    assert (found.status, found.kind, found.onset) == ("present", kind, 50)
    assert found.severity == pytest.approx(1 - modes / 32)


@pytest.mark.parametrize("modes", [32, 28, 26])
def test_few_lost_modes_are_absent(looks: Looks, kept: Kept, modes: int) -> None:
    """Seven of eight modes is in the grey zone, and raises no alarm."""
    assert judged(looks(**kept(modes))).status == "absent"


def test_uneven_samples_are_no_collapse(looks: Looks) -> None:
    """Modes made too often while none is missing count only once half the diversity is gone."""
    uneven = {"missing": 0.0, "divergence": 8.0}
    assert judged(looks(effective=0.6, **uneven)).status == "absent"
    assert judged(looks(effective=0.45, **uneven)).kind == "partial"


@few
@given(seed=st.integers(0, 10**6), peak=st.sampled_from([0.3, 1.0, 30.0]))
def test_real_draws_never_collapse(looks: Looks, seed: int, peak: float) -> None:
    """Draws from the data themselves look diverse, however unbalanced these are."""
    draw = np.random.default_rng(seed)
    real = draw.dirichlet(np.full(32, peak))
    made = draw.multinomial(512, real, 40) / 512
    effective = np.exp([entropy(row) - entropy(real) for row in made])
    missing = [real[row < 0.2 * real].sum() for row in made]
    apart = [entropy((row + real) / 2) - (entropy(row) + entropy(real)) / 2 for row in made]
    record = looks(
        effective=effective / effective.mean(),
        missing=np.array(missing) - np.mean(missing),
        divergence=np.array(apart) / max(apart),
        bins=made,
    )
    assert judged(record).status == "absent"


def entropy(shares: Array) -> float:
    """Entropy in nats."""
    held = shares[shares > 0]
    return float(-(held * np.log(held)).sum())


@few
@given(st.permutations(range(8)), st.booleans())
def test_which_modes_does_not_matter(looks: Looks, order: list[int], moving: bool) -> None:
    """Bins have no names: losing others, or hopping in another order, is the same failure."""
    bins = np.eye(8)[np.arange(40) % 8 if moving else np.zeros(40, int)]
    one, other = (judged(looks(**ONE_POINT, bins=rows)) for rows in (bins, bins[:, order]))
    assert one == other
    assert one.kind == ("hopping" if moving else "total")


@few
@given(st.lists(st.integers(1, 20), min_size=2, max_size=2))
def test_severity_grows_with_loss(looks: Looks, kept: Kept, modes: list[int]) -> None:
    """The fewer modes are left, the worse."""
    worse, better = (judged(looks(**kept(count))).severity for count in sorted(modes))
    assert worse is not None
    assert better is not None
    assert worse >= better


def test_samples_that_move_as_one_hop(looks: Looks) -> None:
    """A collapse in which all samples move together, further than they lie apart, is hopping.

    They must get about as far as one real sample is from another: half of that is the same mode.
    """
    assert judged(looks(**ONE_POINT, motion=1.0, relative=5.0)).kind == "hopping"
    assert judged(looks(**ONE_POINT, motion=0.5, relative=5.0)).kind == "total"


def test_alike_samples_in_a_mode(looks: Looks) -> None:
    """All modes with one sample in each is a collapse within the modes, and a severe one."""
    found = judged(looks(dispersion=0.05))
    assert (found.status, found.kind) == ("present", "intra_mode")
    assert "Within a mode they vary 5% as much" in found.summary
    assert found.severity == pytest.approx(0.95)


def test_kind_stays_while_it_heals(looks: Looks, kept: Kept) -> None:
    """Between the gates a partial collapse is still a partial one."""
    lost = kept(16) | {"effective": [0.5] * 20 + [0.72] * 20}
    found = judged(looks(**lost))
    assert (found.status, found.kind) == ("present", "partial")


def test_blob_that_learns_is_held(looks: Looks) -> None:
    """Every G begins with one kind; while diversity rises it is inconclusive, afterwards ill."""
    rising = np.linspace(0.03, 0.5, 30).tolist()
    record = looks(80, effective=rising + [0.5] * 50, missing=0.5, divergence=10.0, energy=0.3)
    assert judged(record.until(1500)).status == "inconclusive"
    assert "getting better" in judged(record.until(1500)).summary
    assert judged(record).status == "present"
    assert judged(record).onset == 50


def test_nearing_samples_are_held(looks: Looks) -> None:
    """Some modes that come nearer to the data still learn; one blob that does so wanders."""
    nearing = 0.97 ** np.arange(40)
    few, blob = {"effective": 0.5, "missing": 0.5}, {"effective": 0.05, "missing": 0.9}
    assert judged(looks(**few, energy=nearing)).status == "inconclusive"
    assert judged(looks(**blob, energy=nearing)).status == "present"


@few
@given(scale=st.floats(1e-3, 1e3))
def test_unit_of_distance_does_not_matter(looks: Looks, scale: float) -> None:
    """Whether the samples come nearer is judged by the distance's own level."""
    nearing = scale * 0.97 ** np.arange(40)
    few = {"effective": 0.5, "missing": 0.5, "pairs": 0.8}  # nor where samples are far away
    assert judged(looks(**few, energy=nearing)).status == "inconclusive"
    assert judged(looks(**few, energy=nearing[::-1])).status == "present"


def test_recovery_ends_it(looks: Looks, kept: Kept) -> None:
    """Once the modes are back, it is over."""
    back = {name: [value] * 20 + [{"effective": 0.9}.get(name, 0.0)] * 20
            for name, value in kept(8).items()}  # fmt: skip
    record = looks(**back)
    assert judged(record.until(1000)).status == "present"
    assert judged(record).status == "absent"


def test_late_loss_is_left_open(looks: Looks, kept: Kept) -> None:
    """Three looks that lack variety are too few to call it lost, and too many to deny it."""
    full, lost = kept(32), kept(8)
    late = {name: [full[name]] * 37 + [lost[name]] * 3 for name in lost}
    found = judged(looks(**late))
    assert found.status == "inconclusive"
    assert "more steps would tell" in found.summary


@few
@given(odd=st.integers(0, 39), sick=st.booleans())
def test_odd_look_changes_nothing(looks: Looks, kept: Kept, odd: int, sick: bool) -> None:
    """One look unlike the others neither raises the alarm nor ends it."""
    usual, other = (kept(4), kept(32)) if sick else (kept(32), kept(4))
    mixed = {name: [value] * 40 for name, value in usual.items()}
    for name, value in other.items():
        mixed[name][odd] = value
    assert judged(looks(**mixed)).status == ("present" if sick else "absent")


@pytest.mark.parametrize(
    ("cause", "seen"),
    [
        ("discriminator_too_weak", {"auc": 0.1}),
        ("discriminator_too_weak", {"auc": [0.1, 0.9, 0.9] * 13 + [0.9]}),  # it swings
        ("discriminator_too_weak", {"gap": 0.5, "gap_after": 1.0}),  # G undoes half of each step
        ("discriminator_too_strong", {"auc": 0.995}),
        ("latent_ignored", {"spread": 0.05}),
        (None, {}),
    ],
)
def test_cause_is_what_is_seen(looks: Looks, cause: str | None, seen: dict[str, Any]) -> None:
    """The cause is read from the players' balance or from the latents; unknown without a sign."""
    found = judged(looks(**ONE_POINT | seen))
    assert (found.status, found.cause) == ("present", cause)


def test_missing_digits_are_named(looks: Looks) -> None:
    """Where a classifier has looked, the digits hardly made are listed; two are no collapse."""
    found = judged(looks(classes=digits(3, 7), facts=TEN))
    assert found.status == "absent"
    assert "Classes hardly made: 3, 7." in found.summary


def test_half_the_digits_is_a_collapse(looks: Looks) -> None:
    """Cells overlap: five of ten digits leave 73% of their number. The classifier sees it."""
    lost = {"effective": 0.73, "missing": 0.15}
    assert judged(looks(**lost)).status == "absent"
    found = judged(looks(**lost, classes=digits(0, 2, 4, 6, 8), facts=TEN))
    assert (found.status, found.kind) == ("present", "partial")
    assert "Classes hardly made: 0, 2, 4, 6, 8." in found.summary


def test_one_class_alone_is_a_total_collapse(looks: Looks) -> None:
    """One digit fills several cells; that all others are missing makes it one kind of sample."""
    lost = {"effective": 0.28, "missing": 0.7}
    assert judged(looks(**lost)).kind == "partial"
    every = set(range(10))
    assert judged(looks(**lost, classes=digits(*every - {4}), facts=TEN)).kind == "total"
    assert judged(looks(**lost, classes=digits(*every - {4, 5}), facts=TEN)).kind == "partial"


@pytest.mark.parametrize("count", range(4, 14))
@pytest.mark.parametrize(("modes", "least"), [(3, 8), (16, 11)])
def test_collapse_is_never_denied_early(
    looks: Looks, kept: Kept, modes: int, least: int, count: int
) -> None:
    """What is a collapse in the end is not called absent while there are too few looks to tell.

    Samples of one kind are told sooner than half of the modes.
    """
    found = judged(looks(count, **kept(modes)))
    assert found.status == ("inconclusive" if count < least else "present")


def test_blob_that_may_learn_is_held(looks: Looks) -> None:
    """A rise that may still be chance keeps samples of one kind from being called collapsed soon.

    Its p-value is 0.024 (Kendall's z = 2.26 with four ties), so it is no trend to rely on later.
    """
    rising = [0.03, 0.03, 0.03, 0.03, 0.07, 0.18, 0.11, 0.15]
    blob = ONE_POINT | {"effective": rising}
    assert judged(looks(8, **blob)).status == "inconclusive"
    assert judged(looks(8, **blob | {"effective": rising[::-1]})).status == "present"


@pytest.mark.parametrize(("dispersion", "energy"), [(40.0, 0.5), (1.0, 0.04), (40.0, 0.04)])
def test_blur_decides_no_collapse(looks: Looks, dispersion: float, energy: float) -> None:
    """Samples strewn around all modes fill the cells unevenly, which is no lack of variety.

    Below half of the modes, or far from the data, it is.
    """
    blurred = dispersion > 10 and energy < 0.1
    seen = {"missing": 0.25, "divergence": 8.0, "dispersion": dispersion, "energy": energy}
    assert judged(looks(effective=0.65, **seen)).status == ("absent" if blurred else "present")
    assert judged(looks(effective=0.45, **seen)).status == "present"


def test_unknown_classes_are_not_asked(looks: Looks) -> None:
    """A histogram without the real shares to compare it with, or of other classes, says nothing."""
    for facts in ({}, {"class_shares": [0.5, 0.5]}):
        found = judged(looks(classes=digits(0, 2, 4, 6, 8), facts=facts))
        assert found.status == "absent"
        assert "Classes" not in found.summary


def test_generator_that_never_learned(looks: Looks) -> None:
    """What stands still and was never like the data has lost nothing: it cannot be judged."""
    found = judged(looks(**ONE_POINT, motion=1e-4, precision=0.0))
    assert found.status == "inconclusive"
    assert "has not begun to learn" in found.summary


@pytest.mark.parametrize(("farthest", "status"), [(0.6, "inconclusive"), (0.8, "present")])
def test_generator_that_moved_and_froze(looks: Looks, farthest: float, status: str) -> None:
    """Samples that moved as far as real ones lie apart are no longer the initialisation's."""
    motion = np.full(40, 1e-4)
    motion[2:4] = farthest
    assert judged(looks(**ONE_POINT, motion=motion, precision=0.0)).status == status


def test_samples_off_the_data_are_named(looks: Looks) -> None:
    """A collapse onto something that is nothing like the data is called so."""
    found = judged(looks(**ONE_POINT, precision=0.0))
    assert found.status == "present"
    assert "Hardly any of them lies near a real sample." in found.summary


@few
@given(energy=st.floats(0.5, 30.0), pairs=st.floats(0.0, 3.0))
def test_varied_samples_far_away_have_not_collapsed(
    looks: Looks, energy: float, pairs: float
) -> None:
    """Seen from afar one cell is the nearest: only the samples' own distances tell then."""
    varied_far_away = (energy + pairs + 1) / 2 > 1.5 and pairs > 0.9
    found = judged(looks(**ONE_POINT | {"energy": energy, "pairs": pairs}, precision=0.0))
    assert found.status == ("absent" if varied_far_away else "present")
    assert ("far from the data" in found.summary) == varied_far_away


def test_a_trip_away_from_the_data_ends_no_collapse(looks: Looks) -> None:
    """Where the cells tell nothing, what they told last still holds."""
    away = slice(10, 16)
    energy, pairs = np.full(40, 0.9), np.full(40, 0.5)
    energy[away], pairs[away] = 9.0, 1.2
    found = judged(looks(**ONE_POINT | {"energy": energy, "pairs": pairs}))
    assert (found.status, found.onset) == ("present", 50)


def test_lost_classes_count_wherever_the_samples_lie(looks: Looks) -> None:
    """What a classifier tells of the samples does not depend on the nearest cell."""
    far = ONE_POINT | {"energy": 5.0, "pairs": 1.0}
    lost = digits(*range(6))
    assert judged(looks(**far, classes=lost, facts=TEN)).status == "present"


BLOB = ONE_POINT | {"pairs": 0.1, "energy": 0.3, "motion": 0.2}  # in the middle of the data


def test_generator_that_begins_is_waited_for(looks: Looks) -> None:
    """A blob in the middle of the data is every generator's beginning, however long it takes.

    At 0.2 real distances per 100 steps it has gone three of them after 1,500.
    """
    record = looks(60, **BLOB)
    early = judged(record.until(1450))
    assert early.status == "inconclusive"
    assert "every generator that begins" in early.summary
    found = judged(record)
    assert (found.status, found.kind) == ("present", "total")


@few
@given(rate=st.floats(0.01, 0.5), step=st.integers(10, 100))
def test_beginning_is_told_by_the_way_not_by_steps(looks: Looks, rate: float, step: int) -> None:
    """At any learning rate the blob is waited for until it has gone three real distances."""
    record = looks(100, **BLOB | {"motion": rate}).until(50 * step)
    waited = step * 50 * rate / 100 < 3 - 1e-9
    assert judged(record).status == ("inconclusive" if waited else "present")


@pytest.mark.parametrize(
    "other",
    [
        {"energy": 0.5},  # farther than one point in the middle of the data
        {"pairs": 0.5},  # as far from real samples as those are from each other: on a few modes
        {"motion": 0.8},  # it leaps about
        {"motion": 1e-4},  # it does not move at all
        {"effective": [0.6] * 3 + [0.03] * 37},  # there had been more
    ],
    ids=lambda other: next(iter(other)),
)
def test_collapse_is_no_beginning(looks: Looks, other: dict[str, Any]) -> None:
    """What differs from a blob that has yet to spread, in any one thing, is told at once."""
    assert judged(looks(**BLOB | other).until(1000)).status == "present"


def test_middle_of_the_data_is_the_datas_own(looks: Looks) -> None:
    """How near a single sample can come depends on the data: to a ring, 0.58 instead of 0.41."""
    far = BLOB | {"energy": 0.5}
    assert judged(looks(20, **far, facts={"mean_energy_distance": 0.58})).status == "inconclusive"
    assert judged(looks(20, **far)).status == "present"


def test_way_to_the_data_is_waited_for(looks: Looks) -> None:
    """A blob that comes nearer from afar is left alone until it has gone one real distance."""
    blob = ONE_POINT | {"energy": np.linspace(1.3, 0.6, 12), "pairs": 0.1}
    slow, fast = (looks(12, **blob | {"motion": motion}) for motion in (0.1, 0.3))
    assert judged(slow).status == "inconclusive"
    assert judged(fast).status == "present"


@few
@given(speed=st.floats(0.2, 2.0), direct=st.floats(0.1, 1.0).filter(lambda d: abs(d - 0.5) > 0.01))
def test_way_from_outside_may_be_long(looks: Looks, speed: float, direct: float) -> None:
    """Far from the data a blob is left alone while half of what it moves brings it nearer."""
    steps = 50 * np.arange(1, 13)
    away = 1.6 + 2 * speed * (steps[-1] - steps) / 100
    blob = ONE_POINT | {"pairs": 0.1, "energy": away, "motion": speed / direct}
    assert judged(looks(12, **blob)).status == ("inconclusive" if direct > 0.5 else "present")


def test_recovery_that_is_under_way_is_said(looks: Looks) -> None:
    """A collapse that is being overcome is still one, but not without hope."""
    rising = np.concatenate([np.full(25, 0.1), np.linspace(0.1, 0.5, 15)])
    lost = {"missing": 0.5, "divergence": 9.0}
    found = judged(looks(effective=rising, **lost))
    assert found.status == "present"
    assert "They are getting better." in found.summary
    assert "better" not in judged(looks(effective=0.3, **lost)).summary


def test_nan_is_inconclusive(looks: Looks) -> None:
    """A diversity that is no number is neither good nor bad."""
    assert judged(looks(effective=np.nan)).status == "inconclusive"


@few
@given(value=st.floats(-1e6, 1e6), sick=st.booleans())
def test_other_signals_change_nothing(looks: Looks, value: float, sick: bool) -> None:
    """Losses and gradients are never asked."""
    other = {"loss/value/generator": value, "gradient/norm/generator": value}
    values = ONE_POINT if sick else {}
    assert judged(looks(other=other, **values)) == judged(looks(**values))
