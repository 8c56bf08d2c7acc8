"""The plain pages of the live server: the list of runs, sample grids, and reports."""

from __future__ import annotations

import base64
import hashlib
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup
from tornado.web import HTTPError, RequestHandler

from gandiag.diagnosis.diagnosis import humanize
from gandiag.plugins.errors import BadInput
from gandiag.records.record import Record
from gandiag.records.sample_grids import read_inside
from gandiag.reports.formatting import MARKS, PAGE_FILE
from gandiag.reports.grid_pictures import render_grid_png
from gandiag.reports.page.gallery import find_real_grid
from gandiag.reports.server.runs import find_run, list_runs
from gandiag.reports.server.style import read_style_sheet
from gandiag.reports.templates import load_templates, read_text

PACKAGE = "gandiag.reports.server"
# Seconds for which a browser keeps a grid. A short time, as a run may be trained again in the same
# folder.
GRID_MAX_AGE = 60


def build_url_patterns(folder: Path) -> list[tuple[str, type, dict[str, Any]]]:
    """URL paths and their handlers, in the form that tornado needs."""
    about = {"folder": folder}
    return [
        ("/", RunListHandler, about),
        ("/grid", GridHandler, about),
        ("/report", ReportHandler, about),
    ]


class _ReadOnlyHandler(RequestHandler):
    """Base of the handlers: it answers GET requests about a folder, and writes nothing."""

    def initialize(self, folder: Path) -> None:
        self.folder = folder

    def set_default_headers(self) -> None:
        """Forbid caching, the guessing of content types, and use by other sites."""
        self.set_header("Cache-Control", "no-store")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")
        self.set_header("X-Frame-Options", "DENY")
        self.set_header("X-Content-Type-Options", "nosniff")

    def find_requested_run(self) -> Path:
        """Find the folder of the run in the query string, or answer 404."""
        try:
            return find_run(self.folder, self.get_query_argument("run"))
        except (BadInput, OSError, ValueError) as error:
            raise HTTPError(404) from error


class RunListHandler(_ReadOnlyHandler):
    """The list of all runs."""

    def get(self) -> None:
        """Answer with the list, the most recently changed run first."""
        script = read_text(PACKAGE, "runs.js")
        # Only this very script may run, even if a name in the list contained another one.
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        allowed = f"connect-src 'self'; form-action 'self'; script-src 'sha256-{digest}'"
        styles = "style-src 'unsafe-inline'; img-src data:"
        self.set_header("Content-Security-Policy", f"default-src 'none'; {allowed}; {styles}")
        self.finish(render_run_list(self.folder, script))


def render_run_list(folder: Path, script: str = "") -> str:
    """Render the list of all runs below a folder as a page."""
    environment = load_templates(PACKAGE)
    environment.filters |= {"humanize": humanize, "age": _format_age, "query": _build_query}
    return environment.get_template("runs.html.j2").render(
        folder=str(folder.resolve()),
        runs=[(run, (folder / run.name / PAGE_FILE).is_file()) for run in list_runs(folder)],
        marks=MARKS,
        script=Markup(script),
        style=Markup(read_style_sheet()),
    )


class GridHandler(_ReadOnlyHandler):
    """A sample grid as a picture."""

    def get(self) -> None:
        """Answer with the grid of the argument ``step``: a number, ``newest`` or ``real``."""
        record = Record({}, folder=self.find_requested_run())
        real = find_real_grid(record)
        grids = record.sample_grids()
        paths = {str(step): path for step, path in grids} | {"real": real}
        paths["newest"] = grids[-1][1] if grids else None
        path = paths.get(self.get_query_argument("step", "real"))
        if path is None:
            raise HTTPError(404)
        try:
            png = render_grid_png(path, real)
        except (OSError, ValueError) as error:
            raise HTTPError(404) from error
        self.set_header("Content-Type", "image/png")
        # Without caching, the dashboard would load the grid at each update, and it would flicker.
        self.set_header("Cache-Control", f"private, max-age={GRID_MAX_AGE}")
        self.finish(png)


class ReportHandler(_ReadOnlyHandler):
    """The report page in a run's folder."""

    def get(self) -> None:
        """Answer with the file as it is."""
        try:
            page = read_inside(self.find_requested_run() / PAGE_FILE)
        except OSError as error:
            raise HTTPError(404) from error
        self.set_header("Content-Type", "text/html; charset=utf-8")
        # The page has a content security policy of its own. But the run may be a third party's:
        # in a sandbox, scripts of the page belong to no site and cannot read the other runs.
        self.set_header("Content-Security-Policy", "sandbox allow-scripts")
        self.finish(page)


def _build_query(name: str) -> str:
    return urlencode({"run": name})


def _format_age(changed: float) -> str:
    """Write roughly how long ago a time was; empty for 0, the time of a broken run."""
    seconds = max(time.time() - changed, 0.0)
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if count > 1 else ''} ago" if changed else ""
    return "just now"
