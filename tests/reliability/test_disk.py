"""A disk that fails, or a folder that cannot be written, ends no training and loses no record."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn
from torch.nn.functional import softplus

import gandiag
from gandiag.cli.main import main
from gandiag.records.record import Record

SCENARIO = """\
data: {ring: {samples: 300, held_out: 200}}
variant: {vanilla: {width: 8}}
training: {steps: 160, batch_size: 32}
probes: {diversity: {every: 20}}
sample_grid_every: 20
reporters: [json]
"""
Failure = Callable[[Path], None]


def fill_disk(folder: Path) -> None:
    """Do as if the disk of a folder were full."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def remove(folder: Path) -> None:
    """Remove a folder."""
    shutil.rmtree(folder)


def slow_down(folder: Path) -> None:
    """Do as if the disk of a folder took a tenth of a second for each write."""
    time.sleep(0.1)


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, Failure, int], None]:
    """Makes a disk fail: from the n-th opening of a file for writing below a folder."""
    original = Path.open
    count = 0

    def install(folder: Path, failure: Failure, first: int) -> None:
        def open_(self: Path, mode: str = "r", *args: Any, **options: Any) -> IO[Any]:
            nonlocal count
            if mode[0] in "awx" and self.resolve().is_relative_to(folder):
                count += 1
                # A folder is removed once; a full disk stays full.
                if count == first or (count > first and failure is not remove):
                    failure(folder)
            return original(self, mode, *args, **options)

        monkeypatch.setattr(Path, "open", open_)

    return install


def train_attached(folder: Path | None) -> tuple[list[Tensor], gandiag.Attachment | None]:
    """Train for 160 steps, watched where there is a folder; return the weights."""
    torch.manual_seed(0)
    generator, discriminator = nn.Linear(2, 2), nn.Linear(2, 1)
    g_step, d_step = (
        torch.optim.SGD(each.parameters(), 0.05) for each in (generator, discriminator)
    )
    watch = None
    if folder is not None:
        watch = gandiag.attach(
            generator, discriminator, g_step, d_step, scores="logits", folder=folder
        )
    for _ in range(160):
        fake = generator(torch.randn(32, 2))
        d_step.zero_grad()
        loss = softplus(-discriminator(torch.randn(32, 2))) + softplus(discriminator(fake.detach()))
        loss.mean().backward()
        d_step.step()
        g_step.zero_grad()
        softplus(-discriminator(fake)).mean().backward()
        g_step.step()
    if watch is not None:
        watch.detach()
    return [p.detach() for p in (*generator.parameters(), *discriminator.parameters())], watch


@pytest.mark.parametrize("failure", [fill_disk, remove])
def test_attached_loop_goes_on(
    failure: Failure,
    tmp_path: Path,
    fail: Callable[[Path, Failure, int], None],
    unraised_warnings: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The weights are the same, one warning comes, and the whole record is on disk at the end."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere").mkdir()
    expected, _ = train_attached(None)
    fail(tmp_path / "run", failure, 5)
    weights, watch = train_attached(tmp_path / "run")
    assert all(map(torch.equal, weights, expected))
    assert watch is not None
    folder = watch.record.folder
    assert folder is not None
    assert folder.is_relative_to(tmp_path / ("elsewhere" if failure is fill_disk else "run"))
    saved = Record.load(folder)
    assert (
        saved["loss/value/generator"].steps.tolist()
        == watch.record["loss/value/generator"].steps.tolist()
    )
    assert saved.last_step == 150
    first, second = unraised_warnings
    assert "is not continued, only that in memory" in first
    assert f"has been written to {folder}" in second
    unraised_warnings.clear()


@pytest.mark.parametrize(("failure", "status"), [(fill_disk, 4), (remove, 4), (slow_down, 0)])
def test_run_says_what_was_saved(
    failure: Failure,
    status: int,
    tmp_path: Path,
    fail: Callable[[Path, Failure, int], None],
    monkeypatch: pytest.MonkeyPatch,
    unraised_warnings: list[str],
) -> None:
    """`gandiag run` trains to its end and, after an error, exits with 4 and one last line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "tiny.yaml").write_text(SCENARIO)
    fail(tmp_path / "run", failure, 12)
    result = CliRunner().invoke(main, ["run", "tiny.yaml", "--out", "run"])
    assert result.exit_code == status, result.output
    if status:
        last = result.stderr.splitlines()[-1]
        assert last.startswith("gandiag: the disk failed during the run (")
        folder = last.rpartition("; the whole record is in ")[2]
        assert Record.load(folder).environment["steps_played"] == 160
        assert len([text for text in unraised_warnings if "not continued" in text]) == 1
    unraised_warnings.clear()


def test_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be written from the start ends with 4 and one line, before training."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(SCENARIO)
    # Not by permissions, as an administrator may write everywhere.
    error = PermissionError(errno.EACCES, "Permission denied", "run/.claim.json")

    def refuse(*_: Any) -> int:
        raise error

    monkeypatch.setattr(os, "open", refuse)
    result = CliRunner().invoke(main, ["run", "tiny.yaml", "--out", "run"])
    assert result.exit_code == 4
    assert result.stderr.splitlines() == ["gandiag: run/.claim.json: permission denied"]
