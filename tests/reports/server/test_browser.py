"""The live server in a browser: list of runs, dashboard of a training run, hostile texts."""

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
def folder(tmp_path_factory: pytest.TempPathFactory, failing: Report, hostile: Report) -> Path:
    """A finished run, and a run with hostile texts and without sample grids."""
    place = tmp_path_factory.mktemp("runs")
    for name, report in (("failing", failing), (HOSTILE, hostile)):
        assert report.record.folder is not None
        shutil.copytree(report.record.folder, place / name)
        Json().publish(report, place / name)
    return place


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Address of the server of these runs."""
    with serving(folder) as found:
        yield found


@pytest.fixture
def open_page(browser: Any, address: str) -> Iterator[Open]:
    """Open a page of the server: ``open_page("dashboard?run=failing", color_scheme="dark")``."""
    contexts: list[Any] = []

    def opened(path: str, **options: Any) -> Tab:
        contexts.append(browser.new_context(**options))
        return Tab(contexts[-1].new_page(), f"{address}/{path}")

    yield opened
    for context in contexts:
        context.close()


def wait_for_charts(page: Any) -> None:
    """Wait until the charts of the dashboard are drawn."""
    page.wait_for_function(
        "window.Bokeh && Bokeh.documents.length"
        " && [...Bokeh.documents[0].all_models].some(m => m.type === 'Figure')"
    )


def check_quiet(tab: Tab, address: str) -> None:
    """Check that there was no error, and no request to another server."""
    assert tab.errors == []
    own = (address, address.replace("http", "ws"), "data:", "blob:")
    assert [url for url in tab.requests if not url.startswith(own)] == []


def test_list_has_no_errors_and_fits_a_phone(open_page: Open, address: str) -> None:
    """The list shows every run with its failures; names are shown as text."""
    tab = open_page("", viewport={"width": 360, "height": 740})
    page = tab.page
    names = page.locator(".runs a[href^=dashboard]").all_text_contents()
    assert sorted(names) == sorted(["failing", HOSTILE])
    assert page.is_visible("text=mode collapse: present")
    assert page.evaluate("document.querySelectorAll('img').length") == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    check_quiet(tab, address)


def test_chosen_runs_open_side_by_side(open_page: Open, address: str) -> None:
    """Choosing two runs and pressing the button opens a dashboard of both, with a link back."""
    tab = open_page("")
    page = tab.page
    for box in page.locator("input[name=run]").all():
        box.check()
    page.click("button")
    wait_for_charts(page)
    assert page.locator("h1").all_text_contents() != []
    assert page.evaluate("document.title") in (f"failing, {HOSTILE}", f"{HOSTILE}, failing")
    page.click("text=All runs")
    page.wait_for_selector(".runs")
    check_quiet(tab, address)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_dashboard_has_no_errors_and_fits_a_phone(
    open_page: Open, address: str, scheme: str
) -> None:
    """Charts, samples and diagnoses of a run are shown, and nothing is wider than a phone."""
    tab = open_page(
        "dashboard?run=failing", viewport={"width": 360, "height": 740}, color_scheme=scheme
    )
    page = tab.page
    wait_for_charts(page)
    page.get_by_role("heading", name="failing").wait_for()
    page.locator(".diagnoses .badge").first.wait_for()
    page.get_by_alt_text("Samples: step 1000").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.wait_for_load_state("networkidle")
    check_quiet(tab, address)


@pytest.mark.parametrize(
    ("path", "scheme"), [("", "light"), ("", "dark"), ("dashboard?run=failing", "dark")]
)
def test_live_pages_are_accessible(open_page: Open, path: str, scheme: str) -> None:
    """axe-core finds no violation."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = open_page(path, color_scheme=scheme).page
    if path:
        wait_for_charts(page)
        page.locator(".diagnoses .badge").first.wait_for()
    found = axe.Axe().run(page).response["violations"]
    assert [(each["id"], each["nodes"][0]["target"]) for each in found] == []


def test_dashboard_follows_a_training_run(open_page: Open, folder: Path, address: str) -> None:
    """New rows of a run are drawn within seconds in the open page."""
    recorder = Recorder(folder / "training", {"steps": 1000}, {})
    recorder.add(row for row in rows(1000) if row.step <= 300)
    tab = open_page("dashboard?run=training")
    page = tab.page
    wait_for_charts(page)
    lengths = (
        "[...Bokeh.documents[0].all_models].filter(m => m.type === 'ColumnDataSource')"
        ".map(m => m.data.x.length)"
    )
    assert set(page.evaluate(lengths)) == {30}
    recorder.add(row for row in rows(1000) if row.step > 300)
    recorder.add(
        [Row(1010, {"displacement/relative/generator": 1.0})]
    )  # the first value of another chart
    page.wait_for_function(f"{lengths}.includes(100) && {lengths}.includes(1)", timeout=30_000)
    page.get_by_text("step 1010 of 1000").wait_for()
    check_quiet(tab, address)


def test_hostile_texts_stay_text(open_page: Open, address: str) -> None:
    """Name, summary and signals of a run are shown as text, and no script of them runs."""
    tab = open_page(f"dashboard?run={HOSTILE.replace('&', '%26')}")
    page = tab.page
    page.get_by_role("heading", name=HOSTILE).wait_for()
    assert page.evaluate("document.title") == HOSTILE
    assert page.locator("img[src=x]").count() == 0
    check_quiet(tab, address)
