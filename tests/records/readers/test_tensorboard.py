from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from gandiag.plugins.errors import BadInput
from gandiag.records.readers.tensorboard import TensorBoard
from gandiag.reports.saved_runs import diagnose
from tests.records.readers.conftest import LoggedRun

pytest.importorskip("tensorboard")

D, G = "loss/value/discriminator", "loss/value/generator"


def write_log(
    folder: Path, logged_run: LoggedRun, tags: tuple[str, str] = ("Loss/D", "Loss/G")
) -> Path:
    """Write a run as event files with torch's own writer and return the folder."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder)) as writer:
        for step, *losses in zip(*logged_run, strict=True):
            for tag, loss in zip(tags, losses, strict=True):
                writer.add_scalar(tag, loss, int(step))
    return folder


def test_scalars_are_read(tmp_path: Path, logged_run: LoggedRun) -> None:
    """Every scalar is read at its step, to the 7 digits of an event."""
    folder = write_log(tmp_path, logged_run)
    (file,) = folder.glob("*tfevents*")
    for path in (folder, file):
        assert TensorBoard().recognises(path)
        record = TensorBoard().read(path, {})
        np.testing.assert_array_equal(record[D].steps, logged_run.steps)
        np.testing.assert_allclose(record[D].values, logged_run.discriminator, rtol=1e-6)
        np.testing.assert_allclose(record[G].values, logged_run.generator, rtol=1e-6)


def test_subfolders_are_read(tmp_path: Path, logged_run: LoggedRun) -> None:
    """Two writers in subfolders, as add_scalars makes them, are one log."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path)) as writer:
        for step, d, g in zip(*logged_run, strict=True):
            writer.add_scalars("losses", {"d": d, "g": g}, int(step))
    record = TensorBoard().read(tmp_path, {})
    assert record.environment["log"]["columns"]["discriminator_loss"] == "losses_d/losses"
    np.testing.assert_allclose(record[D].values, logged_run.discriminator, rtol=1e-6)


def test_resumed_run_keeps_newest(tmp_path: Path, logged_run: LoggedRun) -> None:
    """A second file that goes back replaces the steps that it repeats."""
    write_log(tmp_path, logged_run)
    again = LoggedRun(
        logged_run.steps[50:], logged_run.discriminator[50:] + 1, logged_run.generator[50:]
    )
    write_log(tmp_path, again)
    record = TensorBoard().read(tmp_path, {})
    np.testing.assert_array_equal(record[D].steps, logged_run.steps)
    np.testing.assert_allclose(record[D].values[50:], again.discriminator, rtol=1e-6)


def test_nan_is_kept(tmp_path: Path, logged_run: LoggedRun) -> None:
    """A loss that is NaN is kept."""
    failing = logged_run._replace(
        discriminator=np.where(logged_run.steps > 9000, np.nan, logged_run.discriminator)
    )
    assert np.isnan(TensorBoard().read(write_log(tmp_path, failing), {})[D].values).sum() == 10


def test_extra_is_named(
    tmp_path: Path, logged_run: LoggedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without TensorBoard, the error names the extra to install."""
    folder = write_log(tmp_path, logged_run)
    monkeypatch.setitem(sys.modules, "tensorboard.backend.event_processing", None)
    with pytest.raises(BadInput, match=r"gandiag\[tensorboard\]"):
        TensorBoard().read(folder, {})


def test_each_tag_has_its_own_steps(tmp_path: Path, logged_run: LoggedRun) -> None:
    """Many tags over the same steps are no epochs; the steps of the losses stay what they are."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path)) as writer:
        for tag, values in (("a", 1), ("b", 2), ("Loss/D", logged_run.discriminator), ("c", 3)):
            for step, value in zip(
                logged_run.steps, np.broadcast_to(values, len(logged_run.steps)), strict=True
            ):
                writer.add_scalar(tag, float(value), int(step))
    steps, values = TensorBoard().read(tmp_path, {})[D]
    np.testing.assert_array_equal(steps, logged_run.steps)
    np.testing.assert_allclose(values, logged_run.discriminator, rtol=1e-6)


@pytest.mark.parametrize("unit", ["step", "epoch"])
def test_events_and_json_get_the_same_answers(
    tmp_path: Path, logged_run: LoggedRun, unit: str
) -> None:
    """The same run as events and as JSON lines gets the same answers, whatever its steps count."""
    from torch.utils.tensorboard import SummaryWriter

    steps = logged_run.steps if unit == "step" else np.arange(len(logged_run.steps))
    rows = [
        {unit: int(s), "d_loss": float(np.float32(d)), "g_loss": float(np.float32(g))}
        for s, d, g in zip(steps, logged_run.discriminator, logged_run.generator, strict=True)
    ]
    with SummaryWriter(str(tmp_path)) as writer:
        for row in rows:
            for tag, value in row.items():
                writer.add_scalar(tag, value, row[unit])
    path = tmp_path / "log.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert diagnose(path) == diagnose(next(tmp_path.glob("*tfevents*")))
