from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from gandiag.record import Record
from gandiag.report import Report
from gandiag.reporters.html import Html, render

from .conftest import diagnoses, rows

CHROMIUM = Path("/usr/bin/chromium")
LARGEST = 3_000_000  # bytes of a page that one sends around
REPORTS = ("sick", "healthy", "odd")


class Elements(HTMLParser):
    """Collects every start tag with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember the tag."""
        self.found.append((tag, dict(attrs)))


def elements(page: str) -> list[tuple[str, dict[str, str | None]]]:
    """Every start tag of a page."""
    parser = Elements()
    parser.feed(page)
    return parser.found


@pytest.fixture(scope="session")
def pages(sick: Report, healthy: Report, odd: Report) -> dict[str, str]:
    """Each report's page."""
    return dict(zip(REPORTS, map(render, (sick, healthy, odd)), strict=True))


@pytest.mark.parametrize("which", REPORTS)
def test_ids_are_unique(which: str, pages: dict[str, str]) -> None:
    """Figures do not take one another's clip paths, and every link inside finds its place."""
    found = elements(pages[which])
    ids = Counter(attrs["id"] for _, attrs in found if "id" in attrs)
    assert max(ids.values()) == 1
    links = [attrs.get("href") or attrs.get("xlink:href") or "" for _, attrs in found]
    used = set(re.findall(r"url\(#([^)]+)\)", pages[which]))
    used |= {link[1:] for link in links if link.startswith("#")}
    assert used <= set(ids)


@pytest.mark.parametrize("which", REPORTS)
def test_page_is_self_contained(which: str, pages: dict[str, str]) -> None:
    """Nothing is loaded from anywhere, and nothing is run."""
    for tag, attrs in elements(pages[which]):
        assert tag not in ("script", "iframe", "object")
        for name in ("src", "href", "xlink:href", "srcset", "data"):
            assert not re.match(r"(https?:)?//", attrs.get(name) or "")
    assert "@import" not in pages[which]
    assert not re.search(r"url\((?!#)", pages[which])


@pytest.mark.parametrize("which", REPORTS)
def test_pictures_have_words(which: str, pages: dict[str, str]) -> None:
    """Every image has a text in its place, every header a scope, headings leave no level out."""
    level = 0
    for tag, attrs in elements(pages[which]):
        if tag == "img":
            assert attrs.get("alt")
        if tag == "svg":
            assert attrs.get("role") == "img"
            assert attrs.get("aria-label")
        if tag == "th":
            assert attrs.get("scope") in ("row", "col")
        if re.fullmatch(r"h[1-6]", tag):
            assert int(tag[1]) <= level + 1
            level = int(tag[1])


def test_strangers_text_stays_text(pages: dict[str, str]) -> None:
    """What comes with a run cannot become markup."""
    assert "<tags>" not in pages["sick"]
    assert "&lt;tags&gt;" in pages["sick"]
    assert "<that>" not in pages["sick"]
    assert "<b>" not in pages["sick"]


def test_same_report_same_page(sick: Report, pages: dict[str, str]) -> None:
    """No date, no random id: a page can be compared with another."""
    assert render(sick) == pages["sick"]


def test_verdict_stands_first(pages: dict[str, str]) -> None:
    """The page begins with one plain sentence."""
    body = pages["sick"].split("<body>")[1]
    text = re.sub(r"<[^>]+>", " ", body).split()
    assert " ".join(text[:7]) == "sick Mode collapse (total) since step 350."


def test_settings_and_thresholds_are_told(pages: dict[str, str]) -> None:
    """Whoever wants to repeat it finds how."""
    assert "gandiag run scenario.yaml --seed 0" in pages["sick"]
    assert "sheet_every: 500" in pages["sick"]
    assert "All thresholds" in pages["sick"]
    assert "not made from a scenario" in pages["odd"]


def test_strange_values_are_counted(pages: dict[str, str]) -> None:
    """NaN and infinity are drawn and told, an interruption is noted."""
    assert "30 values that are not finite (10 NaN, 20 infinite)" in pages["odd"]
    assert "40 blank cells are not finite" in pages["odd"]
    assert "Not finite, so not drawn: 1." in pages["odd"]
    assert "was interrupted at step 39 of 500" in pages["odd"]


def test_empty_record_renders(tmp_path: Path) -> None:
    """A run that ended before its first look has a page too."""
    page = Path(Html().publish(Report(None, Record({}), ()), tmp_path / "new"))
    assert "The record is empty" in page.read_text(encoding="utf-8")


def test_long_record_stays_small() -> None:
    """A hundred thousand steps fit into a page that one can send."""
    record = Record.from_rows(rows(100_000, every=1), facts={"class_shares": [0.1] * 10})
    assert len(record["loss/value/generator"].steps) == 100_000
    page = render(Report(None, record, diagnoses(record, sick=True)))
    assert len(page.encode()) <= LARGEST


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real Chromium."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield found
        found.close()


@pytest.mark.parametrize("which", REPORTS)
def test_browser_shows_it(
    which: str, request: pytest.FixtureRequest, browser: Any, tmp_path: Path
) -> None:
    """No error, no request, nothing wider than a phone, all details open, in light and dark."""
    path = Html().publish(request.getfixturevalue(which), tmp_path)
    for scheme in ("light", "dark"):
        page = browser.new_page(viewport={"width": 360, "height": 740}, color_scheme=scheme)
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("pageerror", lambda error, said=said: said.append(str(error)))
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.goto(Path(path).as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        width = page.evaluate("document.documentElement.scrollWidth")
        broken = page.evaluate("[...document.images].filter(i => !i.naturalWidth).length")
        page.close()
        assert said == []
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        assert width <= 360
        assert broken == 0
