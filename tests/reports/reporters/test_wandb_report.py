"""The W&B Report: the parts of the page in its order, checked offline in its serialised form."""

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
from gandiag.reports.page.content import select_evidence_to_draw
from gandiag.reports.report import Report
from gandiag.reports.reporters._wandb_connection import run_with_timeout
from gandiag.reports.reporters.weights_and_biases_report import WeightsAndBiasesReport, _find_run_id

wandb_workspaces = pytest.importorskip("wandb_workspaces.reports.v2")
KEY = "0123456789" * 4
ROOT = Path(__file__).parents[3]


def spec_of(report: Report) -> dict[str, Any]:
    """The content that would be sent to W&B."""
    model = WeightsAndBiasesReport().build(report, "the-run")._to_model()
    found: dict[str, Any] = json.loads(model.spec.model_dump_json(by_alias=True, exclude_none=True))
    return found


def text_of(node: Any) -> str:
    """All text below a node of a specification."""
    if isinstance(node, list):
        return "".join(map(text_of, node))
    if isinstance(node, dict):
        return str(node.get("text", "")) + text_of(node.get("children", []))
    return ""


def with_collapsed(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Blocks, including those that are collapsed below a heading."""
    return [each for b in blocks for each in (b, *with_collapsed(b.get("collapsedChildren", [])))]


def panels(block: dict[str, Any]) -> list[dict[str, Any]]:
    """The panels of a panel grid."""
    found: list[dict[str, Any]] = block["metadata"]["panelBankSectionConfig"]["panels"]
    return found


def test_report_has_the_pages_parts(failing: Report) -> None:
    """The order is verdict, samples, conditions, context, full report, settings."""
    blocks = spec_of(failing)["blocks"]
    assert text_of(next(b for b in blocks if b["type"] == "callout-block")).startswith("Mode coll")
    titles = [text_of(b) for b in blocks if b["type"] == "heading" and b["level"] == 2]
    assert titles == [
        "Samples over time",
        "Mode collapse: present",
        "Strange failure: inconclusive",
        "Context",
        "Full report",
        "Reproduce",
    ]


def test_panels_are_the_pages_figures(failing: Report) -> None:
    """Each signal that the page draws has a panel over steps, with the page's type of axis."""
    grids = [b for b in with_collapsed(spec_of(failing)["blocks"]) if b["type"] == "panel-grid"]
    drawn = [
        panel["config"]
        for grid in grids
        for panel in panels(grid)
        if panel["viewType"] == "Run History Line Plot"
    ]
    metrics = [name for config in drawn for name in config["metrics"]]
    for diagnosis in failing.diagnoses:
        for item in select_evidence_to_draw(failing.record, diagnosis):
            assert item.signal in metrics
    assert {"loss/value/discriminator", "loss/value/generator"} <= set(metrics)
    assert {config["xAxis"] for config in drawn} == {"generator_step"}
    logs = {config["metrics"][0]: config.get("yLogScale") for config in drawn}
    assert logs["learning_signal/score_gradient/generator"] is True  # four decades
    assert logs["diversity/effective_modes/generator"] is False
    shown = [p["config"].get("mediaKeys") for grid in grids for p in panels(grid)]
    assert ["samples/real", "samples/generator"] in shown


def test_panels_show_one_run(failing: Report) -> None:
    """Every panel grid shows only the run of the Report, and panels do not overlap."""
    for block in with_collapsed(spec_of(failing)["blocks"]):
        if block["type"] != "panel-grid":
            continue
        (run,) = block["metadata"]["runSets"]
        (condition,) = run["filters"]["filters"]
        assert (condition["key"]["name"], condition["value"]) == ("name", "the-run")
        places = [(p["layout"]["x"], p["layout"]["y"]) for p in panels(block)]
        assert len(set(places)) == len(places)


@pytest.mark.parametrize("which", ["failing", "healthy", "odd", "plane", "hostile"])
def test_report_is_the_same_when_read_back(which: str, request: pytest.FixtureRequest) -> None:
    """W&B's own reader reads every Report and returns the same blocks."""
    report = request.getfixturevalue(which)
    model = WeightsAndBiasesReport().build(report, "the-run")._to_model()
    again = wandb_workspaces.Report._from_model(model)._to_model()
    assert len(again.spec.blocks) == len(model.spec.blocks)
    assert [b.type for b in again.spec.blocks] == [b.type for b in model.spec.blocks]


def test_hostile_text_is_text(hostile: Report) -> None:
    """Texts of a run are in text nodes only, never in Markdown or HTML."""
    blocks = with_collapsed(spec_of(hostile)["blocks"])
    assert {b["type"] for b in blocks} <= {
        "paragraph", "heading", "list", "callout-block", "code-block", "panel-grid"
    }  # fmt: skip
    assert any("<script>" in text_of(b) for b in blocks)


def test_absent_condition_is_collapsed(plane: Report) -> None:
    """An absent condition is one line, with its evidence collapsed below."""
    (title,) = [b for b in spec_of(plane)["blocks"] if text_of(b) == "Mode collapse: absent"]
    assert [b["type"] for b in title["collapsedChildren"]][:2] == ["paragraph", "heading"]


PUBLISH = """
    import os, sys
    from pathlib import Path
    sys.path.insert(0, {tests!r})
    from tests.reports.conftest import make_report
    from gandiag.reports.reporters.weights_and_biases_report import WeightsAndBiasesReport
    folder = Path({folder!r})
    report = make_report(folder, failing=True)
    print(WeightsAndBiasesReport({options}).publish(report, folder))
"""


def publish_in_process(
    folder: Path, options: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Publish in a separate process without a login, unless `environment` has one."""
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


def test_offline_report_is_a_file(tmp_path: Path) -> None:
    """Without a login the run is logged offline, the file names its id, and a hint is printed."""
    done = publish_in_process(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "offline; after uploading the run" in done.stdout
    text = (tmp_path / "run" / "wandb_report.json").read_text(encoding="utf-8")
    run_id = _find_run_id(tmp_path / "run")
    assert run_id is not None
    assert f'"value": "{run_id}"' in text


def test_unresponsive_server_costs_the_timeout_only(tmp_path: Path) -> None:
    """If a server never answers, the file is kept, and the API key is in no file."""
    (tmp_path / "run" / "wandb" / "run-20260101_000000-known").mkdir(parents=True)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        began = time.monotonic()
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        done = publish_in_process(tmp_path, "timeout=3", WANDB_API_KEY=KEY, WANDB_BASE_URL=address)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 60
    assert "the W&B Report was not created: no answer within 3 seconds" in done.stderr
    kept = (tmp_path / "run" / "wandb_report.json").read_text(encoding="utf-8")
    assert '"value": "known"' in kept
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


def test_disabled_does_nothing(failing: Report, tmp_path: Path) -> None:
    """With W&B disabled, nothing is written."""
    answer = WeightsAndBiasesReport(mode="disabled").publish(failing, tmp_path)
    assert "disabled" in answer
    assert list(tmp_path.iterdir()) == []


def test_report_is_about_the_newest_run(tmp_path: Path) -> None:
    """Of several runs in a folder the newest is used; its id may have dashes."""
    for name in ("offline-run-20260101_120000-old", "run-20260102_120000-a-b", "latest-run"):
        (tmp_path / "wandb" / name).mkdir(parents=True)
    assert _find_run_id(tmp_path) == "a-b"
    assert _find_run_id(tmp_path / "nowhere") is None


def test_missing_extra_is_an_error(failing: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without wandb-workspaces, the error names the extra to install."""
    monkeypatch.setitem(sys.modules, "wandb_workspaces.reports.v2", None)
    monkeypatch.delitem(sys.modules, "gandiag.reports.reporters._wandb_blocks", raising=False)
    with pytest.raises(BadInput, match=r"gandiag\[wandb-report\]"):
        WeightsAndBiasesReport().build(failing, "the-run")


def test_timeout_limits_an_action() -> None:
    """A result is returned, an error is raised, and a slow action raises TimeoutError."""
    assert run_with_timeout(5, lambda: "done") == "done"
    with pytest.raises(ZeroDivisionError):
        run_with_timeout(5, lambda: str(1 / 0))
    with pytest.raises(TimeoutError, match=r"0\.05 seconds"):
        run_with_timeout(0.05, lambda: str(time.sleep(1)))
