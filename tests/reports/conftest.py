"""Reports of a failing and of a healthy run, a third-party detector, and a browser."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from gandiag.diagnosis.detectors.mode_collapse import ModeCollapse
from gandiag.diagnosis.diagnosis import Diagnosis, compare_median
from gandiag.records.record import Record, Row
from gandiag.records.sample_grids import write_sample_grid
from gandiag.records.writer import Recorder
from gandiag.reports.report import Report, SuggestedFix
from gandiag.reports.server.server import create_server
from gandiag.scenario.schema import Scenario, diff_scenarios

EFFECTIVE = "diversity/effective_modes/generator"
ONSET = 350
CHROMIUM = Path("/usr/bin/chromium")
READY = "#explore[data-ready]"


@dataclass(frozen=True)
class ThirdParty:
    """A third-party detector that is not registered as a plugin."""

    threshold: float = 0.5  # A number below this is a sign of the failure.

    condition: ClassVar[str] = "strange_failure"
    needs: ClassVar[frozenset[str]] = frozenset({"its/own/signal"})

    def detect(self, record: Record) -> Diagnosis:
        """Return an inconclusive diagnosis."""
        return Diagnosis(self.condition, "inconclusive", "Not recorded: its/own/signal.")


def rows(steps: int, every: int = 10, failing: bool = True) -> Iterator[Row]:
    """Rows as a run writes them: numbers at each evaluation, histograms at each fifth."""
    draw = np.random.default_rng(0)
    for step in range(every, steps + 1, every):
        noise = float(draw.normal(0, 0.02))
        has_collapsed = failing and step >= ONSET
        found: dict[str, float | list[float]] = {
            "loss/value/discriminator": 1.2 + noise,
            "loss/value/generator": 0.8 - noise,
            "confidence/real/discriminator": 0.6 + noise,
            "confidence/fake/discriminator": 0.4 - noise,
            "learning_signal/score_gradient/generator": 10 ** (-step / steps * 4),
            EFFECTIVE: (0.15 if has_collapsed else 0.95) + noise,
        }
        if step % (5 * every) == 0:
            shares = np.eye(10)[8] if has_collapsed else np.full(10, 0.1)
            found["classes/histogram/generator"] = shares.tolist()
        yield Row(step, found)


def diagnoses(record: Record, failing: bool) -> tuple[Diagnosis, ...]:
    """Diagnoses as detectors give them, without running a detector on mode collapse."""
    evidence = (
        compare_median(EFFECTIVE, record[EFFECTIVE].values, "<", 0.7, "effective number of modes"),
        compare_median(
            "learning_signal/score_gradient/generator",
            record["learning_signal/score_gradient/generator"].values,
            "<",
            0.01,
            "gradient of G's loss",
        ),
    )
    if failing:
        collapse = Diagnosis(
            "mode_collapse",
            "present",
            "The samples have 15% of the real diversity <b>.",
            "total",
            ONSET,
            "discriminator_too_strong",
            0.85,
            evidence,
        )
    else:
        collapse = Diagnosis("mode_collapse", "absent", "All modes are there.", evidence=evidence)
    return collapse, ThirdParty().detect(record)


def make_report(folder: Path, failing: bool, steps: int = 1000, every: int = 10) -> Report:
    """A report on a record in `folder`, with grids of images."""
    facts = {"steps": steps, "shape": [1, 8, 8], "class_shares": [0.1] * 10}
    recorder = Recorder(folder, facts, {"python": "3", "versions": {"torch": "2"}})
    recorder.add(rows(steps, every, failing))
    recorder.add_environment(seconds=1.0, steps_played=steps)
    draw = np.random.default_rng(1)
    for name in ("real", *(f"step-{step:08d}" for step in range(100, 1001, 100))):
        images = draw.uniform(-1, 1, (16, 1, 8, 8)).astype(np.float32)
        write_sample_grid(folder / "samples" / name, images)
    scenario = Scenario(
        name="failing" if failing else "healthy", about='Text with <tags> & "quotes".'
    )
    changed = scenario.set({"training.discriminator.steps": 5})
    diff = diff_scenarios(scenario, changed)
    fix = SuggestedFix("linear_critic", "mode_collapse", "Use a critic <that> helps.", diff)
    record = Record.load(folder)
    return Report(
        scenario,
        record,
        diagnoses(record, failing),
        (fix,) if failing else (),
        (ModeCollapse(), ThirdParty()),
    )


@pytest.fixture(scope="session")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A collapsed run."""
    return make_report(tmp_path_factory.mktemp("failing"), failing=True)


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A run without a failure."""
    return make_report(tmp_path_factory.mktemp("healthy"), failing=False)


@pytest.fixture(scope="session")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """An attached loop: no scenario, points, values that are not finite, an early end."""
    folder = tmp_path_factory.mktemp("odd")
    recorder = Recorder(folder, {"steps": 500}, {})
    blown = [math.nan, math.inf, -math.inf, 1.0]
    recorder.add(
        Row(step, {"loss/value/generator": blown[step % 4], "bins/all": [math.nan, step / 40]})
        for step in range(40)
    )
    draw = np.random.default_rng(2)
    points = draw.normal(size=(32, 2)).astype(np.float32)
    write_sample_grid(folder / "samples" / "real", points)
    points[0] = np.nan
    write_sample_grid(folder / "samples" / "step-00000020", points)
    (folder / "samples" / "step-00000030.png").write_bytes(b"half a picture")
    record = Record.load(folder)
    evidence = (
        compare_median(
            "loss/value/generator", record["loss/value/generator"].values, ">", 9.0, "loss"
        ),
        compare_median("bins/all", np.array([0.5]), ">", 9.0, "number derived from a vector"),
        dataclasses.replace(
            compare_median("not/there", np.array([]), ">", 9.0, "nothing"), holds=False
        ),
    )
    blew_up = Diagnosis(
        "non_convergence", "present", "It blew up.", "divergence", 1, None, math.nan, evidence
    )
    return Report(None, record, (blew_up,))


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Training in a plane: two samples that move to the right, and D's changing output."""
    folder = tmp_path_factory.mktemp("plane")
    recorder = Recorder(folder, {"steps": 1000}, {})
    recorder.add(
        Row(
            step,
            {
                EFFECTIVE: 0.9,
                "plane/view/generator": [-2.0, 2.0, 4.0],
                "plane/fake/generator": [step / 1000, 0.0, step / 1000, 1.0],
                "plane/gradient/generator": [1.0, 0.0, 1.0, 0.5],
                "plane/latent_path/generator": [0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0],
                "plane/probability/discriminator": [i / 8 * step / 1000 for i in range(9)],
            },
        )
        for step in range(0, 1001, 100)
    )
    points = np.random.default_rng(2).normal(size=(32, 2)).astype(np.float32)
    write_sample_grid(folder / "samples" / "real", points)
    record = Record.load(folder)
    values = record[EFFECTIVE].values
    modes = compare_median(EFFECTIVE, values, "<", 0.7, "effective number of modes")
    absent = Diagnosis("mode_collapse", "absent", "All modes are there.", evidence=(modes,))
    return Report(None, record, (absent,))


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A run in which every text contains markup that tries to change the page."""
    bad = '</script></style>"><img id="hacked" src=x onerror="document.title=1"><script>1</script>'
    signal = f"a/{bad}/generator"
    recorder = Recorder(tmp_path_factory.mktemp("hostile"), {}, {"python": bad})
    recorder.add(Row(step, {signal: float(step)}) for step in range(20))
    assert recorder.folder is not None
    record = Record.load(recorder.folder)
    evidence = compare_median(signal, record[signal].values, ">", 5.0, bad)
    found = Diagnosis("mode_collapse", "present", bad, bad, 1, bad, 0.5, (evidence,))
    fix = SuggestedFix(bad, "mode_collapse", bad, f"+{bad}")
    scenario = Scenario(name='"><b id="hacked">', about=bad)
    return Report(scenario, record, (found,), (fix,), (ThirdParty(),))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield found
        found.close()


class Tab:
    """An open page, with its console messages and its requests."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        self.messages: list[str] = []
        self.errors: list[str] = []  # messages that are errors or warnings
        self.requests: list[str] = []
        page.on("console", self._record_message)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(address)

    def _record_message(self, message: Any) -> None:
        self.messages.append(message.text)
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def ready(self) -> Any:
        """The page, once its charts are drawn."""
        self.page.wait_for_selector(READY, state="attached")
        return self.page


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder from another thread, and give the address."""
    ready, made = threading.Event(), []

    def listen() -> None:
        asyncio.set_event_loop(asyncio.new_event_loop())
        server, port = create_server(folder)
        server.start()
        server.io_loop.add_callback(ready.set)
        made.append((server, port))
        server.io_loop.start()
        server.io_loop.close(all_fds=True)

    def stop() -> None:
        made[0][0].stop()
        made[0][0].io_loop.stop()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield f"http://127.0.0.1:{made[0][1]}"
    finally:
        made[0][0].io_loop.add_callback(stop)
        thread.join(30)
