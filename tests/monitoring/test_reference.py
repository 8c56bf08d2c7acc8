"""Tests of the reference: metrics of known distributions, and equality with slow, plain loops."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist, jensenshannon
from torch import Tensor

from gandiag.datasets.data import Data
from gandiag.datasets.ring import Ring
from gandiag.monitoring.probes.diversity import RATIO_METRICS, relate_to_baseline
from gandiag.monitoring.reference import (
    BASELINE_DRAWS,
    MAX_MODES,
    MAX_NEIGHBOURHOODS,
    NEIGHBOURS,
    Reference,
)
from gandiag.monitoring.sample_metrics import compute_feature_metrics

Normal = Callable[..., Tensor]


def mode_weights(*kept: int) -> tuple[float, ...]:
    """Weights of eight modes: equal for the modes that are kept, 0 for the others."""
    return tuple(float(mode in kept) for mode in range(8))


def measure(reference: Reference, fakes: Tensor) -> dict[str, float]:
    """The scalar metrics of generated samples, relative to the real-vs-real baseline."""
    found = relate_to_baseline(
        reference, compute_feature_metrics(reference, reference.embed(fakes))
    )
    return {name: float(value) for name, value in found.items() if value.ndim == 0}


def draw_ring(seed: int = 1, sd: float = 0.02, weights: tuple[float, ...] = ()) -> Tensor:
    """512 fresh points of the ring."""
    return Ring(sd=sd, weights=weights, seed=seed, samples=512, held_out=1).load().train


def test_fresh_real_samples_have_ratio_one(ring_reference: Reference) -> None:
    """Over 20 draws of fresh real samples, ratios are 1 and distances 0 on average."""
    rows = [measure(ring_reference, draw_ring(seed)) for seed in range(1, 21)]
    mean = {name: np.mean([row[name] for row in rows]) for name in rows[0]}
    for name in RATIO_METRICS:
        assert mean[name] == pytest.approx(1, abs=0.07 if name == "within_mode_variance" else 0.02)
    assert mean["missing_mass"] == pytest.approx(0, abs=0.01)
    assert mean["energy_distance"] == pytest.approx(0, abs=0.002)
    assert mean["js_divergence"] < 1


@pytest.mark.parametrize(
    ("kept", "effective", "missing", "spread"),
    [
        ((0, 2, 4, 6), 0.50, 0.50, 0.96),
        ((0, 1, 2, 3), 0.50, 0.50, 0.70),
        (tuple(range(7)), 0.87, 0.13, 0.98),
        ((0, 4), 0.25, 0.74, 0.80),
        ((3,), 0.12, 0.88, 0.01),
    ],
)
def test_lost_modes_are_counted(
    ring_reference: Reference,
    kept: tuple[int, ...],
    effective: float,
    missing: float,
    spread: float,
) -> None:
    """K of 8 equal modes have k/8 of the diversity; the mean distance may hide this."""
    found = measure(ring_reference, draw_ring(weights=mode_weights(*kept)))
    assert found["effective_modes"] == pytest.approx(effective, abs=0.04)
    assert found["missing_mass"] == pytest.approx(missing, abs=0.04)
    assert found["pair_distance"] == pytest.approx(spread, abs=0.02)
    assert found["precision"] > 0.97


def test_noise_is_diverse_and_imprecise(ring_reference: Reference, normal: Normal) -> None:
    """A Gaussian as wide as the ring has high diversity, and low precision and coverage."""
    found = measure(ring_reference, 1.4 * normal((512, 2)))
    assert found["effective_modes"] > 0.7
    assert found["precision"] < 0.05
    assert found["coverage"] < 0.05
    assert found["energy_distance_z"] > 10


def test_coverage_baseline_is_known(ring_reference: Reference) -> None:
    """The mean coverage of real draws is 1 - prod (N - i) / (M + N - i) (Naeem et al. 2020)."""
    expected = 1 - math.prod(
        (MAX_NEIGHBOURHOODS - i) / (512 + MAX_NEIGHBOURHOODS - i) for i in range(1, NEIGHBOURS + 1)
    )
    sd = ring_reference.baseline_sd["coverage"]
    assert abs(ring_reference.baseline_mean["coverage"] - expected) < 3 * sd


def test_entropy_baseline_is_known(ring_reference: Reference) -> None:
    """The mean number of effective modes is exp(-(K - 1) / 2n), by Miller and Madow's bias."""
    expected = math.exp(-(MAX_MODES - 1) / (2 * 512))
    sd = ring_reference.baseline_sd["effective_modes"]
    assert abs(ring_reference.baseline_mean["effective_modes"] - expected) < 3 * sd


def test_metrics_equal_plain_loops(normal: Normal) -> None:
    """Every metric equals the result of loops over samples, modes and pairs."""
    reference = Reference.from_samples(normal((620, 2)), normal((60, 2), seed=1), size=40)
    fakes = 1.3 * normal((40, 2), seed=2) + 0.4
    fast = {
        name: value.numpy()
        for name, value in compute_feature_metrics(reference, reference.embed(fakes)).items()
    }
    fake, real = (reference.embed(fakes).double().numpy(), reference.features.double().numpy())
    centres, shares = reference.centres.double().numpy(), reference.mode_shares.double().numpy()
    owner = cdist(fake, centres).argmin(1)
    bins = np.array([(owner == k).mean() for k in range(len(centres))])
    perplexity = [math.exp(-sum(p * math.log(p) for p in q if p > 0)) for q in (bins, shares)]
    ratios = [
        np.mean([((fake[i] - centres[k]) ** 2).sum() for i in np.flatnonzero(owner == k)])
        / float(reference.mode_variances[k])
        for k in range(len(centres))
        if (owner == k).sum() >= 4
    ]
    radii = np.sort(cdist(real, real), 1)[:, NEIGHBOURS]
    inside = cdist(real, fake) <= radii[:, None]
    own = np.mean([math.dist(a, b) for i, a in enumerate(fake) for b in np.delete(fake, i, 0)])
    reals = np.mean([math.dist(a, b) for i, a in enumerate(real) for b in np.delete(real, i, 0)])
    slow = {
        "mode_histogram": bins,
        "effective_modes": perplexity[0] / perplexity[1],
        "missing_mass": sum(p for p, q in zip(shares, bins, strict=True) if q < 0.2 * p),
        "js_divergence": jensenshannon(bins, shares) ** 2,
        "within_mode_variance": sorted(ratios)[(len(ratios) - 1) // 2],
        "precision": np.mean([inside[:, j].any() for j in range(40)]),
        "coverage": np.mean(inside.any(1)),
        "energy_distance": (2 * cdist(real, fake).mean() - own - reals) / reals,
        "pair_distance": own / reals,
    }
    assert fast.keys() == slow.keys()
    for name, value in slow.items():
        np.testing.assert_allclose(fast[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


def test_energy_distance_of_two_points() -> None:
    """Two real points at 0 and 1, generated ones at 3: (2 * 2.5 - 0 - 1) / 1 = 4."""
    points = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    reference = Reference.from_samples(points, points, size=4)
    fakes = torch.tensor([[3.0, 0.0]]).repeat(4, 1)
    assert float(
        compute_feature_metrics(reference, reference.embed(fakes))["energy_distance"]
    ) == pytest.approx(4, abs=1e-5)


def test_real_distance_and_max_abs(ring: Data, ring_reference: Reference) -> None:
    """They are the mean distance between two real samples, and their largest absolute value."""
    assert ring_reference.pair_distance == pytest.approx(
        float(torch.pdist(ring.train[:3000]).mean()), rel=0.02
    )
    assert ring_reference.max_abs == pytest.approx(float(ring.train.abs().max()), rel=0.02)


def test_ratios_do_not_depend_on_the_unit(ring: Data, ring_reference: Reference) -> None:
    """Data in another unit have another mean distance and the same ratios."""
    other = Reference.from_samples(1000 * ring.train, 1000 * ring.held_out)
    fakes = draw_ring(weights=mode_weights(0, 2, 4))
    assert other.pair_distance == pytest.approx(1000 * ring_reference.pair_distance, rel=1e-4)
    for name in ("effective_modes", "precision", "coverage", "pair_distance"):
        assert measure(other, 1000 * fakes)[name] == pytest.approx(
            measure(ring_reference, fakes)[name], abs=0.05
        )


def test_reference_repeats(normal: Normal) -> None:
    """The same data and seed give the same bits."""
    one, other = (
        Reference.from_samples(normal((300, 3)), normal((90, 3), seed=1), size=64) for _ in range(2)
    )
    assert torch.equal(one.features, other.features)
    assert torch.equal(one.centres, other.centres)
    assert one.baseline_mean == other.baseline_mean


def test_reference_leaves_global_generators(normal: Normal) -> None:
    """Building a reference does not change the global generators of torch and NumPy."""
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1]
    Reference.from_samples(normal((100, 60)), normal((50, 60), seed=1), size=32)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)


def test_turnover_baseline_is_known(ring_reference: Reference) -> None:
    """The histograms of two real draws differ by about sqrt(K / (pi n))."""
    expected = math.sqrt(MAX_MODES / (math.pi * 512))
    assert ring_reference.baseline_mean["turnover"] == pytest.approx(expected, rel=0.25)
    assert set(ring_reference.baseline_mean) == set(ring_reference.baseline_sd)
    assert BASELINE_DRAWS >= 100


def test_images_are_projected(normal: Normal) -> None:
    """Large images are averaged down and projected to 50 components and their residual."""
    reals = normal((120, 3, 40, 40))
    reference = Reference.from_samples(reals, normal((40, 3, 40, 40), seed=1), size=32)
    assert reference.features.shape == (120, 51)
    assert reference.embed(reals[:7]).shape == (7, 51)


def test_noise_outside_the_subspace_counts(normal: Normal) -> None:
    """Noise outside the subspace of the real images lowers the precision."""
    basis = normal((3, 784))
    reals = (normal((400, 3), seed=1) @ basis).reshape(-1, 1, 28, 28)
    held_out = (normal((200, 3), seed=2) @ basis).reshape(-1, 1, 28, 28)
    reference = Reference.from_samples(reals, held_out, size=128)
    fresh = (normal((128, 3), seed=3) @ basis).reshape(-1, 1, 28, 28)
    noisy = fresh + normal((128, 1, 28, 28), seed=4)
    assert measure(reference, fresh)["precision"] > 0.7
    assert measure(reference, noisy)["precision"] < 0.2


ODD_REALS = {
    "constant points": torch.ones(100, 2),
    "constant images": torch.ones(100, 1, 28, 28),
    "eight points repeated": torch.arange(16.0).reshape(8, 2).repeat(50, 1),
    "one point": torch.ones(1, 2),
    "one image": torch.linspace(-1, 1, 784).reshape(1, 1, 28, 28),
    "two images": torch.linspace(-1, 1, 2 * 784).reshape(2, 1, 28, 28),
    "one axis": torch.linspace(-1, 1, 90)[:, None],
}


@pytest.mark.parametrize("reals", ODD_REALS.values(), ids=ODD_REALS)
def test_odd_data_do_not_raise(reals: Tensor) -> None:
    """Ties, constants and single samples give a reference in which they are precise."""
    reference = Reference.from_samples(reals, reals[:20], size=16)
    found = compute_feature_metrics(reference, reference.embed(reals[:16]))
    assert float(found["precision"]) == 1.0
    assert torch.isfinite(found["effective_modes"])
    assert torch.isfinite(found["mode_histogram"]).all()
    assert float(reference.mode_shares.sum()) == pytest.approx(1)


def test_repeated_reals_are_covered(normal: Normal) -> None:
    """Repeated real samples have neighbourhoods of radius 0, which contain their copies."""
    reals = normal((10, 2)).repeat(20, 1)
    reference = Reference.from_samples(reals, reals[:50], size=32)
    assert float(compute_feature_metrics(reference, reference.embed(reals[:32]))["coverage"]) == 1.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e30])
@pytest.mark.parametrize("share", [1.0, 0.01])
def test_non_finite_samples_do_not_raise(
    ring_reference: Reference, bad: float, share: float
) -> None:
    """If all or a few samples are not finite or huge, the metrics show it without an error."""
    fakes = draw_ring()
    fakes[: max(1, int(share * len(fakes)))] = bad
    found = measure(ring_reference, fakes)
    assert not abs(found["energy_distance"]) < 1  # large or NaN
    if not math.isfinite(bad):
        assert all(math.isnan(value) for value in found.values())


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_samples_are_measured(ring_reference: Reference, count: int) -> None:
    """A few samples give metrics in their ranges."""
    found = compute_feature_metrics(ring_reference, ring_reference.embed(draw_ring()[:count]))
    assert 0 < float(found["effective_modes"]) <= 1
    assert 0 <= float(found["missing_mass"]) <= 1
    assert float(found["mode_histogram"].sum()) == pytest.approx(1)


@pytest.mark.parametrize("dimensions", [1, 2, 20])
def test_mean_of_a_gaussian(normal: Normal, dimensions: int) -> None:
    """A Gaussian's mean has an energy distance of sqrt(2) - 1 from the data in any dimension."""
    reference = Reference.from_samples(normal((2000, dimensions)), normal((1100, dimensions)))
    assert reference.to_facts()["mean_energy_distance"] == pytest.approx(2**0.5 - 1, abs=0.02)


def test_mean_of_a_circle(ring_reference: Reference) -> None:
    """The mean is r from every point of a circle; two of eight modes on it are 1.26 r apart."""
    angles = np.pi * np.arange(8) / 8
    expected = 2 / np.mean(2 * np.sin(angles)) - 1
    assert ring_reference.mean_energy_distance == pytest.approx(expected, abs=0.01)


def test_no_single_point_is_nearer_than_the_mean(ring_reference: Reference) -> None:
    """A single repeated point is at least as far from the data as their mean is."""
    points = [ring_reference.mean + torch.tensor([x, y]) for x in (-1.0, 0, 0.5) for y in (0, 1.0)]
    for point in points:
        found = compute_feature_metrics(ring_reference, ring_reference.embed(point.expand(64, 2)))
        assert float(found["energy_distance"]) >= ring_reference.mean_energy_distance - 0.01


def test_identical_real_samples_equal_their_mean() -> None:
    """Real samples that are all equal have distance 0 from their mean."""
    reference = Reference.from_samples(torch.zeros(200, 2), torch.zeros(200, 2))
    assert reference.to_facts()["mean_energy_distance"] == 0.0
