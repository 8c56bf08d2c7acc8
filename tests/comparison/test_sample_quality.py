"""Tests of the quality of samples: closed forms, and the effect of collapse on the scores."""

from __future__ import annotations

import math

import pytest
import torch

from gandiag.comparison.distances import energy_distance, frechet_distance_of_features
from gandiag.comparison.quality_tracker import QualityTracker
from gandiag.comparison.sample_quality import SampleQuality, generate_samples
from gandiag.datasets.data import Data
from gandiag.datasets.mnist import Mnist
from gandiag.datasets.ring import Ring
from tests.conftest import noisy_gan, random_points


def test_frechet_distance_of_shifted_samples() -> None:
    """A shift gives its squared length; a scale of 2 gives the sum of the variances."""
    sample = random_points((500, 3))
    assert frechet_distance_of_features(
        sample, sample + torch.tensor([3.0, 4.0, 0.0])
    ) == pytest.approx(25, rel=1e-4)
    centred = sample - sample.mean(0)
    assert frechet_distance_of_features(centred, 2 * centred) == pytest.approx(
        float(sample.var(0).sum()), rel=1e-4
    )
    assert frechet_distance_of_features(sample, sample) == pytest.approx(0, abs=1e-6)


def test_energy_of_two_points() -> None:
    """Real samples 0 and 2, generated ones 1: (2 x 1 - 1 - 0) / 1."""
    real, fake = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [1.0]])
    assert energy_distance(real, fake) == pytest.approx(1.0)


@pytest.fixture(scope="module")
def ring() -> Data:
    """A ring of eight Gaussians."""
    return Ring().load()


def test_scores_of_a_ring(ring: Data) -> None:
    """Training points get the best scores; one of eight modes covers an eighth of the data."""
    quality = SampleQuality.from_data(ring)
    assert ring.labels is not None
    good = quality.measure(ring.train[:2000])
    one = quality.measure(ring.train[ring.labels == 0])
    assert good.distance < 0.01 < 0.3 < one.distance
    assert good.coverage > 0.95
    assert one.coverage == pytest.approx(1 / 8, abs=0.03)
    assert good.balance > 0.95
    assert one.balance == pytest.approx(1 / 8, abs=0.03)


def test_scores_of_digits() -> None:
    """Digits of all classes are near and balanced; zeros alone are far and have a tenth."""
    data = Mnist().load()
    assert data.labels is not None
    quality = SampleQuality.from_data(data, digits=True)
    good, zeros = (
        quality.measure(each) for each in (data.train[:1000], data.train[data.labels == 0][:500])
    )
    assert 10 * good.distance < zeros.distance
    assert good.balance > 0.9
    assert zeros.balance == pytest.approx(0.1, abs=0.05)


def test_other_images_use_principal_components() -> None:
    """Images without a classifier are compared in principal components, without classes."""
    images = torch.rand((120, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    quality = SampleQuality.from_data(Data(images, images))
    same, black = quality.measure(images), quality.measure(images * 0)
    assert "principal components" in quality.name
    assert same.distance < 1e-6 < black.distance
    assert math.isnan(same.balance)


def test_non_finite_samples(ring: Data) -> None:
    """One value that is not finite makes the distance infinite and the coverage 0."""
    broken = ring.train[:10].clone()
    broken[3, 0] = math.nan
    assert SampleQuality.from_data(ring).measure(broken) == (math.inf, 0.0, 0.0)


def test_generating_samples_changes_nothing() -> None:
    """Generating samples changes no random generator, no training mode and no buffer."""
    gan = noisy_gan()
    before = {name: value.clone() for name, value in gan.generator.state_dict().items()}
    state = torch.get_rng_state()
    first, second = generate_samples(gan, None, seed=5), generate_samples(gan, None, seed=5)
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)
    assert gan.generator.training
    assert all(torch.equal(before[k], v) for k, v in gan.generator.state_dict().items())


def test_tracker_measures_at_regular_steps(ring: Data) -> None:
    """Samples are measured about 20 times and at the last step; the steps are timed."""
    gan = noisy_gan()
    tracker = QualityTracker(SampleQuality.from_data(ring), None, steps=50, seed=0)
    for step in range(1, 51):
        tracker(step, gan)
    assert [step for step, _ in tracker.distances] == [*range(3, 50, 3), 50]
    assert tracker.last.distance == tracker.distances[-1][1]
    assert 0 < tracker.seconds_per_step < 1
