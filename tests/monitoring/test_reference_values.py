"""Tests of the sample metrics: closed forms, and input for which such metrics often fail."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import rel_entr
from torch import Tensor

from gandiag.comparison.distances import frechet_distance_of_features
from gandiag.datasets.data import Data
from gandiag.datasets.ring import Ring
from gandiag.monitoring.probes.confidence import compute_auc
from gandiag.monitoring.reference import NEIGHBOURS, Reference
from gandiag.monitoring.sample_metrics import MISSED_SHARE, compute_feature_metrics
from tests.conftest import random_points

Normal = Callable[..., Tensor]
POINTS = torch.stack([torch.arange(8.0), torch.arange(8.0).square()], 1)  # eight points, no ties


@pytest.fixture(scope="module")
def points_reference() -> Reference:
    """Eight points with 50 copies each: eight modes of equal mass and no variance."""
    reals = POINTS.repeat(50, 1)
    return Reference.from_samples(reals, reals, size=80)


def measure(reference: Reference, samples: Tensor) -> dict[str, float]:
    """The scalar metrics of samples, not divided by the baseline."""
    found = compute_feature_metrics(reference, reference.embed(samples))
    return {name: float(value) for name, value in found.items() if value.ndim == 0}


@pytest.mark.parametrize("dimensions", [1, 2, 10])
@pytest.mark.parametrize(
    ("reals", "fakes", "expected"), [(512, 512, 0.9692), (256, 256, 0.9697), (1000, 256, 0.6811)]
)
def test_coverage_does_not_depend_on_the_dimension(
    dimensions: int, reals: int, fakes: int, expected: float
) -> None:
    """Mean coverage of equal distributions is 1 - prod (N - i) / (M + N - i) in any dimension.

    Naeem et al. 2020, proposition for k = 5; the mean of 40 draws, within four standard errors.
    """
    product = math.prod((reals - i) / (fakes + reals - i) for i in range(1, NEIGHBOURS + 1))
    assert 1 - product == pytest.approx(expected, abs=1e-4)
    draw = torch.Generator().manual_seed(dimensions)
    found = []
    for _ in range(40):
        both = torch.randn(reals + fakes, dimensions, generator=draw)
        radii = torch.cdist(both[:reals], both[:reals]).kthvalue(NEIGHBOURS + 1, dim=1).values
        reference = reference_of_features(both[:reals], radii)
        found.append(float(compute_feature_metrics(reference, both[reals:])["coverage"]))
    error = np.std(found, ddof=1) / math.sqrt(len(found))
    assert abs(np.mean(found) - expected) < 4 * error


def reference_of_features(features: Tensor, radii: Tensor) -> Reference:
    """A reference with given features and radii, and one mode."""
    one = torch.ones(1)
    return Reference(
        sample_size=1, pair_distance=1.0, max_abs=1.0, mean=features.mean(0),
        principal_directions=None, features=features,
        centres=features.mean(0)[None], mode_shares=one, mode_variances=one, radii=radii,
        self_distance=1.0, mean_energy_distance=0.4,
        baseline_mean={}, baseline_sd={}, baseline_max={},
    )  # fmt: skip


def test_entropy_baseline_depends_on_sample_size(ring: Data) -> None:
    """Effective modes of real draws have Miller and Madow's bias, exp(-(K - 1) / 2n), K = 32.

    The ratio of two sizes is compared, as it does not depend on the held-out samples.
    """
    small, large = (Reference.from_samples(ring.train, ring.held_out, size=n) for n in (128, 1024))
    expected = math.exp(-31 / 2 * (1 / 128 - 1 / 1024))
    found = small.baseline_mean["effective_modes"] / large.baseline_mean["effective_modes"]
    error = math.hypot(*(r.baseline_sd["effective_modes"] / 10 for r in (small, large)))
    assert abs(found - expected) < 4 * error
    for reference in (small, large):  # sqrt(K / (pi n)) for equal modes
        turnover = math.sqrt(32 / (math.pi * reference.sample_size))
        assert reference.baseline_mean["turnover"] == pytest.approx(turnover, rel=0.1)


histograms = st.lists(st.integers(0, 10), min_size=8, max_size=8).filter(any)


@given(histograms)
def test_histogram_metrics_are_formulas(points_reference: Reference, counts: list[int]) -> None:
    """For eight equal points the metrics are known functions of any histogram."""
    q, p = np.array(counts) / sum(counts), np.full(8, 1 / 8)
    found = measure(points_reference, POINTS.repeat_interleave(torch.tensor(counts), 0))
    entropy = -sum(share * math.log(share) for share in q if share)
    assert found["effective_modes"] == pytest.approx(math.exp(entropy) / 8, rel=1e-4)
    assert found["missing_mass"] == pytest.approx((q < MISSED_SHARE / 8).mean(), abs=1e-6)
    middle = (p + q) / 2
    divergence = float(rel_entr(p, middle).sum() + rel_entr(q, middle).sum()) / 2
    assert found["js_divergence"] == pytest.approx(divergence, abs=1e-6)
    assert found["coverage"] == pytest.approx((q > 0).mean())
    assert found["precision"] == 1


@given(st.permutations(range(8)), st.integers(1, 8))
def test_kept_modes_are_counted(points_reference: Reference, order: list[int], kept: int) -> None:
    """Any k of 8 equal modes have k/8 of the diversity, and miss 1 - k/8 of the data."""
    found = measure(points_reference, POINTS[order[:kept]].repeat(10, 1))
    assert found["effective_modes"] == pytest.approx(kept / 8, rel=1e-4)
    assert found["missing_mass"] == pytest.approx(1 - kept / 8, abs=1e-6)


def test_half_of_modes_has_known_divergence(points_reference: Reference) -> None:
    """Half of equal modes: JS = ln(4/3)/2 + (ln(2/3) + ln 2)/4, 0.2158 nats; none: ln 2 at most."""
    known = math.log(4 / 3) / 2 + (math.log(2 / 3) + math.log(2)) / 4
    found = measure(points_reference, POINTS[:4].repeat(10, 1))
    assert known == pytest.approx(0.2158, abs=1e-4)
    assert found["js_divergence"] == pytest.approx(known, abs=1e-6)


@settings(max_examples=20)
@given(st.floats(0.2, 1.0))
def test_variance_is_squared_width(ring_reference: Reference, width: float) -> None:
    """Real samples that move to s times the distance from their centre have s^2 the variance."""
    features, centres = ring_reference.features, ring_reference.centres
    middle = centres[torch.cdist(features, centres).argmin(1)]
    fakes = middle + width * (features - middle)
    found = float(compute_feature_metrics(ring_reference, fakes)["within_mode_variance"])
    assert found == pytest.approx(width**2, rel=0.1)  # half of the samples of each mode


@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0, 4.0])
def test_energy_distance_of_shifted_normals(shift: float) -> None:
    """Between N(0, 1) and N(m, 1): 2 E|Z sqrt 2 + m| - 4 / sqrt(pi), over 2 / sqrt(pi).

    The mean of 20 draws of 400 samples, within four standard errors.
    """
    density = math.exp(-(shift**2) / 4) / math.sqrt(4 * math.pi)
    beyond = math.erf(shift / 2)
    mean = 4 * density + shift * beyond  # E|N(m, 2)|
    expected = (2 * mean - 4 / math.sqrt(math.pi)) / (2 / math.sqrt(math.pi))
    draw, found = torch.Generator().manual_seed(0), []
    for _ in range(20):
        reals, fakes = (torch.randn(400, 1, generator=draw) for _ in range(2))
        reference = reference_of_features(reals, torch.ones(400))
        own = torch.cdist(reals, reals).sum() / (400 * 399)
        reference = Reference(**{**vars(reference), "self_distance": float(own)})
        found.append(float(compute_feature_metrics(reference, fakes + shift)["energy_distance"]))
    error = np.std(found, ddof=1) / math.sqrt(len(found))
    assert abs(np.mean(found) - expected) < 4 * error


def test_frechet_distance_is_known() -> None:
    """The test data of compare_gan give 89.0909; samples of a known distance give it."""
    real, made = torch.ones(100, 2), 9 * torch.ones(100, 2)
    real[:50, 0] = 2
    made[50:, 0] = 2
    assert frechet_distance_of_features(real, made) == pytest.approx(89.090909, abs=1e-4)
    normal = random_points((200_000, 2))
    moved = 2 * random_points((200_000, 2), seed=1) + torch.tensor([1.0, 0.0])
    assert frechet_distance_of_features(normal, moved) == pytest.approx(
        3, abs=0.05
    )  # N(0, I) and N(e1, 4 I)


@pytest.mark.parametrize("shift", [-2.0, 0.0, 0.5, 3.0])
def test_auc_of_shifted_normals(shift: float) -> None:
    """Real scores N(m, 1) and generated scores N(0, 1) have an AUC of Phi(m / sqrt 2)."""
    draw = torch.Generator().manual_seed(3)
    real, fake = (torch.randn(3000, generator=draw, dtype=torch.float64) for _ in range(2))
    expected = (1 + math.erf(shift / 2)) / 2
    error = math.sqrt((1 / 3000 + 1 / 3000) / 12) + 1e-9  # largest error of the rank statistic
    assert abs(float(compute_auc(real + shift, fake)) - expected) < 4 * error


def test_ties_do_not_break_coverage() -> None:
    """Integers have neighbours at distance 0, and draws of the same integers cover them.

    With ``<`` in place of ``<=`` the coverage of such data would always be 0.
    """
    draw = torch.Generator().manual_seed(0)
    reals, fakes = (torch.randint(0, 4, (400, 2), generator=draw).float() for _ in range(2))
    reference = Reference.from_samples(reals, fakes, size=200)
    assert float(reference.radii.max()) == 0
    found = measure(reference, fakes[:200])
    assert found["coverage"] == found["precision"] == 1
    assert measure(reference, fakes[:200] + 0.5)["coverage"] == 0


@given(st.integers(0, 999))
def test_one_repeated_sample(ring_reference: Reference, which: int) -> None:
    """A repeated real sample has one mode, misses all others, and has precision 1."""
    reals = ring_reference.features
    found = compute_feature_metrics(ring_reference, reals[which : which + 1].repeat(512, 1))
    share = float(ring_reference.mode_shares[int(found["mode_histogram"].argmax())])
    real = ring_reference.mode_shares.double()
    assert float(found["effective_modes"]) == pytest.approx(
        math.exp(float(torch.xlogy(real, real).sum())), rel=1e-4
    )
    assert float(found["missing_mass"]) == pytest.approx(1 - share, abs=1e-5)
    assert float(found["pair_distance"]) == pytest.approx(0, abs=1e-3)
    assert float(found["precision"]) == 1


@settings(max_examples=25)
@given(st.integers(1, 40), st.integers(0, 100))
def test_fewer_samples_than_modes(ring_reference: Reference, count: int, seed: int) -> None:
    """Few samples have few modes; every metric stays in its range, or is NaN."""
    fakes = Ring(sd=0.02, seed=seed + 1, samples=count, held_out=1).load().train
    found = measure(ring_reference, fakes)
    real = ring_reference.mode_shares
    most = count / math.exp(-float(torch.xlogy(real, real).sum()))
    assert 0 < found["effective_modes"] <= most * (1 + 1e-5)
    assert 0 <= found["missing_mass"] <= 1
    assert 0 <= found["js_divergence"] <= math.log(2)
    assert 0 <= found["coverage"] <= 1
    assert math.isnan(found["within_mode_variance"]) or found["within_mode_variance"] >= 0


@given(st.randoms(use_true_random=False))
def test_order_of_samples_does_not_matter(points_reference: Reference, random: object) -> None:
    """Samples in another order have the same metrics."""
    order = torch.tensor(random.sample(range(64), 64))  # type: ignore[attr-defined]
    samples = POINTS.repeat(8, 1) + 0.01 * torch.arange(64)[:, None]
    one, other = measure(points_reference, samples), measure(points_reference, samples[order])
    for name, value in one.items():
        assert other[name] == pytest.approx(value, rel=1e-4, nan_ok=True), name


@pytest.mark.parametrize(("lost", "expected"), [(math.inf, 1.0), (-math.inf, 0.5)])
def test_extreme_scores_are_ranked(lost: float, expected: float) -> None:
    """Equal scores give an AUC of 0.5; an infinite score is above or below all others."""
    ones = torch.ones(8)
    assert float(compute_auc(ones, ones)) == 0.5
    assert float(compute_auc(torch.tensor([lost, 1.0]), torch.tensor([0.0, 0.0]))) == expected


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0])
def test_constant_samples_are_one_point(normal: Normal, value: float) -> None:
    """Blank images of any grey are one mode without variance."""
    reals = normal((300, 1, 8, 8)).clamp(-1, 1)
    reference = Reference.from_samples(reals, normal((150, 1, 8, 8), seed=1).clamp(-1, 1), size=64)
    found = compute_feature_metrics(reference, reference.embed(torch.full((64, 1, 8, 8), value)))
    assert float(found["mode_histogram"].max()) == 1
    assert float(found["pair_distance"]) == pytest.approx(0, abs=1e-3)
    assert float(found["energy_distance"]) > 0.3
