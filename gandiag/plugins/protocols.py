"""The protocols: what a plugin of each family must provide, on one page.

A plugin is a frozen dataclass. Its fields are its options; each has a default, and a comment with
unit, effect and source. The first sentence of its docstring describes it in `gandiag list`. It has
the methods and class variables that the protocol of its family lists. A built-in plugin is
registered in `builtin.BUILT_IN`, a third-party plugin by an entry point in the group
``gandiag.<family>``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:  # most of these modules import torch, which detectors and reporters do not need
    from torch import Tensor

    from gandiag.datasets.data import Data
    from gandiag.diagnosis.diagnosis import Diagnosis
    from gandiag.examination.finding import Finding
    from gandiag.examination.game_state import GameState
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
        """Return the samples, on the CPU.

        Raises:
            BadInput: the samples cannot be read or downloaded.
        """
        ...


@runtime_checkable
class Variant(Protocol):
    """Builds a GAN."""

    def build(self, shape: tuple[int, ...]) -> GAN:
        """Return a GAN with initial weights, drawn from torch's global random number generator.

        Args:
            shape: of one sample, such as ``(2,)`` for points or ``(1, 28, 28)`` for images.
        """
        ...


@runtime_checkable
class Probe(Protocol):
    """Measures one generator or discriminator step. It has no state and changes nothing."""

    uses: ClassVar[frozenset[str]]
    """Snapshot fields that the probe reads and that are costly to compute: ``recent``,
    ``fake_stats``, ``latents``, ``fixed``, ``fixed_pass``, ``activations``, ``weights``,
    ``loop_trace`` and ``reference``. Each is computed only for probes that list it."""

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return numbers, or 0- or 1-dimensional tensors, by ``quantity/network``.

        The watch prepends the name of the probe, which gives the name of a signal:
        ``probe/quantity/network``. The method must not call ``.item()``, which would wait for the
        GPU: the watch copies all values to the host at once.
        """
        ...


@runtime_checkable
class Reader(Protocol):
    """Reads a log that another tool wrote."""

    def recognises(self, path: Path) -> bool:
        """Return whether a file or folder is such a log, by its name or first bytes."""
        ...

    def read(self, path: Path, columns: Mapping[str, str]) -> Record:
        """Return the log as a record.

        Args:
            path: the log.
            columns: names of its columns by role, as far as the user passed them.

        Raises:
            BadInput: the log is damaged, or columns cannot be found.
        """
        ...


@runtime_checkable
class Detector(Protocol):
    """Detects one condition in a record."""

    condition: ClassVar[str]
    """Name of the failure, in snake_case."""
    needs: ClassVar[frozenset[str]]
    """Names of signals; if one is missing in the record, the diagnosis is *inconclusive*."""

    def detect(self, record: Record) -> Diagnosis:
        """Return the diagnosis of a record.

        The diagnosis depends on the record alone: it is the same during the run and years later,
        given the same measurements.
        """
        ...


@runtime_checkable
class Instrument(Protocol):
    """Analyses both networks at a checkpoint. It runs on request only, as it may take minutes."""

    def examine(self, state: GameState, progress: Callable[[float], None]) -> Finding:
        """Return a finding, or the reason why there is none.

        Args:
            state: networks and samples; the instrument works on copies and changes nothing.
            progress: to be called from time to time with the finished share of the work, [0, 1].
        """
        ...


@runtime_checkable
class Fix(Protocol):
    """Changes a scenario so that a failure may not occur."""

    treats: ClassVar[frozenset[str]]
    """Conditions for which the fix is suggested."""
    causes: ClassVar[frozenset[str]]
    """Causes and failure types for which the fix is suggested; empty for all of them."""
    advice: ClassVar[str]
    """What a user with a training loop of their own should change, in plain text."""

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the changed scenario, or the same scenario if the fix changes nothing."""
        ...


@runtime_checkable
class Reporter(Protocol):
    """Publishes a report."""

    def publish(self, report: Report, folder: Path) -> str:
        """Publish the report and return its path or URL.

        Args:
            report: the report.
            folder: folder of the run, in which files are written.
        """
        ...


@runtime_checkable
class PairReporter(Protocol):
    """Publishes two reports side by side. A reporter may have this method too."""

    def publish_pair(self, report: Report, other: Report, folder: Path) -> str:
        """Publish both reports and return their path or URL."""
        ...


@runtime_checkable
class Follower(Protocol):
    """Receives measurements and alerts during a run. A reporter may be a follower too."""

    def begin(self, scenario: Scenario | None, folder: Path | None) -> None:
        """Called once before the first step.

        Args:
            scenario: scenario of the run; None for a training loop of the user.
            folder: folder of the record; None for a run whose record is in memory only.
        """
        ...

    def follow(self, rows: Sequence[Row], step: int) -> None:
        """Called with the new rows whenever measurements are written to the record.

        Args:
            rows: the measurements since the last call.
            step: number of completed generator steps.
        """
        ...

    def alert(self, diagnosis: Diagnosis, step: int) -> None:
        """Called when a condition becomes present, and when it is no longer present."""
        ...

    def end(self) -> None:
        """Called once at the end of the run, also after an exception or Ctrl-C."""
        ...
