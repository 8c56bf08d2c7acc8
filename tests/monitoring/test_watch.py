"""Laws of the watch: it looks when it is time, copies once a flush, and ends nobody's training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from gandiag.datasets.data import Data
from gandiag.models.variants.vanilla import Vanilla
from gandiag.monitoring.fixed_latents import DISPLACEMENT_LATENTS, FIXED_LATENTS
from gandiag.monitoring.forward_pass import ForwardPass
from gandiag.monitoring.reference import Reference
from gandiag.monitoring.schedule import ScheduledProbe
from gandiag.monitoring.snapshot import Call, LoopTrace, NetworkName, Snapshot
from gandiag.monitoring.watch import Watch
from gandiag.plugins import registry as plugins
from gandiag.plugins.builtin import BUILT_IN
from gandiag.records.record import Row
from gandiag.records.writer import Recorder
from gandiag.scenario.schema import Scenario, Training
from gandiag.training.trainer import train

PLAYERS: tuple[NetworkName, ...] = ("discriminator", "generator")
Normal = Callable[..., Tensor]


@dataclass(frozen=True)
class Diary:
    """A probe that writes down what it was shown."""

    seen: list[Snapshot] = field(default_factory=list)
    uses: ClassVar[frozenset[str]] = frozenset({"recent", "latents", "fixed", "reference"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Remember the snapshot, and return its step."""
        self.seen.append(snapshot)
        return {f"step/{snapshot.network_name}": float(snapshot.step)}


@dataclass(frozen=True)
class Says:
    """A probe that says what it was made with, or raises it."""

    what: object
    uses: ClassVar[frozenset[str]] = frozenset()

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return, or raise."""
        if isinstance(self.what, Exception):
            raise self.what
        return {f"value/{snapshot.network_name}": self.what}  # type: ignore[dict-item]


def players() -> tuple[nn.Module, nn.Module]:
    """A generator that doubles its latents, and a discriminator."""
    generator = nn.Linear(2, 2, bias=False)
    generator.weight.data = 2 * torch.eye(2)
    return generator, nn.Linear(2, 1)


def play(watch: Watch, steps: int, batch: int = 16, d_steps: int = 1, g_steps: int = 1) -> None:
    """Show the watch a game in which nothing is computed; latents and fakes count up."""
    generator, discriminator = players()
    step = made = 0
    while step < steps:
        turn = Snapshot(step, "discriminator", generator, discriminator)
        for _ in range(d_steps):
            if watch.is_due(step, "discriminator"):
                watch.observe(turn)
        for _ in range(min(g_steps, steps - step)):
            latents = torch.arange(made, made + batch).float()[:, None].repeat(1, 2)
            made += batch
            watch.add_batch(2 * latents, latents)
            if watch.is_due(step, "generator"):
                watch.observe(replace(turn, step=step, network_name="generator"))
            step += 1
            watch.after_generator_step(step, generator)
    watch.flush(step)


@settings(deadline=None, max_examples=50)
@given(
    every=st.integers(1, 7),
    d_steps=st.integers(1, 3),
    g_steps=st.integers(1, 5),
    steps=st.integers(1, 40),
)
def test_cadence_is_exact(every: int, d_steps: int, g_steps: int, steps: int) -> None:
    """A probe sees each player's first turn in every `every` generator steps, and no other."""
    diary = Diary()
    play(
        Watch([ScheduledProbe("diary", diary, every)], Recorder(None, {}, {})),
        steps,
        d_steps=d_steps,
        g_steps=g_steps,
    )
    turns: dict[NetworkName, list[int]] = {
        "generator": list(range(steps)),
        "discriminator": list(range(0, steps, g_steps)),
    }
    for player in PLAYERS:
        windows: dict[int, int] = {}
        for step in turns[player]:
            windows.setdefault(step // every, step)
        assert [s.step for s in diary.seen if s.network_name == player] == list(windows.values())


def test_broken_probe_is_switched_off(memory: Recorder) -> None:
    """A probe that raises ends with exactly one warning, and the others go on."""
    probes = [ScheduledProbe(n, p, 1) for n, p in (("bad", Says(KeyError("x"))), ("good", Diary()))]
    with pytest.warns(RuntimeWarning, match="probe bad is switched off since step 0") as caught:
        play(Watch(probes, memory), 30)
    assert len(caught) == 1
    record = memory.record()
    assert set(record.signals) == {"good/step/generator", "good/step/discriminator"}
    assert len(record["good/step/generator"].steps) == 30


@pytest.mark.parametrize("answer", ["three", None, torch.zeros(2, 2), [1.0], 1j])
def test_unstorable_answer_switches_off(memory: Recorder, answer: object) -> None:
    """What is neither a number nor a vector switches its probe off where it shows, not later."""
    probes = [ScheduledProbe("bad", Says(answer), 1), ScheduledProbe("good", Says(1.0), 1)]
    with pytest.warns(RuntimeWarning, match="probe bad is switched off") as caught:
        play(Watch(probes, memory), 10)
    assert len(caught) == 1
    assert set(memory.record().signals) == {"good/value/generator", "good/value/discriminator"}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (0.1, 0.1),
        (3, 3.0),
        (True, 1.0),
        (torch.tensor(0.1), 0.1),
        (torch.tensor(7), 7.0),
        (torch.tensor(True), 1.0),
        (torch.tensor(0.1, dtype=torch.float64), 0.1),
        (torch.tensor(0.5, dtype=torch.bfloat16), 0.5),
        (torch.tensor(math.inf), math.inf),
        (torch.tensor(math.nan), math.nan),
        (torch.tensor([1.0, -math.inf, 3.0]), [1.0, -math.inf, 3.0]),
        (torch.tensor(2.0, requires_grad=True), 2.0),
    ],
)
def test_numbers_arrive_unchanged(memory: Recorder, answer: object, expected: object) -> None:
    """Numbers and vectors of any type reach the record as `.item()` would give them."""
    play(Watch([ScheduledProbe("p", Says(answer), 1)], memory), 3)
    values = memory.record()["p/value/generator"].values
    np.testing.assert_allclose(values, [expected] * 3, rtol=1e-6)


def test_one_copy_a_flush(memory: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many tensors wait, a flush moves them to the host in one copy."""
    copies: list[int] = []
    tolist = Tensor.tolist

    def count(tensor: Tensor) -> object:
        copies.append(tensor.numel())
        return tolist(tensor)

    monkeypatch.setattr(Tensor, "tolist", count)
    probes = [ScheduledProbe(str(k), Says(torch.tensor([k, 0.5])), 1) for k in range(5)]
    play(Watch(probes, memory, flush_every=10), 20)
    # the first flush comes after step 1, then one after 11 and one at the end
    assert copies == [2 * 2 * 5, 2 * 2 * 5 * 10, 2 * 2 * 5 * 9]


WAITS = (
    "_local_scalar_dense",
    "nonzero",
    "bincount",
    "masked_select",
    "unique",
    "nanmedian.default",
)


class NoWaiting(TorchDispatchMode):
    """Forbids what makes the host wait for a GPU; GPU or not, the operators are the same."""

    def __torch_dispatch__(
        self, func: Any, types: object, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> object:
        """Run an operator, or refuse it."""
        name = str(func)
        mask = name == "aten.index.Tensor" and any(
            index is not None and index.dtype == torch.bool for index in args[1]
        )
        waits = mask or any(f"aten.{wait}" in name for wait in WAITS)
        assert not waits, f"{name} waits for the GPU"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", BUILT_IN["probes"])
def test_probes_do_not_wait(name: str, ring_reference: Reference, normal: Normal) -> None:
    """No probe asks for a number on the host: that is the flush's business."""
    generator, discriminator = nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.Linear(2, 1)
    for parameter in (*generator.parameters(), *discriminator.parameters()):
        parameter.grad = torch.ones_like(parameter)
    points = 28 * 28 if name == "classes" else 2
    recent = normal((512, points)).reshape((512, 1, 28, 28) if name == "classes" else (512, 2))
    probe, placed = (
        plugins.build("probes", name),
        ring_reference.compute_fake_stats(normal((512, 2))),
    )
    conduct = LoopTrace(
        normal((8,)), normal((8,)), normal((8,)), normal((8,)), leftover_norm=normal(()),
        largest_weight=normal(()),
        largest_weight_before=normal(()),
    )  # fmt: skip
    seen: set[str] = set()
    for player in PLAYERS:
        snapshot = Snapshot(
            3, player, generator, discriminator, real=normal((8, 2)), fake=normal((8, 2)),
            real_pass=ForwardPass(discriminator, lambda: discriminator(normal((8, 2)))),
            fixed_pass=ForwardPass(generator, lambda: generator(normal((64, 2)))),
            score_fake=lambda: discriminator(normal((8, 2))),
            real_scores=normal((8,)), fake_scores=normal((8,)),
            score_gradient=normal((8,)), input_gradient=normal((8, 2)), loss=normal(()),
            recent=recent, fake_stats=placed, latents=(Call((normal((64, 2)),), {}),),
            fixed=normal((64, 2)), fixed_before=normal((64, 2), seed=1), fixed_steps=100,
            reference=ring_reference,
            probability=torch.sigmoid, weights=normal((9,)), weights_before=normal((9,), seed=1),
            weights_steps=10, loop_trace=conduct,
        )  # fmt: skip
        if name == "classes":
            probe.observe(snapshot)  # loads the classifier, once
        with torch.no_grad(), NoWaiting():
            seen |= probe.observe(snapshot).keys()
    assert seen


def test_waiting_would_be_noticed() -> None:
    """The law above can fail: an `.item()`, a `float` or a boolean mask is refused."""
    tensor = torch.ones(3)
    for wait in (lambda: tensor.sum().item(), lambda: float(tensor[0]), lambda: tensor[tensor > 0]):
        with NoWaiting(), pytest.raises(AssertionError, match="waits for the GPU"):
            wait()


@given(batch=st.integers(1, 150))
@settings(deadline=None, max_examples=30)
def test_fixed_latents_freeze(batch: int) -> None:
    """The first 64 latents that the loop draws are the fixed ones, for any batch size, for good."""
    diary = Diary()
    watch = Watch([ScheduledProbe("diary", diary, 1)], Recorder(None, {}, {}))
    play(watch, 70, batch)
    complete = [s for s in diary.seen if s.latents]
    first = math.ceil(FIXED_LATENTS / batch) - 1  # the step whose batch completes them
    assert min(s.step for s in complete if s.network_name == "generator") == first
    expected = torch.arange(FIXED_LATENTS).float()[:, None].repeat(1, 2)
    drawn = [torch.cat([call.args[0] for call in s.latents]) for s in complete]
    assert all(torch.equal(latents, expected) for latents in drawn)
    fixed = [s.fixed for s in complete if s.fixed is not None]
    assert fixed
    assert all(torch.equal(output, 2 * expected[:DISPLACEMENT_LATENTS]) for output in fixed)
    assert torch.equal(watch.generate_samples(players()[0]), 2 * expected)


@pytest.mark.parametrize("batch", [1, 16, 64, 500, 512, 700])
def test_recent_holds_newest(batch: int, ring_reference: Reference, memory: Recorder) -> None:
    """The recent fakes are the newest batches, enough for the reference and at most one more."""
    diary = Diary()
    steps = 3 + 600 // batch
    watch = Watch([ScheduledProbe("diary", diary, 1)], memory)
    watch.set_reference(ring_reference)
    play(watch, steps, batch)
    for snapshot in diary.seen:
        if snapshot.network_name == "discriminator":
            assert snapshot.recent is None
            continue
        assert snapshot.recent is not None
        count, newest = len(snapshot.recent), 2.0 * (snapshot.step + 1) * batch
        assert snapshot.recent[:, 0].tolist() == [newest - 2 * k for k in range(count, 0, -1)]
        assert count == batch * min(
            snapshot.step + 1, math.ceil(ring_reference.sample_size / batch)
        )


@pytest.mark.parametrize("every", [1, 7, 30, 50, 100, 130, 250])
def test_motion_lag_is_long(every: int, memory: Recorder) -> None:
    """The earlier output is that of the newest look that is 100 steps old or older."""
    diary = Diary()
    play(Watch([ScheduledProbe("diary", diary, every)], memory), 520, batch=64)
    looks = [s for s in diary.seen if s.network_name == "generator"]
    steps = [s.step for s in looks]
    assert steps == list(range(0, 520, every))
    for look in looks:
        old = [step for step in steps if step <= look.step - 100]
        assert look.fixed_steps == (look.step - max(old) if old else 0)
        assert (look.fixed_before is not None) == bool(old)


def test_costly_is_made_on_demand(memory: Recorder) -> None:
    """Without a probe that asks for them, no outputs at fixed latents are computed."""
    calls: list[int] = []
    watch = Watch([ScheduledProbe("cheap", Says(1.0), 1)], memory)
    generator, discriminator = players()
    generator.register_forward_hook(lambda *_: calls.append(1))
    for step in range(3):
        watch.add_batch(torch.zeros(64, 2), torch.zeros(64, 2))
        watch.observe(Snapshot(step, "generator", generator, discriminator))
    assert not calls


class OneSize(nn.Module):
    """A generator that takes batches of 128 and no others."""

    def forward(self, latents: Tensor) -> Tensor:
        """Reshape to a fixed batch."""
        return latents.reshape(128, 2)


def test_stubborn_generator_goes_on(memory: Recorder) -> None:
    """A generator that cannot be run on the fixed latents costs their probes, not the training."""
    diary = Diary()
    watch = Watch(
        [ScheduledProbe("fixed", diary, 1), ScheduledProbe("other", Says(1.0), 1)],
        memory,
        sample_grid_every=5,
        save_sample_grid=lambda step, samples: None,
    )
    generator = OneSize()

    def go_on() -> None:
        for step in range(20):
            watch.add_batch(torch.zeros(128, 2), torch.zeros(128, 2))
            watch.observe(Snapshot(step, "generator", generator, nn.Identity()))
            watch.after_generator_step(step + 1, generator)

    with pytest.warns(RuntimeWarning) as caught:
        go_on()
    assert sorted(str(w.message).split(" since")[0] for w in caught) == [
        "no sample grids",
        "probe fixed is switched off",
    ]
    watch.flush(20)
    assert len(memory.record()["other/value/generator"].steps) == 20


def test_sheets_come_in_time(memory: Recorder) -> None:
    """Sheets of the fixed latents are drawn after the first step and at each multiple."""
    sheets: dict[int, Tensor] = {}
    watch = Watch([], memory, sample_grid_every=10, save_sample_grid=sheets.__setitem__)
    play(watch, 35, batch=64)
    assert list(sheets) == [1, 10, 20, 30]
    assert all(torch.equal(sheet, sheets[1]) for sheet in sheets.values())


def test_rows_reach_followers_once(memory: Recorder) -> None:
    """Every row is handed on exactly once, in order, with the step that is reached."""
    rows: list[Row] = []
    reached: list[int] = []

    def after(new: object, step: int) -> None:
        rows.extend(new)  # type: ignore[arg-type]
        reached.append(step)
        assert all(row.step <= step for row in rows)

    play(Watch([ScheduledProbe("p", Says(1.0), 3)], memory, flush_every=10, after_flush=after), 47)
    assert [row.step for row in rows] == list(range(0, 47, 3))
    assert reached == [1, 11, 21, 31, 41, 47]  # what was seen at a multiple comes at once
    assert memory.record()["p/value/generator"].steps.tolist() == [row.step for row in rows]


def test_probes_see_no_gradient_mode(memory: Recorder) -> None:
    """A probe that computes something builds no graph, though it was not told so."""
    modes: list[bool] = []

    @dataclass(frozen=True)
    class Asks:
        uses: ClassVar[frozenset[str]] = frozenset()

        def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
            """Note whether gradients are on."""
            modes.append(torch.is_grad_enabled())
            return {}

    play(Watch([ScheduledProbe("asks", Asks(), 1)], memory), 2)
    assert set(modes) == {False}


class Strict(Watch):
    """A watch on a GPU that may wait for it in a flush only."""

    def flush(self, step: int) -> None:
        """Allow waiting, flush, and forbid it again."""
        torch.cuda.set_sync_debug_mode("default")
        super().flush(step)
        torch.cuda.set_sync_debug_mode("error")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_no_sync_between_flushes(ring: Data, memory: Recorder) -> None:
    """On a GPU, nothing waits for the device between two flushes, with every default probe."""
    gan, probes = Vanilla(width=32).build((2,)), Scenario().probes
    gan.generator.cuda()
    gan.discriminator.cuda()
    samples = ring.train.cuda()
    scheduled = [ScheduledProbe(name, plugins.build("probes", name), 1) for name in probes]
    watch = Strict(scheduled, memory, gan.objective.probability)
    watch.set_reference(Reference.from_samples(samples, ring.held_out.cuda()))
    try:
        assert train(gan, samples, Training(steps=160), 0, watch) == 160
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert not any(probe.is_switched_off for probe in scheduled)


def test_weights_are_compared_with_the_last_look() -> None:
    """A probe that uses weights sees the entries of its last look again, and the steps between."""
    seen: list[tuple[float, int]] = []

    @dataclass(frozen=True)
    class Keeper:
        """Keeps how far the weights have come."""

        uses: ClassVar[frozenset[str]] = frozenset({"weights"})

        def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
            """Keep the distance between the two looks."""
            if snapshot.weights is not None and snapshot.weights_before is not None:
                moved = (snapshot.weights - snapshot.weights_before).norm()
                seen.append((float(moved), snapshot.weights_steps))
            return {}

    generator, discriminator = nn.Linear(100, 100, bias=False), nn.Linear(100, 1)
    watch = Watch([ScheduledProbe("keeper", Keeper(), 10)], Recorder(None, {}, {}))
    for step in (0, 10, 30):
        with torch.no_grad():
            generator.weight += 1
        watch.observe(Snapshot(step, "generator", generator, discriminator))
    entries = 100 * 100 // (100 * 100 // 4096)
    assert seen == [(pytest.approx(entries**0.5), 10), (pytest.approx(entries**0.5), 20)]
