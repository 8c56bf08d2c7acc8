from __future__ import annotations

import copy
import functools
import gc
import io
import math
import pickle
import subprocess
import sys
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.optim import LBFGS, SGD, Adam, Optimizer, RMSprop

import gandiag
from gandiag.attachment.watch_handle import Attachment
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.monitoring.schedule import ScheduledProbe
from gandiag.monitoring.snapshot import Snapshot
from gandiag.plugins.builtin import PROBE_CADENCES
from gandiag.reports.reporters.console import Console
from tests.attachment import loops
from tests.attachment.loops import LOOPS, TrainingLoop, build_linear_loop, build_loop

EVERY_STEP = {name: {"every": 1} for name in PROBE_CADENCES["attach"]}


def attach(loop: TrainingLoop, **options: object) -> Attachment:
    """Attach gandiag to a loop."""
    return gandiag.attach(*loop[:4], scores=loop.scores, **options)  # type: ignore[arg-type]


def have_same_weights(one: TrainingLoop, other: TrainingLoop) -> bool:
    """Whether the weights and buffers of two loops have the same bits."""
    states = [
        [*g.generator.state_dict().values(), *g.discriminator.state_dict().values()]
        for g in (one, other)
    ]
    return all(torch.equal(a, b) for a, b in zip(*states, strict=True))


OPTIMIZERS: Mapping[str, Callable[..., Optimizer]] = {
    "adam": functools.partial(Adam, lr=2e-4),
    "fused adam": functools.partial(Adam, lr=2e-4, fused=True),
    "sgd": functools.partial(SGD, lr=0.01, momentum=0.9),
    "rmsprop": functools.partial(RMSprop, lr=1e-4),
}


@pytest.mark.parametrize("name", LOOPS)
def test_watching_changes_no_bit(name: str) -> None:
    """With every probe at every step, weights and random numbers end as without gandiag."""
    unwatched, watched = build_loop(name), build_loop(name)
    torch.manual_seed(1)
    unwatched.train(unwatched, 50)
    after = torch.get_rng_state()
    torch.manual_seed(1)
    with attach(watched, probes=EVERY_STEP):
        watched.train(watched, 50)
    assert torch.equal(after, torch.get_rng_state())
    assert have_same_weights(unwatched, watched)


@pytest.mark.parametrize("name", LOOPS)
def test_idle_steps_lose_nothing(name: str) -> None:
    """An evaluation gives the same values whether the steps before it were observed or not."""
    real = torch.cat([batch for batch, _ in loops.generate_real_batches(50)])
    rows = []
    for probes in ({}, {"loss": {"every": 1}}):
        loop = build_loop(name)
        torch.manual_seed(1)
        with attach(loop, probes=probes, real=real) as attached:
            loop.train(loop, 160)
        assert (attached._hooks._idle_until > attached.step) == (not probes)
        rows.append(attached.record.signals)
    few, many = ({k: v for k, v in seen.items() if k[:5] != "loss/"} for seen in rows)
    assert few.keys() == many.keys()
    for key, signal in few.items():
        assert signal.steps.tolist() == many[key].steps.tolist(), key
        np.testing.assert_array_equal(signal.values, many[key].values, key)


NETWORKS = {
    "linear": build_linear_loop,
    "convolutions": functools.partial(build_loop, "real_fake_then_generator"),
}


@pytest.mark.parametrize("networks", NETWORKS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_any_optimizer_keeps_its_bits(optimizer: str, networks: str) -> None:
    """With any optimizer, 500 steps with gandiag give the same bits as 500 steps without it."""
    unwatched, watched = (NETWORKS[networks](OPTIMIZERS[optimizer]) for _ in range(2))
    torch.manual_seed(1)
    unwatched.train(unwatched, 500)
    torch.manual_seed(1)
    with attach(watched):
        watched.train(watched, 500)
    assert have_same_weights(unwatched, watched)


SHAPES = [(7,), (1, 28, 28), (3, 64, 64), (3, 20, 48), (2, 3, 4, 5)]


@pytest.mark.parametrize("shape", SHAPES)
def test_samples_of_any_shape(shape: tuple[int, ...]) -> None:
    """Samples may be vectors, images of any size or volumes: all is measured, no weight changes."""

    def train() -> list[Tensor]:
        torch.manual_seed(1)
        for _ in range(6):
            fake = generator(torch.randn(100, 4))
            d_step.zero_grad()
            on_real, on_fake = discriminator(real[:100]), discriminator(fake.detach())
            (softplus(-on_real).mean() + softplus(on_fake).mean()).backward()
            d_step.step()
            g_step.zero_grad()
            softplus(-discriminator(fake)).mean().backward()
            g_step.step()
        return [p.detach().clone() for p in (*generator.parameters(), *discriminator.parameters())]

    ends, record = [], None
    real = torch.randn(700, *shape, generator=torch.Generator().manual_seed(0))
    for watched in (False, True):
        torch.manual_seed(0)
        pixels = math.prod(shape)
        generator = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, pixels), nn.Unflatten(1, shape))
        discriminator = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 3), nn.Linear(3, 1))
        g_step, d_step = SGD(generator.parameters(), 0.1), SGD(discriminator.parameters(), 0.1)
        if not watched:
            ends.append(train())
            continue
        with gandiag.attach(
            generator, discriminator, g_step, d_step, scores="logits", real=real, probes=EVERY_STEP
        ) as attached:
            ends.append(train())
            record = attached.record
    assert all(torch.equal(one, other) for one, other in zip(*ends, strict=True))
    assert record is not None
    for name in (
        "diversity/effective_modes",
        "learning_signal/sample_gradient",
        "displacement/latent_spread",
        "gradient/backprop_gain",
    ):
        assert np.isfinite(record[f"{name}/generator"].last), name


@pytest.mark.parametrize("name", LOOPS)
def test_every_style_is_measured(name: str) -> None:
    """In every style, real and fake are split, both networks measured, and a reference built."""
    loop = build_loop(name)
    with attach(loop) as watch:
        loop.train(loop, 110)
        record = watch.record
    wanted = {
        "learning_signal/score_gradient/generator",
        "learning_signal/discriminator_gradient/generator",
        "confidence/auc/discriminator",
        "confidence_after/gap/discriminator",
        "gradient/norm/generator",
        "gradient/norm/discriminator",
        "diversity/effective_modes/generator",
        "displacement/latent_spread/generator",
    }
    assert wanted <= record.signals.keys()
    assert ("confidence/real/discriminator" in record.signals) == (loop.scores != "critic")
    assert watch.step == 110
    assert {d.status for d in watch.diagnose()} <= {"absent", "inconclusive"}


def test_real_batch_is_that_of_the_loop() -> None:
    """In every style, the real samples of a snapshot are the loop's real batch."""
    seen: list[Tensor] = []

    @dataclass(frozen=True)
    class RealBatchCollector:
        """Stores the real batches."""

        uses: ClassVar[frozenset[str]] = frozenset()

        def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
            """Store the batch of a discriminator step."""
            if snapshot.network_name == "discriminator" and snapshot.real is not None:
                seen.append(snapshot.real)
            return {}

    for name in LOOPS:
        seen.clear()
        loop = build_loop(name)
        with attach(loop) as watch:
            watch._session.watch.probes.append(ScheduledProbe("collector", RealBatchCollector(), 1))
            loop.train(loop, 1)
        first = next(iter(loops.generate_real_batches(1)))[0]
        assert torch.equal(seen[0], first[-len(seen[0]) :]) or torch.equal(
            seen[0], first[: len(seen[0])]
        ), name


def test_probabilities_are_read_as_logits() -> None:
    """The gradient at a logit is p (1 - p) times that at the probability: here (p - 1) / B."""
    loop = build_loop("generator_first")
    with attach(loop, probes={"learning_signal": {"every": 1}}) as watch:
        loop.train(loop, 1)
        gradient = watch.record["learning_signal/score_gradient/generator"].values[0]
    torch.manual_seed(0)
    again = build_loop("generator_first")
    state = torch.get_rng_state()
    torch.manual_seed(0)
    build_loop("generator_first")
    torch.set_rng_state(state)
    with torch.no_grad():
        p = again.discriminator(again.generator(torch.randn(loops.BATCH_SIZE, loops.LATENT_SIZE)))
    assert gradient == pytest.approx(float((1 - p).mean()), rel=1e-4)


def test_gradients_are_those_at_the_optimizer_step() -> None:
    """Recorded gradient norms are those that the optimizer uses; a twin reads them at its step."""
    loop = build_loop("real_fake_then_generator")
    norms: list[float] = []

    def keep(optimizer: Optimizer, *_: object) -> None:
        gradients = [
            p.grad.flatten() for p in loop.discriminator.parameters() if p.grad is not None
        ]
        norms.append(float(torch.cat(gradients).norm()))

    loop.discriminator_optimizer.register_step_pre_hook(keep)
    with attach(loop, probes={"gradient": {"every": 1}}) as watch:
        loop.train(loop, 20)
        seen = watch.record["gradient/norm/discriminator"].values
    assert seen.tolist() == pytest.approx(norms, rel=1e-5)


def test_detaching_leaves_no_hook() -> None:
    """After any number of attachments, networks and optimizers have the hooks they had before."""
    loop = build_loop("real_fake_then_generator")
    for _ in range(3):
        with attach(loop):
            loop.train(loop, 2)
    for network in (loop.generator, loop.discriminator):
        assert not any(m._forward_hooks or m._backward_hooks for m in network.modules())
    for optimizer in (loop.generator_optimizer, loop.discriminator_optimizer):
        assert not optimizer._optimizer_step_pre_hooks
        assert not optimizer._optimizer_step_post_hooks


@pytest.mark.parametrize("detached", [True, False])
def test_no_network_is_kept_alive(detached: bool) -> None:
    """An attachment, detached or not, does not keep networks alive that the loop has released."""
    loop = build_loop("real_fake_then_generator")
    watch = attach(loop)
    loop.train(loop, 12)
    references = [weakref.ref(loop.generator), weakref.ref(loop.discriminator)]
    if detached:
        watch.detach()
    del loop
    gc.collect()
    assert [reference() for reference in references] == [None, None]
    assert watch.step == 12


def test_copies_are_not_observed() -> None:
    """A network with hooks can be copied and pickled; the copy works and is not observed."""
    loop = build_loop("real_fake_then_generator")
    with attach(loop) as watch:
        loop.train(loop, 3)
        copied = copy.deepcopy(loop.generator)
        buffer = io.BytesIO()
        torch.save(loop.generator, buffer)
        before = len(watch._hooks._snapshots.fakes.fakes)
        copied(torch.randn(2, loops.LATENT_SIZE))
        assert len(watch._hooks._snapshots.fakes.fakes) == before
        assert b"gandiag" not in pickle.dumps(copied._forward_hooks)


def test_pickle_opens_without_gandiag(tmp_path: Path) -> None:
    """A network saved with hooks can be loaded where gandiag cannot be imported."""
    network = nn.Linear(2, 2)
    other = nn.Linear(2, 1)
    attached = gandiag.attach(
        network,
        other,
        SGD(network.parameters(), 0.1),
        SGD(other.parameters(), 0.1),
        scores="logits",
    )
    torch.save(network, tmp_path / "network.pt")
    attached.detach()
    code = (
        "import sys; sys.modules['gandiag'] = None\n"
        "import torch\n"
        f"n = torch.load({str(tmp_path / 'network.pt')!r}, weights_only=False)\n"
        "print(n(torch.zeros(1, 2)).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_failing_probe_is_switched_off_alone() -> None:
    """A probe that raises gives one warning; training, bits and other probes are not affected."""

    @dataclass(frozen=True)
    class Broken:
        """Raises at every snapshot."""

        uses: ClassVar[frozenset[str]] = frozenset()

        def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
            """Raise."""
            raise ValueError("broken")

    unwatched, watched = (
        build_loop("real_fake_then_generator"),
        build_loop("real_fake_then_generator"),
    )
    torch.manual_seed(1)
    unwatched.train(unwatched, 55)
    torch.manual_seed(1)
    attached = attach(watched)
    attached._session.watch.probes.append(ScheduledProbe("broken", Broken(), 1))
    with pytest.warns(RuntimeWarning, match="broken is switched off") as warned, attached:
        watched.train(watched, 55)
    assert len(warned) == 1
    assert have_same_weights(unwatched, watched)
    assert attached.record["gradient/norm/generator"].steps.tolist() == [0, 50]


def test_options_leave_cadences_alone() -> None:
    """Options of a probe, or its name alone, leave its cadence unchanged; False switches it off."""
    chosen = {
        "gradient": {"layers": False},
        "objective": True,
        "loop": {"every": 7},
        "units": False,
    }
    with attach(build_loop("real_fake_then_generator")) as default:
        expected = {probe.name: probe.every for probe in default._session.watch.probes}
    with attach(build_loop("real_fake_then_generator"), probes=chosen) as attached:
        found = {probe.name: probe.every for probe in attached._session.watch.probes}
    del expected["units"]
    assert found == expected | {"loop": 7}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_exception_in_loop_passes(error: type[BaseException], tmp_path: Path) -> None:
    """An exception or Ctrl-C passes through; the hooks are removed and the record can be loaded."""
    loop = build_loop("real_fake_then_generator")

    def train() -> None:
        with watch:
            loop.train(loop, 55)
            raise error

    watch = attach(loop, folder=tmp_path / "run")
    with pytest.raises(error):
        train()
    assert not watch._hooks.is_attached
    assert gandiag.load(tmp_path / "run").last_step == 50


def test_output_of_several_heads_gives_one_warning() -> None:
    """A discriminator with several outputs gives one warning that states what to pass."""
    torch.manual_seed(0)
    g, d = loops.Generator(), loops.Discriminator(heads=True)
    optimizers = Adam(g.parameters()), Adam(d.parameters())

    def train(attached: Attachment) -> None:
        with attached:
            for real, _ in loops.generate_real_batches(3):
                (
                    d(real)[0].mean() - d(g(torch.randn(4, loops.LATENT_SIZE)).detach())[0].mean()
                ).backward()
                optimizers[1].step()
                (-d(g(torch.randn(4, loops.LATENT_SIZE)))[0].mean()).backward()
                optimizers[0].step()

    with pytest.warns(RuntimeWarning, match=r"select=lambda output: output\[0\]") as warned:
        train(gandiag.attach(g, d, *optimizers, scores="critic"))
    assert len(warned) == 1
    attached = gandiag.attach(g, d, *optimizers, scores="critic", select=lambda output: output[0])
    train(attached)
    assert "learning_signal/score_gradient/generator" in attached.record.signals


def test_unsupported_arguments_are_refused() -> None:
    """Unsupported arguments raise BadInput with a reason, and no hook is registered."""
    g, d = loops.Generator(), loops.Discriminator()
    g_step, d_step = Adam(g.parameters()), Adam(d.parameters())
    both = Adam([*g.parameters(), *d.parameters()])
    cases: list[tuple[tuple[object, ...], dict[str, object], str]] = [
        ((g, d, d_step, g_step), {}, "are the two optimizers swapped"),
        ((g, d, LBFGS(g.parameters()), d_step), {}, "LBFGS"),
        ((g, d, both, d_step), {}, "also steps parameters"),
        ((g, d, g_step, d_step), {"scores": "logit"}, 'nearest is "logits"'),
        ((g, d, g_step, d_step), {"real": torch.zeros(10, 1, 8, 8)}, "at least 32"),
        ((g, d, g_step, d_step), {"probes": {"diversty": {}}}, 'nearest is "diversity"'),
    ]
    for args, options, message in cases:
        with pytest.raises(gandiag.BadInput, match=message):
            gandiag.attach(*args, **{"scores": "logits", **options})  # type: ignore[arg-type]
    assert not g._forward_hooks


def test_real_data_are_used_from_the_start() -> None:
    """With `real`, the first evaluation already measures diversity."""
    loop = build_loop("real_fake_then_generator")
    samples = torch.cat([images for images, _ in loops.generate_real_batches(40)])
    for given in (samples, torch.utils.data.TensorDataset(samples)):
        with attach(loop, real=given, probes={"diversity": {"every": 20}}) as watch:
            loop.train(loop, 41)
            assert watch.record["diversity/coverage/generator"].steps.tolist() == [20, 40]


def test_alerts_reach_the_caller() -> None:
    """`on_alert` is called with the condition that appears and its step."""
    alerts: list[tuple[str, int]] = []
    torch.manual_seed(0)
    g, d = loops.Generator(), loops.Discriminator()
    g_step, d_step = SGD(g.parameters(), lr=0.0), SGD(d.parameters(), lr=1e-4)

    def collect(diagnosis: Diagnosis, step: int) -> None:
        alerts.append((diagnosis.condition, step))

    with gandiag.attach(g, d, g_step, d_step, scores="logits", on_alert=collect):
        for real, _ in loops.generate_real_batches(500):
            d_step.zero_grad()
            (d(g(torch.randn(32, loops.LATENT_SIZE)).detach()) - d(real)).mean().backward()
            d_step.step()
            g_step.zero_grad()
            (-1e-6 * d(g(torch.randn(32, loops.LATENT_SIZE))).mean()).backward()
            g_step.step()
    assert {condition for condition, _ in alerts} == {
        "vanishing_gradients",
        "idle_network",  # a learning rate of 0
        "unbounded_critic",
    }


def test_published_page_is_complete(tmp_path: Path) -> None:
    """An attached loop gets the same page as a scenario, without the settings of a scenario."""
    loop = build_loop("real_fake_then_generator")
    with attach(loop, folder=tmp_path / "run") as watch:
        loop.train(loop, 60)
        places = watch.publish(tmp_path / "run")
    assert {Path(place).name for place in places} == {"report.html", "diagnoses.json"}
    saved = gandiag.diagnose(tmp_path / "run")
    assert [d.condition for d in saved] == [d.condition for d in watch.diagnose()]


def test_reports_summarise_passed_checks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Page and console name the objectives, and list the checks without a finding in one line."""
    loop = build_loop("real_fake_then_generator")
    with attach(loop, probes={"loop": {"every": 10}, "objective": {"every": 10}}) as watch:
        loop.train(loop, 60)
        watch.publish(tmp_path)
    Console().publish(watch.report(), tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for text in (page, " ".join(capsys.readouterr().out.split())):
        assert "The generator minimises non-saturating cross-entropy" in text
        assert "found no error (generator ascends" in text
    assert 'id="generator_ascends"' not in page
