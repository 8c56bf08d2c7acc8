"""MNIST, the handwritten digits: the usual first data set for GANs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from gandiag.datasets._mnist_files import MnistSplit, read_full_mnist
from gandiag.datasets._pixels import scale_pixels
from gandiag.datasets.data import Data


@dataclass(frozen=True)
class Mnist:
    """MNIST digits, ``(1, 28, 28)`` in [-1, 1], labelled 0 to 9.

    The source `embedded` is a subset that is part of gandiag: 10,000 training images from MNIST's
    training split, and 2,000 held-out images from its test split, with the class shares of the full
    splits. The source `full` has the 60,000 training images, and the 10,000 test images held out.

    Source: LeCun, Cortes & Burges, The MNIST database of handwritten digits, 1998.
    """

    # The source "embedded" is a subset that needs no internet; "full" needs torchvision's files.
    source: Literal["embedded", "full"] = "embedded"
    root: str = "~/.cache/gandiag/mnist"  # The source "full" is read from this folder.
    download: bool = True  # The source "full" downloads missing files to root.
    classes: tuple[int, ...] = ()  # Only these digits are kept; an empty list keeps all digits.

    def __post_init__(self) -> None:
        """Raise `ValueError` if the classes are not different digits."""
        if not set(self.classes) <= set(range(10)) or len(set(self.classes)) < len(self.classes):
            raise ValueError("classes must be different digits from 0 to 9")

    def load(self) -> Data:
        """Read the source, and keep the selected classes.

        Raises:
            BadInput: the files of `full` are missing and cannot be downloaded, a file is damaged,
                or torchvision cannot be imported.
        """
        if self.source == "embedded":
            train, held_out = _read_embedded()
        else:
            train, held_out = read_full_mnist(Path(os.path.expanduser(self.root)), self.download)
        train, held_out = self._select_classes(train), self._select_classes(held_out)
        return Data(
            scale_pixels(train.images).unsqueeze(1),
            scale_pixels(held_out.images).unsqueeze(1),
            train.labels,
            held_out.labels,
        )

    def _select_classes(self, split: MnistSplit) -> MnistSplit:
        if not self.classes:
            return split
        keep = torch.isin(split.labels, torch.tensor(self.classes))
        return MnistSplit(split.images[keep], split.labels[keep])


def _read_embedded() -> tuple[MnistSplit, MnistSplit]:
    """Read the subset of gandiag, which gandiag/benchmarks/assets/make_mnist.py writes."""
    with (
        (files("gandiag.datasets.assets") / "mnist.npz").open("rb") as file,
        np.load(file) as arrays,
    ):
        train, held_out = (
            MnistSplit(
                torch.from_numpy(arrays[f"{split}_images"]),
                torch.from_numpy(arrays[f"{split}_labels"].astype(np.int64)),
            )
            for split in ("train", "held_out")
        )
    return train, held_out
