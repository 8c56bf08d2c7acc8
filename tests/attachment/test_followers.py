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
from tests.attachment.loops import game

STEPS = 120


class Listener:
    """Notes what it is told, in order."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.told: list[object] = []

    def begin(self, scenario: Scenario | None, folder: Path | None) -> None:
        """Note both."""
        self.told.append(("begin", scenario, folder))

    def follow(self, rows: list[Row], step: int) -> None:
        """Note the step."""
        self.told.append(("follow", step))

    def alert(self, diagnosis: Diagnosis, step: int) -> None:
        """Note nothing."""

    def publish(self, report: Report, folder: Path) -> str:
        """Note how far the report goes, and which conditions it is about."""
        self.told.append(("publish", report.record.last_step, len(report.diagnoses)))
        return ""

    def end(self) -> None:
        """Note it."""
        self.told.append(("end",))


def followed(*followers: Follower | str, folder: Path | None = None) -> Attachment:
    """A short game that is followed, and over."""
    played = game("real_fake_then_generator")
    options = {"followers": followers, "folder": folder}
    with gandiag.attach(*played[:4], scores=played.scores, **options) as watch:  # type: ignore[arg-type]
        played.play(played, STEPS)
    return watch


def test_follower_hears_of_everything_in_order() -> None:
    """Beginning, each flush, the report of all that was seen, and the end, once each."""
    listener = Listener()
    watch = followed(listener)
    asked = len(watch.diagnose())
    assert listener.told[0] == ("begin", None, None)
    flushes = [told[1] for told in listener.told if told[0] == "follow"]  # type: ignore[index]
    assert flushes == sorted(flushes)
    assert flushes[-1] == STEPS
    assert listener.told[-2:] == [("publish", watch.record.last_step, asked), ("end",)]
    watch.detach()
    assert listener.told.count(("end",)) == 1


def test_tensorboard_follows(tmp_path: Path) -> None:
    """By name or as an object, TensorBoard's files hold what the record does."""
    for name, follower in {"named": "tensorboard", "made": TensorBoard()}.items():
        watch = followed(follower, folder=tmp_path / name)
        folder = tmp_path / name / "tensorboard"
        log = Reader().read(folder, {"discriminator_loss": "confidence/gap/discriminator"})
        steps, values = watch.record["confidence/gap/discriminator"]
        seen = log["loss/value/discriminator"]
        assert seen.steps.tolist() == steps.tolist()
        assert seen.values == pytest.approx(values, rel=1e-6)


def test_files_go_where_the_user_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in memory only is followed into the current folder."""
    monkeypatch.chdir(tmp_path)
    followed("tensorboard")
    assert [path.parent.name for path in tmp_path.rglob("*tfevents*")] == ["tensorboard"]


def test_console_tells_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """The console says at the end what was seen."""
    followed("console")
    assert "mode collapse" in capsys.readouterr().out


def test_unknown_follower_is_refused() -> None:
    """A name that there is not, or that cannot follow, is refused before the first step."""
    for follower, message in {
        "tensorbord": 'nearest is "tensorboard"',
        "json": "json cannot follow a run",
        print: "builtin_function_or_method cannot follow",
    }.items():
        with pytest.raises(gandiag.BadInput, match=message):
            followed(follower)  # type: ignore[arg-type]
