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

from gandiag.datasets._torchvision import import_torchvision
from gandiag.plugins.errors import BadInput

_FILES = tuple(
    f"{split}-{what}-ubyte"
    for split in ("train", "t10k")
    for what in ("images-idx3", "labels-idx1")
)
_OFFLINE_HINT = "mnist: {source: embedded} needs no network"
_SOCKET_TIMEOUT = 20.0  # seconds without an answer before a server counts as unreachable


class MnistSplit(NamedTuple):
    """One split of MNIST.

    Attributes:
        images: uint8, ``(N, 28, 28)``, 0 is background.
        labels: int64 digits, ``(N,)``.
    """

    images: Tensor
    labels: Tensor


def read_full_mnist(root: Path, download: bool) -> tuple[MnistSplit, MnistSplit]:
    """Read MNIST's training and test split from the IDX files under ``root/MNIST/raw``.

    Args:
        root: the folder that ``torchvision.datasets.MNIST`` calls ``root``.
        download: fetch the files with torchvision where they are missing.

    Raises:
        BadInput: the files are missing and may not or cannot be fetched, or cannot be read.
    """
    datasets = import_torchvision("datasets")
    missing = [name for name in _FILES if not (_get_raw_folder(root) / name).is_file()]
    if missing and not download:
        raise BadInput(
            str(root), f"no MNIST here (MNIST/raw/{missing[0]} is missing); {_OFFLINE_HINT}"
        )
    if missing:
        _download(root)
    return _read_split(datasets, root, train=True), _read_split(datasets, root, train=False)


def _get_raw_folder(root: Path) -> Path:
    return root / "MNIST" / "raw"


def _download(root: Path) -> None:
    """Download into a folder of its own, and move only whole files to `root`."""
    datasets = import_torchvision("datasets")
    try:
        root.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(prefix=".download-", dir=root) as place,
            _limit_socket_waits(),
        ):
            datasets.MNIST(place, download=True)  # checks the MD5 sums
            _get_raw_folder(root).mkdir(parents=True, exist_ok=True)
            for name in _FILES:
                os.replace(_get_raw_folder(Path(place)) / name, _get_raw_folder(root) / name)
    except (OSError, RuntimeError, HTTPException) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadInput(
            str(root), f"MNIST cannot be downloaded ({reason}); {_OFFLINE_HINT}"
        ) from error


@contextmanager
def _limit_socket_waits() -> Iterator[None]:
    """Let no silent server hold the program: torchvision itself sets no timeout."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SOCKET_TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _read_split(datasets: ModuleType, root: Path, train: bool) -> MnistSplit:
    name = "training" if train else "test"
    try:
        found = datasets.MNIST(root, train=train)
    except Exception as error:  # torchvision checks damaged files with whatever fails first
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadInput(
            str(root), f"the {name} split is damaged ({reason}); {_OFFLINE_HINT}"
        ) from error
    split = MnistSplit(found.data, found.targets)
    if split.images.shape != (len(split.labels), 28, 28):
        shapes = f"images {tuple(split.images.shape)}, labels {tuple(split.labels.shape)}"
        raise BadInput(str(root), f"the {name} split is damaged ({shapes}); {_OFFLINE_HINT}")
    return split
