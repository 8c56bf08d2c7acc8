"""A progress bar for what takes long, and nothing for what does not."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from gandiag.plugins.terminal import error_console, progress_bar

Item = TypeVar("Item")


def show_progress(items: Sequence[Item], what: str, patience: float = 2.0) -> Iterator[Item]:
    """Go through `items`, showing progress on stderr once it has taken `patience` seconds."""
    bar = progress_bar(error_console(), transient=True)
    task = bar.add_task(what, total=len(items))
    began = time.monotonic()
    try:
        for done, item in enumerate(items):
            if not bar.live.is_started and time.monotonic() - began > patience:
                bar.start()
            bar.update(task, completed=done)
            yield item
    finally:
        bar.stop()
