"""The full MNIST data set in torchvision's folder layout, downloaded at most once."""

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
_SOCKET_TIMEOUT = 20.0  # seconds without data after which a server counts as unreachable


class MnistSplit(NamedTuple):
    """One split of MNIST.

    Attributes:
        images: ``(N, 28, 28)`` uint8; the background is 0.
        labels: ``(N,)`` int64 digits.
    """

    images: Tensor
    labels: Tensor


def read_full_mnist(root: Path, download: bool) -> tuple[MnistSplit, MnistSplit]:
    """Read MNIST's training split and test split from the IDX files in ``root/MNIST/raw``.

    Args:
        root: the folder that ``torchvision.datasets.MNIST`` calls ``root``.
        download: whether missing files are downloaded with torchvision.

    Raises:
        BadInput: the files are missing and the download is disabled or fails, or a file is damaged.
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
    """Download to a temporary folder, and move the files to `root` after the last one is complete.

    An interrupted download then leaves no partial file that a later run would read.
    """
    datasets = import_torchvision("datasets")
    try:
        root.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(prefix=".download-", dir=root) as folder,
            _limit_socket_waits(),
        ):
            datasets.MNIST(folder, download=True)  # torchvision checks the MD5 sums
            _get_raw_folder(root).mkdir(parents=True, exist_ok=True)
            for name in _FILES:
                os.replace(_get_raw_folder(Path(folder)) / name, _get_raw_folder(root) / name)
    except (OSError, RuntimeError, HTTPException) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadInput(
            str(root), f"MNIST cannot be downloaded ({reason}); {_OFFLINE_HINT}"
        ) from error


@contextmanager
def _limit_socket_waits() -> Iterator[None]:
    """Set a timeout for all sockets: torchvision sets none, and a silent server would block."""
    previous = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SOCKET_TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(previous)


def _read_split(datasets: ModuleType, root: Path, train: bool) -> MnistSplit:
    name = "training" if train else "test"
    try:
        dataset = datasets.MNIST(root, train=train)
    except Exception as error:  # torchvision raises many types of errors for damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadInput(
            str(root), f"the {name} split is damaged ({reason}); {_OFFLINE_HINT}"
        ) from error
    split = MnistSplit(dataset.data, dataset.targets)
    if split.images.shape != (len(split.labels), 28, 28):
        shapes = f"images {tuple(split.images.shape)}, labels {tuple(split.labels.shape)}"
        raise BadInput(str(root), f"the {name} split is damaged ({shapes}); {_OFFLINE_HINT}")
    return split
