"""Asks instruments about a subject, one after the other, and shows how far they have come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

from gandiag.examination.finding import Finding
from gandiag.examination.game_state import GameState
from gandiag.plugins import registry as plugins
from gandiag.plugins.errors import BadInput, suggest_nearest, join_lines
from gandiag.plugins.protocols import Instrument
from gandiag.plugins.terminal import BAR_WIDTH, error_console, progress_bar

SECONDS_BETWEEN_LINES = 10.0  # seconds between two lines where there is no terminal


def build_instruments(
    names: Sequence[str] = (), options: Mapping[str, Any] | None = None, place: str = ""
) -> dict[str, Instrument]:
    """Instruments by name, all of them where none is named.

    Args:
        names: of the catalogue.
        options: by instrument, each a mapping of its own.
        place: what mistakes are blamed on.

    Raises:
        BadInput: there is no such instrument, or no such option.
    """
    known = plugins.list_names("instruments")
    given = dict(options or {})
    for name in given:
        if name not in (names or known):
            said = suggest_nearest(name, names or known)
            raise BadInput(place, f"{name} is not asked, so its options say nothing; {said}")
        if not isinstance(given[name], Mapping):
            raise BadInput(place, f"{name}: write an option of it, as in {name}.samples=256")
    wanted = names or known
    return {n: plugins.build("instruments", n, given.get(n), place) for n in wanted}


def run_instruments(
    subject: GameState, instruments: Mapping[str, Instrument], console: Console | None = None
) -> Iterator[Finding]:
    """Yield what each instrument finds, as soon as it has; progress goes to standard error.

    One that fails is answered for, and the others are asked all the same.
    """
    console = console or error_console()
    for number, (name, instrument) in enumerate(instruments.items(), start=1):
        with _InstrumentProgress(
            f"{number}/{len(instruments)} {name.replace('_', ' ')}", console
        ) as shown:
            found = _run_instrument(name, instrument, subject, shown.progress)
        yield found


class _InstrumentProgress:
    """How far one instrument has come: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, title: str, console: Console) -> None:
        text = TextColumn("{task.description}", markup=False)
        columns = (text, BarColumn(BAR_WIDTH), TimeRemainingColumn())
        self._bar = progress_bar(console, columns, transient=True)
        self._task = self._bar.add_task(title, total=1.0)
        self._title, self._console, self._told = title, console, time.monotonic()

    def __enter__(self) -> _InstrumentProgress:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *about: object) -> None:
        self._bar.stop()
        if kind is None and not self._console.is_terminal:
            self._console.print(f"{self._title}: done", soft_wrap=True)

    def progress(self, share: float) -> None:
        """Show the share of the work that is done."""
        self._bar.update(self._task, completed=share)
        if not self._console.is_terminal and time.monotonic() - self._told > SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            self._console.print(f"{self._title}: {share:.0%}", soft_wrap=True)


def _run_instrument(
    name: str, instrument: Instrument, subject: GameState, progress: Callable[[float], None]
) -> Finding:
    try:
        return instrument.examine(subject, progress)
    except Exception as error:  # somebody's networks may not bear being differentiated twice
        return Finding(name, f"Not measured: {type(error).__name__}: {join_lines(str(error))}.")
