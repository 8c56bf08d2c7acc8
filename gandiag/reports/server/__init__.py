"""A live page over a folder of runs: their states, charts that grow, runs beside each other.

It reads and never writes. It is for this machine unless told otherwise.
"""

from __future__ import annotations

from gandiag.reports.server.server import serve

__all__ = ["serve"]
