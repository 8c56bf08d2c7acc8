"""The HTML page: valid, self-contained, safe against hostile texts, and small."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from gandiag.records.record import Record
from gandiag.records.sample_grids import write_sample_grid
from gandiag.reports.page.teaching import TEACHING
from gandiag.reports.report import Report
from gandiag.reports.reporters.html import Html, render_page, render_pair
from gandiag.scenario.schema import Scenario
from gandiag.scenario.shipped import list_shipped
from tests.reports.conftest import diagnoses, make_report, rows

MAX_SIZE = 3_000_000  # bytes; a larger page is hard to send by mail
REPORTS = ("failing", "healthy", "odd")
PAGES = (*REPORTS, "student", "pair", "plane")


class Elements(HTMLParser):
    """Collects every start tag with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect a start tag."""
        self.found.append((tag, dict(attrs)))


def elements(page: str) -> list[tuple[str, dict[str, str | None]]]:
    """Every start tag of a page."""
    parser = Elements()
    parser.feed(page)
    return parser.found


def without_scripts(page: str) -> str:
    """A page without its scripts, which contain addresses and markup themselves."""
    return re.sub(r"<script.*?</script>", "", page, flags=re.S)


@pytest.fixture(scope="session")
def pages(failing: Report, healthy: Report, odd: Report, plane: Report) -> dict[str, str]:
    """The page of each report, one page for a student, and one with two runs."""
    found = dict(zip(REPORTS, map(render_page, (failing, healthy, odd)), strict=True))
    others = {"student": render_page(failing, "student"), "pair": render_pair(failing, healthy)}
    return found | others | {"plane": render_page(plane)}


@pytest.mark.parametrize("which", PAGES)
def test_ids_are_unique(which: str, pages: dict[str, str]) -> None:
    """Every id occurs once, and every link inside the page has a target."""
    found = elements(pages[which])
    ids = Counter(attrs["id"] for _, attrs in found if "id" in attrs)
    assert max(ids.values()) == 1
    links = [attrs.get("href") or attrs.get("xlink:href") or "" for _, attrs in found]
    used = set(re.findall(r"url\(#([^)]+)\)", without_scripts(pages[which])))
    used |= {link[1:] for link in links if link.startswith("#")}
    assert used <= set(ids)


@pytest.mark.parametrize("which", PAGES)
def test_page_is_self_contained(which: str, pages: dict[str, str]) -> None:
    """The page loads nothing and has no event handlers."""
    found = elements(pages[which])
    for tag, attrs in found:
        assert tag not in ("iframe", "object")
        assert not [name for name in attrs if name.startswith("on")]
        for name in ("src", "href", "xlink:href", "srcset", "data"):
            assert not re.match(r"(https?:)?//", attrs.get(name) or "")
    assert "@import" not in without_scripts(pages[which])
    assert not re.search(r"url\((?!#)", without_scripts(pages[which]))


@pytest.mark.parametrize("which", PAGES)
def test_policy_names_each_script(which: str, pages: dict[str, str]) -> None:
    """The policy allows exactly the page's own scripts, and no loading."""
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', pages[which])
    policy = policy.replace("&#39;", "'")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    scripts = re.findall(r"<script>(.*?)</script>", pages[which], flags=re.S)
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert rules["script-src"] == (" ".join(f"'sha256-{each}'" for each in hashes) or "'none'")
    others = [attrs for tag, attrs in elements(pages[which]) if tag == "script" and attrs]
    assert all(attrs["type"] == "application/json" for attrs in others)


@pytest.mark.parametrize("which", PAGES)
def test_page_is_accessible(which: str, pages: dict[str, str]) -> None:
    """Images have a text, table headers have a scope, and no heading level is skipped."""
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


def test_texts_of_a_run_are_escaped(pages: dict[str, str]) -> None:
    """Texts of a run cannot become markup."""
    assert "<tags>" not in pages["failing"]
    assert "&lt;tags&gt;" in pages["failing"]
    assert "<that>" not in pages["failing"]
    assert "<b>" not in without_scripts(pages["failing"])


def test_same_report_same_page(failing: Report, pages: dict[str, str]) -> None:
    """A page has no date and no random id, so two pages can be compared."""
    assert render_page(failing) == pages["failing"]


def test_verdict_comes_first(pages: dict[str, str]) -> None:
    """The page begins with the verdict as a sentence."""
    body = pages["failing"].split("<body>")[1]
    text = re.sub(r"<[^>]+>", " ", body).split()
    assert " ".join(text[:7]) == "failing Mode collapse (total) since step 350."


def test_settings_and_thresholds_are_shown(pages: dict[str, str]) -> None:
    """The page has the command, the settings and the thresholds of the run."""
    assert "gandiag run scenario.yaml --seed 0" in pages["failing"]
    assert "sample_grid_every: 500" in pages["failing"]
    assert "thresholds" in pages["failing"]
    assert "not made from a scenario" in pages["odd"]


def test_non_finite_values_are_counted(pages: dict[str, str]) -> None:
    """NaN and infinity are marked and counted, and an interruption is noted."""
    assert "30 values that are not finite (10 NaN, 20 infinite)" in pages["odd"]
    assert "Blank cells: 40 values that are not finite" in pages["odd"]
    assert "Not drawn, as not finite: 1." in pages["odd"]
    assert "was interrupted at step 39 of 500" in pages["odd"]


def test_empty_record_renders(tmp_path: Path) -> None:
    """A run that ended before its first evaluation has a page, too."""
    page = Path(Html().publish(Report(None, Record({}), ()), tmp_path / "new"))
    assert "The record is empty" in page.read_text(encoding="utf-8")


def test_long_record_stays_small() -> None:
    """The page of 100,000 steps is below the limit."""
    record = Record.from_rows(rows(100_000, every=1), facts={"class_shares": [0.1] * 10})
    assert len(record["loss/value/generator"].steps) == 100_000
    page = render_page(Report(None, record, diagnoses(record, failing=True)))
    assert len(page.encode()) <= MAX_SIZE


def test_long_run_with_grids_stays_small(tmp_path: Path) -> None:
    """The page of 10,000 steps with a hundred sample grids of noise is below the limit."""
    report = make_report(tmp_path, failing=True, steps=10_000)
    images = np.random.default_rng(0).uniform(-1, 1, (64, 1, 28, 28)).astype(np.float32)
    for step in range(100, 10_001, 100):
        write_sample_grid(tmp_path / "samples" / f"step-{step:08d}", images)
    assert len(render_page(report).encode()) <= MAX_SIZE


def test_section_of_a_condition_is_complete(pages: dict[str, str]) -> None:
    """A present failure has evidence, cause, fixes, confidence and next steps, in this order."""
    begin = pages["failing"].index('<section aria-labelledby="mode_collapse">')
    section = pages["failing"][begin : pages["failing"].index("</section>", begin)]
    headings = [re.sub(r"<[^>]+>", "", h) for h in re.findall(r"<h3>(.*?)</h3>", section)]
    wanted = ["Evidence", "Cause", "Suggested fixes", "Confidence", "Next steps"]
    assert [h[: len(w)] for h, w in zip(headings, wanted, strict=False)] == wanted
    assert "Use a critic &lt;that&gt; helps." in section


def test_student_is_taught(pages: dict[str, str]) -> None:
    """A student's page has formula, question, a closed answer and a scenario with the fix."""
    lesson = pages["student"].split('<div class="lesson">')[1]
    assert "<math display" in lesson
    assert '<details class="answer">' in lesson
    assert "gandiag run mode_collapse_cured" in lesson
    assert '<span class="added">+  minibatch_discrimination:</span>' in lesson  # the fix
    assert "<math" not in without_scripts(pages["failing"])


def test_scenarios_of_lessons_are_shipped() -> None:
    """Each lesson names shipped scenarios: one with the failure, and others that fix it."""
    for condition, taught in TEACHING.items():
        failing, *fixed = (
            Scenario.load(list_shipped()[n]) for n in (taught.failing, *taught.fixed_by)
        )
        assert failing.expect[condition] == "present"
        assert [each.expect[condition] for each in fixed] == ["absent"] * len(fixed)


def test_pair_shows_both(pages: dict[str, str]) -> None:
    """Both verdicts come first, then both diagnoses and sample grids at the same steps."""
    text = pages["pair"]
    assert re.search(r"mode collapse</th><td>.*?present</span>.*?</td><td>.*?absent", text)
    head = " ".join(re.sub(r"<[^>]+>", " ", text.split("<main>")[0].split("<body>")[1]).split())
    first = "failing Mode collapse (total) since step 350."
    second = "healthy Inconclusive: strange failure; no other failure detected."
    assert head.startswith(f"Two runs side by side {first} {second}")
    assert "Changed settings" not in text  # the scenarios differ only in their names
    assert "All grids use the same latents" in text
    first, second = text.split('<div class="sides">')[1].split("<h3>")[1:]
    steps = [re.findall(r'data-step="(\d+)"', side) for side in (first, second)]
    assert steps[0] == steps[1]
    assert len(steps[0]) > 2


def test_pair_shows_what_changed(failing: Report) -> None:
    """Settings that change the training are shown as a diff; names and evaluations are not."""
    assert failing.scenario is not None
    # How often a run is evaluated does not change the training.
    evaluation = {"sample_grid_every": 50, "probes.plane": {"every": 10}}
    changed = failing.scenario.set(
        {"training.discriminator.steps": 5, "name": "fixed", **evaluation}
    )
    text = render_pair(failing, dataclasses.replace(failing, scenario=changed))
    (diff,) = re.findall(r'<div class="diff">.*?</div>', text, flags=re.S)
    assert re.findall(r'class="(?:added|removed)">(.*?)<', diff) == [
        "-    steps: 1",
        "+    steps: 5",
    ]


def test_hostile_texts_stay_texts(hostile: Report) -> None:
    """Names of runs, signals, classes and plugins that look like markup stay text."""
    for page in (render_page(hostile, "student"), render_pair(hostile, hostile)):
        tags = Counter(tag for tag, _ in elements(page))
        assert tags["script"] == (3 if "explore-data" in page else 0)
        assert not [attrs for _, attrs in elements(page) if "onerror" in attrs]
        assert not [attrs for _, attrs in elements(page) if attrs.get("id") == "hacked"]
