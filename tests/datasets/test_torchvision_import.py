"""The import of torchvision: its errors become messages that say how to repair it."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gandiag.datasets._torchvision import import_torchvision
from gandiag.datasets.mnist import Mnist
from gandiag.plugins.errors import BadInput

Fake = Callable[[str], None]


class Absent:
    """An import finder that finds no module."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Find nothing."""


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove torchvision from the loaded modules, so that it is imported again."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Return a function that installs a stand-in for torchvision with a given source."""

    def put(source: str) -> None:
        forget(monkeypatch)
        package = tmp_path / "fakes" / "torchvision"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(source)
        monkeypatch.syspath_prepend(package.parent)

    return put


@pytest.mark.parametrize(
    "failure",
    [
        "RuntimeError('operator torchvision::nms does not exist')",
        "OSError('_C.so: undefined symbol: _ZN3c10')",
        "ImportError('libtorch.so: cannot open shared object file')",
        "AttributeError('partially initialized module')",
    ],
)
def test_mismatch_is_explained(fake: Fake, failure: str) -> None:
    """For a torchvision built for another torch, the message has both versions and the command."""
    fake(f"raise {failure}")
    with pytest.raises(BadInput) as caught:
        import_torchvision("datasets")
    line = str(caught.value)
    assert f"torch {torch.__version__} and torchvision" in line
    assert "do not match" in line
    assert "pip install --force-reinstall torch torchvision" in line
    assert "\n" not in line


def test_command_keeps_the_build(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a CPU-only torch, the command installs both packages from the CPU index."""
    fake("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.setattr(torch, "__version__", "2.15.0+cpu")
    with pytest.raises(BadInput, match=r"--index-url https://download.pytorch.org/whl/cpu$"):
        import_torchvision("datasets")


def test_command_without_a_build(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is complete without a build of torch and without metadata of torchvision."""

    def unknown(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    fake("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.setattr(torch, "__version__", "2.15.0")
    monkeypatch.setattr(importlib.metadata, "version", unknown)
    with pytest.raises(BadInput, match=r"of unknown version.*torch torchvision$"):
        import_torchvision("datasets")


def test_absence_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torchvision, the message says that it is not installed, and has the command."""
    forget(monkeypatch)
    monkeypatch.setattr(sys, "meta_path", [Absent()])
    with pytest.raises(BadInput, match=r"not installed; install both together: pip install"):
        import_torchvision("datasets")


def test_wrong_name_is_a_bug() -> None:
    """A module that does not exist in torchvision is a programming error, not bad input."""
    with pytest.raises(ModuleNotFoundError, match="nothing_of_the_kind"):
        import_torchvision("nothing_of_the_kind")


def test_embedded_mnist_needs_no_torchvision(fake: Fake) -> None:
    """With a broken torchvision, embedded MNIST loads, and full MNIST explains the problem."""
    fake("raise RuntimeError('operator torchvision::nms does not exist')")
    assert len(Mnist().load().train) == 10_000
    with pytest.raises(BadInput, match="do not match"):
        Mnist("full").load()
