"""Hooks that do no harm: neither where the network is copied or saved, nor where they raise."""

from __future__ import annotations

import contextlib
import sys
import warnings
import weakref
from collections.abc import Callable
from typing import Any

from torch import nn
from torch.utils.hooks import RemovableHandle


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


class Guard:
    """Makes hooks that never end a training: what one raises is told once, and it is over.

    While one of them runs the others are silent: what is asked of the networks then is no part of
    the loop.

    Attributes:
        give_up: takes the hooks away; called where one of them raises.
        looking: whether one of them is running.
        resting: whether those hooks are silent that were made to rest.
    """

    def __init__(self, give_up: Callable[[], None]) -> None:
        """Call `give_up` where a hook raises."""
        self.give_up = give_up
        self.running = self.paused = False

    def hook(self, seen: Callable[..., None], rests: bool = False) -> Hook:
        """A hook that passes its arguments on to `seen`; one that rests, not while all do."""
        return _Guarded(seen, self, rests)


class _Guarded(Hook):
    """A hook under a guard. All in one call: most are made between two looks, and do nothing."""

    def __init__(self, function: Callable[..., None], guard: Guard, rests: bool) -> None:
        super().__init__(function)
        self._guard, self._rests = guard, rests

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        guard = self._guard
        if guard.running or (guard.paused and self._rests):
            return
        try:
            guard.running = True
            self._function(*args, **kwargs)
        except Exception as error:
            guard.give_up()
            text = f"gandiag no longer watches: {type(error).__name__}: {error}"
            warnings.warn(text, RuntimeWarning, stacklevel=2)
        finally:
            guard.running = False


class PausableHooks:
    """Forward hooks that are taken off their networks for a while, and put back.

    With any hook on it, a network is called by a longer way through torch.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._hooks: list[tuple[weakref.ref[nn.Module], Hook]] = []
        self._handles: list[RemovableHandle] = []

    def add(self, network: nn.Module, hook: Hook) -> None:
        """Put a hook on a network, which is given the call's keyword arguments, too."""
        self._hooks.append((weakref.ref(network), hook))
        self._handles.append(network.register_forward_hook(hook, with_kwargs=True))

    def remove(self) -> None:
        """Take them off."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def restore(self) -> None:
        """Put those that have been taken off back."""
        if self._handles:
            return
        alive = [(network, hook) for seen, hook in self._hooks if (network := seen()) is not None]
        self._hooks = []
        for network, hook in alive:
            self.add(network, hook)


def has_compiled() -> bool:
    """Whether torch has compiled anything so far.

    A graph that it makes of a network without hooks calls none that it is given later. Its counters
    of graphs are no public interface; where they are gone, the answer is yes.
    """
    dynamo = sys.modules.get("torch._dynamo.utils")
    return dynamo is not None and bool(getattr(dynamo, "counters", True))
