"""How a command ends: its exit status, and one line for every error."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import click

from gandiag.cli.signals import Interruption, find_exit_status, handle_signals

# Wrong usage of a command has the status 2 in click, too, so all bad input ends alike. 70 is
# EX_SOFTWARE in sysexits.h. A status of 128 and more is that of a signal, as in POSIX shells.
PRESENT, BAD_INPUT, UNDECIDED, ENVIRONMENT, FAULT = 1, 2, 3, 4, 70
# Errors of the system that the name of a file explains. All others, such as a full disk or a file
# that may not be read, are the machine's, and the same command may succeed later.
_WRONG_NAMES = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP)
_TRACEBACK = "--traceback"


class CommandGroup(click.Group):
    """A group of commands that reports every error in one line and exits with its status.

    The status of a command is the value that its function returns; None means 0. An error has a
    status by its cause, as `gandiag --help` lists them, so that a script never takes a fault for a
    diagnosis.
    """

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command and exit; any error becomes one line and a status."""
        given = args[0] if args else extra.pop("args", None)
        words = list(sys.argv[1:] if given is None else given)
        # Taken out here, so that the option may stand behind any command, too.
        has_traceback = _TRACEBACK in words
        words = [word for word in words if word != _TRACEBACK]
        try:
            with _one_line_warnings(), handle_signals(Interruption()):
                # click's standalone mode would print errors itself, in three lines.
                status = super().main(words, *args[1:], **{**extra, "standalone_mode": False})
        except Exception as error:
            # click raises Abort in place of a KeyboardInterrupt, and also of an EOFError.
            is_abort = isinstance(error, click.Abort)
            cause = error.__cause__ if is_abort and error.__cause__ is not None else error
            status, text = _describe(cause)
            if has_traceback and status != find_exit_status(None):
                traceback.print_exception(cause)
            if text:
                click.echo(f"gandiag: {text}", err=True)
        sys.exit(status or 0)

    def invoke(self, context: click.Context) -> Any:
        """Run a command; a closed pipe, as of ``| head``, ends it without a message."""
        try:
            return super().invoke(context)
        except BrokenPipeError:
            # click itself would exit with 1, which means that a failure is present. Python would
            # write what is left in the buffer at exit, and complain.
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
            return 128 + 13  # SIGPIPE, which Windows does not have


def _describe(error: BaseException) -> tuple[int, str]:
    """The exit status of an error, and the line that reports it; an interruption has no line."""
    from gandiag.plugins.errors import BadInput, join_lines

    if isinstance(error, KeyboardInterrupt | click.Abort):
        return find_exit_status(error), ""
    text = join_lines(str(error))
    if isinstance(error, BadInput):
        return BAD_INPUT, text
    if isinstance(error, click.ClickException):
        command = getattr(getattr(error, "ctx", None), "command_path", "gandiag")
        return BAD_INPUT, f"{join_lines(error.format_message())} (see {command} --help)"
    if isinstance(error, OSError) and error.errno is not None:
        reason = (error.strerror or "cannot be used").lower()
        place = "" if error.filename is None else f"{error.filename}: "
        return BAD_INPUT if error.errno in _WRONG_NAMES else ENVIRONMENT, f"{place}{reason}"
    # Not by their types: torch, which has the second one, takes seconds to import.
    is_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    if is_memory or "can't allocate memory" in text:
        return ENVIRONMENT, f"out of memory{f': {text}' if text else ''}"
    if type(error).__name__ == "WorkersDied":
        return ENVIRONMENT, text
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    name = type(error).__name__
    return FAULT, f"a fault of gandiag itself: {name}: {text}{place}; {_TRACEBACK} shows more"


def report_unfinished_comparison(folder: Path, error: BaseException) -> int:
    """Print how many runs of a comparison are finished, and return the exit status.

    Args:
        folder: folder of the comparison.
        error: why it ended: a signal, or workers that keep dying.
    """
    from gandiag.comparison.trial import OUTCOME_FILE

    # A run has the folder NAME/SEED, and the outcome is the last file that a finished run writes.
    finished = len(list(folder.glob(f"*/*/{OUTCOME_FILE}")))
    stopped = f"stopped: {error}" if str(error) else "stopped"
    kept = f"{finished} finished runs are kept in {folder}; --resume trains the others"
    click.echo(f"gandiag: {stopped}; {kept}", err=True)
    return _describe(error)[0]


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
