"""Followers of an attached loop: objects, reporters by name, and a function for alerts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gandiag.plugins import registry as plugins
from gandiag.plugins.errors import BadInput
from gandiag.plugins.protocols import Follower

if TYPE_CHECKING:
    from gandiag.diagnosis.diagnosis import Diagnosis
    from gandiag.records.record import Row
    from gandiag.scenario.schema import Scenario


class AlertCallback:
    """A follower that only handles alerts.

    Args:
        on_alert: called with ``(diagnosis, step)`` when a failure appears or disappears.
    """

    def __init__(self, on_alert: Callable[[Diagnosis, int], None]) -> None:
        self._on_alert = on_alert

    def begin(self, scenario: Scenario | None, folder: Path | None) -> None:
        """Do nothing."""

    def follow(self, rows: Sequence[Row], step: int) -> None:
        """Do nothing."""

    def alert(self, diagnosis: Diagnosis, step: int) -> None:
        """Call the user's function."""
        self._on_alert(diagnosis, step)

    def end(self) -> None:
        """Do nothing."""


def resolve_follower(follower: Follower | str, place: str) -> Follower:
    """Return a follower itself, or build the reporter of that name.

    Raises:
        BadInput: there is no such reporter, or it cannot follow a run; the message names `place`.
    """
    if isinstance(follower, str):
        name, resolved = follower, plugins.build("reporters", follower, place=place)
    else:
        name, resolved = type(follower).__name__, follower
    if not isinstance(resolved, Follower):
        problem = f"{name} cannot follow a run; a follower has begin, follow, alert and end"
        raise BadInput(place, problem)
    return resolved
