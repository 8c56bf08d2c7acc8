"""Hooks on the methods of a network that a loop calls past ``Module.__call__``.

A forward hook sees only calls of the network itself. Some loops call ``network.forward(x)`` or a
method of their own, such as ``generator.sample(n)``. For these, the instance gets wrappers that
call the original method and then the hook.
"""

from __future__ import annotations

import functools
import operator
import weakref
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import torch
from torch import nn

# Base classes from these packages have methods that no loop calls to generate or score samples.
FRAMEWORKS = ("torch", "lightning", "pytorch_lightning")


class MethodHooks:
    """Wraps ``forward`` and the public methods of a network's instance, and unwraps them again."""

    def __init__(self) -> None:
        """Start without wrappers."""
        self._wrapped: list[tuple[weakref.ref[nn.Module], str]] = []

    def add(self, network: nn.Module, hook: Callable[..., Any]) -> bool:
        """Wrap the methods; return whether there is one.

        Args:
            network: the network whose instance gets the wrappers.
            hook: called with ``(network, args, kwargs, output, method)`` after the outermost of
                nested calls; it must not raise. ``method`` is ``__call__`` for ``forward``, which
                computes the same.
        """
        if isinstance(network, torch.jit.ScriptModule):
            return False  # its methods are compiled code
        depth = [0]
        for name in _list_methods(network):
            original = getattr(network, name)
            # Past `Module.__setattr__`, which subclasses may override.
            vars(network)[name] = _MethodWrapper(network, name, original, hook, depth)
            self._wrapped.append((weakref.ref(network), name))
        return bool(self._wrapped)

    def remove(self) -> None:
        """Restore the methods."""
        for reference, name in self._wrapped:
            network = reference()
            wrapper = None if network is None else vars(network).get(name)
            if network is not None and isinstance(wrapper, _MethodWrapper):
                wrapper.restore(vars(network))
        self._wrapped.clear()


class _MethodWrapper:
    """Calls the original method, and then a hook."""

    def __init__(
        self,
        network: nn.Module,
        name: str,
        original: Callable[..., Any],
        hook: Callable[..., Any],
        depth: list[int],
    ) -> None:
        functools.update_wrapper(self, original)
        self._network, self._name, self._original = weakref.ref(network), name, original
        self._hook, self._depth = hook, depth
        self._is_own = name in vars(network)  # the instance had such an attribute before

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._depth[0] += 1
        try:
            output = self._original(*args, **kwargs)
        finally:
            self._depth[0] -= 1
        network = self._network()
        if self._depth[0] == 0 and network is not None:
            method = "__call__" if self._name == "forward" else self._name
            self._hook(network, args, kwargs, output, method)
        return output

    def restore(self, attributes: dict[str, Any]) -> None:
        """Put the original back into the attributes of the instance."""
        if self._is_own:
            attributes[self._name] = self._original
        else:
            del attributes[self._name]

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle as the original method, bound to the copy of the network."""
        network = self._network()
        if self._is_own or network is None:
            return operator.getitem, ((self._original,), 0)
        return functools.partial, (getattr(type(network), self._name), network)


def _list_methods(network: nn.Module) -> Iterator[str]:
    """``forward``, if the network has one, and the public methods that its own classes define."""
    if type(network).forward is not nn.Module.forward or "forward" in vars(network):
        yield "forward"
    known = {"forward", *dir(nn.Module)}
    for each in type(network).__mro__:
        if each.__module__.split(".")[0] in FRAMEWORKS:
            continue
        for name, value in vars(each).items():
            if isinstance(value, FunctionType) and name[0] != "_" and name not in known:
                known.add(name)
                yield name
