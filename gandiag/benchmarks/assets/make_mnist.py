"""Selects the images of ``mnist.npz`` from MNIST.

Usage: ``python -m gandiag.benchmarks.assets.make_mnist ROOT``.
ROOT is the folder of ``torchvision.datasets.MNIST``. The same files give the same bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gandiag.datasets._mnist_files import MnistSplit, read_full_mnist

FOLDER = Path(__file__).parents[2] / "datasets" / "assets"
SEED = 0
TRAIN = 10_000  # Images from MNIST's training split.
HELD_OUT = 2_000  # Images from MNIST's test split, so that no image is in both parts.


def class_quotas(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Number of samples of each class among `count`, with the class shares of `labels`.

    Rounding by the method of largest remainders makes the numbers add up to `count`.

    >>> class_quotas(np.array([0, 0, 0, 1, 1, 2]), 2).tolist()
    [1, 1, 0]
    """
    exact = np.bincount(labels) * (count / len(labels))
    quotas: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    order = np.argsort(-(exact - quotas), kind="stable")
    quotas[order[: count - quotas.sum()]] += 1
    return quotas


def select_stratified(labels: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Select `count` samples with the class shares of `labels`; return ascending indices."""
    # numpy guarantees that the stream of RandomState never changes. That of default_rng may.
    order = np.random.RandomState(seed).permutation(len(labels))
    chosen = [
        order[labels[order] == label][:quota]
        for label, quota in enumerate(class_quotas(labels, count))
    ]
    return np.sort(np.concatenate(chosen))


def main(root: str, folder: Path = FOLDER) -> None:
    """Write the subset into `folder` and print its size."""
    train, test = read_full_mnist(Path(root).expanduser(), download=False)
    arrays = _select_arrays("train", train, TRAIN) | _select_arrays("held_out", test, HELD_OUT)
    path = folder / "mnist.npz"
    np.savez_compressed(path, allow_pickle=False, **arrays)
    print(f"{path.name}: {path.stat().st_size:,} bytes")


def _select_arrays(name: str, split: MnistSplit, count: int) -> dict[str, NDArray[np.uint8]]:
    labels = split.labels.numpy()
    chosen = select_stratified(labels, count, SEED)
    return {
        f"{name}_images": split.images.numpy()[chosen],
        f"{name}_labels": labels[chosen].astype(np.uint8),
    }


if __name__ == "__main__":
    main(sys.argv[1])
