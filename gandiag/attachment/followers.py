"""Who follows somebody's own loop: objects, reporters by name, and a function that is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gandiag.plugins import registry as plugins
from gandiag.plugins.errors import BadInput
from gandiag.plugins.protocols import Follower, Reporter

if TYPE_CHECKING:
    from gandiag.diagnosis.diagnosis import Diagnosis
    from gandiag.records.record import Row
    from gandiag.reports.report import Report
    from gandiag.scenario.schema import Scenario


class AlertCallback:
    """A follower that only passes alerts on.

    Args:
        on_alert: called with ``(diagnosis, step)``.
    """

    def __init__(self, on_alert: Callable[[Diagnosis, int], None]) -> None:
        self._on_alert = on_alert

    def begin(self, scenario: Scenario | None, folder: Path | None) -> None:
        """Do nothing."""

    def follow(self, rows: Sequence[Row], step: int) -> None:
        """Do nothing."""

    def alert(self, diagnosis: Diagnosis, step: int) -> None:
        """Pass it on."""
        self._on_alert(diagnosis, step)

    def end(self) -> None:
        """Do nothing."""


def follower_of(given: Follower | str, place: str) -> Follower:
    """A follower itself, or the reporter of that name.

    Raises:
        BadInput: naming `place`: there is no such reporter, or it cannot follow a run.
    """
    found = plugins.build("reporters", given, place=place) if isinstance(given, str) else given
    if not isinstance(found, Follower):
        name = given if isinstance(given, str) else type(given).__name__
        raise BadInput(place, f"{name} cannot follow a run: not all of begin, follow, alert, end")
    return found


def publish_to(follower: Follower, report: Report, folder: Path) -> None:
    """Give a report to a follower that is a reporter too."""
    if isinstance(follower, Reporter):
        follower.publish(report, folder)
