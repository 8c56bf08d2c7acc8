"""The page in a browser: its interactive section, dark mode, print, and accessibility."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gandiag.reports.formatting import MARKS, format_signal
from gandiag.reports.report import Report
from gandiag.reports.reporters.html import Html
from tests.reports.conftest import Tab

PAGES = ("failing", "healthy", "odd", "student", "pair", "plane", "hostile")

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def files(
    tmp_path_factory: pytest.TempPathFactory,
    failing: Report,
    healthy: Report,
    odd: Report,
    plane: Report,
    hostile: Report,
) -> dict[str, Path]:
    """One page of each sort on disk."""
    folder, page = tmp_path_factory.mktemp("pages"), Html()
    reports = {
        "failing": failing,
        "healthy": healthy,
        "odd": odd,
        "plane": plane,
        "hostile": hostile,
    }
    found = {name: page.publish(report, folder / name) for name, report in reports.items()}
    found["student"] = Html("student").publish(failing, folder / "student")
    found["pair"] = page.publish_pair(failing, healthy, folder / "pair")
    return {name: Path(path) for name, path in found.items()}


@pytest.fixture
def open_page(browser: Any, files: dict[str, Path]) -> Iterator[Open]:
    """Open a page by its name: ``open_page("failing", color_scheme="dark")``."""
    contexts: list[Any] = []

    def opened(name: str, **options: Any) -> Tab:
        contexts.append(browser.new_context(**options))
        return Tab(contexts[-1].new_page(), files[name].as_uri())

    yield opened
    for context in contexts:
        context.close()


def models(page: Any, expression: str) -> Any:
    """Evaluate an expression over ``all`` Bokeh models in the page."""
    return page.evaluate(
        f"(() => {{ const all = Bokeh.documents.flatMap(d => [...d.all_models]);"
        f" return {expression}; }})()"
    )


def cursors(page: Any) -> set[int]:
    """Steps of the cursors of all charts."""
    return set(models(page, 'all.filter(m => m.name === "cursor").map(m => m.location)'))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("which", PAGES)
def test_page_has_no_errors_and_fits_a_phone(which: str, scheme: str, open_page: Open) -> None:
    """With all details open: no error, no request, no broken image, nothing wider than a phone."""
    tab = open_page(which, viewport={"width": 360, "height": 740}, color_scheme=scheme)
    page = tab.page if which == "pair" else tab.ready()
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("[...document.images].filter(i => i.alt && !i.naturalWidth).length") == 0
    assert tab.messages == tab.errors == []
    assert [url for url in tab.requests if not url.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize(
    ("which", "scheme"),
    [
        ("student", "light"),
        ("student", "dark"),
        ("odd", "dark"),
        ("pair", "light"),
        ("plane", "dark"),
    ],
)
def test_page_is_accessible(which: str, scheme: str, open_page: Open) -> None:
    """axe-core finds no violation with all details open.

    axe-core cannot decide the contrast of the marks in badges, which are no letters. They have the
    colours of the badge, see test_contrast.
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    tab = open_page(which, color_scheme=scheme)
    page = tab.page if which == "pair" else tab.ready()
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    found = axe.Axe().run(page).response
    assert [(each["id"], each["nodes"][0]["target"]) for each in found["violations"]] == []
    undecided = [each for each in found["incomplete"] if each["id"] == "color-contrast"]
    marks = {node["html"] for each in undecided for node in each["nodes"]}
    assert marks <= {f'<span aria-hidden="true">{mark} </span>' for mark in MARKS.values()}


def test_verdict_is_visible_first(open_page: Open) -> None:
    """Verdict and first fix are visible without scrolling."""
    page = open_page("failing", viewport={"width": 1100, "height": 700}).page
    for text in ("Mode collapse (total) since step 350.", "Try first"):
        box = page.get_by_text(text, exact=True).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] < 700


def test_keys_move_the_cursor(open_page: Open) -> None:
    """The keys of the slider move samples, charts and numbers to the same step."""
    page = open_page("failing").ready()
    assert cursors(page) == {350}
    before = page.get_attribute("#grid", "src")
    page.focus("#step")
    page.keyboard.press("End")
    last = page.input_value("#step")
    assert cursors(page) == {int(last)}
    assert page.get_attribute("#step", "aria-valuetext") == f"step {last}"
    assert page.text_content("#grid-caption") == "step 1000"
    shown = page.get_attribute('.grids img[data-step="1000"]', "src")
    assert page.get_attribute("#grid", "src") == shown != before
    page.keyboard.press("Home")
    assert page.text_content("#grid-caption") == "step 100"  # the first grid
    assert "not yet measured" in page.text_content("#numbers")


def test_click_moves_the_cursor(open_page: Open) -> None:
    """A click on a chart moves slider, samples and all charts to the step of the click."""
    page = open_page("failing", viewport={"width": 1200, "height": 900}).ready()
    page.locator("#charts").scroll_into_view_if_needed()
    box = page.locator("#charts").bounding_box()
    page.mouse.click(box["x"] + 0.6 * box["width"], box["y"] + 70)
    page.wait_for_function("document.getElementById('step').value !== '350'")
    step = int(page.input_value("#step"))
    assert 450 < step < 750
    assert cursors(page) == {step}
    assert page.text_content("#grid-caption") == f"step {step // 100 * 100}"


def test_any_signal_can_be_drawn(open_page: Open) -> None:
    """Choosing a signal draws it in the last chart, titled with its name in the registry."""
    page = open_page("failing").ready()
    page.select_option("#signal", "learning_signal/score_gradient/generator")
    titles = models(page, 'all.filter(m => m.type === "Title").map(m => m.text)')
    assert format_signal("learning_signal/score_gradient/generator") in titles
    drawn = models(page, "all.filter(m => m.data?.x?.length).map(m => m.data.x.length)")
    assert 100 in drawn


def test_slider_moves_the_plane(open_page: Open) -> None:
    """Samples and D's output in the plane are those of the last evaluation up to the step."""
    page = open_page("plane").ready()
    fake = 'Array.from(all.find(m => m.name === "fake").data.x)'
    field = 'Array.from(all.find(m => m.name === "field").data.image[0])'
    page.evaluate("const s = document.getElementById('step'); s.value = 550;"
                  " s.dispatchEvent(new Event('input'))")  # fmt: skip
    assert models(page, fake) == [0.5, 0.5]
    assert models(page, field) == [round(i / 8 * 0.5 * 255) for i in range(9)]
    assert page.text_content("#plane-caption") == "The plane at step 500"
    segments = "(({x, y, x1, y1}) => [...x].map((_, i) => [x[i], y[i], x1[i], y1[i]]))"
    drawn = models(page, f'{segments}(all.find(m => m.name === "arrows").data)')
    assert len(drawn) == 6  # two arrows: each is a shaft and two strokes from its tip
    shaft, left, right = drawn[:3]
    assert shaft[:2] == [0.5, 0.0]
    assert left[:2] == right[:2] == shaft[2:]
    assert shaft[0] < left[2] == right[2] < shaft[2]  # the strokes point back from the tip
    assert left[3] == -right[3] != 0


def test_dark_is_dark(open_page: Open) -> None:
    """Page and charts follow the colour scheme of the browser, also when it changes."""
    page = open_page("failing", color_scheme="dark").ready()
    paper = "getComputedStyle(document.body).backgroundColor"
    grounds = "all.filter(m => m.type === 'Figure').map(m => m.background_fill_color)"
    words = "all.filter(m => m.type === 'Title').map(m => m.text_color)"
    assert set(models(page, grounds)) == {None}  # transparent: the page shows through
    assert page.evaluate(paper) == "rgb(20, 24, 29)"
    assert set(models(page, words)) == {"#e6e9ed"}
    page.emulate_media(color_scheme="light")
    assert page.evaluate(paper) == "rgb(255, 255, 255)"
    assert set(models(page, words)) == {"#1d2430"}


def test_page_works_without_scripts(open_page: Open) -> None:
    """Without JavaScript only the section Explore is missing, and the page says so."""
    page = open_page("failing", java_script_enabled=False).page
    assert page.is_visible("text=Mode collapse (total) since step 350.")
    assert page.is_visible(".grids img >> nth=2")
    assert not page.is_visible("#explore")
    assert page.is_visible("#without-scripts")


def test_prints(open_page: Open) -> None:
    """In print all details are open, and interactive parts are left out."""
    page = open_page("student").ready()
    page.emulate_media(media="print")
    assert not page.is_visible("#explore")
    assert not page.is_visible("nav")
    assert page.is_visible("text=one perfect 8") or page.is_visible("text=One perfect 8")
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_hostile_text_is_shown_not_run(open_page: Open) -> None:
    """Markup in names and texts is shown as text; no part of it becomes an element of the page."""
    tab = open_page("hostile")
    page = tab.ready()
    assert page.evaluate("document.querySelector('[id=hacked]')") is None
    assert page.evaluate("document.title").startswith('"><b id="hacked">')
    assert page.text_content("h1") == '"><b id="hacked">'
    assert '<img id="hacked"' in page.text_content(".lead")
    page.select_option("#signal", index=0)
    assert '<img id="hacked"' in page.text_content("#numbers")
    assert page.evaluate("document.querySelectorAll('img[src=x]').length") == 0
