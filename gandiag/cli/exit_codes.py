"""How a command ends: its exit status, and one line for whatever went wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import click

BAD_INPUT, INTERRUPTED = 2, 130  # 130 = 128 + SIGINT, as shells have it


class CommandGroup(click.Group):
    """Says in one line what went wrong, and exits with a status that says who is to blame.

    A command's own status is what its function returns, 0 for None. Input that cannot be used, be
    it a `BadInput`, click's own mistakes or a file that cannot be opened, is `BAD_INPUT`.
    """

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command; whatever is wrong with its input is one line and status 2."""
        from gandiag.plugins.errors import BadInput, one_line

        try:
            with _one_line_warnings():
                status = super().main(*args, **{**extra, "standalone_mode": False})
        except BadInput as error:
            status = _refuse(str(error))
        except click.Abort:
            status = INTERRUPTED
        except click.ClickException as error:
            asked = getattr(getattr(error, "ctx", None), "command_path", "gandiag")
            status = _refuse(f"{one_line(error.format_message())} (see {asked} --help)")
        except OSError as error:
            if error.filename is None:
                raise
            status = _refuse(f"{error.filename}: {(error.strerror or 'cannot be used').lower()}")
        sys.exit(status or 0)


def _refuse(problem: str) -> int:
    click.echo(f"gandiag: {problem}", err=True)
    return BAD_INPUT


@contextmanager
def _one_line_warnings() -> Iterator[None]:
    """Show warnings without their source line, which says nothing to a user."""
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

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield
