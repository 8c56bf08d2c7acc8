from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandiag.monitoring.signals import (
    CLASS_LOSS,
    DISCRIMINATOR_LOSS,
    FAKE_LOSS,
    GENERATOR_LOSS,
    REAL_LOSS,
)
from gandiag.plugins.errors import BadInput
from gandiag.records.readers._names import find_best_columns
from gandiag.records.readers._roles import SIGNAL_OF_ROLE
from gandiag.records.readers._steps import find_newest_branch, unroll_counter
from gandiag.records.readers._table import Column, build_record
from gandiag.records.record import Record

WHERE = Path("log")
D, G = "loss/value/discriminator", "loss/value/generator"

# Columns as published trainers log them, and the expected column of each role.
LOGS: dict[str, tuple[list[str], dict[str, str]]] = {
    "DCGAN": (["iter", "errD", "errG", "D_x", "D_G_z1"], {"d": "errD", "g": "errG"}),
    "Keras": (["epoch", "d_loss", "g_loss", "d_acc"], {"d": "d_loss", "g": "g_loss"}),
    "Lightning": (
        ["step", "epoch", "train/d_loss_step", "train/d_loss_epoch", "train/g_loss_step"],
        {"d": "train/d_loss_step", "g": "train/g_loss_step"},
    ),
    "StyleGAN": (
        ["Progress/kimg/mean", "Loss/D/loss/mean", "Loss/D/loss/std", "Loss/G/loss/mean",
         "Loss/D/reg/mean", "Loss/scores/fake/mean", "Loss/r1_penalty/mean"],
        {"d": "Loss/D/loss/mean", "g": "Loss/G/loss/mean"},
    ),
    "MMGeneration": (
        ["iter", "loss_disc_real", "loss_disc_fake", "loss_disc_fake_g", "loss_gp", "loss"],
        {"real": "loss_disc_real", "fake": "loss_disc_fake", "g": "loss_disc_fake_g"},
    ),
    "BasicSR": (
        ["iter", "l_g_pix", "l_g_percep", "l_g_gan", "l_d_real", "l_d_fake", "out_d_real"],
        {"real": "l_d_real", "fake": "l_d_fake", "g": "l_g_gan"},
    ),
    "VITS": (
        ["loss/g/total", "loss/d/total", "loss/g/fm", "loss/g/mel", "loss/g/kl"],
        {"d": "loss/d/total", "g": "loss/g/total"},
    ),
    "critic": (["i", "critic_loss", "gen_loss", "gp"], {"d": "critic_loss", "g": "gen_loss"}),
    "spoken": (["Discriminator Loss", "Generator Loss"], {"d": "Discriminator Loss",
                                                          "g": "Generator Loss"}),
    "glued": (["lossD", "lossG", "dloss_real"], {"d": "lossD", "g": "lossG", "real": "dloss_real"}),
    "bare": (["D", "G"], {"d": "D", "g": "G"}),
    "adversarial": (["disc_adv_loss", "disc_total_loss"], {"d": "disc_adv_loss"}),
    "class": (["d_loss", "class_loss", "g_cls_loss"], {"d": "d_loss", "class": "class_loss"}),
    "none": (["loss", "val_d_loss", "d_grad_norm", "d_lr", "fid", "D_x"], {}),
}  # fmt: skip
ROLES = {
    "d": "discriminator_loss",
    "real": "discriminator_loss_real",
    "fake": "discriminator_loss_fake",
    "g": "generator_loss",
    "class": "class_loss",
}


def table(rows: int = 40, **columns: Any) -> dict[str, Column]:
    """Columns of a table; single numbers are repeated in each row."""
    return {
        name: Column(np.arange(rows), np.broadcast_to(np.asarray(values, float), rows))
        for name, values in columns.items()
    }


def read(columns: dict[str, Column], **wanted: str) -> Record:
    """The record of a table."""
    return build_record(columns, WHERE, "table", wanted)


def notes(record: Record) -> str:
    """All notes on a log as one text."""
    return " ".join(record.environment["log"]["notes"])


@pytest.mark.parametrize("name", LOGS)
def test_columns_of_published_trainers_are_found(name: str) -> None:
    """Each role gets the expected column of a published trainer, or none."""
    columns, expected = LOGS[name]
    for short, role in ROLES.items():
        found = find_best_columns(role, columns)
        assert found == ((expected[short],) if short in expected else ()), role


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        (["epoch", "global_step", "step"], "global_step"),
        (["_step", "_runtime", "iteration"], "iteration"),
        (["epoch", "time", "step_time"], "epoch"),
        (["Progress/tick", "Progress/kimg", "Timing/total_sec"], "Progress/kimg"),
        (["epoch", "batch"], "batch"),
    ],
)
def test_finest_counter_is_used(columns: list[str], found: str) -> None:
    """Steps are preferred to images, images to epochs; a time is not a counter."""
    assert find_best_columns("step", columns) == (found,)


@given(st.lists(st.integers(0, 30), max_size=40))
def test_branch_is_newest(steps: list[int]) -> None:
    """An entry is kept if every later one is larger; so kept steps increase to the last entry."""
    kept = find_newest_branch(np.asarray(steps, np.int64))
    left = [step for step, keep in zip(steps, kept, strict=True) if keep]
    assert left == sorted(set(left))
    assert left[-1:] == steps[-1:]
    for at, step in enumerate(steps):
        assert kept[at] == all(step < later for later in steps[at + 1 :])


def test_resumed_run_keeps_newest() -> None:
    """Rows that a resumed run repeats replace the first ones, and a note gives their number."""
    first, second = np.arange(1.0, 31), np.arange(11.0, 41)
    values = np.concatenate([np.full(30, 1.0), np.full(30, 2.0)])
    record = read(table(60, step=np.concatenate([first, second]), d_loss=values, g_loss=1))
    steps, losses = record[D]
    assert steps.tolist() == list(range(1, 41))
    assert losses.tolist() == [1.0] * 10 + [2.0] * 30
    assert "20 rows" in notes(record)


def test_counter_is_continued_over_epochs() -> None:
    """A counter that restarts in each epoch is continued, with and without an epoch column."""
    epoch, batch = np.divmod(np.arange(40.0), 10)
    for columns in ({"epoch": epoch, "batch": 100 * batch}, {"batch": 100 * batch}):
        record = read(table(**columns, d_loss=1, g_loss=1))
        assert record[D].steps.tolist() == list(range(0, 4000, 100))
        assert record.facts["unit"] == "step"
        assert "restarts in each epoch" in notes(record)


def test_single_restart_is_not_an_epoch() -> None:
    """A counter that goes back once belongs to a run that was started again."""
    assert unroll_counter(np.array([0.0, 1.0, 2.0, 0.0, 1.0, 2.0]), None) is None


@pytest.mark.parametrize(
    ("columns", "unit", "last"),
    [
        ({"epoch": np.arange(40)}, "epoch", 39),
        ({"kimg": 6.4 * np.arange(40)}, "kimg", 249),
        ({"epoch": np.arange(40) / 10}, "row", 40),  # several rows per epoch
        ({"epoch": np.arange(40) // 10}, "row", 40),
        ({"seconds": np.arange(40)}, "row", 40),
        ({}, "row", 40),
    ],
)
def test_unit_is_reported(columns: dict[str, Any], unit: str, last: int) -> None:
    """The unit of the steps is a fact of the record and part of a note."""
    record = read(table(**columns, d_loss=1, g_loss=1))
    assert (record.facts["unit"], record.last_step) == (unit, last)
    assert ("rows are counted" if unit == "row" else f"unit of all steps is {unit}") in notes(
        record
    )


def test_parts_are_summed() -> None:
    """Without a whole loss of D, the loss is the sum of its parts on real and fake samples."""
    record = read(table(d_loss_real=0.25, d_loss_fake=0.5, g_loss=1))
    assert set(record[D].values) == {0.75}
    assert "sum of its two parts" in notes(record)
    assert set(read(table(d_loss_real=1, d_loss_fake=2, d_loss=9))[D].values) == {9.0}


def test_named_columns_are_used() -> None:
    """A column that the user names for a role is used, whatever its name is."""
    columns = table(a=1, b=2, n=np.arange(40), d_loss=3, g_loss=4)
    record = read(columns, discriminator_loss="a", generator_loss="b", step="n")
    assert (record[D].values[0], record[G].values[0], record.last_step) == (1, 2, 39)
    assert "guessed" not in notes(record)
    assert "guessed" in notes(read(columns, discriminator_loss="a"))


@pytest.mark.parametrize(
    ("columns", "wanted", "message"),
    [
        (["loss", "lr"], {}, r"no column is recognised as the discriminator's loss"),
        (["1", "2"], {}, r"--map discriminator_loss=NAME \(columns without a name"),
        (["d_loss_real"], {}, r"no column is recognised .*d_loss_real"),
        (["errD"], {"discriminator_los": "errD"}, r'nearest is "discriminator_loss"'),
        (["errD"], {"discriminator_loss": "err"}, r'nearest is "errD"'),
    ],
)
def test_unclear_discriminator_loss_is_an_error(
    columns: list[str], wanted: dict[str, str], message: str
) -> None:
    """If the discriminator's loss is unclear, the error says which option to add."""
    with pytest.raises(BadInput, match=message):
        read(table(**dict.fromkeys(columns, 1)), **wanted)


def test_generator_may_be_unclear() -> None:
    """The generator's loss is optional; a note names the columns that were left out."""
    record = read(table(loss_D=1, loss_G_A=1, loss_G_B=2))
    assert record[G].steps.size == 0
    assert "generator_loss may be loss_G_A or loss_G_B" in notes(record)


def test_unclear_class_terms_make_the_loss_mixed() -> None:
    """If it is unclear which column is the class term, the record has the fact `mixed`."""
    assert read(table(d_loss=1, d_loss_cls=1, d_loss_aux=1)).facts["mixed"] is True
    assert "mixed" not in read(table(d_loss=1, d_loss_cls=1)).facts


def test_non_finite_values_are_data() -> None:
    """NaN and infinities are kept at their steps."""
    values = np.ones(40)
    values[[3, 7]] = np.nan, np.inf
    np.testing.assert_array_equal(read(table(d_loss=values))[D].values, values)


def test_losses_are_registered_signals() -> None:
    """Readers record losses under names of the registry, which they cannot import themselves."""
    assert set(SIGNAL_OF_ROLE.values()) == {
        DISCRIMINATOR_LOSS, REAL_LOSS, FAKE_LOSS, GENERATOR_LOSS, CLASS_LOSS
    }  # fmt: skip
