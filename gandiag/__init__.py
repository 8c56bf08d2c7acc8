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
    from gandiag.attachment.attach import attach
    from gandiag.attachment.watch_handle import Attachment
    from gandiag.attachment.watching import watching
    from gandiag.comparison.compare import compare
    from gandiag.comparison.treat import treat
    from gandiag.examination.examine import examine
    from gandiag.plugins.errors import BadInput
    from gandiag.records.record import Record
    from gandiag.reports.saved_runs import diagnose, load
    from gandiag.scenario.schema import Scenario
    from gandiag.training.run import run

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
    "watching",
]

_HOMES = {
    "Attachment": "gandiag.attachment.watch_handle",
    "attach": "gandiag.attachment.attach",
    "compare": "gandiag.comparison.compare",
    "BadInput": "gandiag.plugins.errors",
    "Record": "gandiag.records.record",
    "Scenario": "gandiag.scenario.schema",
    "diagnose": "gandiag.reports.saved_runs",
    "examine": "gandiag.examination.examine",
    "load": "gandiag.reports.saved_runs",
    "run": "gandiag.training.run",
    "treat": "gandiag.comparison.treat",
    "watching": "gandiag.attachment.watching",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value = _version()
    elif name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'gandiag' has no attribute {name!r}")
    globals()[name] = value  # the next access does not import again
    return value


def __dir__() -> list[str]:
    return list(__all__)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("gandiag")
    except PackageNotFoundError:  # a copy that was never installed
        return "unknown"
