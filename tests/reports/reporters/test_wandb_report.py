"""Laws of the Report at W&B: the page's parts in its order, offline by its own serialised form."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from gandiag.plugins.errors import BadInput
from gandiag.reports.page.content import worth_drawing
from gandiag.reports.report import Report
from gandiag.reports.reporters._wandb_connection import within
from gandiag.reports.reporters.weights_and_biases_report import WeightsAndBiasesReport, _run_in

wandb_workspaces = pytest.importorskip("wandb_workspaces.reports.v2")
KEY = "0123456789" * 4
ROOT = Path(__file__).parents[3]


def spec_of(report: Report) -> dict[str, Any]:
    """What W&B would be sent."""
    model = WeightsAndBiasesReport().made(report, "the-run")._to_model()
    found: dict[str, Any] = json.loads(model.spec.model_dump_json(by_alias=True, exclude_none=True))
    return found


def text_of(node: Any) -> str:
    """All text below a node of a specification."""
    if isinstance(node, list):
        return "".join(map(text_of, node))
    if isinstance(node, dict):
        return str(node.get("text", "")) + text_of(node.get("children", []))
    return ""


def flat(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Blocks with those that are folded below a heading."""
    return [each for b in blocks for each in (b, *flat(b.get("collapsedChildren", [])))]


def panels(block: dict[str, Any]) -> list[dict[str, Any]]:
    """The panels of a grid."""
    found: list[dict[str, Any]] = block["metadata"]["panelBankSectionConfig"]["panels"]
    return found


def test_report_has_the_pages_parts(sick: Report) -> None:
    """Verdict first, then samples, each condition, the game around it, and how to repeat it."""
    blocks = spec_of(sick)["blocks"]
    assert text_of(next(b for b in blocks if b["type"] == "callout-block")).startswith("Mode coll")
    titles = [text_of(b) for b in blocks if b["type"] == "heading" and b["level"] == 2]
    assert titles == [
        "The samples over time",
        "Mode collapse: present",
        "Strange thing: inconclusive",
        "The game around it",
        "The whole page",
        "To repeat this",
    ]


def test_panels_are_the_pages_figures(sick: Report) -> None:
    """Each signal that the page draws has a panel over steps, on the same kind of axis."""
    grids = [b for b in flat(spec_of(sick)["blocks"]) if b["type"] == "panel-grid"]
    drawn = [
        panel["config"]
        for grid in grids
        for panel in panels(grid)
        if panel["viewType"] == "Run History Line Plot"
    ]
    metrics = [name for config in drawn for name in config["metrics"]]
    for diagnosis in sick.diagnoses:
        for item in worth_drawing(sick.record, diagnosis):
            assert item.signal in metrics
    assert {"loss/value/discriminator", "loss/value/generator"} <= set(metrics)
    assert {config["xAxis"] for config in drawn} == {"generator_step"}
    logs = {config["metrics"][0]: config.get("yLogScale") for config in drawn}
    assert logs["learning_signal/score_gradient/generator"] is True  # four decades
    assert logs["diversity/effective_modes/generator"] is False
    shown = [p["config"].get("mediaKeys") for grid in grids for p in panels(grid)]
    assert ["samples/real", "samples/generator"] in shown


def test_panels_show_one_run(sick: Report) -> None:
    """Every grid is about the run that the Report was made of, and panels do not overlap."""
    for block in flat(spec_of(sick)["blocks"]):
        if block["type"] != "panel-grid":
            continue
        (run,) = block["metadata"]["runSets"]
        (condition,) = run["filters"]["filters"]
        assert (condition["key"]["name"], condition["value"]) == ("name", "the-run")
        places = [(p["layout"]["x"], p["layout"]["y"]) for p in panels(block)]
        assert len(set(places)) == len(places)


@pytest.mark.parametrize("which", ["sick", "healthy", "odd", "plane", "hostile"])
def test_report_comes_back_as_it_was(which: str, request: pytest.FixtureRequest) -> None:
    """W&B's own reader takes every Report, and gives the same back."""
    report = request.getfixturevalue(which)
    model = WeightsAndBiasesReport().made(report, "the-run")._to_model()
    again = wandb_workspaces.Report._from_model(model)._to_model()
    assert len(again.spec.blocks) == len(model.spec.blocks)
    assert [b.type for b in again.spec.blocks] == [b.type for b in model.spec.blocks]


def test_hostile_text_is_text(hostile: Report) -> None:
    """What came with a run stands in text nodes alone: no markdown, no HTML."""
    blocks = flat(spec_of(hostile)["blocks"])
    assert {b["type"] for b in blocks} <= {
        "paragraph", "heading", "list", "callout-block", "code-block", "panel-grid"
    }  # fmt: skip
    assert any("<script>" in text_of(b) for b in blocks)


def test_absent_is_folded(plane: Report) -> None:
    """An answer that nothing is there is one line, with its evidence folded below it."""
    (title,) = [b for b in spec_of(plane)["blocks"] if text_of(b) == "Mode collapse: absent"]
    assert [b["type"] for b in title["collapsedChildren"]][:2] == ["paragraph", "heading"]


PUBLISH = """
    import os, sys
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    from tests.reports.conftest import make_report
    from gandiag.reports.reporters.weights_and_biases_report import WeightsAndBiasesReport
    folder = Path({folder!r})
    report = make_report(folder, sick=True)
    print(WeightsAndBiasesReport({options}).publish(report, folder))
"""


def alone(folder: Path, options: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Publish in a process of its own, in which nobody is logged in unless said."""
    code = PUBLISH.format(tests=str(ROOT / "tests"), folder=str(folder / "run"), options=options)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")}
    own = {"HOME": str(folder), "NETRC": str(folder / "netrc"), "WANDB_ERROR_REPORTING": "false"}
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        env={**kept, **own, **environment},
        check=False,
    )


def test_offline_keeps_what_would_be_sent(tmp_path: Path) -> None:
    """Without a login the run is logged, the file names that very run, and it is said what next."""
    done = alone(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "offline; once the run is uploaded" in done.stdout
    text = (tmp_path / "run" / "wandb_report.json").read_text(encoding="utf-8")
    run_id = _run_in(tmp_path / "run")
    assert run_id is not None
    assert f'"value": "{run_id}"' in text


def test_silent_server_costs_no_report_and_leaves_no_key(tmp_path: Path) -> None:
    """A server that never answers costs the timeout; the key is in no file."""
    (tmp_path / "run" / "wandb" / "run-20260101_000000-known").mkdir(parents=True)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        began = time.monotonic()
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        done = alone(tmp_path, "timeout=3", WANDB_API_KEY=KEY, WANDB_BASE_URL=address)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 60
    assert "no Report at Weights & Biases: no answer within 3 seconds" in done.stderr
    kept = (tmp_path / "run" / "wandb_report.json").read_text(encoding="utf-8")
    assert '"value": "known"' in kept
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


def test_disabled_does_nothing(sick: Report, tmp_path: Path) -> None:
    """Where W&B is switched off nothing is written."""
    said = WeightsAndBiasesReport(mode="disabled").publish(sick, tmp_path)
    assert "disabled" in said
    assert list(tmp_path.iterdir()) == []


def test_newest_run_is_meant(tmp_path: Path) -> None:
    """Of several runs in a folder the Report is about the one begun last, dashes in its id too."""
    for name in ("offline-run-20260101_120000-old", "run-20260102_120000-a-b", "latest-run"):
        (tmp_path / "wandb" / name).mkdir(parents=True)
    assert _run_in(tmp_path) == "a-b"
    assert _run_in(tmp_path / "nowhere") is None


def test_missing_extra_is_told(sick: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without wandb-workspaces one line says how to install it."""
    monkeypatch.setitem(sys.modules, "wandb_workspaces.reports.v2", None)
    monkeypatch.delitem(sys.modules, "gandiag.reports.reporters._wandb_blocks", raising=False)
    with pytest.raises(BadInput, match=r"gandiag\[wandb-report\]"):
        WeightsAndBiasesReport().made(sick, "the-run")


def test_within_gives_what_the_action_gives() -> None:
    """A result is returned, a failure raised, and a slow action left to itself."""
    assert within(5, lambda: "done") == "done"
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: str(1 / 0))
    with pytest.raises(TimeoutError, match=r"0\.05 seconds"):
        within(0.05, lambda: str(time.sleep(1)))
