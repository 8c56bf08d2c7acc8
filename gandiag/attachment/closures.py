"""Optimizers that step through a closure: the gradients exist only once the closure was called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

#: Arguments of an optimizer's ``step``; the first positional one is the optimizer.
StepArguments: TypeAlias = "tuple[tuple[Any, ...], dict[str, Any]]"


def defer_to_closure(
    hook: Callable[[], Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> StepArguments | None:
    """Let a hook run after the closure of a step, right before the weights change.

    Optimizers call the closure first, and once: those that call it several times (LBFGS) are
    refused. If one does so nevertheless, the hook runs after the first call.

    Args:
        hook: called without arguments; it must not raise.
        args: positional arguments of ``step``, with the optimizer.
        kwargs: keyword arguments of ``step``.

    Returns:
        The arguments for ``step`` instead of the given ones; None if they contain no closure.
    """
    closure = kwargs.get("closure") or next(iter(args[1:2]), None)
    if not callable(closure):
        return None
    hooks = [hook]

    def closure_with_hook(*closure_args: Any, **closure_kwargs: Any) -> Any:
        result = closure(*closure_args, **closure_kwargs)
        if hooks:
            hooks.pop()()
        return result

    if "closure" in kwargs:
        return args, kwargs | {"closure": closure_with_hook}
    return (args[0], closure_with_hook, *args[2:]), kwargs
