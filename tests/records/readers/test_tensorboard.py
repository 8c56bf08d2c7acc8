from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from gandiag.plugins.errors import BadInput
from gandiag.records.readers.tensorboard import TensorBoard
from tests.records.readers.conftest import Game

pytest.importorskip("tensorboard")

D, G = "loss/value/discriminator", "loss/value/generator"


def written(folder: Path, game: Game, tags: tuple[str, str] = ("Loss/D", "Loss/G")) -> Path:
    """A game as event files of torch's own writer."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder)) as writer:
        for step, *losses in zip(*game, strict=True):
            for tag, loss in zip(tags, losses, strict=True):
                writer.add_scalar(tag, loss, int(step))
    return folder


def test_scalars_are_read(tmp_path: Path, game: Game) -> None:
    """Every scalar comes back at its step, to the 7 digits that an event holds."""
    folder = written(tmp_path, game)
    (file,) = folder.glob("*tfevents*")
    for path in (folder, file):
        assert TensorBoard().recognises(path)
        record = TensorBoard().read(path, {})
        np.testing.assert_array_equal(record[D].steps, game.steps)
        np.testing.assert_allclose(record[D].values, game.discriminator, rtol=1e-6)
        np.testing.assert_allclose(record[G].values, game.generator, rtol=1e-6)


def test_folders_below_are_read(tmp_path: Path, game: Game) -> None:
    """Two writers side by side, as add_scalars makes them, are one log."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path)) as writer:
        for step, d, g in zip(*game, strict=True):
            writer.add_scalars("losses", {"d": d, "g": g}, int(step))
    record = TensorBoard().read(tmp_path, {})
    assert record.environment["log"]["columns"]["discriminator_loss"] == "losses_d/losses"
    np.testing.assert_allclose(record[D].values, game.discriminator, rtol=1e-6)


def test_resumed_run_keeps_newest(tmp_path: Path, game: Game) -> None:
    """A second file that goes back replaces what it redoes."""
    written(tmp_path, game)
    again = Game(game.steps[50:], game.discriminator[50:] + 1, game.generator[50:])
    written(tmp_path, again)
    record = TensorBoard().read(tmp_path, {})
    np.testing.assert_array_equal(record[D].steps, game.steps)
    np.testing.assert_allclose(record[D].values[50:], again.discriminator, rtol=1e-6)


def test_nan_is_kept(tmp_path: Path, game: Game) -> None:
    """A loss that is no number is data."""
    sick = game._replace(discriminator=np.where(game.steps > 9000, np.nan, game.discriminator))
    assert np.isnan(TensorBoard().read(written(tmp_path, sick), {})[D].values).sum() == 10


def test_extra_is_named(tmp_path: Path, game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without TensorBoard, one line says what to install."""
    folder = written(tmp_path, game)
    monkeypatch.setitem(sys.modules, "tensorboard.backend.event_processing", None)
    with pytest.raises(BadInput, match=r"gandiag\[tensorboard\]"):
        TensorBoard().read(folder, {})
