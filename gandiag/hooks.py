"""A hook that can be copied and pickled with the network it hangs on, and does nothing there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

__all__ = ["Hook"]


class Hook:
    """Calls a function; a copy or pickle of it is a function of Python's own that does nothing.

    A network with hooks is copied and saved together with them. Without this, a copy would be
    watched too, and a saved network could only be opened where gandiag is installed.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        """Wrap `function`, whatever its arguments are."""
        self._function = function

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Pass the arguments on; what is returned is dropped, so that nothing is changed."""
        self._function(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        """Be pickled and copied as `contextlib.nullcontext().__exit__`, which returns None."""
        return getattr, (contextlib.nullcontext(), "__exit__")
