"""Laws of bringing in torchvision, or saying why not."""

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
    """An import system that finds nothing."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Find nothing."""


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next import of torchvision be the first one."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Put a torchvision with this source before the real one."""

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
    """A torchvision built for another torch is named with both versions and the way out."""
    fake(f"raise {failure}")
    with pytest.raises(BadInput) as caught:
        import_torchvision("datasets")
    line = str(caught.value)
    assert f"torch {torch.__version__} and torchvision" in line
    assert "do not match" in line
    assert "pip install --force-reinstall torch torchvision" in line
    assert "\n" not in line


def test_way_out_keeps_build(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a CPU-only torch, the command asks the CPU index for both."""
    fake("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.setattr(torch, "__version__", "2.15.0+cpu")
    with pytest.raises(BadInput, match=r"--index-url https://download.pytorch.org/whl/cpu$"):
        import_torchvision("datasets")


def test_way_out_without_build(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A torch that names no build, beside a torchvision without metadata, is still explained."""

    def unknown(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    fake("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.setattr(torch, "__version__", "2.15.0")
    monkeypatch.setattr(importlib.metadata, "version", unknown)
    with pytest.raises(BadInput, match=r"of unknown version.*torch torchvision$"):
        import_torchvision("datasets")


def test_absence_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torchvision, the line says that it is not installed and how to get it."""
    forget(monkeypatch)
    monkeypatch.setattr(sys, "meta_path", [Absent()])
    with pytest.raises(BadInput, match=r"not installed; install both together: pip install"):
        import_torchvision("datasets")


def test_wrong_name_is_our_mistake() -> None:
    """A module that no torchvision has is a programming error, not bad input."""
    with pytest.raises(ModuleNotFoundError, match="nothing_of_the_kind"):
        import_torchvision("nothing_of_the_kind")


def test_broken_torchvision_spares_embedded(fake: Fake) -> None:
    """The shipped digits load beside a broken torchvision; the whole set names the cause."""
    fake("raise RuntimeError('operator torchvision::nms does not exist')")
    assert len(Mnist().load().train) == 10_000
    with pytest.raises(BadInput, match="do not match"):
        Mnist("full").load()
