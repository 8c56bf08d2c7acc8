"""The report as one page: opens offline, on a phone, in print, in the dark, without scripts."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from gandiag.record import write_whole
from gandiag.report import Report
from gandiag.reporters.page import compose
from gandiag.reporters.wording import MARKS, PAGE, gate, holds, number, plain

__all__ = ["Html", "render"]

TEMPLATE, STYLE = "page.html.j2", "page.css"


@dataclass(frozen=True)
class Html:
    """Writes ``report.html``, a single file that holds its figures and pictures."""

    def publish(self, report: Report, folder: Path) -> str:
        """Write the page whole and return its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / PAGE
        write_whole(path, render(report))
        return str(path)


def render(report: Report) -> str:
    """The page as text; the same report always gives the same page."""
    environment = Environment(
        autoescape=True,
        loader=FunctionLoader(_read),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"number": number, "plain": plain, "gate": gate, "holds": holds}
    environment.filters["sign"] = _sign
    environment.filters["breakable"] = _breakable
    # a stylesheet of ours and figures of ours are markup; whatever came with a run is not
    style = Markup(_read(STYLE))
    template = environment.get_template(TEMPLATE)
    return template.render(page=compose(report), style=style, marks=MARKS)


def _read(name: str) -> str:
    return files("gandiag.reporters").joinpath(name).read_text(encoding="utf-8")


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
