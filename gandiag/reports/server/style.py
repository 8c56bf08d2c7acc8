"""The style sheet of the live server: that of the report page, with a few additions."""

from __future__ import annotations

import functools

from gandiag.reports.templates import read_text


@functools.cache
def read_style_sheet() -> str:
    """Read the style sheet of the list of runs and of the dashboard."""
    return read_text("gandiag.reports.page", "page.css") + read_text(
        "gandiag.reports.server", "serve.css"
    )
