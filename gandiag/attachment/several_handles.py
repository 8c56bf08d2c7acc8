"""The handle that `gandiag.attach` returns for several pairs of networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from gandiag.attachment.watch_handle import Attachment
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.diagnosis.objective import Objectives
from gandiag.plugins.errors import BadInput
from gandiag.records.record import Record
from gandiag.reports.report import Report

# Pairs with a failure come first in the verdict, then those that cannot be judged.
_ORDER = ("present", "inconclusive", "absent")


class SeveralAttachments(Attachment):
    """Monitors several pairs of networks, each with a record and diagnoses of its own.

    It has the methods of an `Attachment`, for all pairs together. ``watch["name"]`` is the
    attachment of one pair.

    Attributes:
        pairs: the attachment of each pair, by its name.

    Args:
        pairs: likewise.
    """

    def __init__(self, pairs: Mapping[str, Attachment]) -> None:
        # Not that of `Attachment`: no pair of its own is monitored.
        self.pairs = dict(pairs)

    def __getitem__(self, name: str) -> Attachment:
        """The attachment of one pair."""
        return self.pairs[name]

    @property
    def step(self) -> int:
        """Number of generator steps since the attachment; the largest of all pairs."""
        return max(pair.step for pair in self.pairs.values())

    @property
    def record(self) -> Record:
        """Not available: each pair has a record.

        Raises:
            BadInput: always; the message says how to read a record.
        """
        raise BadInput("attach", f"each pair has its own record: {self._name_first()}.record")

    def label(self, *, real: Tensor | None = None, fake: Tensor | None = None) -> None:
        """State what a tensor contains, before a discriminator is called with it."""
        for pair in self.pairs.values():
            pair.label(real=real, fake=fake)

    def diagnose(self) -> tuple[Diagnosis, ...]:
        """Evaluate every detector on each record; each summary begins with the name of its pair."""
        return tuple(
            replace(diagnosis, summary=f"{name}: {diagnosis.summary}")
            for name, pair in self.pairs.items()
            for diagnosis in pair.diagnose()
        )

    @property
    def verdict(self) -> str:
        """One line with the name and the verdict of each pair; failing pairs come first."""
        lines = []
        for name, pair in self.pairs.items():
            found = {diagnosis.status for diagnosis in pair.diagnose()}
            worst = min((_ORDER.index(status) for status in found), default=len(_ORDER))
            lines.append((worst, f"{name}: {pair.verdict}"))
        # Sorted by the status alone: pairs of the same status keep their order.
        return "; ".join(line for _, line in sorted(lines, key=lambda line: line[0]))

    @property
    def objectives(self) -> Objectives:
        """Not available: each pair has objectives.

        Raises:
            BadInput: always; the message says how to read them.
        """
        raise BadInput("attach", f"each pair has its own: {self._name_first()}.objectives")

    def report(self) -> Report:
        """Not available: each pair has a report.

        Raises:
            BadInput: always; the message says how to get one.
        """
        raise BadInput("attach", f"each pair has its own report: {self._name_first()}.report()")

    def publish(self, folder: Path | str) -> tuple[str, ...]:
        """Publish the report of each pair in a folder of the pair's name below `folder`."""
        places = [pair.publish(Path(folder) / name) for name, pair in self.pairs.items()]
        return tuple(place for several in places for place in several)

    def detach(self) -> None:
        """Remove every hook and end the records. A second call does nothing."""
        for pair in self.pairs.values():
            pair.detach()

    def _repr_html_(self) -> str:
        """The state of each pair at the time of the call, for a notebook."""
        return "".join(pair._repr_html_() for pair in self.pairs.values())

    def _name_first(self) -> str:
        return f"watch[{next(iter(self.pairs))!r}]"
