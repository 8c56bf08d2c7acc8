"""A progress bar that appears only when loading takes several seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from gandiag.plugins.terminal import error_console, progress_bar

Item = TypeVar("Item")


def show_progress(items: Sequence[Item], description: str, delay: float = 2.0) -> Iterator[Item]:
    """Yield all items in order, and show a progress bar on stderr after a delay.

    Args:
        items: yielded unchanged.
        description: text beside the bar.
        delay: seconds before the bar appears; short work shows none.
    """
    bar = progress_bar(error_console(), transient=True)
    task = bar.add_task(description, total=len(items))
    start = time.monotonic()
    try:
        for done, item in enumerate(items):
            if not bar.live.is_started and time.monotonic() - start > delay:
                bar.start()
            bar.update(task, completed=done)
            yield item
    finally:
        bar.stop()
