"""The progress of a run: a bar on a terminal, ten lines elsewhere."""

from __future__ import annotations

import io
import math
from pathlib import Path

import pytest
from rich.console import Console

from gandiag.cli.progress import RunProgress
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.records.record import Row
from gandiag.scenario.schema import Scenario

PRESENT = Diagnosis("mode_collapse", "present", "One sample is made.", "total", 300)


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock at 0 seconds."""
    return Clock()


def make_progress(clock: Clock, terminal: bool = False) -> tuple[RunProgress, io.StringIO]:
    """A progress display and the stream that it writes to."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=100, markup=False)
    return RunProgress("a note", clock=clock, console=console), written


def row(step: int) -> Row:
    """A row with both losses and a probability."""
    signals: dict[str, float | list[float]] = {
        "loss/value/discriminator": 1.25,
        "loss/value/generator": math.nan,
        "confidence/real/discriminator": 0.5,
        "confidence/gap/discriminator": 7.0,
        "diversity/mode_histogram/generator": [0.5, 0.5],
    }
    return Row(step, signals)


def test_line_begins_with_the_losses(clock: Clock) -> None:
    """The line has losses, D's probabilities, speed and time left, and no redundant score gap."""
    progress, _ = make_progress(clock)
    progress.begin(Scenario(), None)
    clock.now = 4.0
    progress.follow([row(500)], 500)
    line = progress.format_line()
    assert line == "step 500/2000  loss D 1.25  G nan  D(real) 0.5  125 steps/s  0:12 left"


def test_critic_shows_its_score_gap(clock: Clock) -> None:
    """A critic gives no probabilities, so its score gap is shown."""
    progress, _ = make_progress(clock)
    progress.begin(Scenario(), None)
    progress.follow([Row(10, {"confidence/gap/discriminator": 3.0})], 10)
    assert "gap 3" in progress.format_line()


def test_pipes_get_ten_lines(clock: Clock) -> None:
    """Without a terminal, one line is printed for each tenth of the run."""
    progress, written = make_progress(clock)
    with progress:
        progress.begin(Scenario(), Path("out"))
        for step in range(0, 2001, 50):
            progress.follow([row(step)], step)
    lines = written.getvalue().splitlines()
    assert lines[0] == "unnamed, seed 0 -> out (a note)"
    assert len(lines) == 11
    assert "\x1b" not in written.getvalue()


def test_terminals_get_a_bar(clock: Clock) -> None:
    """A terminal shows a bar with the newest numbers, and the bar is erased at the end."""
    progress, written = make_progress(clock, terminal=True)
    with progress:
        progress.begin(Scenario(), None)
        progress.follow([row(500)], 500)
        progress.alert(PRESENT, 550)
    shown = written.getvalue()
    assert "500/2000" in shown
    assert shown.rstrip().endswith("\x1b[2K")  # the bar's line is erased
    assert progress.describe_interruption(Path("out")).startswith("stopped after 500 of 2000 steps")


def test_alerts_have_condition_and_step(clock: Clock) -> None:
    """An alert has the current step and the onset; the end of a condition is reported as well."""
    progress, written = make_progress(clock)
    progress.begin(Scenario(), None)
    progress.alert(PRESENT, 550)
    progress.alert(Diagnosis("mode_collapse", "absent", ""), 900)
    lines = written.getvalue().splitlines()[1:]
    first = "step 550: mode collapse (total) since step 300. One sample is made."
    assert lines == [first, "step 900: mode collapse is no longer present"]


def test_interrupted_before_the_first_step(clock: Clock) -> None:
    """A run that is interrupted while data are loaded has no record."""
    progress, _ = make_progress(clock, terminal=True)
    with progress:
        pass
    assert (
        progress.describe_interruption(Path("out"))
        == "stopped before the first step; there is no record"
    )
