"""What the server answers by itself: the list of runs, sheets of samples, and reports."""

from __future__ import annotations

import base64
import hashlib
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from markupsafe import Markup
from tornado.web import HTTPError, RequestHandler

from gandiag.diagnosis.diagnosis import humanize
from gandiag.plugins.errors import BadInput
from gandiag.records.record import Record
from gandiag.reports.formatting import MARKS, PAGE_FILE
from gandiag.reports.grid_pictures import render_grid_png
from gandiag.reports.page.gallery import find_real_grid
from gandiag.reports.server.runs import find_run, list_runs
from gandiag.reports.server.style import read_style_sheet
from gandiag.reports.templates import load_templates, read_text

PACKAGE = "gandiag.reports.server"
GRID_MAX_AGE = (
    60  # seconds for which a browser keeps a sheet; a run may be played anew in its folder
)


def build_url_patterns(
    folder: Path, hosts: frozenset[str]
) -> list[tuple[str, type, dict[str, Any]]]:
    """Paths and their handlers, as tornado takes them."""
    about = {"folder": folder, "hosts": hosts}
    return [
        ("/", RunListHandler, about),
        ("/sheet", GridHandler, about),
        ("/report", ReportHandler, about),
    ]


class _ReadOnlyHandler(RequestHandler):
    """Answers questions about a folder, and only those; it has no way to write."""

    def initialize(self, folder: Path, hosts: frozenset[str]) -> None:
        self.folder, self.hosts = folder, hosts

    def prepare(self) -> None:
        """Refuse what came under a foreign name, as a page elsewhere could make a browser do."""
        name = urlsplit(f"//{self.request.host}").hostname or ""
        if "*" not in self.hosts and name not in self.hosts:
            raise HTTPError(403)

    def set_default_headers(self) -> None:
        """Let nothing be kept, and nothing be taken for what it is not."""
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")

    def find_requested_run(self) -> Path:
        """The folder of the run that the address names."""
        try:
            return find_run(self.folder, self.get_query_argument("run"))
        except (BadInput, OSError, ValueError) as error:
            raise HTTPError(404) from error


class RunListHandler(_ReadOnlyHandler):
    """The list of all runs."""

    def get(self) -> None:
        """Look at every run and list it, the newest first."""
        script = read_text(PACKAGE, "runs.js")
        known = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        allowed = f"connect-src 'self'; form-action 'self'; script-src 'sha256-{known}'"
        styles = "style-src 'unsafe-inline'; img-src data:"
        self.set_header("Content-Security-Policy", f"default-src 'none'; {allowed}; {styles}")
        self.finish(render_run_list(self.folder, script))


def render_run_list(folder: Path, script: str = "") -> str:
    """The list of all runs below a folder as a page."""
    environment = load_templates(PACKAGE)
    environment.filters |= {"humanize": humanize, "ago": _format_age, "query": _build_query}
    return environment.get_template("runs.html.j2").render(
        folder=str(folder.resolve()),
        runs=[(run, (folder / run.name / PAGE_FILE).is_file()) for run in list_runs(folder)],
        marks=MARKS,
        script=Markup(script),
        style=Markup(read_style_sheet()),
    )


class GridHandler(_ReadOnlyHandler):
    """A sheet of samples as a picture."""

    def get(self) -> None:
        """Answer with the sheet of ``step``: a number, ``newest`` or ``real``."""
        record = Record({}, folder=self.find_requested_run())
        real = find_real_grid(record)
        sheets = record.sample_grids()
        known = {str(step): path for step, path in sheets} | {"real": real}
        known["newest"] = sheets[-1][1] if sheets else None
        path = known.get(self.get_query_argument("step", "real"))
        if path is None:
            raise HTTPError(404)
        try:
            png = render_grid_png(path, real)
        except (OSError, ValueError) as error:
            raise HTTPError(404) from error
        self.set_header("Content-Type", "image/png")
        # else a board that is renewed every two seconds asks for it as often, and it flickers
        self.set_header("Cache-Control", f"private, max-age={GRID_MAX_AGE}")
        self.finish(png)


class ReportHandler(_ReadOnlyHandler):
    """The page that a run's report left behind."""

    def get(self) -> None:
        """Answer with it as it lies there."""
        path = self.find_requested_run() / PAGE_FILE
        if not path.is_file():
            raise HTTPError(404)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(path.read_bytes())


def _build_query(name: str) -> str:
    return urlencode({"run": name})


def _format_age(changed: float) -> str:
    """How long ago something was, roughly; nothing for what never was."""
    seconds = max(time.time() - changed, 0.0)
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if count > 1 else ''} ago" if changed else ""
    return "just now"
