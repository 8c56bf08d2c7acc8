"""Makes ``mnist.npz``: ``python -m gandiag.benchmarks.assets.make_mnist ROOT``.

ROOT is the folder of ``torchvision.datasets.MNIST``. The same files give the same bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gandiag.datasets._mnist_files import Split, read_whole

FOLDER = Path(__file__).parents[2] / "datasets" / "assets"
SEED = 0
TRAIN = 10_000  # images from MNIST's training split
HELD_OUT = 2_000  # images from MNIST's test split, so that none can stand in both


def quotas(labels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """How many of each class make `count` with the shares of `labels` (largest remainders).

    >>> quotas(np.array([0, 0, 0, 1, 1, 2]), 2).tolist()
    [1, 1, 0]
    """
    exact = np.bincount(labels) * (count / len(labels))
    given: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    first = np.argsort(-(exact - given), kind="stable")
    given[first[: count - given.sum()]] += 1
    return given


def stratified(labels: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Ascending indices of `count` samples with the class shares of `labels`."""
    # RandomState: numpy promises that its stream never changes; default_rng's may
    order = np.random.RandomState(seed).permutation(len(labels))
    chosen = [
        order[labels[order] == label][:quota] for label, quota in enumerate(quotas(labels, count))
    ]
    return np.sort(np.concatenate(chosen))


def main(root: str, folder: Path = FOLDER) -> None:
    """Write the subset into `folder` and say how large it is."""
    train, test = read_whole(Path(root).expanduser(), download=False)
    arrays = _arrays("train", train, TRAIN) | _arrays("held_out", test, HELD_OUT)
    path = folder / "mnist.npz"
    np.savez_compressed(path, allow_pickle=False, **arrays)
    print(f"{path.name}: {path.stat().st_size:,} bytes")


def _arrays(name: str, split: Split, count: int) -> dict[str, NDArray[np.uint8]]:
    labels = split.labels.numpy()
    chosen = stratified(labels, count, SEED)
    return {
        f"{name}_images": split.images.numpy()[chosen],
        f"{name}_labels": labels[chosen].astype(np.uint8),
    }


if __name__ == "__main__":
    main(sys.argv[1])
