"""The contracts: what a plugin of each family must be, on one page.

A plugin is a frozen dataclass whose fields are its options, each with a default, a unit and a
reason in a trailing comment, and whose docstring says what it is. It has the one method (or few)
listed here. It is found under its name in `builtin.BUILT_IN` or, for a stranger's, through an
installed entry point in the group ``gandiag.<family>``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:  # torch stays unloaded for those who only judge or show
    from torch import Tensor

    from gandiag.datasets.data import Data
    from gandiag.diagnosis.diagnosis import Diagnosis
    from gandiag.examination.finding import Finding
    from gandiag.examination.subject import GameState
    from gandiag.models.gan import GAN
    from gandiag.monitoring.snapshot import Snapshot
    from gandiag.records.record import Record, Row
    from gandiag.reports.report import Report
    from gandiag.scenario.schema import Scenario

__all__ = [
    "Dataset",
    "Detector",
    "Fix",
    "Follower",
    "Instrument",
    "PairReporter",
    "Probe",
    "Reader",
    "Reporter",
    "Variant",
]


@runtime_checkable
class Dataset(Protocol):
    """Loads real samples."""

    def load(self) -> Data:
        """Return the samples on the CPU; raise `BadInput` where they cannot be had."""
        ...


@runtime_checkable
class Variant(Protocol):
    """Builds a GAN."""

    def build(self, shape: tuple[int, ...]) -> GAN:
        """Return a GAN for samples of `shape`, initialised from torch's global generator."""
        ...


@runtime_checkable
class Probe(Protocol):
    """Observes a turn of the game and returns numbers. It keeps nothing and changes nothing."""

    uses: ClassVar[frozenset[str]]
    """Costly snapshot fields it reads, among ``recent``, ``latents``, ``fixed``, ``weights``,
    ``conduct`` and ``reference``. They are made only if some probe asks for them."""

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return 0-dim or 1-dim tensors by ``what/player``; the probe's name is put before it.

        It never calls ``.item()``: the watch moves all numbers to the host in one copy a flush.
        """
        ...


@runtime_checkable
class Reader(Protocol):
    """Reads a log of somebody else's training."""

    def recognises(self, path: Path) -> bool:
        """Whether a file or folder is such a log; it is looked at, not read."""
        ...

    def read(self, path: Path, columns: Mapping[str, str]) -> Record:
        """Return the log as a record; raise `BadInput` where it cannot be one.

        Args:
            path: the log.
            columns: names of its columns by role, where the user told them.
        """
        ...


@runtime_checkable
class Detector(Protocol):
    """Detects one condition in a record."""

    condition: ClassVar[str]
    """Name of the failure, in snake_case."""
    needs: ClassVar[frozenset[str]]
    """Signals without which the answer is *inconclusive*."""

    def detect(self, record: Record) -> Diagnosis:
        """Answer from the record alone; the same prefix always gets the same answer."""
        ...


@runtime_checkable
class Instrument(Protocol):
    """Examines both players held still. It is asked on demand, and may take minutes."""

    def examine(self, subject: GameState, progress: Callable[[float], None]) -> Finding:
        """Return what it found, or why it found nothing; it works on copies of the players.

        Args:
            subject: the players and samples, which it leaves as they are.
            progress: told now and then which share of the work is done, [0, 1].
        """
        ...


@runtime_checkable
class Fix(Protocol):
    """Changes a scenario so that a condition may not come about."""

    treats: ClassVar[frozenset[str]]
    """Conditions it is meant for."""
    causes: ClassVar[frozenset[str]]
    """Causes and kinds it helps against; empty means any."""
    advice: ClassVar[str]
    """What to do, in one sentence, for somebody with their own code."""

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the changed scenario, or the same one where there is nothing to change."""
        ...


@runtime_checkable
class Reporter(Protocol):
    """Publishes a report."""

    def publish(self, report: Report, folder: Path) -> str:
        """Show the report, and return where: a path or a URL."""
        ...


@runtime_checkable
class PairReporter(Protocol):
    """Sets two reports side by side. A reporter may do so too."""

    def publish_pair(self, report: Report, other: Report, folder: Path) -> str:
        """Show both, and return where."""
        ...


@runtime_checkable
class Follower(Protocol):
    """Follows a run while it happens. A reporter may be one too."""

    def begin(self, scenario: Scenario | None, folder: Path | None) -> None:
        """Called once before the first step.

        Args:
            scenario: what is played; None for a loop of somebody's own.
            folder: where the record lies; None for a run in memory.
        """
        ...

    def follow(self, rows: Sequence[Row], step: int) -> None:
        """Called with the new rows at each flush."""
        ...

    def alert(self, diagnosis: Diagnosis, step: int) -> None:
        """Called when a condition becomes present, and when it clears."""
        ...

    def end(self) -> None:
        """Called once when the run is over, however it ended."""
        ...
