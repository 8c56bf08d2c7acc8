"""What gandiag says when its user asked for something it cannot do."""

from __future__ import annotations

from collections.abc import Iterable


class BadInput(ValueError):
    """Input that cannot be used: one line that names the place and, where it helps, the way out.

    The command line prints it without a traceback and exits with status 2.
    """

    def __init__(self, place: str, problem: str) -> None:
        r"""Join place and problem; either may be empty. Line breaks become spaces.

        >>> str(BadInput("ring.yaml:3", "first\n  second"))
        'ring.yaml:3: first second'
        """
        super().__init__(one_line(": ".join(part for part in (place, problem) if part)))
        self.place = place
        self.problem = problem

    def __reduce__(self) -> tuple[type[BadInput], tuple[str, str]]:
        """Come whole from the process that raised it; exceptions are pickled by their `args`."""
        return type(self), (self.place, self.problem)


def nearest(name: str, choices: Iterable[str]) -> str:
    """Say what `name` may have been meant to be.

    >>> nearest("vanila", ["vanilla", "linear_critic"])
    'nearest is "vanilla"; there are linear_critic, vanilla'
    >>> nearest("x", [])
    'there are none'
    """
    import difflib  # here: `gandiag --help` never needs it

    known = sorted(choices)
    if not known:
        return "there are none"
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    listing = "there are " + ", ".join(known)
    return f'nearest is "{close[0]}"; {listing}' if close else listing


def one_line(text: str) -> str:
    r"""Join the lines of a message.

    >>> one_line("a\n\n   b ")
    'a b'
    """
    return " ".join(filter(None, (line.strip() for line in text.splitlines())))
