"""The table of public logs, and how its answers are counted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gandiag.benchmarks.public_logs import (
    FAILING,
    HEALTHY,
    PublicLog,
    diagnose_logs,
    format_answers,
    read_table,
)
from gandiag.plugins.errors import BadInput


def test_table_names_each_file_once() -> None:
    """Each entry has repository, commit, path, part, outcome and evidence, and occurs once."""
    table = read_table()
    assert len(table) >= 40
    assert len({(log.repository, log.path) for log in table}) == len(table)
    for log in table:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", log.repository)
        assert re.fullmatch(r"[0-9a-f]{40}", log.commit)
        assert log.part in ("development", "held_out")
        assert log.outcome in (HEALTHY, FAILING, "unclear")
        assert log.evidence
        assert ".." not in log.path


def test_answers_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures that are found, false alarms and unread files are counted; absent files are not."""
    texts = {
        "nan": "step {k} d_loss: nan g_loss: 1.0\n",
        "ok": "step {k} d_loss: 1.{k} g_loss: 0.{k}\n",
    }
    outcomes = {"nan": FAILING, "ok": HEALTHY, "text": HEALTHY, "missing": FAILING}
    monkeypatch.setattr(
        "gandiag.benchmarks.public_logs.read_table",
        lambda: [
            PublicLog("a/b", "0" * 40, name, "held_out", outcome, "made up")
            for name, outcome in outcomes.items()
        ],
    )
    with pytest.raises(BadInput, match="has none of the files"):
        list(diagnose_logs(tmp_path))
    folder = tmp_path / "a+b"
    folder.mkdir()
    for name, line in texts.items():
        (folder / name).write_text("".join(line.format(k=k) for k in range(100, 400, 3)))
    (folder / "text").write_text("no numbers\n")
    text = format_answers(diagnose_logs(tmp_path))
    assert "| a/b | nan | held_out | failing | non_convergence |" in text
    assert "| a/b | text | held_out | healthy | not read: is not a run's folder" in text
    assert "missing" not in text
    shares = "1 of 1 (21 to 100 %) | 0 of 1 (0 to 79 %) | 0 of 1 (0 to 79 %)"
    assert f"| held_out | 2 of 3 | {shares} |" in text
    assert not list(diagnose_logs(tmp_path, "held_out"))[1].present
