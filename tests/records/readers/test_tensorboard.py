from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from gandiag.plugins.errors import BadInput
from gandiag.records.readers.tensorboard import TensorBoard
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
