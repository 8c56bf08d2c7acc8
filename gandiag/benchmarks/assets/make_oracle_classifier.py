"""Makes ``oracle_classifier.safetensors`` from MNIST.

Usage: ``python -m gandiag.benchmarks.assets.make_oracle_classifier ROOT``.
ROOT is the folder of ``torchvision.datasets.MNIST``. The images of ``mnist.npz``, which the games
play with and are compared with, are left out of training and of the measured accuracy alike.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save

from gandiag.benchmarks.assets.make_classifier import accuracy, train
from gandiag.benchmarks.assets.make_mnist import HELD_OUT, SEED, TRAIN, stratified
from gandiag.benchmarks.oracle.digits import WEIGHTS, OracleClassifier
from gandiag.datasets._mnist_files import Split, read_whole

FOLDER = Path(__file__).parents[2] / "datasets" / "assets"


def main(root: str, folder: Path = FOLDER) -> None:
    """Train on what the games never see, save into `folder`, and say how well it does."""
    torch.set_num_threads(1)  # the order of sums, and so the weights, depend on it
    torch.manual_seed(SEED + 1)
    training, test = read_whole(Path(root).expanduser(), download=False)
    network = OracleClassifier()
    train(network, without(training, TRAIN))
    rest = without(test, HELD_OUT)
    reached = accuracy(network.eval(), rest)
    path = folder / WEIGHTS
    # one entry only: safetensors writes several in an order that changes from run to run
    path.write_bytes(save(network.state_dict(), {"accuracy": f"{reached:.4f}"}))
    print(f"accuracy {reached:.4f} on {len(rest.labels):,} images; {path.stat().st_size:,} bytes")


def without(split: Split, count: int) -> Split:
    """A split less the `count` images that `gandiag.benchmarks.assets.make_mnist` took from it."""
    left = np.ones(len(split.labels), dtype=bool)
    left[stratified(split.labels.numpy(), count, SEED)] = False
    kept = torch.from_numpy(left)
    return Split(split.images[kept], split.labels[kept])


if __name__ == "__main__":
    main(sys.argv[1])
