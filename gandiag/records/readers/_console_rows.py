"""The rows of a console log: lines that belong to one measurement are one row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from gandiag.records.readers._console_line import Line, parse_line
from gandiag.records.readers._names import (
    EPOCH,
    find_unit,
    has_network_word,
    is_evaluation_name,
    is_network_name,
)

EVALUATION = "eval"  # prefix of the names in a part of a log about an evaluation
MAX_HEADING = 60  # characters; a longer line without numbers is prose
# A name that occurs in fewer rows than this is no column: a setting that is printed once.
MIN_ROWS = 2


class ConsoleRows:
    """Collects the rows of a console log line by line.

    A row ends where one of its names comes again, or where a counter goes on: so a row may be a
    line, a block of lines, or two lines for the two networks.

    Attributes:
        rows: finished rows, each with its counters and values.
        lines_of: number of lines that have each counter.
        totals: the numbers of counts in an epoch that were logged for each counter.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.lines_of: Counter[str] = Counter()
        self.totals: dict[str, Counter[float]] = {}
        self._context: dict[str, float] = {}  # counters of earlier lines
        self._positions: dict[str, float] = {}
        self._values: dict[str, float] = {}
        self._section = self._network = ""
        self._counters: set[str] = set()  # names of the counters of the last training line

    def add(self, text: str) -> None:
        """Read one line."""
        line = parse_line(text)
        if not line.positions and not line.values:
            self._read_heading(text)
            return
        values = self._prefix_names(line)
        self.lines_of.update(line.positions.keys())
        if line.positions:
            for name, total in line.totals.items():
                self.totals.setdefault(name, Counter())[total] += 1
        if self._begins_row(line.positions, values):
            self.finish()
        self._positions |= line.positions
        self._values |= values

    def finish(self) -> None:
        """End the current row."""
        changed = {n for n, v in self._positions.items() if self._context.get(n, v) != v}
        if any(find_unit(name) == EPOCH for name in changed):
            # A new epoch: counters of the last one say nothing about it.
            self._context = {n: v for n, v in self._context.items() if find_unit(n) == EPOCH}
        self._context |= self._positions
        if self._values:
            row = self._context | self._values
            # A progress bar prints a line repeatedly; rows of one epoch may be equal by chance.
            is_repeated = bool(self.rows) and row == self.rows[-1] and self._has_step()
            self.rows += [] if is_repeated else [row]
        self._positions, self._values = {}, {}

    def _has_step(self) -> bool:
        return any(find_unit(name) != EPOCH for name in self._positions)

    def _begins_row(self, positions: Mapping[str, float], values: Mapping[str, float]) -> bool:
        goes_on = any(self._positions.get(n, v) != v for n, v in positions.items())
        # A first counter after values without one belongs to the next row.
        is_new = bool(self._values) and any(
            name not in self._positions and name in self._context for name in positions
        )
        return goes_on or is_new or bool(values.keys() & self._values.keys())

    def _read_heading(self, text: str) -> None:
        """Keep what a line without numbers says about the following lines."""
        if len(text) > MAX_HEADING:
            return
        if is_evaluation_name(text):
            self._section = EVALUATION
        elif "train" in text.lower() or "epoch" in text.lower():
            self._section = ""
        heading = text.strip(" \t:=-#*>|[]()")
        self._network = heading if is_network_name(heading) else ""

    def _prefix_names(self, line: Line) -> dict[str, float]:
        """The values of a line; names also tell the part of the log in which they stand."""
        # An evaluation may count too, but its lines have fewer counters than those of training.
        is_training = bool(line.positions) and line.positions.keys() >= self._counters
        if is_training or "train" in line.lead.lower():
            self._section = ""
        section = self._section
        if is_evaluation_name(line.lead):
            section = EVALUATION
        elif line.positions and not section:
            self._counters = set(line.positions)
        if not section and not self._network:
            return line.values
        network = self._network
        return {
            " ".join(filter(None, (section, "" if has_network_word(n) else network, n))): v
            for n, v in line.values.items()
        }


def read_rows(lines: Iterable[str]) -> ConsoleRows:
    """Read the lines of a console log."""
    found = ConsoleRows()
    for line in lines:
        found.add(line)
    found.finish()
    return found


def drop_rare_names(found: ConsoleRows) -> Iterator[dict[str, float]]:
    """The rows without names that occur only once, such as settings before the training."""
    counts = Counter(name for row in found.rows for name in row)
    counts.update({name: lines - counts[name] for name, lines in found.lines_of.items()})
    least = min(MIN_ROWS, len(found.rows))
    for row in found.rows:
        yield {name: value for name, value in row.items() if counts[name] >= least}
