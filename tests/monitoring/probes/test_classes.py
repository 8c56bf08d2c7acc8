"""Laws of the classes probe: which digits the generator makes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from gandiag.datasets.data import Data
from gandiag.datasets.mnist import Mnist
from gandiag.monitoring.probes.classes import Classes
from gandiag.monitoring.snapshot import Snapshot

MakeSnapshot = Callable[..., Snapshot]


@pytest.fixture(scope="module")
def mnist() -> Data:
    """The shipped digits."""
    return Mnist().load()


def test_real_digits_are_even(make_snapshot: MakeSnapshot, mnist: Data) -> None:
    """On real digits the histogram is that of their labels, within the classifier's error."""
    assert mnist.held_out_labels is not None
    labels = torch.bincount(mnist.held_out_labels[:500], minlength=10) / 500
    seen = Classes().observe(make_snapshot(recent=mnist.held_out[:500]))
    torch.testing.assert_close(seen["histogram/generator"], labels, atol=0.01, rtol=0)
    assert float(seen["effective_classes/generator"]) > 9
    assert float(seen["certainty/generator"]) > 0.9


def test_single_digit_is_one(make_snapshot: MakeSnapshot, mnist: Data) -> None:
    """A generator that makes one digit has one effective class."""
    assert mnist.held_out_labels is not None
    seven = mnist.held_out[mnist.held_out_labels == 7][:1].repeat(32, 1, 1, 1)
    seen = Classes().observe(make_snapshot(recent=seven))
    expected = torch.eye(10)[7]
    torch.testing.assert_close(seen["histogram/generator"], expected)
    assert float(seen["effective_classes/generator"]) == pytest.approx(1)


def test_other_data_are_no_signal(make_snapshot: MakeSnapshot) -> None:
    """Samples that are not 28 x 28 have no digits to count."""
    for shape in ((8, 2), (8, 3, 28, 28), (8, 1, 32, 32)):
        assert Classes().observe(make_snapshot(recent=torch.zeros(shape))) == {}
    assert Classes().observe(make_snapshot()) == {}
