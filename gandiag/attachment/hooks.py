"""Hooks that do not disturb a training, even if a network is copied or saved or if they raise."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any

from torch import nn
from torch.utils.hooks import RemovableHandle

from gandiag.monitoring.torch_internals import hide_hooks_from_scripts, is_transforming


class Hook:
    """Calls a function; its copy or pickle is a function of the standard library that does nothing.

    A network is copied and saved together with its hooks. Without this class, gandiag would observe
    the copy, too, and a saved network could only be loaded where gandiag is installed.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        """Wrap `function`; it may take any arguments."""
        self._function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function; a value that it returns replaces a tensor, or a step's arguments."""
        return self._function(*args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle as `contextlib.nullcontext().__exit__`, which returns None."""
        return getattr, (contextlib.nullcontext(), "__exit__")


class _Running(threading.local):
    """State of one thread.

    Attributes:
        is_set: whether a hook of any guard is running in this thread.
        thread: stands for this thread; compiled networks cannot ask for its number.
    """

    is_set = False

    def __init__(self) -> None:
        """Called by Python in each thread."""
        self.thread = object()


_running = _Running()


def _is_own(hook: object) -> bool:
    """Whether a hook is one of gandiag's, or the copy of one."""
    return isinstance(hook, Hook) or isinstance(
        getattr(hook, "__self__", None), contextlib.nullcontext
    )


class HookGuard:
    """The one door through which torch, autograd and the optimizers enter gandiag.

    No error passes the door: if a hook raises, the guard calls `give_up` once, and the hooks do
    nothing from then on. While one hook runs, the others of its thread do nothing, those of other
    guards included: the networks are then called by a measurement, not by the loop.

    Attributes:
        give_up: called with the error when a hook raises; whatever it raises is dropped.
        is_paused: whether the pausable hooks do nothing.
        is_stopped: whether no hook does anything any more.
    """

    def __init__(self, give_up: Callable[[Exception], None]) -> None:
        """Call `give_up` when a hook raises."""
        self.give_up = give_up
        self.is_paused = self.is_stopped = False
        self.note_thread()
        _guards.add(self)
        hide_hooks_from_scripts(_is_own)

    def note_thread(self) -> None:
        """Note that this thread trains.

        Calls of the networks in other threads are not those of the loop: they draw previews, for
        example.
        """
        self._thread = _running.thread

    @property
    def is_running(self) -> bool:
        """Whether a hook is running in this thread."""
        return _running.is_set

    def wrap(
        self, function: Callable[..., Any], is_pausable: bool = False, is_call: bool = False
    ) -> Hook:
        """A hook that calls `function`.

        Args:
            function: may take any arguments.
            is_pausable: whether the hook does nothing while `is_paused` is set.
            is_call: whether it is a hook on calls of a network, which does nothing in other threads
                than that which trains. Autograd computes gradients on a GPU in threads of its own.
        """
        return _GuardedHook(function, self, is_pausable, is_call)

    def is_called_by_loop(self) -> bool:
        """Whether a call of a network is one of the thread that trains, with tensors of its own."""
        return self._thread is _running.thread and not is_transforming()

    def stop(self) -> None:
        """Let no hook do anything any more."""
        self.is_stopped = True

    def call(self, function: Callable[[], None]) -> None:
        """Call a function outside of the hooks, as the user's own call needs it; never raise."""
        try:
            function()
        except Exception as error:
            self.report(error)

    def report(self, error: Exception) -> None:
        """Give up because of an error; never raise."""
        self.is_stopped = True
        with contextlib.suppress(Exception):  # nothing is left that could handle it
            self.give_up(error)


class _GuardedHook(Hook):
    """A hook under a guard.

    All checks stand in one method: it runs in every step of the loop, mostly between evaluations,
    where each further call would cost more than the checks.
    """

    def __init__(
        self, function: Callable[..., Any], guard: HookGuard, is_pausable: bool, is_call: bool
    ) -> None:
        super().__init__(function)
        self._guard, self._is_pausable, self._is_call = guard, is_pausable, is_call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        guard = self._guard
        if guard.is_stopped or (guard.is_paused and self._is_pausable) or _running.is_set:
            return None
        if self._is_call and not guard.is_called_by_loop():
            return None
        try:
            _running.is_set = True
            return self._function(*args, **kwargs)
        except Exception as error:  # not BaseException: Ctrl-C belongs to the user's loop
            with contextlib.suppress(Exception):
                guard.report(error)
            return None
        finally:
            _running.is_set = False


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

    def discard(self, network: nn.Module) -> None:
        """Forget the hooks of a network, after they were removed from all networks."""
        self.remove()
        self._hooks = [(ref, hook) for ref, hook in self._hooks if ref() is not network]
        self.restore()

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


_guards: weakref.WeakSet[HookGuard] = weakref.WeakSet()


def _stop_all() -> None:
    for guard in list(_guards):
        guard.stop()


# A forked process, such as a worker of a data loader, has copies of the networks with their hooks.
# Its calls are not those of the loop, and the record belongs to the process that trains.
if hasattr(os, "register_at_fork"):  # not on Windows, where no process forks
    os.register_at_fork(after_in_child=_stop_all)
