"""Where a run happens: device, versions, time."""

from __future__ import annotations

import platform
import re
import sys
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from gandiag.plugins.errors import BadInput

_PACKAGES = ("gandiag", "torch", "torchvision", "numpy", "scikit-learn", "seaborn", "wandb")


def pick_device(name: str) -> torch.device:
    """Turn a scenario's ``device`` into one that is here.

    Args:
        name: ``auto`` (CUDA if there is any, else CPU), ``cpu``, ``cuda`` or ``cuda:<n>``.

    Raises:
        BadInput: there is no such device, or no such GPU here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise BadInput(f"device: {name}", "there are auto, cpu, cuda and cuda:<number>")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise BadInput(f"device: {name}", f"torch {torch.__version__} sees {count} GPUs here")
    return device


def describe_environment(device: torch.device) -> dict[str, Any]:
    """What a reader needs to judge whether a run can be repeated; names neither user nor host."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    on_gpu = device.type == "cuda"
    return {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "device": str(device),
        "device_name": torch.cuda.get_device_name(device) if on_gpu else platform.machine(),
        "threads": torch.get_num_threads(),
        "versions": versions,
    }
