"""The live page in a real browser: it lists, grows, stays quiet, and takes no text for markup."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gandiag.records.record import Row
from gandiag.records.writer import Recorder
from gandiag.reports.report import Report
from gandiag.reports.reporters.json import Json
from tests.reports.conftest import Tab, rows, serving

HOSTILE = """<img src=x onerror="document.title=1"> & 'x'"""

Open = Callable[..., Tab]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, sick: Report, hostile: Report) -> Path:
    """A run that is over, one that trains, one whose texts are hostile, one without sheets."""
    place = tmp_path_factory.mktemp("runs")
    for name, report in (("sick", sick), (HOSTILE, hostile)):
        assert report.record.folder is not None
        shutil.copytree(report.record.folder, place / name)
        Json().publish(report, place / name)
    return place


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Where these are served."""
    with serving(folder) as found:
        yield found


@pytest.fixture
def look(browser: Any, address: str) -> Iterator[Open]:
    """Opens one of the server's pages: ``look("board?run=sick", color_scheme="dark")``."""
    contexts: list[Any] = []

    def opened(path: str, **options: Any) -> Tab:
        contexts.append(browser.new_context(**options))
        return Tab(contexts[-1].new_page(), f"{address}/{path}")

    yield opened
    for context in contexts:
        context.close()


def drawn(page: Any) -> None:
    """Wait until the board's charts are there."""
    page.wait_for_function(
        "window.Bokeh && Bokeh.documents.length"
        " && [...Bokeh.documents[0].all_models].some(m => m.type === 'Figure')"
    )


def is_quiet(tab: Tab, address: str) -> None:
    """Nothing went wrong, and nobody else was asked for anything."""
    assert tab.wrong == []
    own = (address, address.replace("http", "ws"), "data:", "blob:")
    assert [url for url in tab.asked if not url.startswith(own)] == []


def test_list_is_quiet_and_fits(look: Open, address: str) -> None:
    """Every run stands in the list with what was found; a name is text, on a phone too."""
    tab = look("", viewport={"width": 360, "height": 740})
    page = tab.page
    names = page.locator(".runs a[href^=board]").all_text_contents()
    assert sorted(names) == sorted(["sick", HOSTILE])
    assert page.is_visible("text=mode collapse: present")
    assert page.evaluate("document.querySelectorAll('img').length") == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    is_quiet(tab, address)


def test_chosen_runs_open_beside_each_other(look: Open, address: str) -> None:
    """Ticking two runs and pressing the button leads to a board with both, and back."""
    tab = look("")
    page = tab.page
    for box in page.locator("input[name=run]").all():
        box.check()
    page.click("button")
    drawn(page)
    assert page.locator("h1").all_text_contents() != []
    assert page.evaluate("document.title") in (f"sick, {HOSTILE}", f"{HOSTILE}, sick")
    page.click("text=All runs")
    page.wait_for_selector(".runs")
    is_quiet(tab, address)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_board_is_quiet_and_fits(look: Open, address: str, scheme: str) -> None:
    """Charts, samples and answers of a run are there, and nothing is wider than a phone."""
    tab = look("board?run=sick", viewport={"width": 360, "height": 740}, color_scheme=scheme)
    page = tab.page
    drawn(page)
    page.get_by_role("heading", name="sick").wait_for()
    page.locator(".answers .badge").first.wait_for()
    page.get_by_alt_text("Samples: step 1000").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.wait_for_load_state("networkidle")
    is_quiet(tab, address)


@pytest.mark.parametrize(
    ("path", "scheme"), [("", "light"), ("", "dark"), ("board?run=sick", "dark")]
)
def test_live_pages_have_no_barrier(look: Open, path: str, scheme: str) -> None:
    """axe-core finds nothing that keeps anybody out."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = look(path, color_scheme=scheme).page
    if path:
        drawn(page)
        page.locator(".answers .badge").first.wait_for()
    found = axe.Axe().run(page).response["violations"]
    assert [(each["id"], each["nodes"][0]["target"]) for each in found] == []


def test_board_grows_while_a_run_trains(look: Open, folder: Path, address: str) -> None:
    """What a run writes is drawn within seconds, in the page that is open already."""
    recorder = Recorder(folder / "training", {"steps": 1000}, {})
    recorder.add(row for row in rows(1000) if row.step <= 300)
    tab = look("board?run=training")
    page = tab.page
    drawn(page)
    lengths = (
        "[...Bokeh.documents[0].all_models].filter(m => m.type === 'ColumnDataSource')"
        ".map(m => m.data.x.length)"
    )
    assert set(page.evaluate(lengths)) == {30}
    recorder.add(row for row in rows(1000) if row.step > 300)
    recorder.add([Row(1010, {"displacement/relative/generator": 1.0})])  # a chart of its own
    page.wait_for_function(f"{lengths}.includes(100) && {lengths}.includes(1)", timeout=30_000)
    page.get_by_text("step 1010 of 1000").wait_for()
    is_quiet(tab, address)


def test_hostile_board_stays_text(look: Open, address: str) -> None:
    """A run's name, summary and signals are seen as they were written, and run nothing."""
    tab = look(f"board?run={HOSTILE.replace('&', '%26')}")
    page = tab.page
    page.get_by_role("heading", name=HOSTILE).wait_for()
    assert page.evaluate("document.title") == HOSTILE
    assert page.locator("img[src=x]").count() == 0
    is_quiet(tab, address)
