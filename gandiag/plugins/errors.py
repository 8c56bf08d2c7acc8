"""The exception for bad input, how its messages are worded, and warnings that never raise."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterable

MAX_LINE = 1500  # characters of a message: twenty lines of a terminal


class BadInput(ValueError):
    """Input of the user that cannot be used.

    The message is one line: the place of the mistake, the problem and, where there is one, the
    nearest valid name. The command line prints it without a traceback and exits with status 2.

    Attributes:
        place: file and line, option or argument that contains the mistake; may be empty.
        problem: description of the mistake, in lower case.
    """

    def __init__(self, place: str, problem: str) -> None:
        r"""Join place and problem; either may be empty. Line breaks become spaces.

        >>> str(BadInput("ring.yaml:3", "first\n  second"))
        'ring.yaml:3: first second'
        """
        message = join_lines(": ".join(part for part in (place, problem) if part))
        # A key or a value of a damaged file can have any length, and the message is one line.
        super().__init__(message if len(message) <= MAX_LINE else f"{message[:MAX_LINE]}...")
        self.place = place
        self.problem = problem

    def __reduce__(self) -> tuple[type[BadInput], tuple[str, str]]:
        """Support pickling, with which worker processes pass exceptions to their parent.

        By default an exception is rebuilt from `args`, which is only the joined message here.
        """
        return type(self), (self.place, self.problem)


def warn_user(text: str) -> None:
    """Warn the user, and never raise.

    Where the filters turn warnings into exceptions (``python -W error``), the text goes to the
    standard error output: a warning of gandiag must not end a training.
    """
    try:
        warnings.warn(text, RuntimeWarning, stacklevel=3)
    except Warning:
        print_instead(text)


def print_instead(text: str) -> None:
    """Print a warning that the filters would raise."""
    with contextlib.suppress(Exception):  # such as a closed standard error output
        sys.stderr.write(f"gandiag: {text}\n")


def suggest_nearest(name: str, choices: Iterable[str]) -> str:
    """Return a hint for an unknown name: the most similar choice, and all choices.

    >>> suggest_nearest("vanila", ["vanilla", "linear_critic"])
    'nearest is "vanilla"; there are linear_critic, vanilla'
    >>> suggest_nearest("x", [])
    'there are none'
    """
    import difflib  # imported here because `gandiag --help` does not need it

    known = sorted(choices)  # a fixed order, which readers can scan and tests can compare
    if not known:
        return "there are none"
    # The time of the comparison grows with the square of the length; no choice is this long.
    name = name[:100]
    # Cutoff of the similarity ratio in [0, 1]: 0.5 still finds names with several typing errors.
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    listing = "there are " + ", ".join(known)
    return f'nearest is "{close[0]}"; {listing}' if close else listing


def join_lines(text: str) -> str:
    r"""Join the lines of a message by spaces, and write what a terminal would obey as escapes.

    >>> join_lines("a\n\n   b "), join_lines("\x1b[2J")
    ('a b', '\\x1b[2J')
    """
    return make_printable(" ".join(filter(None, (line.strip() for line in text.splitlines()))))


def make_printable(text: str) -> str:
    r"""Write control characters and invisible ones as escapes; line breaks are kept.

    A name in a third-party file may hold an escape sequence, which a terminal would obey: it
    can clear the screen, rename the window, or hide what was printed before.

    >>> make_printable("loss\x1b]0;title\x07\n")
    'loss\\x1b]0;title\\x07\n'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
