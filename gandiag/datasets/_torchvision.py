"""Import of torchvision on demand, with a clear message if torchvision is missing or broken.

Only datasets of images need torchvision. A torchvision built for another torch raises obscure
errors at import, and this combination is common after an upgrade of one of the two.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from types import ModuleType

import torch

from gandiag.plugins.errors import BadInput


def import_torchvision(name: str) -> ModuleType:
    """Import a module of torchvision.

    Args:
        name: name below ``torchvision``, such as ``datasets`` or ``transforms``.

    Raises:
        BadInput: torchvision is not installed, or it was built for another torch. The message has
            the command that installs a matching pair.
    """
    try:
        return importlib.import_module(f"torchvision.{name}")
    except ModuleNotFoundError as error:
        if error.name != "torchvision":  # a wrong `name`, which is a bug of the caller
            raise
        raise BadInput("torchvision", f"not installed; {_suggest_installation()}") from error
    # A build for another torch fails in one of these ways, depending on the platform and on the
    # order of imports: "operator torchvision::nms does not exist" (RuntimeError), an undefined
    # symbol (OSError, ImportError), a half-initialised module (AttributeError).
    except (RuntimeError, OSError, ImportError, AttributeError) as error:
        reason = str(error).partition("\n")[0]
        versions = f"torch {torch.__version__} and torchvision {_find_torchvision_version()}"
        problem = f"{versions} do not match ({reason}); {_suggest_installation()}"
        raise BadInput("torchvision", problem) from error


def _find_torchvision_version() -> str:
    try:
        return importlib.metadata.version("torchvision")
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"


def _suggest_installation() -> str:
    """Return the command that installs both packages from the index of the installed torch."""
    build = torch.__version__.partition("+")[2]  # "cpu", "cu132", or empty for builds from PyPI
    index = f" --index-url https://download.pytorch.org/whl/{build}" if build else ""
    return f"install both together: pip install --force-reinstall torch torchvision{index}"
