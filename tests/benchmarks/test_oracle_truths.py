"""Laws of the oracle's truths: samples of the data themselves, and of it what fails."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from safetensors import safe_open

from gandiag.benchmarks.assets import make_classifier
from gandiag.benchmarks.assets.make_oracle_classifier import FOLDER, without
from gandiag.benchmarks.oracle.digits import WEIGHTS, OracleClassifier
from gandiag.benchmarks.oracle.truths import Curve, Digits, Mixture, frechet, sliced
from gandiag.datasets._mnist_files import Split
from gandiag.datasets.data import Data
from gandiag.datasets.mnist import Mnist

ANGLES = np.arange(8) * math.pi / 4
RING = Mixture(2 * np.stack([np.cos(ANGLES), np.sin(ANGLES)], 1), 0.1, np.full(8, 1 / 8))
ONE = Mixture(np.zeros((1, 1)), 0.1, np.ones(1))
SINE = Curve(periods=1, sd=0.05)


@pytest.fixture(scope="module")
def mnist() -> Data:
    """The shipped subset."""
    return Mnist().load()


@pytest.fixture(scope="module")
def digits(mnist: Data) -> Digits:
    """What the oracle knows of it."""
    assert mnist.labels is not None
    return Digits(mnist.train, mnist.labels)


@pytest.mark.parametrize("truth", [RING, ONE, SINE])
def test_truth_finds_itself_healthy(truth: Mixture | Curve) -> None:
    """Fresh true samples have the true shares, the true width, and no distance from the data."""
    seen = truth.look(torch.from_numpy(truth.drawn(10_000, seed=7)))
    assert np.abs(seen["shares"] - truth.shares).max() < 0.015
    assert seen["distance"] < 0.04
    assert seen["fidelity"] > 0.97
    assert math.isnan(seen["variety"]) or seen["variety"] == pytest.approx(1, abs=0.05)


def test_missing_modes_show_in_shares() -> None:
    """Samples of every other mode have no share of the rest, and the ring's mean distance."""
    half = Mixture(RING.centres[::2], 0.1, np.full(4, 1 / 4))
    seen = RING.look(torch.from_numpy(half.drawn(10_000, seed=1)))
    assert (seen["shares"][1::2] == 0).all()
    assert seen["variety"] == pytest.approx(1, abs=0.05)


def test_narrow_modes_show_in_variety() -> None:
    """Modes of a third of the width have a ninth of the variety, in all the true shares."""
    narrow = Mixture(RING.centres, 0.1 / 3, RING.shares)
    seen = RING.look(torch.from_numpy(narrow.drawn(10_000, seed=1)))
    assert seen["variety"] == pytest.approx(1 / 9, abs=0.01)
    assert np.abs(seen["shares"] - 1 / 8).max() < 0.015


def test_shift_is_its_own_distance() -> None:
    """On the line a shift by s is a distance of s, in mean distances of two true samples."""
    moved = torch.from_numpy(ONE.drawn(10_000, seed=0) + 1.0)
    scale = 2 * 0.1 / math.sqrt(math.pi)  # mean |x - y| of two normal numbers
    seen = ONE.look(moved)
    assert seen["distance"] == pytest.approx(1 / scale, rel=0.02)
    assert seen["centre"][0] == pytest.approx(1 / scale, rel=0.02)
    assert seen["variety"] == pytest.approx(1, abs=0.05)


def test_sliced_is_exact_on_the_line() -> None:
    """In one dimension it is the mean distance of the sorted values; in the plane 2/pi of one."""
    values = np.linspace(0, 1, 50)[:, None]
    assert sliced(values, values[::-1] + 3) == pytest.approx(3)
    plane = np.zeros((4, 2))
    assert sliced(plane, plane + np.array([1.0, 0.0])) == pytest.approx(2 / math.pi, rel=1e-2)


def test_frechet_has_known_values() -> None:
    """compare_gan's test gives 89.0909, and a singular covariance is no obstacle."""
    real = np.ones((100, 2))
    real[:50, 0] = 2
    fake = 9 * np.ones((100, 2))
    fake[50:, 0] = 2
    moments = [(rows.mean(0), np.cov(rows.T)) for rows in (real, fake)]
    assert frechet(*moments) == pytest.approx(89.0909, abs=1e-4)
    assert frechet(moments[0], moments[0]) == pytest.approx(0, abs=1e-9)


def test_digits_know_real_images(digits: Digits, mnist: Data) -> None:
    """Held-out digits have nearly the true shares and variety, and little distance."""
    seen = digits.look(mnist.held_out)
    assert np.abs(seen["shares"] - digits.shares).max() < 0.02
    assert seen["variety"] == pytest.approx(1, abs=0.1)
    assert seen["distance"] < 0.05
    assert seen["fidelity"] > 0.95


def test_noise_is_no_digit(digits: Digits) -> None:
    """Noise is far from the digits, whatever the classifier takes it for."""
    noise = torch.rand((500, 1, 28, 28), generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert digits.look(noise)["distance"] > 0.5


def test_one_class_is_one_share(digits: Digits, mnist: Data) -> None:
    """Images of one digit lie in its class."""
    assert mnist.labels is not None
    assert digits.look(mnist.train[mnist.labels == 3])["shares"][3] > 0.97


def test_classifier_tells_held_out_digits(mnist: Data) -> None:
    """It names images right that it has not seen as often as its file says, within chance."""
    with safe_open(FOLDER / WEIGHTS, "pt") as file:
        written = float(file.metadata()["accuracy"])
    with torch.no_grad():
        answers = OracleClassifier.pretrained()(mnist.held_out).argmax(1)
    reached = (answers == mnist.held_out_labels).double().mean().item()
    assert written > 0.99
    assert reached > written - 3 * math.sqrt(written * (1 - written) / len(answers))


def test_split_is_without_the_games_images() -> None:
    """What is left for the classifier and what the games play with make up the whole."""
    labels = torch.arange(10).repeat(100)
    whole = Split(torch.arange(1000, dtype=torch.uint8)[:, None, None], labels)
    left = without(whole, 200)
    assert len(left.labels) == 800
    assert torch.bincount(left.labels).tolist() == [80] * 10
    assert len(left.labels) > make_classifier.BATCH
