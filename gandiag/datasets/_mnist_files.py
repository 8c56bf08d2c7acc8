"""The whole of MNIST as torchvision keeps it, downloaded at most once."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from torch import Tensor

from gandiag.datasets._torchvision import torchvision_module
from gandiag.plugins.errors import BadInput

_FILES = tuple(
    f"{split}-{what}-ubyte"
    for split in ("train", "t10k")
    for what in ("images-idx3", "labels-idx1")
)
_WAY_OUT = "mnist: {source: embedded} needs no network"
_PATIENCE = 20.0  # seconds without an answer before a server counts as unreachable


class Split(NamedTuple):
    """One split of MNIST.

    Attributes:
        images: uint8, ``(N, 28, 28)``, 0 is background.
        labels: int64 digits, ``(N,)``.
    """

    images: Tensor
    labels: Tensor


def read_whole(root: Path, download: bool) -> tuple[Split, Split]:
    """Read MNIST's training and test split from the IDX files under ``root/MNIST/raw``.

    Args:
        root: the folder that ``torchvision.datasets.MNIST`` calls ``root``.
        download: fetch the files with torchvision where they are missing.

    Raises:
        BadInput: the files are missing and may not or cannot be fetched, or cannot be read.
    """
    datasets = torchvision_module("datasets")
    missing = [name for name in _FILES if not (_raw(root) / name).is_file()]
    if missing and not download:
        raise BadInput(str(root), f"no MNIST here (MNIST/raw/{missing[0]} is missing); {_WAY_OUT}")
    if missing:
        _fetch(root)
    return _read(datasets, root, train=True), _read(datasets, root, train=False)


def _raw(root: Path) -> Path:
    return root / "MNIST" / "raw"


def _fetch(root: Path) -> None:
    """Download into a folder of its own, and move only whole files to `root`."""
    datasets = torchvision_module("datasets")
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=root) as place, _patience():
            datasets.MNIST(place, download=True)  # checks the MD5 sums
            _raw(root).mkdir(parents=True, exist_ok=True)
            for name in _FILES:
                os.replace(_raw(Path(place)) / name, _raw(root) / name)
    except (OSError, RuntimeError, HTTPException) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadInput(str(root), f"MNIST cannot be downloaded ({reason}); {_WAY_OUT}") from error


@contextmanager
def _patience() -> Iterator[None]:
    """Let no silent server hold the program: torchvision itself sets no timeout."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _read(datasets: ModuleType, root: Path, train: bool) -> Split:
    name = "training" if train else "test"
    try:
        found = datasets.MNIST(root, train=train)
    except Exception as error:  # torchvision checks damaged files with whatever fails first
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadInput(str(root), f"the {name} split is damaged ({reason}); {_WAY_OUT}") from error
    split = Split(found.data, found.targets)
    if split.images.shape != (len(split.labels), 28, 28):
        shapes = f"images {tuple(split.images.shape)}, labels {tuple(split.labels.shape)}"
        raise BadInput(str(root), f"the {name} split is damaged ({shapes}); {_WAY_OUT}")
    return split
