"""Small stand-ins for data sets that are too large for the repository."""

from __future__ import annotations

import functools
import gzip
import hashlib
import struct
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

SPLITS = {"train": 40, "t10k": 20}  # images in the stand-in for MNIST


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without logging to stderr."""

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def idx(array: NDArray[np.uint8]) -> bytes:
    """Return an array as the bytes of an IDX file: magic number, sizes, data."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def idx_files() -> dict[str, bytes]:
    """MNIST's four files with a few random images, and the labels 0 to 9 repeated."""
    random = np.random.default_rng(0)
    found = {}
    for split, count in SPLITS.items():
        images = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        found[f"{split}-images-idx3-ubyte"] = idx(images)
        found[f"{split}-labels-idx1-ubyte"] = idx(np.arange(count, dtype=np.uint8) % 10)
    return found


@pytest.fixture
def mnist_root(tmp_path: Path, idx_files: dict[str, bytes]) -> Path:
    """A folder with these files in the layout of torchvision's MNIST."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in idx_files.items():
        (raw / name).write_bytes(content)
    return tmp_path


@pytest.fixture
def mirror(
    tmp_path: Path, idx_files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A folder on a local web server, which torchvision uses as MNIST's only mirror."""
    from torchvision.datasets import MNIST

    folder = tmp_path / "mirror"
    folder.mkdir()
    resources = []
    for name, content in idx_files.items():
        packed = gzip.compress(content)
        (folder / f"{name}.gz").write_bytes(packed)
        resources.append((f"{name}.gz", hashlib.md5(packed).hexdigest()))
    monkeypatch.setattr(MNIST, "resources", resources)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    handler = functools.partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
        yield folder
        server.shutdown()
