"""Shows a run while it happens: a bar on a terminal, a line for every tenth of it elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.monitoring.signals import (
    DISCRIMINATOR_LOSS,
    EFFECTIVE_CLASSES,
    EFFECTIVE_MODES,
    GENERATOR_LOSS,
    P_REAL_OF_FAKE,
    P_REAL_OF_REAL,
    SCORE_GAP,
)
from gandiag.records.record import Row
from gandiag.reports.report import verdict
from gandiag.scenario.schema import Scenario

if TYPE_CHECKING:
    from rich.status import Status


# label -> the signals shown under it, the first recorded of them
_SHOWN = {
    "loss D": (DISCRIMINATOR_LOSS,),
    "G": (GENERATOR_LOSS,),
    "D(real)": (P_REAL_OF_REAL,),
    "D(fake)": (P_REAL_OF_FAKE,),
    "gap": (SCORE_GAP,),
    "diversity": (EFFECTIVE_MODES,),
    "classes": (EFFECTIVE_CLASSES,),
}
TENTHS = 10  # lines that a run prints where there is no terminal


class Progress:
    """Follows a run on standard error. Use it with ``with``: it tidies up however the run ends.

    Args:
        note: said once at the beginning.
        before: called with the folder once the run is about to begin.
        clock: seconds, for the speed.
        console: where to; standard error if None.
    """

    def __init__(
        self,
        note: str = "",
        before: Callable[[Path], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        console: Console | None = None,
    ) -> None:
        self.step = 0
        self.total = 0
        self.began: float | None = None
        self._note, self._before, self._clock = note, before, clock
        self._console = console or Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._values: dict[str, float] = {}
        self._told = 0
        self._bar: Bar | None = None
        self._waiting: Status | None = None

    def __enter__(self) -> Progress:
        """Say that something is being made ready."""
        if self._console.is_terminal:
            self._waiting = self._console.status("Loading torch, data and networks ...")
            self._waiting.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was."""
        self.end()

    def begin(self, scenario: Scenario | None, folder: Path | None) -> None:
        """Say what is played, and where to; without a scenario nobody knows how long it takes."""
        self._stop_waiting()
        self.began, self.total = self._clock(), scenario.training.steps if scenario else 0
        where = f" -> {folder}" if folder else ""
        note = f" ({self._note})" if self._note else ""
        name = f"{scenario.name}, seed {scenario.seed}" if scenario else "somebody's own loop"
        self._console.print(f"{name}{where}{note}", soft_wrap=True)
        if self._before is not None and folder is not None:
            self._before(folder)
        if self._console.is_terminal:
            columns = (BarColumn(20), TextColumn("{task.description}", markup=False))
            self._bar = Bar(*columns, console=self._console, transient=True)
            self._bar.add_task("", total=self.total)
            self._bar.start()

    def follow(self, rows: Sequence[Row], step: int) -> None:
        """Show the newest numbers."""
        self.step = step
        for row in rows:
            self._values |= {k: v for k, v in row.signals.items() if isinstance(v, float)}
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=step, description=self.line())
        elif self.total and step * TENTHS // self.total > self._told:
            self._told = step * TENTHS // self.total
            self._console.print(self.line(), soft_wrap=True)

    def alert(self, diagnosis: Diagnosis, step: int) -> None:
        """Say that a condition has appeared, or has cleared."""
        if diagnosis.status == "present":
            text = f"step {step}: {verdict([diagnosis])}. {diagnosis.summary}"
        else:
            text = f"step {step}: {diagnosis.condition.replace('_', ' ')} has cleared"
        style = "bold red" if diagnosis.status == "present" else "green"
        self._console.print(text, style=style, soft_wrap=True)

    def end(self) -> None:
        """Take the bar away."""
        self._stop_waiting()
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def stopped(self, folder: Path) -> str:
        """What is to be said of a run that was interrupted."""
        if self.began is None:
            return "stopped before the first step; there is no record"
        kept = f"the record is kept: gandiag diagnose {folder}"
        return f"stopped after {self.step} of {self.total} steps; {kept}"

    def line(self) -> str:
        """Step, leading signals, speed and time left, on one line."""
        parts = [f"step {self.step}/{self.total}"]
        for label, names in _SHOWN.items():
            found = [self._values[name] for name in names if name in self._values]
            if found and not (label == "gap" and _SHOWN["D(real)"][0] in self._values):
                parts.append(f"{label} {found[0]:.3g}")
        return "  ".join([*parts, *self._speed()])

    def _speed(self) -> list[str]:
        spent = self._clock() - self.began if self.began is not None else 0.0
        if not (spent > 0 and self.step):
            return []
        speed = self.step / spent
        minutes, seconds = divmod(round((self.total - self.step) / speed), 60)
        return [f"{speed:.3g} steps/s", f"{minutes}:{seconds:02} left"]

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.stop()
            self._waiting = None
