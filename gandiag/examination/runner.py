"""Runs instruments one after the other and shows their progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

from gandiag.examination.finding import Finding
from gandiag.examination.game_state import GameState
from gandiag.plugins import registry as plugins
from gandiag.plugins.errors import BadInput, join_lines, suggest_nearest
from gandiag.plugins.protocols import Instrument
from gandiag.plugins.terminal import BAR_WIDTH, error_console, progress_bar

SECONDS_BETWEEN_LINES = 10.0  # Time between two progress lines if there is no terminal.


def build_instruments(
    names: Sequence[str] = (), options: Mapping[str, Any] | None = None, place: str = ""
) -> dict[str, Instrument]:
    """Build instruments from their names and options.

    Args:
        names: names of instruments; all installed ones if empty.
        options: options of each instrument, by its name.
        place: what error messages name as the source of a mistake.

    Raises:
        BadInput: there is no such instrument or option, or options are given for an instrument that
            is not among `names`.
    """
    chosen = names or plugins.list_names("instruments")
    given = dict(options or {})
    # Options of an instrument that does not run are a mistake of the user.
    for name, own_options in given.items():
        if name not in chosen:
            hint = suggest_nearest(name, chosen)
            raise BadInput(place, f"{name} has options but is not among the instruments; {hint}")
        if not isinstance(own_options, Mapping):
            raise BadInput(place, f"{name}: name one of its options, as in {name}.samples=256")
    return {name: plugins.build("instruments", name, given.get(name), place) for name in chosen}


def run_instruments(
    state: GameState, instruments: Mapping[str, Instrument], console: Console | None = None
) -> Iterator[Finding]:
    """Yield the finding of each instrument as soon as it has finished.

    An instrument that raises an exception gets a finding with the exception's message, and the next
    instrument runs.

    Args:
        state: networks and samples.
        instruments: instruments by name.
        console: where to show the progress; standard error if None.
    """
    console = console or error_console()
    for number, (name, instrument) in enumerate(instruments.items(), start=1):
        title = f"{number}/{len(instruments)} {name.replace('_', ' ')}"
        with _InstrumentProgress(title, console) as bar:
            finding = _run_instrument(name, instrument, state, bar.progress)
        # Outside the block, so that the bar is gone before the caller prints the finding.
        yield finding


class _InstrumentProgress:
    """The progress of one instrument: a bar on a terminal, a line from time to time elsewhere."""

    def __init__(self, title: str, console: Console) -> None:
        text = TextColumn("{task.description}", markup=False)
        columns = (text, BarColumn(BAR_WIDTH), TimeRemainingColumn())
        self._bar = progress_bar(console, columns, transient=True)
        self._task = self._bar.add_task(title, total=1.0)
        self._title, self._console, self._last_line = title, console, time.monotonic()

    def __enter__(self) -> _InstrumentProgress:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
        self._bar.stop()  # before the line, which the bar would overwrite
        if kind is None and not self._console.is_terminal:
            self._console.print(f"{self._title}: done", soft_wrap=True)

    def progress(self, share: float) -> None:
        """Show the finished share of the work, in [0, 1]."""
        self._bar.update(self._task, completed=share)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = now
            self._console.print(f"{self._title}: {share:.0%}", soft_wrap=True)


def _run_instrument(
    name: str, instrument: Instrument, state: GameState, progress: Callable[[float], None]
) -> Finding:
    try:
        finding = instrument.examine(state, progress)
        if not isinstance(finding, Finding):
            raise TypeError(f"{type(finding).__name__} is no finding")
        return finding
    except (Exception, SystemExit) as error:  # for example, a layer without a second derivative
        return Finding(name, f"Not measured: {type(error).__name__}: {join_lines(str(error))}.")
