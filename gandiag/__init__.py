"""Says which failure a GAN suffers from, since when, on what evidence, why, and what to do.

>>> import gandiag
>>> report = gandiag.run("mode_collapse")  # doctest: +SKIP
>>> gandiag.diagnose("reports/mode_collapse/0")  # doctest: +SKIP

What is named here is loaded when it is first used; ``import gandiag`` alone costs no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gandiag.attaching import attach
    from gandiag.attachment import Attachment
    from gandiag.comparison.comparing import compare
    from gandiag.comparison.treating import treat
    from gandiag.errors import BadInput
    from gandiag.examining.examining import examine
    from gandiag.front import diagnose, load, run
    from gandiag.record import Record
    from gandiag.scenario import Scenario

    __version__: str

__all__ = [
    "Attachment",
    "BadInput",
    "Record",
    "Scenario",
    "__version__",
    "attach",
    "compare",
    "diagnose",
    "examine",
    "load",
    "run",
    "treat",
]

_HOMES = {
    "Attachment": "gandiag.attachment",
    "attach": "gandiag.attaching",
    "compare": "gandiag.comparison.comparing",
    "BadInput": "gandiag.errors",
    "Record": "gandiag.record",
    "Scenario": "gandiag.scenario",
    "diagnose": "gandiag.front",
    "examine": "gandiag.examining.examining",
    "load": "gandiag.front",
    "run": "gandiag.front",
    "treat": "gandiag.comparison.treating",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value = _version()
    elif name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'gandiag' has no attribute {name!r}")
    globals()[name] = value  # so that this is asked once
    return value


def __dir__() -> list[str]:
    return list(__all__)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("gandiag")
    except PackageNotFoundError:  # a copy that was never installed
        return "unknown"
