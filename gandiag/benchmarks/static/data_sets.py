"""Sixteen data sets whose samples have a known kind, from points to sentences.

`DEVELOPMENT` may be used to choose constants of gandiag; `HELD_OUT` may not. The kinds of most of
them are no clusters of the raw numbers: a position, a phase, an order of points or a column of
another unit hides them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import Tensor

from gandiag.datasets.mnist import Mnist

Array: TypeAlias = "NDArray[np.float64]"
Kinds: TypeAlias = "NDArray[np.int64]"


class Source(NamedTuple):
    """A data set from which samples of chosen kinds can be drawn.

    Attributes:
        shares: ``(K,)`` share of each kind in the data; the shares sum to 1.
        draw: makes ``(n, *shape)`` samples of ``(n,)`` kinds. Its last argument is 0 for the
            training data and 1 for fresh samples, which share no picture with the training data.
        real_samples: number of real samples that gandiag gets.
        can_average: whether the mean of two samples is a blurred sample. It is not where the order
            of points has no meaning, or where the numbers are words.
    """

    shares: Array
    draw: Callable[[Kinds, np.random.Generator, int], Array]
    real_samples: int = 3024
    can_average: bool = True


def equal_shares(kinds: int) -> Array:
    """Equal shares of `kinds` kinds."""
    return np.full(kinds, 1 / kinds)


def long_tail(kinds: int, ratio: float = 100.0) -> Array:
    """Shares that fall geometrically, the last being `ratio` times rarer than the first."""
    shares = ratio ** -np.linspace(0, 1, kinds)
    return np.asarray(shares / shares.sum())


def _points(centres: Array, sd: float, shares: Array | None = None) -> Source:
    """A Gaussian around each centre ``(K, d)``."""

    def draw(kinds: Kinds, stream: np.random.Generator, _: int) -> Array:
        return np.asarray(
            centres[kinds] + sd * stream.standard_normal((len(kinds), centres.shape[1]))
        )

    return Source(equal_shares(len(centres)) if shares is None else shares, draw)


def grid() -> Source:
    """25 Gaussians on a square grid."""
    axis = np.linspace(-1, 1, 5)
    return _points(np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2), 0.02)


def ring() -> Source:
    """Eight Gaussians on a circle."""
    angles = np.arange(8) * np.pi / 4
    return _points(np.stack([np.cos(angles), np.sin(angles)], 1), 0.05)


def tail_points() -> Source:
    """20 Gaussians in 16 dimensions, the rarest 1:100."""
    centres = np.random.default_rng(1).standard_normal((20, 16))
    return _points(centres, 0.4, long_tail(20))


class _Pool(NamedTuple):
    """Images by kind, for two disjoint draws: those of the training data and fresh ones."""

    images: Array
    labels: Kinds

    def draw(self, kinds: Kinds, stream: np.random.Generator, fresh: int) -> Array:
        """Draw images of kinds; a third of each kind's images is kept for fresh samples."""
        chosen = np.empty(len(kinds), dtype=np.int64)
        for kind in np.unique(kinds):
            members = np.flatnonzero(self.labels == kind)
            parts = np.split(members, [len(members) * 2 // 3])
            wanted = np.flatnonzero(kinds == kind)
            chosen[wanted] = _choose(parts[fresh], len(wanted), stream)
        return self.images[chosen]


def _choose(members: Kinds, count: int, stream: np.random.Generator) -> Kinds:
    """Choose without replacement; again from the start where there are too few."""
    rounds = [stream.permutation(members) for _ in range(-(-count // len(members)))]
    return np.concatenate(rounds)[:count]


@functools.cache
def _mnist_pool() -> _Pool:
    data = Mnist().load()
    assert data.labels is not None
    return _Pool(data.train.double().numpy(), data.labels.numpy())


def digits() -> Source:
    """Ten digits of 8 x 8 pixels of scikit-learn, moved by up to half a pixel, with noise."""
    bunch = load_digits()
    pool = _Pool(bunch.images[:, None] / 8 - 1, bunch.target)

    def draw(kinds: Kinds, stream: np.random.Generator, fresh: int) -> Array:
        images = pool.draw(kinds, stream, fresh)
        weight = stream.uniform(0, 0.5, (len(images), 1, 1, 1))
        moved = np.roll(images, 1, axis=3)
        noise = 0.05 * stream.standard_normal(images.shape)
        return np.asarray((1 - weight) * images + weight * moved + noise)

    return Source(equal_shares(10), draw, real_samples=1197)


def mnist() -> Source:
    """Ten digits of 28 x 28 pixels of MNIST."""
    return Source(equal_shares(10), _mnist_pool().draw)


def small_mnist() -> Source:
    """200 real samples of MNIST."""
    return Source(equal_shares(10), _mnist_pool().draw, real_samples=200)


def tail_mnist() -> Source:
    """MNIST in which the digit 9 is 100 times as rare as the digit 0."""
    return Source(long_tail(10), _mnist_pool().draw)


def stacked() -> Source:
    """1,000 kinds: three digits of MNIST in three channels (Srivastava et al. 2017)."""

    def draw(kinds: Kinds, stream: np.random.Generator, fresh: int) -> Array:
        places = [kinds // 100, kinds // 10 % 10, kinds % 10]
        return np.concatenate([_mnist_pool().draw(d, stream, fresh) for d in places], axis=1)

    return Source(equal_shares(1000), draw)


def shapes() -> Source:
    """24 kinds: six shapes in four colours at any place and size, 3 x 16 x 16 pixels."""
    colours = np.array([[1.0, -0.6, -0.6], [-0.6, 1.0, -0.6], [-0.6, -0.6, 1.0], [1.0, 1.0, -0.6]])

    def draw(kinds: Kinds, stream: np.random.Generator, _: int) -> Array:
        count = len(kinds)
        y, x = np.mgrid[:16, :16] - np.zeros((2, 1, 1))
        centre = stream.uniform(5, 10, (2, count, 1, 1))
        size = stream.uniform(3, 5, (count, 1, 1))
        dy, dx = (y - centre[0]) / size, (x - centre[1]) / size
        radius, square = np.hypot(dy, dx), np.maximum(abs(dy), abs(dx))
        levels = np.stack(
            [
                1 - radius,
                0.9 - square,
                0.3 - abs(radius - 0.8),
                np.minimum((dy + 1) / 2 - abs(dx), 0.9 - dy),
                0.3 - np.minimum(abs(dx), abs(dy)) - 10 * np.maximum(square - 1, 0),
                0.9 - abs(dx) - abs(dy),
            ]
        )
        inside = 1 / (1 + np.exp(-12 * levels[kinds // 4, np.arange(count)]))[:, None]
        return np.asarray(inside * (colours[kinds % 4][:, :, None, None] + 0.8) - 0.8)

    return Source(equal_shares(24), draw)


def textures() -> Source:
    """16 kinds: gratings of eight directions and two frequencies, any phase, 24 x 24 pixels."""

    def draw(kinds: Kinds, stream: np.random.Generator, _: int) -> Array:
        y, x = np.mgrid[:24, :24]
        angle = (kinds % 8 * np.pi / 8)[:, None, None]
        frequency = np.where(kinds < 8, 0.7, 1.3)[:, None, None]
        phase = stream.uniform(0, 2 * np.pi, (len(kinds), 1, 1))
        waves = np.sin(frequency * (np.cos(angle) * x + np.sin(angle) * y) + phase)
        return np.asarray(0.7 * waves + 0.2 * stream.standard_normal(waves.shape))[:, None]

    return Source(equal_shares(16), draw)


def waveforms() -> Source:
    """16 kinds: sine, square, saw and triangle of four frequencies, any phase, 128 values."""

    def draw(kinds: Kinds, stream: np.random.Generator, _: int) -> Array:
        cycles = np.array([2.0, 3.0, 5.0, 8.0])[kinds % 4][:, None]
        turn = (cycles * np.arange(128) / 128 + stream.uniform(0, 1, (len(kinds), 1))) % 1
        forms = np.stack(
            [np.sin(2 * np.pi * turn), np.where(turn < 0.5, 1.0, -1.0), 2 * turn - 1,
             4 * abs(turn - 0.5) - 1]
        )  # fmt: skip
        waves = forms[kinds // 4, np.arange(len(kinds))]
        return np.asarray(waves + 0.05 * stream.standard_normal(waves.shape))[:, None]

    return Source(equal_shares(16), draw)


def series() -> Source:
    """12 kinds of series, 24 steps of 5 channels: seasons, trends and couplings of the channels."""
    mix = np.random.default_rng(2).standard_normal((12, 2, 5))

    def draw(kinds: Kinds, stream: np.random.Generator, _: int) -> Array:
        time = np.arange(24) / 24
        phase = stream.uniform(0, 2 * np.pi, (len(kinds), 1))
        season = np.sin(2 * np.pi * (1 + kinds % 3)[:, None] * time + phase)
        trend = (kinds % 4 - 1.5)[:, None] * time
        parts = np.stack([season, trend], 2)
        channels = np.einsum("ntp,npc->ntc", parts, mix[kinds])
        return np.asarray(channels + 0.1 * stream.standard_normal(channels.shape))

    return Source(equal_shares(12), draw)


def table() -> Source:
    """12 kinds in nine columns, beside an income in cents that has nothing to do with them."""
    centres = np.random.default_rng(3).uniform(-1, 1, (12, 8))

    def draw(kinds: Kinds, stream: np.random.Generator, _: int) -> Array:
        columns = centres[kinds] + 0.25 * stream.standard_normal((len(kinds), 8))
        return np.column_stack([columns, 1e5 * stream.lognormal(0, 0.5, len(kinds))])

    return Source(equal_shares(12), draw)


def mixed_table() -> Source:
    """16 kinds of rows: five numbers of any unit, a heavy tail, and two one-hot categories."""
    rng = np.random.default_rng(4)
    centres, units = rng.uniform(-1, 1, (16, 5)), 10.0 ** np.arange(-2, 3)
    likely = rng.integers(0, [6, 4], (16, 2))

    def draw(kinds: Kinds, stream: np.random.Generator, _: int) -> Array:
        count = len(kinds)
        numbers = (centres[kinds] + 0.2 * stream.standard_normal((count, 5))) * units
        category = np.where(
            stream.random((count, 2)) < 0.8, likely[kinds], stream.integers(0, [6, 4], (count, 2))
        )
        return np.column_stack(
            [
                numbers,
                stream.pareto(1.5, count),
                np.eye(6)[category[:, 0]],
                np.eye(4)[category[:, 1]],
            ]
        )

    return Source(equal_shares(16), draw)


def sentences() -> Source:
    """20 topics: one-hot sentences of 12 words out of 40, each topic with six words of its own."""
    own = np.stack([np.random.default_rng(5 + k).choice(40, 6, replace=False) for k in range(20)])

    def draw(kinds: Kinds, stream: np.random.Generator, _: int) -> Array:
        shape = (len(kinds), 12)
        of_topic = own[kinds[:, None], stream.integers(0, 6, shape)]
        words = np.where(stream.random(shape) < 0.7, of_topic, stream.integers(0, 40, shape))
        return np.eye(40)[words]

    return Source(equal_shares(20), draw, can_average=False)


def clouds() -> Source:
    """12 kinds: 96 points in no order on six surfaces, upright or lying, 96 x 3 numbers."""

    def draw(kinds: Kinds, stream: np.random.Generator, _: int) -> Array:
        u, v = stream.uniform(0, 1, (2, len(kinds), 96))
        a, zero = 2 * np.pi * u, np.zeros_like(u)
        height = 2 * v - 1
        ball = np.sqrt(1 - height**2)
        forms = np.stack(
            [
                [ball * np.cos(a), ball * np.sin(a), height],
                [0.5 * np.cos(a), 0.5 * np.sin(a), height],
                [v * np.cos(a), v * np.sin(a), height],
                [(0.8 + 0.2 * np.cos(7 * v)) * np.cos(a), (0.8 + 0.2 * np.cos(7 * v)) * np.sin(a),
                 0.2 * np.sin(7 * v)],
                [0.7 * np.cos(9 * u), 0.7 * np.sin(9 * u), 2 * u - 1],
                [2 * u - 1, height, zero],
            ]
        )  # fmt: skip
        cloud = np.moveaxis(forms[kinds % 6, :, np.arange(len(kinds))], 1, 2)
        lying = (kinds >= 6)[:, None, None]
        cloud = np.where(lying, cloud[:, :, [2, 0, 1]], cloud)
        return np.asarray(cloud + 0.03 * stream.standard_normal(cloud.shape))

    return Source(equal_shares(12), draw, can_average=False)


DEVELOPMENT: dict[str, Callable[[], Source]] = {
    "digits": digits,
    "shapes": shapes,
    "waveforms": waveforms,
    "table": table,
    "grid": grid,
    "stacked": stacked,
    "tail_points": tail_points,
    "clouds": clouds,
}
HELD_OUT: dict[str, Callable[[], Source]] = {
    "mnist": mnist,
    "textures": textures,
    "series": series,
    "sentences": sentences,
    "ring": ring,
    "small_mnist": small_mnist,
    "tail_mnist": tail_mnist,
    "mixed_table": mixed_table,
}


def to_tensor(samples: Array) -> Tensor:
    """Samples as float32, as a training loop has them."""
    return torch.from_numpy(samples).float()
