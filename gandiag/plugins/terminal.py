"""Consoles and progress bars, made in one place so that every command prints alike.

The module stands in the first package because datasets, comparisons and benchmarks print progress
too. It imports rich, so a command imports this module when the command runs, not before.
"""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment

from gandiag.plugins.errors import make_printable

BAR_WIDTH = 20  # characters; leaves room for a description on a terminal of 80 columns


def output_console() -> Console:
    """Return a console on standard output, for results."""
    return _console(stderr=False)


def error_console() -> Console:
    """Return a console on standard error, for progress and messages.

    Standard output then holds results alone and can be passed on to another program.
    """
    return _console(stderr=True)


def progress_bar(
    console: Console, columns: tuple[ProgressColumn, ...] = (), transient: bool = False
) -> Progress:
    """Return a progress bar that is shown on a terminal only.

    A log file or a pipe cannot erase a line, so the caller prints plain lines there instead.

    Args:
        console: where the bar is shown.
        columns: parts of the bar from left to right; by default the description, the bar, the
            number of finished items and the time left.
        transient: whether the bar is erased at the end.
    """
    columns = columns or (
        # A name such as "run[0]" is printed as it is, not read as a style of rich.
        TextColumn("{task.description}", markup=False),
        BarColumn(BAR_WIDTH),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, transient=transient, disable=not console.is_terminal)


class _Printable:
    """What a console prints, without the control characters in its texts.

    Names come from files and plugins of others; the styles and movements are rich's own.
    """

    def __init__(self, content: ConsoleRenderable) -> None:
        self._content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._content, options):
            if segment.control:
                yield segment
            else:
                yield Segment(make_printable(segment.text), segment.style)


class _PrintableTexts(RenderHook):
    """Makes a console print everything as `_Printable`."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Wrap what is about to be printed."""
        return [_Printable(each) for each in renderables]


def _console(stderr: bool) -> Console:
    # Names, paths and numbers are printed as they are: rich would read "[0]" as a style, ":ring:"
    # as an emoji, and colour every number.
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    console.push_render_hook(_PrintableTexts())
    return console
