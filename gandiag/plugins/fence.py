"""The fence around plugins: an error, an endless loop or a wrong answer of one is its own alone.

Whatever is installed beside gandiag, a run is diagnosed and reported by the other plugins, and the
failed one is named. gandiag's own plugins are called directly, as tests hold their answers and
their time; those of other packages are called in a thread that is given up after a time limit.
"""

from __future__ import annotations

import contextvars
import ctypes
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from gandiag.plugins.errors import BadInput, join_lines

Answer = TypeVar("Answer")

# gandiag's own detectors and fixes take at most a second on the longest record.
DETECTOR_SECONDS = FIX_SECONDS = 10.0
# A reporter may draw a film, or send pictures over a slow network.
REPORTER_SECONDS = 300.0
# torch takes about ten seconds to import from a slow disk.
IMPORT_SECONDS = 60.0

# Plugins that have exceeded their limit once are not called again: their threads may still run.
_given_up: dict[object, str] = {}


class PluginFailed(Exception):
    """A plugin has raised an exception, given a wrong answer, or exceeded its time.

    The message has the plugin and what it did, such as ``Film of others.film raised OSError: ...``.
    """


def is_own(plugin: object) -> bool:
    """Whether a plugin, or its class, comes with gandiag."""
    kind = plugin if isinstance(plugin, type) else type(plugin)
    return kind.__module__.partition(".")[0] == "gandiag"


def name_plugin(plugin: object) -> str:
    """The class and the module of a plugin, for messages."""
    kind = plugin if isinstance(plugin, type) else type(plugin)
    return f"{kind.__qualname__} of {kind.__module__}"


def call_plugin(
    plugin: object, call: Callable[[], Any], answer: type[Answer], seconds: float | None = None
) -> Answer:
    """Call a plugin, and check the type of its answer.

    Args:
        plugin: the plugin.
        call: calls it without arguments.
        answer: type of a correct answer.
        seconds: time limit; None for none. A limit does not hold for gandiag's own plugins.

    Raises:
        BadInput: the plugin raises it, for an input that the user can correct.
        PluginFailed: it raises anything else, exceeds its time, or gives another answer.
    """
    name = name_plugin(plugin)
    if name in _given_up:
        raise PluginFailed(f"{name} {_given_up[name]}")
    try:
        limit = None if is_own(plugin) else seconds
        found = call() if limit is None else run_limited(call, limit)
    except BadInput:
        raise
    except TimeoutError as error:
        if seconds is None or is_own(plugin):  # an error of a network, not of `run_limited`
            raise PluginFailed(f"{name} raised TimeoutError: {error}") from error
        _given_up[name] = f"took more than {seconds:g} s, and is not called again"
        raise PluginFailed(f"{name} {_given_up[name]}") from error
    # A plugin that calls sys.exit must not end the program.
    except (Exception, SystemExit) as error:
        text = f"{name} raised {type(error).__name__}: {error}"
        raise PluginFailed(join_lines(text)[:500]) from error
    if not isinstance(found, answer):
        text = f"{name} returned {type(found).__name__} instead of {answer.__name__}"
        raise PluginFailed(text)
    return found


def run_limited(call: Callable[[], Any], seconds: float) -> Any:
    """Call a function in a thread, and return its answer or raise its exception.

    Raises:
        TimeoutError: it takes longer than `seconds`. The thread gets a SystemExit; code that does
            not return to Python goes on until the process ends.
    """
    outcome: list[tuple[Any, BaseException | None]] = []
    context = contextvars.copy_context()  # such as numpy's treatment of floating-point errors

    def work() -> None:
        try:
            outcome.append((context.run(call), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=work, daemon=True, name="gandiag plugin")
    thread.start()
    thread.join(seconds)
    if not outcome:
        end = ctypes.pythonapi.PyThreadState_SetAsyncExc
        end(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))
        raise TimeoutError(f"more than {seconds:g} s")
    found, error = outcome[0]
    if error is not None:
        raise error
    return found
