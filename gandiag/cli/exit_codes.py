"""How a command ends: its exit status, and one line for every error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import click

# Wrong usage of a command has the status 2 in click, too, so all bad input ends alike.
BAD_INPUT, INTERRUPTED = 2, 130  # 130 = 128 + 2, the number of SIGINT, as in POSIX shells


class CommandGroup(click.Group):
    """A group of commands that reports every error in one line and exits with its status.

    The status of a command is the value that its function returns; None means 0. Bad input ends
    with `BAD_INPUT`: a `BadInput` of gandiag, an error of click, or a file that cannot be opened.
    Any other exception is a bug of gandiag and keeps its traceback.
    """

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command and exit; an error in its input becomes one line and `BAD_INPUT`."""
        from gandiag.plugins.errors import BadInput, join_lines

        # None of these errors is a bug, so a traceback would only hide the message.
        try:
            with _one_line_warnings():
                # click's standalone mode would print errors itself, in three lines.
                status = super().main(*args, **{**extra, "standalone_mode": False})
        except BadInput as error:
            status = _report_bad_input(str(error))
        # click raises Abort in place of the KeyboardInterrupt of Ctrl-C.
        except click.Abort:
            status = INTERRUPTED
        except click.ClickException as error:
            command = getattr(getattr(error, "ctx", None), "command_path", "gandiag")
            problem = join_lines(error.format_message())
            status = _report_bad_input(f"{problem} (see {command} --help)")
        except OSError as error:
            if error.filename is None:  # not about a file, such as a broken network connection
                raise
            reason = (error.strerror or "cannot be used").lower()
            status = _report_bad_input(f"{error.filename}: {reason}")
        sys.exit(status or 0)


def report_unfinished_comparison(folder: Path, reason: str) -> int:
    """Print how many runs of a comparison are finished, and return the exit status.

    Args:
        folder: folder of the comparison.
        reason: why it ended; empty for Ctrl-C.
    """
    from gandiag.comparison.trial import OUTCOME_FILE

    # A run has the folder NAME/SEED, and the outcome is the last file that a finished run writes.
    finished = len(list(folder.glob(f"*/*/{OUTCOME_FILE}")))
    stopped = f"stopped: {reason}" if reason else "stopped"
    kept = f"{finished} finished runs are kept in {folder}; --resume trains the others"
    click.echo(f"gandiag: {stopped}; {kept}", err=True)
    return INTERRUPTED


def _report_bad_input(problem: str) -> int:
    click.echo(f"gandiag: {problem}", err=True)
    return BAD_INPUT


@contextmanager
def _one_line_warnings() -> Iterator[None]:
    """Show warnings without their source line, which does not help a user."""
    import warnings

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        click.echo(f"gandiag: warning: {' '.join(str(message).split())}", err=True)

    with warnings.catch_warnings():  # restores the function afterwards, for callers from Python
        warnings.showwarning = show
        yield
