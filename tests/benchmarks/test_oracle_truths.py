"""Truths of the oracle, measured on true samples and on samples with a known failure."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from safetensors import safe_open

from gandiag.benchmarks.assets import make_classifier
from gandiag.benchmarks.assets.make_oracle_classifier import FOLDER, remove_selected
from gandiag.benchmarks.oracle.digits import WEIGHTS, OracleClassifier
from gandiag.benchmarks.oracle.truths import (
    Curve,
    Digits,
    Mixture,
    frechet_distance,
    sliced_wasserstein,
)
from gandiag.datasets._mnist_files import MnistSplit
from gandiag.datasets.data import Data
from gandiag.datasets.mnist import Mnist

ANGLES = np.arange(8) * math.pi / 4
RING = Mixture(2 * np.stack([np.cos(ANGLES), np.sin(ANGLES)], 1), 0.1, np.full(8, 1 / 8))
ONE = Mixture(np.zeros((1, 1)), 0.1, np.ones(1))
SINE = Curve(periods=1, sd=0.05)


@pytest.fixture(scope="module")
def mnist() -> Data:
    """The shipped subset of MNIST."""
    return Mnist().load()


@pytest.fixture(scope="module")
def digits(mnist: Data) -> Digits:
    """The truth about the shipped subset."""
    assert mnist.labels is not None
    return Digits(mnist.train, mnist.labels)


@pytest.mark.parametrize("truth", [RING, ONE, SINE])
def test_true_samples_are_healthy(truth: Mixture | Curve) -> None:
    """Fresh true samples have the true shares and variety, and a distance near 0."""
    found = truth.measure(torch.from_numpy(truth.sample(10_000, seed=7)))
    assert np.abs(found["shares"] - truth.shares).max() < 0.015
    assert found["distance"] < 0.04
    assert found["fidelity"] > 0.97
    assert math.isnan(found["variety"]) or found["variety"] == pytest.approx(1, abs=0.05)


def test_missing_modes_have_no_share() -> None:
    """Samples of every second mode have a share of 0 in the other modes, and the true variety."""
    half = Mixture(RING.centres[::2], 0.1, np.full(4, 1 / 4))
    found = RING.measure(torch.from_numpy(half.sample(10_000, seed=1)))
    assert (found["shares"][1::2] == 0).all()
    assert found["variety"] == pytest.approx(1, abs=0.05)


def test_narrow_modes_have_low_variety() -> None:
    """Modes of a third of the width have a ninth of the variety, and the true shares."""
    narrow = Mixture(RING.centres, 0.1 / 3, RING.shares)
    found = RING.measure(torch.from_numpy(narrow.sample(10_000, seed=1)))
    assert found["variety"] == pytest.approx(1 / 9, abs=0.01)
    assert np.abs(found["shares"] - 1 / 8).max() < 0.015


def test_shift_is_measured_as_distance() -> None:
    """On the line, a shift by s is a distance of s over the mean distance of two true samples."""
    moved = torch.from_numpy(ONE.sample(10_000, seed=0) + 1.0)
    scale = 2 * 0.1 / math.sqrt(math.pi)  # Mean |x - y| of two Gaussian numbers.
    found = ONE.measure(moved)
    assert found["distance"] == pytest.approx(1 / scale, rel=0.02)
    assert found["centre"][0] == pytest.approx(1 / scale, rel=0.02)
    assert found["variety"] == pytest.approx(1, abs=0.05)


def test_sliced_distance_has_known_values() -> None:
    """A shift by s has the distance s on the line, and 2 s / pi in the plane."""
    values = np.linspace(0, 1, 50)[:, None]
    assert sliced_wasserstein(values, values[::-1] + 3) == pytest.approx(3)
    plane = np.zeros((4, 2))
    assert sliced_wasserstein(plane, plane + np.array([1.0, 0.0])) == pytest.approx(
        2 / math.pi, rel=1e-2
    )


def test_frechet_distance_has_known_values() -> None:
    """The example of compare_gan's test gives 89.0909, and a singular covariance is accepted."""
    real = np.ones((100, 2))
    real[:50, 0] = 2
    fake = 9 * np.ones((100, 2))
    fake[50:, 0] = 2
    moments = [(rows.mean(0), np.cov(rows.T)) for rows in (real, fake)]
    assert frechet_distance(*moments) == pytest.approx(89.0909, abs=1e-4)
    assert frechet_distance(moments[0], moments[0]) == pytest.approx(0, abs=1e-9)


def test_real_digits_are_healthy(digits: Digits, mnist: Data) -> None:
    """Held-out digits have nearly the true shares and variety, and a small distance."""
    found = digits.measure(mnist.held_out)
    assert np.abs(found["shares"] - digits.shares).max() < 0.02
    assert found["variety"] == pytest.approx(1, abs=0.1)
    assert found["distance"] < 0.05
    assert found["fidelity"] > 0.95


def test_noise_is_far_from_digits(digits: Digits) -> None:
    """Noise has a large distance, whatever digits the classifier predicts for it."""
    noise = torch.rand((500, 1, 28, 28), generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert digits.measure(noise)["distance"] > 0.5


def test_images_of_one_digit_have_one_share(digits: Digits, mnist: Data) -> None:
    """Images of one digit are classified as this digit."""
    assert mnist.labels is not None
    assert digits.measure(mnist.train[mnist.labels == 3])["shares"][3] > 0.97


def test_classifier_is_as_accurate_as_its_file_states(mnist: Data) -> None:
    """The accuracy on held-out images is that in the metadata, up to three standard errors."""
    with safe_open(FOLDER / WEIGHTS, "pt") as file:
        stated = float(file.metadata()["accuracy"])
    with torch.no_grad():
        predictions = OracleClassifier.pretrained()(mnist.held_out).argmax(1)
    measured = (predictions == mnist.held_out_labels).double().mean().item()
    assert stated > 0.99
    assert measured > stated - 3 * math.sqrt(stated * (1 - stated) / len(predictions))


def test_classifier_split_excludes_the_selected_images() -> None:
    """The split for the classifier has all images except those of the shipped subset."""
    labels = torch.arange(10).repeat(100)
    whole = MnistSplit(torch.arange(1000, dtype=torch.uint8)[:, None, None], labels)
    left = remove_selected(whole, 200)
    assert len(left.labels) == 800
    assert torch.bincount(left.labels).tolist() == [80] * 10
    assert len(left.labels) > make_classifier.BATCH
