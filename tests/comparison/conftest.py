"""The Chromium fixture of the reports' tests, for the page of a comparison."""

from __future__ import annotations

from tests.reports.conftest import browser

__all__ = ["browser"]
