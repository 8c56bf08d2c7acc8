"""Tests of the watch: its schedule, one copy per flush, and that it never ends a training."""

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
from gandiag.monitoring.reference import Reference
from gandiag.monitoring.schedule import ScheduledProbe
from gandiag.monitoring.snapshot import NetworkName, Snapshot
from gandiag.monitoring.watch import NETWORKS, Watch
from gandiag.plugins import registry as plugins
from gandiag.plugins.builtin import BUILT_IN
from gandiag.records.record import Row
from gandiag.records.writer import Recorder
from gandiag.scenario.schema import Scenario, Training
from gandiag.training.trainer import train


@dataclass(frozen=True)
class SnapshotProbe:
    """A probe that stores its snapshots."""

    snapshots: list[Snapshot] = field(default_factory=list)
    uses: ClassVar[frozenset[str]] = frozenset({"recent", "latents", "fixed", "reference"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Store the snapshot, and return its step."""
        self.snapshots.append(snapshot)
        return {f"step/{snapshot.network_name}": float(snapshot.step)}


@dataclass(frozen=True)
class FixedAnswer:
    """A probe that returns its answer, or raises it if the answer is an exception."""

    answer: object
    uses: ClassVar[frozenset[str]] = frozenset()

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return or raise the answer."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return {f"value/{snapshot.network_name}": self.answer}  # type: ignore[dict-item]


def build_networks() -> tuple[nn.Module, nn.Module]:
    """A generator that doubles its latents, and a discriminator."""
    generator = nn.Linear(2, 2, bias=False)
    generator.weight.data = 2 * torch.eye(2)
    return generator, nn.Linear(2, 1)


def simulate(watch: Watch, steps: int, batch: int = 16, d_steps: int = 1, g_steps: int = 1) -> None:
    """Call the watch as a training loop would, without training; latents and samples count up."""
    generator, discriminator = build_networks()
    step = generated = 0
    while step < steps:
        snapshot = Snapshot(step, "discriminator", generator, discriminator)
        for _ in range(d_steps):
            if watch.is_due(step, "discriminator"):
                watch.observe(snapshot)
        for _ in range(min(g_steps, steps - step)):
            latents = torch.arange(generated, generated + batch).float()[:, None].repeat(1, 2)
            generated += batch
            watch.add_batch(2 * latents, latents)
            if watch.is_due(step, "generator"):
                watch.observe(replace(snapshot, step=step, network_name="generator"))
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
def test_schedule_is_exact(every: int, d_steps: int, g_steps: int, steps: int) -> None:
    """A probe gets each network's first step in every `every` generator steps, and no other."""
    probe = SnapshotProbe()
    simulate(
        Watch([ScheduledProbe("snapshots", probe, every)], Recorder(None, {}, {})),
        steps,
        d_steps=d_steps,
        g_steps=g_steps,
    )
    all_steps: dict[NetworkName, list[int]] = {
        "generator": list(range(steps)),
        "discriminator": list(range(0, steps, g_steps)),
    }
    for network in NETWORKS:
        windows: dict[int, int] = {}
        for step in all_steps[network]:
            windows.setdefault(step // every, step)
        assert [s.step for s in probe.snapshots if s.network_name == network] == list(
            windows.values()
        )


def test_broken_probe_is_switched_off(memory: Recorder) -> None:
    """A probe that raises an exception causes exactly one warning; the other probes continue."""
    probes = [
        ScheduledProbe(n, p, 1)
        for n, p in (("bad", FixedAnswer(KeyError("x"))), ("good", SnapshotProbe()))
    ]
    with pytest.warns(RuntimeWarning, match="probe bad is switched off since step 0") as caught:
        simulate(Watch(probes, memory), 30)
    assert len(caught) == 1
    record = memory.record()
    assert set(record.signals) == {"good/step/generator", "good/step/discriminator"}
    assert len(record["good/step/generator"].steps) == 30


@pytest.mark.parametrize("answer", ["three", None, torch.zeros(2, 2), [1.0], 1j])
def test_unstorable_answer_switches_off(memory: Recorder, answer: object) -> None:
    """A probe is switched off at once if its answer is neither a number nor a vector."""
    probes = [
        ScheduledProbe("bad", FixedAnswer(answer), 1),
        ScheduledProbe("good", FixedAnswer(1.0), 1),
    ]
    with pytest.warns(RuntimeWarning, match="probe bad is switched off") as caught:
        simulate(Watch(probes, memory), 10)
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
def test_numbers_are_recorded_unchanged(memory: Recorder, answer: object, expected: object) -> None:
    """Numbers and vectors of any type are recorded as `.item()` would return them."""
    simulate(Watch([ScheduledProbe("p", FixedAnswer(answer), 1)], memory), 3)
    values = memory.record()["p/value/generator"].values
    np.testing.assert_allclose(values, [expected] * 3, rtol=1e-6)


def test_flush_copies_once(memory: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush copies all pending tensors to the host at once, however many there are."""
    copies: list[int] = []
    tolist = Tensor.tolist

    def count(tensor: Tensor) -> object:
        copies.append(tensor.numel())
        return tolist(tensor)

    monkeypatch.setattr(Tensor, "tolist", count)
    probes = [ScheduledProbe(str(k), FixedAnswer(torch.tensor([k, 0.5])), 1) for k in range(5)]
    simulate(Watch(probes, memory, flush_every=10), 20)
    # The first flush comes after step 1, the next after step 11, and one at the end.
    assert copies == [2 * 2 * 5, 2 * 2 * 5 * 10, 2 * 2 * 5 * 9]


# Parts of the names of operators whose result, or its shape, the host reads.
WAITS = (
    "_local_scalar_dense",
    "nonzero",
    "bincount",
    "masked_select",
    "unique",
    "nanmedian.default",
)


class NoWaiting(TorchDispatchMode):
    """Forbids operators that make the host wait for a GPU; on a CPU they are the same ones."""

    def __init__(self, name: str) -> None:
        """Name the culprit in the error."""
        super().__init__()
        self._name = name

    def __torch_dispatch__(
        self, func: Any, types: object, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> object:
        """Run an operator, or raise an error."""
        name = str(func)
        mask = name == "aten.index.Tensor" and any(
            index is not None and index.dtype == torch.bool for index in args[1]
        )
        waits = mask or any(f"aten.{wait}" in name for wait in WAITS)
        assert not waits, f"{self._name}: {name} waits for the GPU"
        return func(*args, **(kwargs or {}))


def test_probes_do_not_wait(full_snapshot: Callable[[str, NetworkName], Snapshot]) -> None:
    """No probe reads a number on the host: only a flush does."""
    for name in BUILT_IN["probes"]:
        probe, found = plugins.build("probes", name), set()
        for network in NETWORKS:
            if name == "classes":  # the first evaluation loads the classifier
                probe.observe(full_snapshot(name, network))
            snapshot = full_snapshot(name, network)
            with torch.no_grad(), NoWaiting(name):
                found |= probe.observe(snapshot).keys()
        assert found, name


def test_waiting_would_be_found() -> None:
    """The test above can fail: an `.item()`, a `float` or a boolean mask raises an error."""
    tensor = torch.ones(3)
    for wait in (lambda: tensor.sum().item(), lambda: float(tensor[0]), lambda: tensor[tensor > 0]):
        with NoWaiting("this"), pytest.raises(AssertionError, match="waits for the GPU"):
            wait()


@given(batch=st.integers(1, 150))
@settings(deadline=None, max_examples=30)
def test_first_latents_are_fixed(batch: int) -> None:
    """The first 64 latents of the loop are the fixed ones from then on, for any batch size."""
    probe = SnapshotProbe()
    watch = Watch([ScheduledProbe("snapshots", probe, 1)], Recorder(None, {}, {}))
    simulate(watch, 70, batch)
    complete = [s for s in probe.snapshots if s.latents]
    first = math.ceil(FIXED_LATENTS / batch) - 1  # step whose batch completes them
    assert min(s.step for s in complete if s.network_name == "generator") == first
    expected = torch.arange(FIXED_LATENTS).float()[:, None].repeat(1, 2)
    fixed_latents = [torch.cat([call.args[0] for call in s.latents]) for s in complete]
    assert all(torch.equal(latents, expected) for latents in fixed_latents)
    fixed = [s.fixed for s in complete if s.fixed is not None]
    assert fixed
    assert all(torch.equal(output, 2 * expected[:DISPLACEMENT_LATENTS]) for output in fixed)
    assert torch.equal(watch.generate_samples(build_networks()[0]), 2 * expected)


@pytest.mark.parametrize("batch", [1, 16, 64, 500, 512, 700])
def test_recent_samples_are_the_newest(
    batch: int, ring_reference: Reference, memory: Recorder
) -> None:
    """Recent samples are the newest batches: enough for the reference, and no batch more."""
    probe = SnapshotProbe()
    steps = 3 + 600 // batch
    watch = Watch([ScheduledProbe("snapshots", probe, 1)], memory)
    watch.set_reference(ring_reference)
    simulate(watch, steps, batch)
    for snapshot in probe.snapshots:
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
def test_displacement_takes_100_steps_or_more(every: int, memory: Recorder) -> None:
    """The earlier output is that of the newest evaluation that is at least 100 steps old."""
    probe = SnapshotProbe()
    simulate(Watch([ScheduledProbe("snapshots", probe, every)], memory), 520, batch=64)
    evaluations = [s for s in probe.snapshots if s.network_name == "generator"]
    steps = [s.step for s in evaluations]
    assert steps == list(range(0, 520, every))
    for evaluation in evaluations:
        old = [step for step in steps if step <= evaluation.step - 100]
        assert evaluation.fixed_steps == (evaluation.step - max(old) if old else 0)
        assert (evaluation.fixed_before is not None) == bool(old)


def test_costly_fields_are_computed_on_demand(memory: Recorder) -> None:
    """Without a probe that uses them, no outputs at fixed latents are computed."""
    calls: list[int] = []
    watch = Watch([ScheduledProbe("cheap", FixedAnswer(1.0), 1)], memory)
    generator, discriminator = build_networks()
    generator.register_forward_hook(lambda *_: calls.append(1))
    for step in range(3):
        watch.add_batch(torch.zeros(64, 2), torch.zeros(64, 2))
        watch.observe(Snapshot(step, "generator", generator, discriminator))
    assert not calls


class FixedBatchGenerator(nn.Module):
    """A generator that accepts only batches of 128."""

    def forward(self, latents: Tensor) -> Tensor:
        """Reshape to a batch of 128."""
        return latents.reshape(128, 2)


def test_training_continues_with_fixed_batch_generator(memory: Recorder) -> None:
    """If the generator fails at the fixed latents, only the probes that use them are lost."""
    probe = SnapshotProbe()
    watch = Watch(
        [ScheduledProbe("fixed", probe, 1), ScheduledProbe("other", FixedAnswer(1.0), 1)],
        memory,
        sample_grid_every=5,
        save_sample_grid=lambda step, samples: None,
    )
    generator = FixedBatchGenerator()

    def run() -> None:
        for step in range(20):
            watch.add_batch(torch.zeros(128, 2), torch.zeros(128, 2))
            watch.observe(Snapshot(step, "generator", generator, nn.Identity()))
            watch.after_generator_step(step + 1, generator)

    with pytest.warns(RuntimeWarning) as caught:
        run()
    assert sorted(str(w.message).split(" since")[0] for w in caught) == [
        "no sample grids",
        "probe fixed is switched off",
    ]
    watch.flush(20)
    assert len(memory.record()["other/value/generator"].steps) == 20


def test_sample_grids_are_on_schedule(memory: Recorder) -> None:
    """Grids of the fixed samples are saved after the first step and at each multiple."""
    grids: dict[int, Tensor] = {}
    watch = Watch([], memory, sample_grid_every=10, save_sample_grid=grids.__setitem__)
    simulate(watch, 35, batch=64)
    assert list(grids) == [1, 10, 20, 30]
    assert all(torch.equal(grid, grids[1]) for grid in grids.values())


def test_rows_are_passed_on_once(memory: Recorder) -> None:
    """Every row is passed on exactly once, in order, with the number of completed steps."""
    rows: list[Row] = []
    reached: list[int] = []

    def after(new: object, step: int) -> None:
        rows.extend(new)  # type: ignore[arg-type]
        reached.append(step)
        assert all(row.step <= step for row in rows)

    simulate(
        Watch(
            [ScheduledProbe("p", FixedAnswer(1.0), 3)], memory, flush_every=10, after_flush=after
        ),
        47,
    )
    assert [row.step for row in rows] == list(range(0, 47, 3))
    assert reached == [1, 11, 21, 31, 41, 47]  # one step after the evaluations
    assert memory.record()["p/value/generator"].steps.tolist() == [row.step for row in rows]


def test_probes_run_without_gradients(memory: Recorder) -> None:
    """Computations of a probe record no graph, though the probe does not use `no_grad`."""
    modes: list[bool] = []

    @dataclass(frozen=True)
    class GradientMode:
        uses: ClassVar[frozenset[str]] = frozenset()

        def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
            """Store whether gradients are enabled."""
            modes.append(torch.is_grad_enabled())
            return {}

    simulate(Watch([ScheduledProbe("mode", GradientMode(), 1)], memory), 2)
    assert set(modes) == {False}


class StrictWatch(Watch):
    """A watch that may wait for the GPU only in a flush."""

    def flush(self, step: int) -> None:
        """Allow waiting, flush, and forbid it again."""
        torch.cuda.set_sync_debug_mode("default")
        super().flush(step)
        torch.cuda.set_sync_debug_mode("error")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_no_sync_between_flushes(ring: Data, memory: Recorder) -> None:
    """No default probe makes the host wait for the GPU between two flushes."""
    gan, probes = Vanilla(width=32).build((2,)), Scenario().probes
    gan.generator.cuda()
    gan.discriminator.cuda()
    samples = ring.train.cuda()
    scheduled = [ScheduledProbe(name, plugins.build("probes", name), 1) for name in probes]
    watch = StrictWatch(scheduled, memory, gan.objective.probability)
    watch.set_reference(Reference.from_samples(samples, ring.held_out.cuda()))
    try:
        assert train(gan, samples, Training(steps=160), 0, watch) == 160
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert not any(probe.is_switched_off for probe in scheduled)


def test_weights_are_compared_with_the_last_evaluation() -> None:
    """A probe gets the weights of its last evaluation too, and the number of steps between."""
    distances: list[tuple[float, int]] = []

    @dataclass(frozen=True)
    class WeightDistance:
        """Stores the distance that the weights moved."""

        uses: ClassVar[frozenset[str]] = frozenset({"weights"})

        def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
            """Store the distance between the two evaluations."""
            if snapshot.weights is not None and snapshot.weights_before is not None:
                distance = (snapshot.weights - snapshot.weights_before).norm()
                distances.append((float(distance), snapshot.weights_steps))
            return {}

    generator, discriminator = nn.Linear(100, 100, bias=False), nn.Linear(100, 1)
    watch = Watch([ScheduledProbe("distance", WeightDistance(), 10)], Recorder(None, {}, {}))
    for step in (0, 10, 30):
        with torch.no_grad():
            generator.weight += 1
        watch.observe(Snapshot(step, "generator", generator, discriminator))
    entries = 100 * 100 // (100 * 100 // 4096)
    assert distances == [(pytest.approx(entries**0.5), 10), (pytest.approx(entries**0.5), 20)]
