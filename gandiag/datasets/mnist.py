"""Handwritten digits: the standard first data set of GANs."""

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

    `embedded` is the subset that comes with gandiag: 10,000 images of MNIST's training split to
    play with and 2,000 of its test split held out, with the class shares of the whole. `full` is
    torchvision's: the 60,000 training images, and the 10,000 test images held out.

    Source: LeCun, Cortes & Burges, The MNIST database of handwritten digits, 1998.
    """

    source: Literal["embedded", "full"] = "embedded"  # embedded needs neither network nor folder
    root: str = "~/.cache/gandiag/mnist"  # torchvision's folder, for `full`
    download: bool = True  # for `full`: fetch what is missing below `root`
    classes: tuple[int, ...] = ()  # digits to keep; empty keeps all

    def __post_init__(self) -> None:
        """Refuse what are not different digits."""
        if not set(self.classes) <= set(range(10)) or len(set(self.classes)) < len(self.classes):
            raise ValueError("classes are different digits from 0 to 9")

    def load(self) -> Data:
        """Read the chosen source.

        Raises:
            BadInput: `full` is neither below `root` nor to be downloaded, its files are damaged,
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
