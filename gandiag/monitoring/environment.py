"""The environment of a run: device, package versions, start time."""

from __future__ import annotations

import platform
import re
import sys
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from gandiag.plugins.errors import BadInput

# Packages whose versions can change the numbers or the pictures of a run.
_PACKAGES = ("gandiag", "torch", "torchvision", "numpy", "scikit-learn", "seaborn", "wandb")


def pick_device(name: str) -> torch.device:
    """The device for a scenario's option ``device``.

    Args:
        name: ``auto`` (CUDA if available, else the CPU), ``cpu``, ``cuda`` or ``cuda:<number>``.

    Raises:
        BadInput: the name is invalid, or this machine has no such GPU.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise BadInput(f"device: {name}", "allowed are auto, cpu, cuda and cuda:<number>")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise BadInput(
            f"device: {name}", f"torch {torch.__version__} finds {count} GPUs on this machine"
        )
    return device


def describe_environment(device: torch.device) -> dict[str, Any]:
    """What a reader needs to repeat a run; without the names of the user and the host.

    Returns:
        Start time (UTC), Python version, platform, device and its name, number of CPU threads, and
        versions of the installed packages among ``gandiag``, ``torch`` and others.
    """
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
