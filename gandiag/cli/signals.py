"""Signals that end a command: Ctrl-C, a batch system that ends a job, a terminal that is closed.

Slurm and Docker send SIGTERM and end the process some seconds later with SIGKILL, which no process
can answer. A closed terminal or connection sends SIGHUP.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP


class Terminated(KeyboardInterrupt):
    """A signal has ended the command.

    A `KeyboardInterrupt`, so that whatever cleans up after Ctrl-C does so after every signal.

    Attributes:
        number: number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def find_exit_status(error: BaseException | None) -> int:
    """The exit status after an interruption: 128 and the number of the signal, as in a shell."""
    return 128 + (error.number if isinstance(error, Terminated) else signal.SIGINT)


class Interruption:
    """Ends a command at the first signal at once, or, after `defer`, when the command asks for it.

    A training that ends between two steps can go on later with the same bits; one that ends within
    a step cannot. A second signal always ends the command at once.

    Attributes:
        number: number of the signal that has been deferred; 0 for none.
    """

    def __init__(self) -> None:
        self.number = 0
        self._is_deferring = False

    def defer(self) -> None:
        """From now on, take note of the first signal only."""
        self._is_deferring = True

    def is_requested(self) -> bool:
        """Whether a signal has asked the command to end."""
        return self.number != 0

    def on_signal(self, number: int, _: FrameType | None) -> None:
        """Take note of a signal, or raise `Terminated`."""
        if not self._is_deferring or self.number:
            raise Terminated(number)
        self.number = number


@contextmanager
def handle_signals(interruption: Interruption) -> Iterator[Interruption]:
    """Pass signals to `interruption`, and restore the former handlers at the end.

    A signal that the caller has switched off, as ``nohup`` does with SIGHUP, stays so. Only the
    main thread of Python can handle signals; elsewhere nothing changes.
    """
    former: dict[int, Callable[..., Any] | int | None] = {}
    if threading.current_thread() is threading.main_thread():
        for name in _NAMES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                former[number] = signal.signal(number, interruption.on_signal)
    try:
        yield interruption
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
