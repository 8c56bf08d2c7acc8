from __future__ import annotations

import gzip
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandiag.plugins.errors import BadInput
from gandiag.records.logs import read_log
from gandiag.records.readers._console_line import parse_line
from gandiag.records.readers.console import Console
from gandiag.records.record import Record

D, G = "loss/value/discriminator", "loss/value/generator"
ROWS, PER_EPOCH = 60, 20
BAR = "\u2588\u258c"


class Point(NamedTuple):
    """One row of a run: its number, epoch from 0, iteration in the epoch, and both losses."""

    row: int
    epoch: int
    batch: int
    d: float
    g: float


def losses(row: int) -> tuple[float, float]:
    """Losses of a row, which all logged formats can write without rounding."""
    return round(1.0 + 0.25 * math.sin(row), 3), round(2.0 + 0.5 * math.cos(row), 3)


def points() -> list[Point]:
    """The rows of a run of three epochs."""
    return [Point(k, *divmod(k, PER_EPOCH), *losses(k)) for k in range(ROWS)]


# Formats of public trainers, and of loops that people post: one row as text.
FORMATS: dict[str, Callable[[Point], str]] = {
    "pytorch dcgan": lambda p: (
        f"[{p.epoch}/3][{p.batch}/20]\tLoss_D: {p.d:.4f}\tLoss_G: {p.g:.4f}\tD(x): 0.6037\t"
        "D(G(z)): 0.3963 / 0.3705\n"
    ),
    "dcgan.torch": lambda p: (
        f"Epoch: [{p.epoch + 1}][{p.batch + 1:8d} / {20:8d}]\t Time: 0.165  DataTime: 0.047    "
        f"Err_G: {p.g:.4f}  Err_D: {p.d:.4f}\n"
    ),
    "keras-gan": lambda p: f"{p.row} [D loss: {p.d:.6f}, acc.: 60.94%] [G loss: {p.g:.6f}]\n",
    "pytorch-gan": lambda p: (
        f"[Epoch {p.epoch}/200] [Batch {p.batch}/20] [D loss: {p.d:.6f}] [G loss: {p.g:.6f}] "
        f"ETA: 1:02:03.456\n"
    ),
    "cyclegan": lambda p: (
        f"(epoch: {p.epoch + 1}, iters: {p.batch + 1}, time: 0.311, data: 0.000) D_A: {p.d:.3f} "
        f"G_A: {p.g:.3f} cycle_A: 0.654 idt_A: 0.161 D_B: 0.097 G_B: 0.823 cycle_B: 0.894\n"
    ),
    "pix2pix": lambda p: (
        f"(epoch: {p.epoch + 1}, iters: {p.batch + 1}, time: 0.3, data: 0.1) G_GAN: {p.g:.3f} "
        f"G_L1: 12.345 D_real: {p.d:.3f} D_fake: 0.000 \n"
    ),
    "basicsr": lambda p: (
        f"2020-08-15 15:50:{p.row:02d},390 INFO: [My_ES..][epoch:{p.epoch:3d}, "
        f"iter: {20000 + 100 * p.row:7,d}, lr:(1.000e-04,)] [eta: 1 day, 18:13:17, "
        f"time (data): 0.365 (0.002)] l_g_pix: 3.1414e-04 l_g_gan: {p.g:.4e} "
        f"l_d_real: {p.d:.4e} l_d_fake: 0.0000e+00 out_d_real: 9.6936e+01 \n"
    ),
    "tqdm postfix": lambda p: (
        f"Epoch {p.epoch}:  {5 * p.batch}%|{BAR}  | {p.batch}/20 "
        f"[00:{p.batch:02d}<00:40, 20.3it/s, v_num=3, g_loss={p.g:.3f}, d_loss={p.d:.3f}]\r"
    ),
    "tqdm text": lambda p: (
        f"  0%|          | {p.row}/3000 [00:13<13:40:35, 16.42s/it]dloss: {p.d}\tg_loss: {p.g}\n"
    ),
    "keras batches": lambda p: (
        (f"Epoch {p.epoch + 1}/3\n" if p.batch == 0 else "")
        + f"{p.batch + 1}/20 [{'=' * p.batch}>{'.' * (20 - p.batch)}] - ETA: 12s - "
        f"d_loss: {p.d:.4f} - g_loss: {p.g:.4f}" + "\x08" * 60
    ),
    "keras epochs": lambda p: (
        f"Epoch {p.row + 1}/60\n469/469 [==============================] - 12s 26ms/step - "
        f"d_loss: {p.d:.4f} - g_loss: {p.g:.4f}\n"
    ),
    "coqui": lambda p: (
        f"\n   --> STEP: {p.batch}/20 -- GLOBAL_STEP: {200000 + 25 * p.row}\n"
        f"     | > loss_disc: {p.d:.5f}  (1.23456)\n     | > loss_gen: {p.g:.5f}  (2.34567)\n"
        f"     | > current_lr_0: 0.00010 \n     | > step_time: 0.29070  (0.29190)\n"
    ),
    "mmgeneration": lambda p: (
        f"2021-05-01 12:00:00,000 - mmgen - INFO - Iter [{100 * (p.row + 1)}/300000]\t"
        "lr_generator: 2.000e-04 lr_discriminator: 2.000e-04, eta: 1 day, 2:13:14, time: 0.500, "
        f"data_time: 0.010, memory: 4000, loss_disc_fake: {p.d:.4f}, loss_disc_real: 0.0000, "
        f"loss: 1.2000, loss_disc_fake_g: {p.g:.4f}\n"
    ),
    "biggan": lambda p: (
        f"1/1250 (  0.08%) itr: {p.row}, G_loss : {p.g:+4.3f}, D_loss_real : {p.d:+4.3f}, "
        "D_loss_fake : +0.000\n"
    ),
    "stargan": lambda p: (
        f"Elapsed [0:00:{p.row:02d}], Iteration [{10 * (p.row + 1)}/200000], D/loss_real: 0.0000, "
        f"D/loss_fake: {p.d:.4f}, D/loss_cls: 3.1200, D/loss_gp: 0.0120, G/loss_fake: {p.g:.4f}, "
        "G/loss_rec: 0.4510, G/loss_cls: 3.2100\n"
    ),
    "ctgan": lambda p: f"Epoch {p.row + 1}, Loss G:  {p.g:.4f},Loss D: {p.d:.4f}\n",
    "ctgan bar": lambda p: (
        f"Gen. ({p.g:.3f}) | Discrim. ({p.d:.3f}):  45%|{BAR}   | {p.row}/60 [00:10<00:12, 3it/s]\r"
    ),
    "lucidrains": lambda p: (
        f"default<./data>:   5%|{BAR}  | {50 * p.row}/150000 [10:00<3:00:00, 2.1it/s]\n"
        f"G: {p.g:.3f} | D: {p.d:.3f} | GP: 0.02 | PL: 0.41 | CR: 0.00 | Q: 0.00\n"
    ),
    "sentences": lambda p: (
        f"Step {p.row}: The loss of the generator is {p.g}, that of the discriminator is {p.d}.\n"
    ),
    "dicts": lambda p: (
        f"{{'epoch': {p.row}, 'd_loss': tensor({p.d}, device='cuda:0', grad_fn=<AddBackward0>), "
        f"'g_loss': np.float32({p.g})}}\n"
    ),
    "tensorflow": lambda p: (
        f"Time for epoch {p.row + 1} is 12.3 sec, gen_loss: tf.Tensor({p.g}, shape=(), "
        f"dtype=float32) disc_loss: tf.Tensor({p.d}, shape=(), dtype=float32)\n"
    ),
    "blocks": lambda p: (
        f"======== Iteration {p.row} ========\nDiscriminator\n   loss = {p.d}\nGenerator\n"
        f"   loss = {p.g}\n"
    ),
    "two lines": lambda p: f"iter {p.row} D loss {p.d}\niter {p.row} G loss {p.g}\n",
    "brackets": lambda p: f"[{p.epoch + 1}, {p.batch + 1:5d}] [D] loss: {p.d} [G] loss: {p.g}\n",
    "pairs": lambda p: f"Epoch {p.row}/60  Loss D/G: {p.d:.4f}/{p.g:.4f}  lr 0.0002\n",
    "spaces": lambda p: f"step {p.row} loss_d {p.d} loss_g {p.g}\n",
    "box": lambda p: (
        f"| iteration | {p.row} |\n| d_loss | {p.d} |\n| g_loss | {p.g} |\n|-----------|-----|\n"
    ),
    "glog": lambda p: (
        f"I0812 12:33:{p.row:02d}.123456 4321 train.py:55] step {p.row} d_loss={p.d} g_loss={p.g}\n"
    ),
    "colours": lambda p: (
        f"\x1b[32m[{p.row}/60]\x1b[0m \x1b[1mD_loss\x1b[0m: {p.d} \x1b[1mG_loss\x1b[0m: {p.g}\n"
    ),
    "glued": lambda p: f"epoch{p.row:03d} -> errD={p.d}, errG={p.g}\n",
    "kimg": lambda p: (
        f"tick {p.row}  kimg {4 * p.row}.0  time 5m 23s  D {p.d}  G {p.g} sec/tick 2\n"
    ),
    "json in text": lambda p: (
        f'INFO:root:{{"iter": {p.row}, "loss": {{"disc": {p.d}, "gen": {p.g}}}}}\n'
    ),
    "arrows": lambda p: (
        f"#{p.row} \u2014 step: {p.row} \u2014 D_loss \u2192 {p.d} \u2014 G_loss \u2192 {p.g}\n"
    ),
    "tutorial": lambda p: f">{p.epoch + 1}, {p.batch + 1}/20, d1={p.d}, d2=0.0, g={p.g}\n",
    "time first": lambda p: f"Time for epoch {p.row} is 5 sec: d_loss {p.d}, g_loss {p.g}\n",
    "train and test": lambda p: (
        f"[Train] epoch {p.row} d_loss {p.d} g_loss {p.g}\n[Valid] d_loss 9.5 g_loss 9.5\n"
    ),
}
PREAMBLE = """\
Namespace(batch_size=64, epochs=25, lr=0.0002, beta1=0.5, ngf=64)
Using device: cuda:0
Number of parameters: 3576704
/usr/lib/python3/site.py:12: UserWarning: deprecated since version 0.13
Starting Training Loop...
"""


@pytest.mark.parametrize("name", FORMATS)
def test_formats_of_trainers_are_read(tmp_path: Path, name: str) -> None:
    """Every row of a public format is read with both losses, in order, after any preamble."""
    path = tmp_path / "train.log"
    path.write_text(PREAMBLE + "".join(map(FORMATS[name], points())), encoding="utf-8")
    record = read_log(path)
    assert record.environment["log"]["reader"] == "console"
    expected = [losses(row) for row in range(ROWS)]
    np.testing.assert_allclose(record[D].values, [d for d, _ in expected], atol=1e-9)
    np.testing.assert_allclose(record[G].values, [g for _, g in expected], atol=1e-9)
    assert np.ptp(np.diff(record[D].steps)) == 0
    assert record.facts["unit"] in ("step", "epoch", "kimg")


def read(folder: Path, text: str, name: str = "train.log") -> Record:
    """The record of a text, read by the reader of console text."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return Console().read(path, {})


def notes(record: Record) -> str:
    """All notes on a log as one text."""
    return " ".join(record.environment["log"]["notes"])


@pytest.mark.parametrize("word", ["nan", "NaN", "inf", "-inf", "tensor(nan)", "Infinity"])
def test_non_finite_values_are_kept(tmp_path: Path, word: str) -> None:
    """NaN and infinities are numbers of the log, at their steps."""
    text = f"0 [D loss: 0.5, acc: 50%] [G loss: 1.5]\n1 [D loss: {word}, acc: 50%] [G loss: 1.5]\n"
    steps, values = read(tmp_path, text)[D]
    assert steps.tolist() == [0, 1]
    assert math.isnan(values[1]) == ("nan" in word.lower())
    assert not math.isfinite(values[1])


@pytest.mark.parametrize(
    ("line", "positions", "values"),
    [
        ("iter:  20,000, d: 1", {"iter": 20000}, {"d": 1}),
        ("[1,200] d: 1", {"epoch": 1, "iteration": 200}, {"d": 1}),
        ("D(G(z)): 0.39 / 0.37", {}, {"D(G(z))": 0.39}),
        ("time (data): 0.3 (0.002) lr:(1e-4,)", {}, {"time (data)": 0.3, "lr": 1e-4}),
        ("step 10k loss_d 1", {"step": 10000}, {"loss_d": 1}),
        ("12:30:01.5 2020-08-15 3/4/2021 1.2.3 d: 1", {}, {"d": 1}),
        ("45%|##5   | 9/20 [00:01<00:02, 9.7it/s, d=1]", {"iteration": 9}, {"d": 1}),
        ("12s 26ms/step - d: -1.5e-05", {}, {"d": -1.5e-5}),
        ("'fid50k_full': 12.5, None: None", {}, {"fid50k_full": 12.5}),
        ("Loss G/D: 2.0/1.0", {}, {"Loss G": 2, "Loss D": 1}),
        ("The loss of D is now 1.", {}, {"loss D": 1}),
        ("no number here", {}, {}),
    ],
)
def test_numbers_get_their_names(
    line: str, positions: dict[str, float], values: dict[str, float]
) -> None:
    """Counters and values of a line are told apart; dates, times and rates are neither."""
    found = parse_line(line)
    assert (found.positions, found.values) == (positions, values)


def test_epoch_and_iteration_give_the_position(tmp_path: Path) -> None:
    """The length of an epoch is the one that the log gives, also if not every step is logged."""
    lines = [f"[{e}/3][{b}/782] Loss_D: 1.0 Loss_G: {b}\n" for e in range(3) for b in (0, 50, 700)]
    record = read(tmp_path, "".join(lines))
    assert record[D].steps.tolist() == [782 * e + b for e in range(3) for b in (0, 50, 700)]
    assert "The position is epoch and iteration together" in notes(record)


def test_lists_without_names_are_numbered(tmp_path: Path) -> None:
    """A printed list of numbers, as VITS logs its losses, is read if the user names its columns."""
    lines = "".join(f"INFO Train Epoch: 1 [0%]\nINFO [0.{k}, 2.5, {k}00]\n" for k in range(1, 9))
    path = tmp_path / "train.log"
    path.write_text(lines)
    with pytest.raises(BadInput, match=r"columns without a name are numbered"):
        Console().read(path, {})
    steps, values = Console().read(path, {"discriminator_loss": "1", "step": "3"})[D]
    assert (steps[-1], values[-1]) == (800, 0.8)


def test_each_discriminator_is_read(tmp_path: Path) -> None:
    """The losses of a second discriminator and its generator are signals of their own."""
    lines = [f"(epoch: 1, iters: {k}) D_A: 1 G_A: 2 D_B: 3 G_B: 4 idt_B: 5\n" for k in range(9)]
    record = read(tmp_path, "".join(lines))
    assert record.facts["discriminators"] == ["D_A", "D_B"]
    levels = {name: set(signal.values) for name, signal in record.signals.items()}
    assert levels == {D: {1}, G: {2}, "loss/value.D_B/discriminator": {3},
                      "loss/value.D_B/generator": {4}}  # fmt: skip
    assert "2 discriminators: D_A, D_B" in notes(record)


def test_evaluations_are_no_training(tmp_path: Path) -> None:
    """Losses in a part of the log about an evaluation are left out."""
    block = " > TRAINING\n --> STEP: {k}/9 -- GLOBAL_STEP: {k}\n | > loss_disc: {k}\n"
    block += " > EVALUATION\n --> STEP: 0\n | > loss_disc: 99\n"
    values = read(tmp_path, "".join(block.format(k=k) for k in range(9)))[D].values
    assert values.tolist() == list(range(9))


def test_scores_between_losses_are_read(tmp_path: Path) -> None:
    """FID on lines of its own belongs to the step before it."""
    lines = [f"step {k}: d_loss 1.0\n" + ("FID: 50.5\n" if k % 3 == 2 else "") for k in range(9)]
    steps, values = read(tmp_path, "".join(lines))["quality/fid/generator"]
    assert (steps.tolist(), set(values)) == ([2, 5, 8], {50.5})


def test_a_weighted_term_is_marked(tmp_path: Path) -> None:
    """The weight of a generator's adversarial term is unknown; a plain loss has none."""
    assert read(tmp_path, "l_d_real: 1 l_d_fake: 1 l_g_gan: 1\n" * 3).facts["weighted"] is True
    assert "weighted" not in read(tmp_path, "d_loss: 1 g_loss: 1\n" * 3).facts


def test_generator_alone_is_read(tmp_path: Path) -> None:
    """A log without the discriminator's loss is read, and a note says what is missing."""
    record = read(tmp_path, "".join(f"Steps : {k}, Gen Loss Total : 0.0\n" for k in range(9)))
    assert D not in record.signals
    assert "no column is recognised as the discriminator's loss" in notes(record).lower()
    assert "has not started" in notes(record)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "latin-1"])
def test_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    """PowerShell writes UTF-16; a letter in another encoding spoils no number."""
    path = tmp_path / "out"
    path.write_bytes("Durchl\u00e4ufe\r\nstep 1 d_loss 0.5\r\nstep 2 d_loss 0.7".encode(encoding))
    assert read_log(path)[D].values.tolist() == [0.5, 0.7]


def test_gzip_and_decimal_commas_are_read(tmp_path: Path) -> None:
    """A zipped log is unzipped; decimal commas are understood where no number has a point."""
    path = tmp_path / "train.log.gz"
    path.write_bytes(gzip.compress(b"Epoch 1: D = 0,453; G = 1,25\nEpoch 2: D = 0,5; G = 2,0\n"))
    assert read_log(path)[D].values.tolist() == [0.453, 0.5]


@pytest.mark.parametrize("text", ["", "\n\n", "no numbers at all\n", "1 2 3\n4 5 6\n"])
def test_text_without_losses_is_refused(tmp_path: Path, text: str) -> None:
    """A text that is no log is an error of one line."""
    path = tmp_path / "notes.txt"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"^[^\n]+$"):
        read_log(path)


WORDS = "step ,epoch: ,D_loss,loss,G, = ,: ,[,],(,),/,|,nan,inf,1,0.5,1e999,-,%,12:30,{,},k, "
ODD = [
    ",",
    "20,000",
    "9" * 400,
    "=" * 9,
    '"',
    "'",
    "\n",
    "\r",
    "\t",
    "\x08",
    "\x1b[31m",
    "\u2588",
    "\0",
]
PIECES = st.sampled_from([*WORDS.split(","), *ODD])
NAMES = st.sampled_from(["a.log", "a.csv", "a.json", "a.jsonl", "a.csv.gz", "a"])


@settings(deadline=None, max_examples=150)
@given(
    data=st.one_of(
        st.binary(max_size=300),
        st.lists(PIECES, max_size=80).map(lambda pieces: "".join(pieces).encode()),
    ),
    name=NAMES,
)
def test_any_bytes_are_a_record_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str
) -> None:
    """Any file is read as a record, or refused with a message of one line."""
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(data)
    message, signals = "", []
    try:
        signals = list(read_log(path).signals.values())
    except BadInput as error:
        message = str(error)
    assert "\n" not in message
    assert all((np.diff(signal.steps) > 0).all() for signal in signals)
