from __future__ import annotations

from pathlib import Path

import pytest

import gandiag
from gandiag.attachment.watch_handle import Attachment
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.plugins.protocols import Follower
from gandiag.records.readers.tensorboard import TensorBoard as Reader
from gandiag.records.record import Row
from gandiag.reports.report import Report
from gandiag.reports.reporters.tensorboard import TensorBoard
from gandiag.scenario.schema import Scenario
from tests.attachment.loops import build_loop

STEPS = 120


class CallRecorder:
    """A follower that stores its calls in order."""

    def __init__(self) -> None:
        """Start without calls."""
        self.calls: list[object] = []

    def begin(self, scenario: Scenario | None, folder: Path | None) -> None:
        """Store both arguments."""
        self.calls.append(("begin", scenario, folder))

    def follow(self, rows: list[Row], step: int) -> None:
        """Store the step."""
        self.calls.append(("follow", step))

    def alert(self, diagnosis: Diagnosis, step: int) -> None:
        """Store nothing."""

    def publish(self, report: Report, folder: Path) -> str:
        """Store the report's last step and the number of its diagnoses."""
        self.calls.append(("publish", report.record.last_step, len(report.diagnoses)))
        return ""

    def end(self) -> None:
        """Store the call."""
        self.calls.append(("end",))


def train_with(*followers: Follower | str, folder: Path | None = None) -> Attachment:
    """Train a short loop with followers, to its end."""
    loop = build_loop("real_fake_then_generator")
    options = {"followers": followers, "folder": folder}
    with gandiag.attach(*loop[:4], scores=loop.scores, **options) as watch:  # type: ignore[arg-type]
        loop.train(loop, STEPS)
    return watch


def test_follower_is_called_in_order() -> None:
    """A follower receives the start, each flush, the whole report and the end, once each."""
    recorder = CallRecorder()
    watch = train_with(recorder)
    diagnoses = len(watch.diagnose())
    assert recorder.calls[0] == ("begin", None, None)
    flushes = [call[1] for call in recorder.calls if call[0] == "follow"]  # type: ignore[index]
    assert flushes == sorted(flushes)
    assert flushes[-1] == STEPS
    assert recorder.calls[-2:] == [("publish", watch.record.last_step, diagnoses), ("end",)]
    watch.detach()
    assert recorder.calls.count(("end",)) == 1


def test_tensorboard_follows(tmp_path: Path) -> None:
    """By name or as an object, TensorBoard's files contain the numbers of the record."""
    for name, follower in {"named": "tensorboard", "object": TensorBoard()}.items():
        watch = train_with(follower, folder=tmp_path / name)
        folder = tmp_path / name / "tensorboard"
        # Files that gandiag has written are read back as the record itself.
        seen = Reader().read(folder, {})["confidence/gap/discriminator"]
        steps, values = watch.record["confidence/gap/discriminator"]
        assert seen.steps.tolist() == steps.tolist()
        assert seen.values == pytest.approx(values, rel=1e-6)


def test_files_go_to_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Followers of a run without a folder write into the current folder."""
    monkeypatch.chdir(tmp_path)
    train_with("tensorboard")
    assert [path.parent.name for path in tmp_path.rglob("*tfevents*")] == ["tensorboard"]


def test_console_prints_diagnoses_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """The console prints the diagnoses when the attachment ends."""
    train_with("console")
    assert "mode collapse" in capsys.readouterr().out


def test_unknown_follower_is_refused() -> None:
    """A follower that is unknown or cannot follow raises BadInput before the first step."""
    for follower, message in {
        "tensorbord": 'nearest is "tensorboard"',
        "json": "json cannot follow a run",
        print: "builtin_function_or_method cannot follow",
    }.items():
        with pytest.raises(gandiag.BadInput, match=message):
            train_with(follower)  # type: ignore[arg-type]
