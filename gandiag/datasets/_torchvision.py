"""torchvision, brought in where it is needed, with a plain answer where it is missing or broken."""

from __future__ import annotations

import importlib
import importlib.metadata
from types import ModuleType

import torch

from gandiag.plugins.errors import BadInput


def import_torchvision(name: str) -> ModuleType:
    """Import a module of torchvision, such as ``datasets`` or ``transforms``.

    Raises:
        BadInput: torchvision is not installed, or it was built for another torch.
    """
    try:
        return importlib.import_module(f"torchvision.{name}")
    except ModuleNotFoundError as error:
        if error.name != "torchvision":
            raise
        raise BadInput("torchvision", f"not installed; {_suggest_installation()}") from error
    # A build for another torch fails in any of these ways, by platform and by which import came
    # first: "operator torchvision::nms does not exist" (RuntimeError), an undefined symbol
    # (OSError, ImportError), a half-initialised module (AttributeError).
    except (RuntimeError, OSError, ImportError, AttributeError) as error:
        first = str(error).partition("\n")[0]
        versions = (
            f"torch {torch.__version__} and torchvision {_find_torchvision_version()} do not match"
        )
        raise BadInput("torchvision", f"{versions} ({first}); {_suggest_installation()}") from error


def _find_torchvision_version() -> str:
    try:
        return importlib.metadata.version("torchvision")
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def _suggest_installation() -> str:
    """Name the command that installs both from the index that this torch came from."""
    build = torch.__version__.partition("+")[2]  # "cpu", "cu132", or empty on PyPI's own builds
    index = f" --index-url https://download.pytorch.org/whl/{build}" if build else ""
    return f"install both together: pip install --force-reinstall torch torchvision{index}"
