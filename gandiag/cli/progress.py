"""Shows a run while it trains: a progress bar on a terminal, ten lines of text elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

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
from gandiag.plugins.terminal import BAR_WIDTH, error_console, progress_bar
from gandiag.records.record import Row
from gandiag.reports.report import format_verdict
from gandiag.scenario.schema import Scenario

if TYPE_CHECKING:
    from rich.status import Status


# Signals shown on the progress line, by their label. Registry labels are too long for one line.
_SHOWN = {
    "loss D": DISCRIMINATOR_LOSS,
    "G": GENERATOR_LOSS,
    "D(real)": P_REAL_OF_REAL,
    "D(fake)": P_REAL_OF_FAKE,
    "gap": SCORE_GAP,
    "diversity": EFFECTIVE_MODES,
    "classes": EFFECTIVE_CLASSES,
}
LINES = 10  # lines that a run prints where there is no terminal, one for each tenth of its steps


class RunProgress:
    """Follows a run on standard error.

    Use it in a ``with`` statement, which removes the bar from the terminal however the run ends.

    Args:
        note: printed once, behind the name of the run.
        on_begin: called with the folder of the run directly before its first step.
        clock: returns seconds; the speed is computed from it.
        console: where the progress is shown; standard error if None.
    """

    def __init__(
        self,
        note: str = "",
        on_begin: Callable[[Path], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        console: Console | None = None,
    ) -> None:
        self.step = 0
        self.total = 0
        self.start_time: float | None = None
        self._note, self._on_begin, self._clock = note, on_begin, clock
        self._console = console or error_console()
        self._values: dict[str, float] = {}
        self._printed_lines = 0
        self._bar: Progress | None = None
        self._waiting: Status | None = None

    def __enter__(self) -> RunProgress:
        """Show that the run is being prepared."""
        if self._console.is_terminal:
            # Importing torch and reading the data take several seconds.
            self._waiting = self._console.status("Loading torch, data and networks ...")
            self._waiting.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the bar."""
        self.end()

    def begin(self, scenario: Scenario | None, folder: Path | None) -> None:
        """Print the name and the folder of the run; a loop of the user has no known length."""
        self._stop_waiting()
        self.start_time = self._clock()
        self.total = scenario.training.steps if scenario else 0
        place = f" -> {folder}" if folder else ""
        note = f" ({self._note})" if self._note else ""
        name = f"{scenario.name}, seed {scenario.seed}" if scenario else "attached training loop"
        self._console.print(f"{name}{place}{note}", soft_wrap=True)
        if self._on_begin is not None and folder is not None:
            self._on_begin(folder)
        if self._console.is_terminal:
            columns = (BarColumn(BAR_WIDTH), TextColumn("{task.description}", markup=False))
            # A transient bar vanishes at the end, so that the report directly follows the alerts.
            self._bar = progress_bar(self._console, columns, transient=True)
            self._bar.add_task("", total=self.total)
            self._bar.start()

    def follow(self, rows: Sequence[Row], step: int) -> None:
        """Show the newest values."""
        self.step = step
        # Probes measure at different intervals: a value is shown until the next one replaces it.
        for row in rows:
            self._values |= {k: v for k, v in row.signals.items() if isinstance(v, float)}
        if self._bar is not None:
            task = self._bar.task_ids[0]
            self._bar.update(task, completed=step, description=self.format_line())
        # Without a terminal a loop of unknown length prints nothing, as it has no tenths.
        elif self.total and step * LINES // self.total > self._printed_lines:
            self._printed_lines = step * LINES // self.total
            self._console.print(self.format_line(), soft_wrap=True)

    def alert(self, diagnosis: Diagnosis, step: int) -> None:
        """Print that a condition has become present, or is no longer present."""
        if diagnosis.status == "present":
            text = f"step {step}: {format_verdict([diagnosis])}. {diagnosis.summary}"
        else:
            text = f"step {step}: {diagnosis.condition.replace('_', ' ')} is no longer present"
        style = "bold red" if diagnosis.status == "present" else "green"
        self._console.print(text, style=style, soft_wrap=True)

    def end(self) -> None:
        """Remove the bar."""
        self._stop_waiting()
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def describe_interruption(self, folder: Path) -> str:
        """Return the message for a run that a signal ended."""
        if self.start_time is None:
            return "stopped before the first step; there is no record"
        kept = f"the record is kept, and the run goes on with gandiag run --resume {folder}"
        return f"stopped after {self.step} of {self.total} steps; {kept}"

    def format_line(self) -> str:
        """Return the step, the newest values, the speed and the time left, on one line."""
        parts = [f"step {self.step}/{self.total}"]
        for label, signal in _SHOWN.items():
            # A critic gives scores, not probabilities: only then is its gap shown.
            is_redundant = signal == SCORE_GAP and P_REAL_OF_REAL in self._values
            if signal in self._values and not is_redundant:
                parts.append(f"{label} {self._values[signal]:.3g}")
        return "  ".join([*parts, *self._format_speed()])

    def _format_speed(self) -> list[str]:
        seconds = self._clock() - self.start_time if self.start_time is not None else 0.0
        # There is no speed before the first measurement, and a coarse clock may show 0 seconds.
        if not (seconds > 0 and self.step):
            return []
        speed = self.step / seconds
        minutes, left = divmod(round((self.total - self.step) / speed), 60)
        return [f"{speed:.3g} steps/s", f"{minutes}:{left:02} left"]

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.stop()
            self._waiting = None
