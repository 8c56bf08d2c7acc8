"""Tests of the classes probe: the digits that the generated samples show."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
import torch

from gandiag.datasets.data import Data
from gandiag.datasets.mnist import Mnist
from gandiag.monitoring.mnist_classifier import MnistClassifier
from gandiag.monitoring.probes.classes import Classes
from gandiag.monitoring.snapshot import Snapshot

MakeSnapshot = Callable[..., Snapshot]


@pytest.fixture(scope="module")
def mnist() -> Data:
    """The shipped MNIST digits."""
    return Mnist().load()


def test_histogram_of_real_digits(make_snapshot: MakeSnapshot, mnist: Data) -> None:
    """The histogram of real digits is that of their labels, within the classifier's error."""
    assert mnist.held_out_labels is not None
    labels = torch.bincount(mnist.held_out_labels[:500], minlength=10) / 500
    found = Classes().observe(make_snapshot(recent=mnist.held_out[:500]))
    torch.testing.assert_close(found["histogram/generator"], labels, atol=0.01, rtol=0)
    assert float(found["effective_classes/generator"]) > 9
    assert float(found["certainty/generator"]) > 0.9


def test_single_digit_is_one_class(make_snapshot: MakeSnapshot, mnist: Data) -> None:
    """A generator of one digit only has one effective class."""
    assert mnist.held_out_labels is not None
    seven = mnist.held_out[mnist.held_out_labels == 7][:1].repeat(32, 1, 1, 1)
    found = Classes().observe(make_snapshot(recent=seven))
    expected = torch.eye(10)[7]
    torch.testing.assert_close(found["histogram/generator"], expected)
    assert float(found["effective_classes/generator"]) == pytest.approx(1)


def test_classifier_score_is_the_inception_score(make_snapshot: MakeSnapshot, mnist: Data) -> None:
    """A twin: exp of the mean KL divergence by scipy; 1 for one digit, up to 10 for all digits."""
    images = mnist.held_out[:64]
    shares = MnistClassifier.pretrained()(images).softmax(1).double().numpy()
    expected = np.exp(scipy.stats.entropy(shares, shares.mean(0, keepdims=True), axis=1).mean())
    found = Classes().observe(make_snapshot(recent=images))["classifier_score/generator"]
    assert float(found) == pytest.approx(expected, rel=1e-4)
    same = Classes().observe(make_snapshot(recent=images[:1].repeat(32, 1, 1, 1)))
    assert float(same["classifier_score/generator"]) == pytest.approx(1, abs=1e-5)


def test_other_data_are_no_signal(make_snapshot: MakeSnapshot) -> None:
    """Samples that are not of 28 x 28 pixels give no signal."""
    for shape in ((8, 2), (8, 3, 28, 28), (8, 1, 32, 32)):
        assert Classes().observe(make_snapshot(recent=torch.zeros(shape))) == {}
    assert Classes().observe(make_snapshot()) == {}
