"""``gandiag bench logs``: what gandiag says about public log files whose outcome is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from gandiag.comparison.statistics import wilson_interval
from gandiag.plugins.errors import BadInput
from gandiag.reports.saved_runs import diagnose

TABLE = Path(__file__).with_suffix(".yaml")
HEALTHY, FAILING = "healthy", "failing"
#: Saturation is a risk and not a failure, so that it is counted apart, too.
RISK = "discriminator_saturation"


class PublicLog(NamedTuple):
    """One entry of the table, with the fields that the head of ``public_logs.yaml`` explains."""

    repository: str
    commit: str
    path: str
    part: str
    outcome: str
    evidence: str

    def find(self, folder: Path) -> Path:
        """Where the file lies: FOLDER/owner+name/path."""
        return folder / self.repository.replace("/", "+") / self.path


class Answer(NamedTuple):
    """What gandiag says about one file.

    Attributes:
        log: the file.
        problem: why the file could not be read; empty if it was read.
        present: conditions that are present.
        judged: number of conditions that are present or absent.
    """

    log: PublicLog
    problem: str
    present: tuple[str, ...]
    judged: int


def read_table() -> list[PublicLog]:
    """The public logs, in the order of the table."""
    return [PublicLog(**entry) for entry in yaml.safe_load(TABLE.read_text(encoding="utf-8"))]


def diagnose_logs(folder: Path, part: str | None = None) -> Iterator[Answer]:
    """Diagnose each file of the table that is in `folder`.

    Raises:
        BadInput: no file of the table is there.
    """
    there = [log for log in read_table() if part in (None, log.part) and log.find(folder).exists()]
    if not there:
        raise BadInput(str(folder), f"has none of the files of {TABLE.name}, as owner+name/path")
    for log in there:
        try:
            found = diagnose(log.find(folder))
        except BadInput as error:
            yield Answer(log, str(error.problem), (), 0)
            continue
        present = tuple(d.condition for d in found if d.status == "present")
        yield Answer(log, "", present, sum(d.status != "inconclusive" for d in found))


def format_answers(answers: Iterable[Answer]) -> str:
    """One row for each file, and below them the counts, as Markdown tables."""
    lines = ["| repository | file | part | outcome | gandiag says |", "|---|---|---|---|---|"]
    answers = list(answers)
    for log, problem, present, judged in answers:
        nothing = f"nothing present, {judged} conditions judged"
        said = f"not read: {problem}" if problem else ", ".join(present) or nothing
        name = log.path if len(log.path) <= 60 else f"...{log.path[-57:]}"
        lines.append(f"| {log.repository} | {name} | {log.part} | {log.outcome} | {said} |")
    return "\n".join([*lines, "", *_count(answers)])


def _count(answers: Sequence[Answer]) -> Iterator[str]:
    yield "| part | read | failing: found | healthy: alarms | alarms of more than saturation |"
    yield "|---|---|---|---|---|"
    for part in (*sorted({answer.log.part for answer in answers}), "all"):
        here = [answer for answer in answers if part in (answer.log.part, "all")]
        read = [answer for answer in here if not answer.problem]
        failing = [answer for answer in read if answer.log.outcome == FAILING]
        healthy = [answer for answer in read if answer.log.outcome == HEALTHY]
        found, alarms = (sum(bool(a.present) for a in group) for group in (failing, healthy))
        failures = sum(bool(set(answer.present) - {RISK}) for answer in healthy)
        yield (
            f"| {part} | {len(read)} of {len(here)} | {_format_share(found, len(failing))} "
            f"| {_format_share(alarms, len(healthy))} | {_format_share(failures, len(healthy))} |"
        )


def _format_share(count: int, total: int) -> str:
    """A count with the 95 % interval of its share, as Wilson (1927) gives it."""
    if not total:
        return "0 of 0"
    low, high = wilson_interval(count, total)
    return f"{count} of {total} ({100 * low:.0f} to {100 * high:.0f} %)"
