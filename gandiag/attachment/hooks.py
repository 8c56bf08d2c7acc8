"""Hooks that do not disturb a training, even if a network is copied or saved or if they raise."""

from __future__ import annotations

import contextlib
import warnings
import weakref
from collections.abc import Callable
from typing import Any

from torch import nn
from torch.utils.hooks import RemovableHandle


class Hook:
    """Calls a function; its copy or pickle is a function of the standard library that does nothing.

    A network is copied and saved together with its hooks. Without this class, gandiag would observe
    the copy, too, and a saved network could only be loaded where gandiag is installed.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        """Wrap `function`; it may take any arguments."""
        self._function = function

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Call the function and return None: a hook that returns a value would replace a tensor."""
        self._function(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle as `contextlib.nullcontext().__exit__`, which returns None."""
        return getattr, (contextlib.nullcontext(), "__exit__")


class HookGuard:
    """Makes hooks that never end a training, and that do not observe gandiag's own calls.

    If a hook raises, the guard warns once and removes all hooks. While one hook runs, the others do
    nothing: the networks are then called by a measurement, not by the loop.

    Attributes:
        remove_hooks: called when a hook raises.
        is_running: whether a hook is running.
        is_paused: whether the pausable hooks do nothing.
    """

    def __init__(self, remove_hooks: Callable[[], None]) -> None:
        """Call `remove_hooks` when a hook raises."""
        self.remove_hooks = remove_hooks
        self.is_running = self.is_paused = False

    def wrap(self, function: Callable[..., None], is_pausable: bool = False) -> Hook:
        """A hook that calls `function`; a pausable one does nothing while `is_paused` is set."""
        return _GuardedHook(function, self, is_pausable)


class _GuardedHook(Hook):
    """A hook under a guard.

    All checks stand in one method: it runs in every step of the loop, mostly between evaluations,
    where each further call would cost more than the checks.
    """

    def __init__(self, function: Callable[..., None], guard: HookGuard, is_pausable: bool) -> None:
        super().__init__(function)
        self._guard, self._is_pausable = guard, is_pausable

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        guard = self._guard
        if guard.is_running or (guard.is_paused and self._is_pausable):
            return
        try:
            guard.is_running = True
            self._function(*args, **kwargs)
        except Exception as error:  # not BaseException: Ctrl-C belongs to the user's loop
            guard.remove_hooks()
            text = f"gandiag stops monitoring: {type(error).__name__}: {error}"
            warnings.warn(text, RuntimeWarning, stacklevel=2)
        finally:
            guard.is_running = False


class PausableHooks:
    """Forward hooks that can be removed from their networks for a while and registered again.

    PyTorch calls a network without hooks by a faster path: `Module.__call__` then skips all
    handling of hooks.
    """

    def __init__(self) -> None:
        """Start without hooks."""
        self._hooks: list[tuple[weakref.ref[nn.Module], Hook]] = []
        self._handles: list[RemovableHandle] = []

    def add(self, network: nn.Module, hook: Hook) -> None:
        """Register a forward hook; it receives the keyword arguments of the call, too."""
        self._hooks.append((weakref.ref(network), hook))
        self._handles.append(network.register_forward_hook(hook, with_kwargs=True))

    def remove(self) -> None:
        """Remove the hooks from their networks; `restore` registers them again."""
        for handle in self._handles:
            handle.remove()
        self._handles = []  # `_hooks` keeps what `restore` needs

    def restore(self) -> None:
        """Register the removed hooks again, on the networks that still exist."""
        if self._handles:
            return
        hooks, self._hooks = self._hooks, []
        for reference, hook in hooks:
            network = reference()
            if network is not None:
                self.add(network, hook)
