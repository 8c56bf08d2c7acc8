"""The looks of list and board: those of a report's page, and a few of their own."""

from __future__ import annotations

import functools

from gandiag.reports.templates import read_text


@functools.cache
def read_style_sheet() -> str:
    """Style sheet of both."""
    return read_text("gandiag.reports.page", "page.css") + read_text(
        "gandiag.reports.server", "serve.css"
    )
