from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import wandb
from wandb.proto import wandb_internal_pb2

from gandiag.plugins.errors import BadInput
from gandiag.records.readers.weights_and_biases import WeightsAndBiases, _read_entries
from tests.records.readers.conftest import LoggedRun

D, G = "loss/value/discriminator", "loss/value/generator"


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory, logged_run: LoggedRun) -> Path:
    """An offline run written by W&B itself, long enough for several blocks of its file."""
    folder = tmp_path_factory.mktemp("offline")
    quiet = wandb.Settings(silent=True, console="off", disable_git=True, disable_code=True)
    with wandb.init(dir=folder, mode="offline", project="p", settings=quiet) as run:
        for step, d, g in zip(*logged_run, strict=True):
            row = {"train": {"d_loss": float(d)}, "train/g_loss": float(g), "iter": int(step)}
            run.log(row | {"note": "x" * 2000})
        run.log({"train/g_loss": float("nan"), "iter": 10_100})
    # A process of W&B writes the file, and may still do so after the run has ended.
    deadline = time.monotonic() + 60
    while not has_ended(file_of(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return folder


def has_ended(file: Path) -> bool:
    """Whether W&B has written its last entry, which is about the end of the run."""
    *_, last = _read_entries(file)
    entry = wandb_internal_pb2.Record()  # type: ignore[attr-defined]  # made at import
    entry.ParseFromString(last)
    return bool(entry.WhichOneof("record_type") == "exit")


def file_of(folder: Path) -> Path:
    """The only `.wandb` file in a folder."""
    (path,) = {path.resolve() for path in folder.rglob("*.wandb")}
    return path


def test_offline_runs_are_read(offline: Path, logged_run: LoggedRun) -> None:
    """From the file, its folder or the folder above, every number is read, NaN included."""
    file = file_of(offline)
    assert file.stat().st_size > 3 * 32768
    for path in (file, file.parent, offline):
        assert WeightsAndBiases().recognises(path)
        record = WeightsAndBiases().read(path, {})
        np.testing.assert_array_equal(record[D].steps, logged_run.steps)
        np.testing.assert_allclose(record[D].values, logged_run.discriminator, rtol=1e-12)
        np.testing.assert_allclose(record[G].values[:-1], logged_run.generator, rtol=1e-12)
        assert np.isnan(record[G].last)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_cut_file_is_read_so_far(
    offline: Path, logged_run: LoggedRun, tmp_path: Path, share: float
) -> None:
    """The file of a killed run is read up to its last complete entry."""
    whole = file_of(offline).read_bytes()
    path = tmp_path / "run-cut.wandb"
    path.write_bytes(whole[: int(share * len(whole))])
    steps, values = WeightsAndBiases().read(path, {})[D]
    assert 10 < len(steps) < len(logged_run.steps)
    np.testing.assert_allclose(values, logged_run.discriminator[: len(steps)], rtol=1e-12)


def test_other_files_are_refused(offline: Path, tmp_path: Path) -> None:
    """Another file, or a folder with several runs, is an error."""
    (tmp_path / "a.wandb").write_bytes(b"something else")
    with pytest.raises(BadInput, match="not a file that W&B wrote"):
        WeightsAndBiases().read(tmp_path / "a.wandb", {})
    (tmp_path / "b.wandb").write_bytes(file_of(offline).read_bytes())
    with pytest.raises(BadInput, match="holds several runs"):
        WeightsAndBiases().read(tmp_path, {})
