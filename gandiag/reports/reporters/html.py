"""Writes the report as one HTML page that needs no network.

Only the part *Explore* needs scripts. A content security policy in the page forbids the browser to
load anything, and to run anything but the page's own two scripts: a page with hostile texts, such
as the name of a class, is safe to open.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from markupsafe import Markup

from gandiag.diagnosis.diagnosis import humanize
from gandiag.records.storage import write_file
from gandiag.reports.figures.explore import read_bokeh_script
from gandiag.reports.formatting import (
    MARKS,
    PAGE_FILE,
    PAIR_FILE,
    format_exceeded,
    format_number,
    format_signal,
    format_threshold,
)
from gandiag.reports.page.content import build_page
from gandiag.reports.page.explore import Exploration, build_exploration
from gandiag.reports.page.glossary import GLOSSARY
from gandiag.reports.page.side_by_side import build_pair
from gandiag.reports.report import Report
from gandiag.reports.templates import load_templates, read_text

PACKAGE = "gandiag.reports.page"

Audience = Literal["engineer", "student"]


@dataclass(frozen=True)
class Html:
    """Writes ``report.html``, a single file with its figures and pictures."""

    # The page for a "student" adds a short lesson to each condition; "engineer" leaves it out.
    audience: Audience = "engineer"

    def publish(self, report: Report, folder: Path) -> str:
        """Write the page and return its path."""
        return _write(folder, PAGE_FILE, render_page(report, self.audience))

    def publish_pair(self, report: Report, other: Report, folder: Path) -> str:
        """Write a page that compares two runs, such as a failing run and the fixed one."""
        return _write(folder, PAIR_FILE, render_pair(report, other))


def render_page(report: Report, audience: Audience = "engineer") -> str:
    """Render the page; the same report always gives the same text."""
    page = build_page(report, student=audience == "student")
    exploration = build_exploration(report, page.grids)
    scripts = [read_bokeh_script(), read_text(PACKAGE, "explore.js")] if exploration else []
    explore = exploration and _serialize(exploration)
    return render_template("page.html.j2", scripts, explore=explore, page=page, glossary=GLOSSARY)


def render_pair(report: Report, other: Report) -> str:
    """Render the page that compares two reports."""
    return render_template("pair.html.j2", page=build_pair(report, other))


def render_template(template: str, scripts: Sequence[str] = (), **parts: Any) -> str:
    """Render a template of this page's package with its styles, filters and security policy.

    Args:
        template: name of the template.
        scripts: the only scripts that the page may run, in the order of the template's `scripts`.
        **parts: what the template shows.
    """
    environment = load_templates(PACKAGE)
    environment.filters |= {
        "number": format_number,
        "humanize": humanize,
        "threshold": format_threshold,
        "exceeded": format_exceeded,
    }
    environment.filters |= {"sign": _classify_diff_line, "breakable": _add_breaks}
    environment.filters |= {"label": format_signal}
    # Only gandiag's own styles, scripts and figures are markup; texts of a run are escaped.
    return environment.get_template(template).render(
        policy=_build_policy(scripts),
        style=Markup(read_text(PACKAGE, "page.css")),
        scripts=[Markup(script) for script in scripts],
        marks=MARKS,
        **parts,
    )


def _serialize(exploration: Exploration) -> Mapping[str, Any]:
    """The parts of *Explore* for the template; its JSON cannot end the element that contains it."""
    data = json.dumps(exploration.data, allow_nan=False, separators=(",", ":"))
    # "</script>" in a text, such as the name of a class, would end the element.
    safe = Markup(data.replace("<", "\\u003c"))
    return {**exploration._asdict(), "data": safe}


def _build_policy(scripts: Sequence[str]) -> str:
    """A content security policy that allows these scripts by their hashes and no loading."""
    # Inline styles are allowed: the page and its SVG figures have them, and they cannot run code.
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    allowed = " ".join(f"'sha256-{each}'" for each in hashes) or "'none'"
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {allowed}"


def _write(folder: Path, name: str, page: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / name, page)
    return str(folder / name)


def _classify_diff_line(line: str) -> str:
    """The CSS class of a line of a unified diff.

    >>> [_classify_diff_line(line) for line in ("+  lr: 0.1", "@@ -1 +1 @@", " name: a")]
    ['added', 'place', 'same']
    """
    if line.startswith(("+++", "---", "@@")):
        return "place"
    return {"+": "added", "-": "removed"}.get(line[:1], "same")


def _add_breaks(name: str) -> Markup:
    """Allow line breaks after the slashes and underscores of a long signal name."""
    broken = str(Markup.escape(name)).replace("/", "/<wbr>").replace("_", "_<wbr>")
    return Markup(broken)
