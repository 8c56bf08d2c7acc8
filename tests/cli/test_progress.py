"""What is shown of a run while it happens."""

from __future__ import annotations

import io
import math
from pathlib import Path

import pytest
from rich.console import Console

from gandiag.cli.progress import Progress
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.records.record import Row
from gandiag.scenario.schema import Scenario

PRESENT = Diagnosis("mode_collapse", "present", "One sample is made.", "total", 300)


class Clock:
    """A clock that is wound by hand."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The hand-wound clock."""
    return Clock()


def following(clock: Clock, terminal: bool = False) -> tuple[Progress, io.StringIO]:
    """A follower, and what it writes to."""
    written = io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=100, markup=False)
    return Progress("a note", clock=clock, console=console), written


def row(step: int) -> Row:
    """A row with both losses and a probability."""
    signals = {
        "loss/value/discriminator": 1.25,
        "loss/value/generator": math.nan,
        "confidence/real/discriminator": 0.5,
        "confidence/gap/discriminator": 7.0,
        "diversity/mode_histogram/generator": [0.5, 0.5],
    }
    return Row(step, signals)


def test_the_line_leads_with_the_losses(clock: Clock) -> None:
    """The line holds losses, D's answers and time left; a critic's gap only where there is no P."""
    progress, _ = following(clock)
    progress.begin(Scenario(), None)
    clock.now = 4.0
    progress.follow([row(500)], 500)
    line = progress.line()
    assert line == "step 500/2000  loss D 1.25  G nan  D(real) 0.5  125 steps/s  0:12 left"


def test_a_critic_shows_its_gap(clock: Clock) -> None:
    """A critic has no probabilities, so its gap is shown."""
    progress, _ = following(clock)
    progress.begin(Scenario(), None)
    progress.follow([Row(10, {"confidence/gap/discriminator": 3.0})], 10)
    assert "gap 3" in progress.line()


def test_pipes_get_ten_lines(clock: Clock) -> None:
    """Where there is no terminal, a line comes for every tenth of the run."""
    progress, written = following(clock)
    with progress:
        progress.begin(Scenario(), Path("out"))
        for step in range(0, 2001, 50):
            progress.follow([row(step)], step)
    lines = written.getvalue().splitlines()
    assert lines[0] == "unnamed, seed 0 -> out (a note)"
    assert len(lines) == 11
    assert "\x1b" not in written.getvalue()


def test_a_terminal_gets_a_bar(clock: Clock) -> None:
    """A terminal shows a bar with the newest numbers, and is left clean."""
    progress, written = following(clock, terminal=True)
    with progress:
        progress.begin(Scenario(), None)
        progress.follow([row(500)], 500)
        progress.alert(PRESENT, 550)
    shown = written.getvalue()
    assert "500/2000" in shown
    assert shown.rstrip().endswith("\x1b[2K")  # the bar's line is erased
    assert progress.stopped(Path("out")).startswith("stopped after 500 of 2000 steps")


def test_alerts_say_what_and_when(clock: Clock) -> None:
    """An alert says when it was seen and since when; a cleared condition is said too."""
    progress, written = following(clock)
    progress.begin(Scenario(), None)
    progress.alert(PRESENT, 550)
    progress.alert(Diagnosis("mode_collapse", "absent", ""), 900)
    said = written.getvalue().splitlines()[1:]
    first = "step 550: mode collapse (total) since step 300. One sample is made."
    assert said == [first, "step 900: mode collapse has cleared"]


def test_nothing_began(clock: Clock) -> None:
    """A run that was stopped while loading has no record."""
    progress, _ = following(clock, terminal=True)
    with progress:
        pass
    assert progress.stopped(Path("out")) == "stopped before the first step; there is no record"
