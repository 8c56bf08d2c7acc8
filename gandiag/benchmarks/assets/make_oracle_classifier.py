"""Trains the digit classifier of the oracle, ``oracle_classifier.safetensors``, on MNIST.

Usage: ``python -m gandiag.benchmarks.assets.make_oracle_classifier ROOT``.
ROOT is the folder of ``torchvision.datasets.MNIST``. The images of ``mnist.npz``, which training
runs use, are left out of the training of the classifier and of its measured accuracy.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save

from gandiag.benchmarks.assets.make_classifier import measure_accuracy, train
from gandiag.benchmarks.assets.make_mnist import HELD_OUT, SEED, TRAIN, select_stratified
from gandiag.benchmarks.oracle.digits import WEIGHTS, OracleClassifier
from gandiag.datasets._mnist_files import MnistSplit, read_full_mnist

FOLDER = Path(__file__).parents[2] / "datasets" / "assets"


def main(root: str, folder: Path = FOLDER) -> None:
    """Train the classifier, save it in `folder`, and print its accuracy.

    Args:
        root: folder of the MNIST files.
        folder: folder of the new file.
    """
    # The order of floating-point sums, and so the weights, depend on the number of threads.
    torch.set_num_threads(1)
    # Another seed than that of `make_classifier`, so that the two share no random numbers.
    torch.manual_seed(SEED + 1)
    training, test = read_full_mnist(Path(root).expanduser(), download=False)
    network = OracleClassifier()
    train(network, remove_selected(training, TRAIN))
    rest = remove_selected(test, HELD_OUT)
    reached = measure_accuracy(network.eval(), rest)
    path = folder / WEIGHTS
    # One entry only: safetensors writes several entries in an order that differs between runs.
    path.write_bytes(save(network.state_dict(), {"accuracy": f"{reached:.4f}"}))
    print(f"accuracy {reached:.4f} on {len(rest.labels):,} images; {path.stat().st_size:,} bytes")


def remove_selected(split: MnistSplit, count: int) -> MnistSplit:
    """Remove from a split the `count` images that `make_mnist` selects."""
    is_kept = np.ones(len(split.labels), dtype=bool)
    is_kept[select_stratified(split.labels.numpy(), count, SEED)] = False
    kept = torch.from_numpy(is_kept)
    return MnistSplit(split.images[kept], split.labels[kept])


if __name__ == "__main__":
    main(sys.argv[1])
