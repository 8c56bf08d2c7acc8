"""A real Chromium for the page of a comparison, as the reports' pages have it."""

from __future__ import annotations

from tests.reports.conftest import browser

__all__ = ["browser"]
