"""The looks of list and board: those of a report's page, and a few of their own."""

from __future__ import annotations

import functools

from gandiag.reports.templates import text_of


@functools.cache
def style() -> str:
    """Style sheet of both."""
    return text_of("gandiag.reports.page", "page.css") + text_of(
        "gandiag.reports.server", "serve.css"
    )
