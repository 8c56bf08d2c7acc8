"""The report as one page: opens offline, on a phone, in print, in the dark.

All but its *Explore* part reads without scripts. The page's own policy lets the browser load
nothing, and run nothing but the two scripts it was written with.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from markupsafe import Markup

from gandiag.records.record import write_file
from gandiag.reports.figures.explore import bokeh_script
from gandiag.reports.formatting import MARKS, PAGE, PAIR, gate, holds, number, plain
from gandiag.reports.page.content import compose
from gandiag.reports.page.explore import Exploration, explore
from gandiag.reports.page.glossary import GLOSSARY
from gandiag.reports.page.side_by_side import pair_up
from gandiag.reports.report import Report
from gandiag.reports.templates import templates_of, text_of

PACKAGE = "gandiag.reports.page"

Audience = Literal["engineer", "student"]


@dataclass(frozen=True)
class Html:
    """Writes ``report.html``, a single file that holds its figures and pictures."""

    audience: Audience = "engineer"  # a student's page adds a short lesson to each condition

    def publish(self, report: Report, folder: Path) -> str:
        """Write the page whole and return its path."""
        return _write(folder, PAGE, render(report, self.audience))

    def publish_pair(self, report: Report, other: Report, folder: Path) -> str:
        """Write a page with two runs side by side, such as a failure and its cure."""
        return _write(folder, PAIR, render_pair(report, other))


def render(report: Report, audience: Audience = "engineer") -> str:
    """The page as text; the same report always gives the same page."""
    page = compose(report, student=audience == "student")
    return _page("page.html.j2", explore(report, page.grids), page=page, glossary=GLOSSARY)


def render_pair(report: Report, other: Report) -> str:
    """Two reports on one page as text."""
    return _page("pair.html.j2", None, page=pair_up(report, other))


def _page(template: str, exploration: Exploration | None, **parts: Any) -> str:
    environment = templates_of(PACKAGE)
    environment.filters |= {"number": number, "plain": plain, "gate": gate, "holds": holds}
    environment.filters |= {"sign": _sign, "breakable": _breakable}
    scripts = [bokeh_script(), text_of(PACKAGE, "explore.js")] if exploration is not None else []
    # styles, scripts and figures of ours are markup; whatever came with a run is not
    bokeh, script = map(Markup, scripts or ("", ""))
    return environment.get_template(template).render(
        explore=exploration and _as_text(exploration),
        policy=_policy(scripts),
        style=Markup(text_of(PACKAGE, "page.css")),
        bokeh=bokeh,
        script=script,
        marks=MARKS,
        **parts,
    )


def _as_text(exploration: Exploration) -> Mapping[str, Any]:
    """What the template needs; the data as JSON that cannot end its own element."""
    data = json.dumps(exploration.data, allow_nan=False, separators=(",", ":"))
    safe = Markup(data.replace("<", "\\u003c"))
    return {**exploration._asdict(), "data": safe}


def _policy(scripts: list[str]) -> str:
    """A content security policy: nothing is loaded, and only these very scripts are run."""
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    allowed = " ".join(f"'sha256-{each}'" for each in hashes) or "'none'"
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {allowed}"


def _write(folder: Path, name: str, page: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / name, page)
    return str(folder / name)


def _sign(line: str) -> str:
    """The class of a line of a unified diff.

    >>> _sign("+  lr: 0.1"), _sign("@@ -1 +1 @@"), _sign(" name: a")
    ('added', 'place', 'same')
    """
    if line.startswith(("+++", "---", "@@")):
        return "place"
    return {"+": "added", "-": "removed"}.get(line[:1], "same")


def _breakable(name: str) -> Markup:
    """Let a long signal name break after its slashes and underscores."""
    broken = str(Markup.escape(name)).replace("/", "/<wbr>").replace("_", "_<wbr>")
    return Markup(broken)
