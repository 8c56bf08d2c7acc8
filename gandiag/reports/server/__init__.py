"""A live web page of runs: a list, and a dashboard of each run.

The server reads files and never writes. By default only programs on the same computer reach it.
"""

from __future__ import annotations

from gandiag.reports.server.server import serve

__all__ = ["serve"]
