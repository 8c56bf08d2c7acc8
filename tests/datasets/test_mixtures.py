"""The datasets `ring` and `grid`: mixtures of Gaussians."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gandiag.datasets.grid import Grid
from gandiag.datasets.ring import Ring
from gandiag.plugins import registry as plugins
from gandiag.plugins.errors import BadInput

DATASETS = [Ring, Grid]
NARROW = 1e-6  # a standard deviation far below the distances between modes


@settings(deadline=None)
@given(st.integers(1, 40), st.floats(0.1, 100))
def test_ring_mean_distance_is_known(modes: int, radius: float) -> None:
    """The mean distance of two random modes, equal ones included, is 2 r / m cot(pi / 2m).

    The chord over k steps is 2 r sin(pi k / m), and the sines of k = 0 ... m - 1 add up to
    cot(pi / 2m). For 8 modes that is r / 4 cot(pi / 16).
    """
    centres = Ring(modes, radius).centres().double()
    expected = 2 * radius / modes / math.tan(math.pi / (2 * modes))
    assert torch.cdist(centres, centres).mean().item() == pytest.approx(expected, abs=1e-5 * radius)


def test_narrow_ring_has_mean_distance() -> None:
    """With a tiny sd, two samples of 8 modes have the mean distance r / 4 cot(pi / 16)."""
    points = Ring(8, 2.0, sd=NARROW).load().train[:4000]
    expected = 2.0 / 4 / math.tan(math.pi / 16)  # 2.5137
    assert torch.pdist(points).mean().item() == pytest.approx(expected, rel=0.01)


def test_ring_angles_are_even() -> None:
    """Mode k is at the angle 2 pi k / modes, so the last mode and the first one differ."""
    expected = torch.tensor([[2.0, 0.0], [0.0, 2.0], [-2.0, 0.0], [0.0, -2.0]])
    torch.testing.assert_close(Ring(4).centres(), expected, atol=1e-6, rtol=0)


def test_default_grid_is_the_published_one() -> None:
    """The default centres are at -4, -2, 0, 2 and 4 on each axis, row by row."""
    centres = Grid().centres()
    assert centres[:6].tolist() == [[-4, -4], [-2, -4], [0, -4], [2, -4], [4, -4], [-4, -2]]
    assert centres.mean(0).tolist() == [0, 0]
    assert len(centres) == 25


def test_grid_of_side_one_has_one_mode() -> None:
    """A grid of side 1 is one Gaussian around 0."""
    assert Grid(1).centres().tolist() == [[0, 0]]


@pytest.mark.parametrize("dataset", DATASETS)
def test_points_lie_on_modes(dataset: type[Ring] | type[Grid]) -> None:
    """The label of each training and held-out point is the index of its mode."""
    plugin = dataset(sd=NARROW)
    data = plugin.load()
    assert data.train.shape == (10_000, 2)
    assert data.held_out.shape == (2_000, 2)
    for points, labels in ((data.train, data.labels), (data.held_out, data.held_out_labels)):
        assert labels is not None
        assert points.dtype == torch.float32
        assert labels.dtype == torch.int64
        assert (points - plugin.centres()[labels]).norm(dim=1).max() < 10 * NARROW


@pytest.mark.parametrize("dataset", DATASETS)
def test_modes_have_width_sd(dataset: type[Ring] | type[Grid]) -> None:
    """Around the centres, the covariance is sd^2 times the identity."""
    plugin = dataset(sd=0.3, samples=50_000)
    data = plugin.load()
    assert data.labels is not None
    spread = torch.cov((data.train - plugin.centres()[data.labels]).T)
    torch.testing.assert_close(spread, 0.09 * torch.eye(2), atol=0.0025, rtol=0)


@pytest.mark.parametrize("dataset", DATASETS)
def test_modes_are_equally_probable(dataset: type[Ring] | type[Grid]) -> None:
    """Without weights, each mode's count is within 5 standard deviations of an equal share."""
    data = dataset().load()
    assert data.labels is not None
    share = 1 / len(dataset().centres())
    counts = torch.bincount(data.labels)
    allowed = 5 * math.sqrt(10_000 * share * (1 - share))
    assert (counts - 10_000 * share).abs().max() < allowed


def test_weights_set_shares() -> None:
    """Modes are drawn in proportion to their weights, and never with a weight of 0."""
    labels = Ring(3, weights=(3.0, 1.0, 0.0)).load().labels
    assert labels is not None
    shares = torch.bincount(labels, minlength=3) / 10_000
    torch.testing.assert_close(shares, torch.tensor([0.75, 0.25, 0.0]), atol=0.025, rtol=0)
    assert shares[2] == 0


@pytest.mark.parametrize("dataset", DATASETS)
def test_seed_fixes_points(dataset: type[Ring] | type[Grid]) -> None:
    """The same seed gives the same points, and torch's global generator stays untouched."""
    before = torch.get_rng_state()
    first, again, other = dataset(seed=3).load(), dataset(seed=3).load(), dataset(seed=4).load()
    torch.testing.assert_close(first, again, atol=0, rtol=0)
    assert not torch.equal(first.train, other.train)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("dataset", DATASETS)
def test_held_out_has_own_stream(dataset: type[Ring] | type[Grid]) -> None:
    """Held-out points are no training points, and do not depend on the number of these."""
    data, fewer = dataset().load(), dataset(samples=10).load()
    assert not {tuple(p) for p in data.train.tolist()} & {tuple(p) for p in data.held_out.tolist()}
    assert torch.equal(data.held_out, fewer.held_out)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("ring", {"modes": 0}, "modes must be at least 1"),
        ("ring", {"radius": 0.0}, "radius must be finite and positive"),
        ("ring", {"radius": math.inf}, "radius: should be a finite number"),
        ("ring", {"seed": -1}, "seed must not be negative"),
        ("ring", {"sd": -0.1}, "sd must be finite and not negative"),
        ("ring", {"sd": math.nan}, "sd: should be a finite number"),
        ("ring", {"weights": [1.0]}, "one entry for each of the 8 modes"),
        ("ring", {"modes": 2, "weights": [0.0, 0.0]}, "not all 0"),
        ("ring", {"modes": 2, "weights": [1.0, -1.0]}, "not negative"),
        ("ring", {"modes": 2, "weights": [1.0, math.nan]}, "weights must be finite"),
        ("ring", {"held_out": 0}, "samples and held_out must be at least 1"),
        ("grid", {"side": 0}, "side must be at least 1"),
        ("grid", {"spacing": -1.0}, "spacing must be finite and positive"),
        ("grid", {"samples": 0}, "samples and held_out must be at least 1"),
        ("grid", {"seed": -1}, "seed must not be negative"),
        ("grid", {"weights": [1.0] * 24}, "one entry for each of the 25 modes"),
    ],
)
def test_bad_options_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    """An option out of range is rejected when the plugin is built, with a message that names it."""
    with pytest.raises(BadInput, match=message) as caught:
        plugins.build("datasets", name, options, "x.yaml: data")
    assert caught.value.place == "x.yaml: data"
