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
from tests.attachment.loops import LOOPS, Game, game, linear_game

EVERY_STEP = {name: {"every": 1} for name in PROBE_CADENCES["attach"]}


def watch(played: Game, **options: object) -> Attachment:
    """Attach to a game."""
    return gandiag.attach(*played[:4], scores=played.scores, **options)  # type: ignore[arg-type]


def same(one: Game, other: Game) -> bool:
    """Whether two games stand at the same bits, optimizers and random numbers included."""
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
    """With every probe at every step, weights, buffers and random numbers end as without."""
    alone, watched = game(name), game(name)
    torch.manual_seed(1)
    alone.play(alone, 50)
    after = torch.get_rng_state()
    torch.manual_seed(1)
    with watch(watched, probes=EVERY_STEP):
        watched.play(watched, 50)
    assert torch.equal(after, torch.get_rng_state())
    assert same(alone, watched)


@pytest.mark.parametrize("name", LOOPS)
def test_idle_steps_lose_nothing(name: str) -> None:
    """What is seen at a look is the same where most steps before it have not been noted."""
    real = torch.cat([batch for batch, _ in loops.reals(50)])
    rows = []
    for probes in ({}, {"loss": {"every": 1}}):
        played = game(name)
        torch.manual_seed(1)
        with watch(played, probes=probes, real=real) as attached:
            played.play(played, 160)
        assert (attached._hooks._idle_until > attached.step) == (not probes)
        rows.append(attached.record.signals)
    few, many = ({k: v for k, v in seen.items() if k[:5] != "loss/"} for seen in rows)
    assert few.keys() == many.keys()
    for key, signal in few.items():
        assert signal.steps.tolist() == many[key].steps.tolist(), key
        np.testing.assert_array_equal(signal.values, many[key].values, key)


NETWORKS = {
    "linear": linear_game,
    "convolutions": functools.partial(game, "real_fake_then_generator"),
}


@pytest.mark.parametrize("networks", NETWORKS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_any_optimizer_keeps_its_bits(optimizer: str, networks: str) -> None:
    """500 watched steps are 500 unwatched ones, whatever steps the networks."""
    alone, watched = (NETWORKS[networks](OPTIMIZERS[optimizer]) for _ in range(2))
    torch.manual_seed(1)
    alone.play(alone, 500)
    torch.manual_seed(1)
    with watch(watched):
        watched.play(watched, 500)
    assert same(alone, watched)


SHAPES = [(7,), (1, 28, 28), (3, 64, 64), (3, 20, 48), (2, 3, 4, 5)]


@pytest.mark.parametrize("shape", SHAPES)
def test_samples_of_any_shape(shape: tuple[int, ...]) -> None:
    """Vectors, images of any size and volumes: everything is measured, and nothing disturbed."""

    def play() -> list[Tensor]:
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
            ends.append(play())
            continue
        with gandiag.attach(
            generator, discriminator, g_step, d_step, scores="logits", real=real, probes=EVERY_STEP
        ) as attached:
            ends.append(play())
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
def test_every_style_is_understood(name: str) -> None:
    """Real and fake are told apart, both players are seen, and the reference is gathered."""
    played = game(name)
    with watch(played) as watched:
        played.play(played, 110)
        record = watched.record
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
    assert ("confidence/real/discriminator" in record.signals) == (played.scores != "critic")
    assert watched.step == 110
    assert {d.status for d in watched.diagnose()} <= {"absent", "inconclusive"}


def test_real_is_what_the_loop_drew() -> None:
    """What D is taken to have seen as real is the loop's real batch, in every style."""
    seen: list[Tensor] = []

    @dataclass(frozen=True)
    class Keeper:
        """Keeps the real batches."""

        uses: ClassVar[frozenset[str]] = frozenset()

        def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
            """Keep the batch of the discriminator's turn."""
            if snapshot.player == "discriminator" and snapshot.real is not None:
                seen.append(snapshot.real)
            return {}

    for name in LOOPS:
        seen.clear()
        played = game(name)
        with watch(played) as watched:
            watched._watch.probes.append(ScheduledProbe("keeper", Keeper(), 1))
            played.play(played, 1)
        first = next(iter(loops.reals(1)))[0]
        assert torch.equal(seen[0], first[-len(seen[0]) :]) or torch.equal(
            seen[0], first[: len(seen[0])]
        ), name


def test_probabilities_are_read_as_logits() -> None:
    """The slope at a sigmoid's logits is p (1 - p) times that at its output: (p - 1) / B here."""
    played = game("generator_first")
    with watch(played, probes={"learning_signal": {"every": 1}}) as watched:
        played.play(played, 1)
        slope = watched.record["learning_signal/score_gradient/generator"].values[0]
    torch.manual_seed(0)
    again = game("generator_first")
    state = torch.get_rng_state()
    torch.manual_seed(0)
    game("generator_first")
    torch.set_rng_state(state)
    with torch.no_grad():
        p = again.discriminator(again.generator(torch.randn(loops.BATCH, loops.LATENT)))
    assert slope == pytest.approx(float((1 - p).mean()), rel=1e-4)


def test_step_decides_not_backward() -> None:
    """Recorded gradient norms are those that its optimizer used; a twin reads them at its step."""
    played = game("real_fake_then_generator")
    norms: list[float] = []

    def keep(optimizer: Optimizer, *_: object) -> None:
        gradients = [
            p.grad.flatten() for p in played.discriminator.parameters() if p.grad is not None
        ]
        norms.append(float(torch.cat(gradients).norm()))

    played.discriminator_optimizer.register_step_pre_hook(keep)
    with watch(played, probes={"gradient": {"every": 1}}) as watched:
        played.play(played, 20)
        seen = watched.record["gradient/norm/discriminator"].values
    assert seen.tolist() == pytest.approx(norms, rel=1e-5)


def test_detaching_leaves_no_hook() -> None:
    """After any number of attachments, networks and optimizers carry what they carried before."""
    played = game("real_fake_then_generator")
    for _ in range(3):
        with watch(played):
            played.play(played, 2)
    for network in (played.generator, played.discriminator):
        assert not any(m._forward_hooks or m._backward_hooks for m in network.modules())
    for optimizer in (played.generator_optimizer, played.discriminator_optimizer):
        assert not optimizer._optimizer_step_pre_hooks
        assert not optimizer._optimizer_step_post_hooks


@pytest.mark.parametrize("detached", [True, False])
def test_no_network_is_kept_alive(detached: bool) -> None:
    """A network that its owner forgets is gone, attached or not, though the watch is kept."""
    played = game("real_fake_then_generator")
    watched = watch(played)
    played.play(played, 12)
    references = [weakref.ref(played.generator), weakref.ref(played.discriminator)]
    if detached:
        watched.detach()
    del played
    gc.collect()
    assert [reference() for reference in references] == [None, None]
    assert watched.step == 12


def test_copies_are_not_watched() -> None:
    """A watched network can be copied and pickled; the copy works, and nobody watches it."""
    played = game("real_fake_then_generator")
    with watch(played) as watched:
        played.play(played, 3)
        copied = copy.deepcopy(played.generator)
        buffer = io.BytesIO()
        torch.save(played.generator, buffer)
        before = len(watched._hooks._fakes.fakes)
        copied(torch.randn(2, loops.LATENT))
        assert len(watched._hooks._fakes.fakes) == before
        assert b"gandiag" not in pickle.dumps(copied._forward_hooks)


def test_pickle_opens_without_gandiag(tmp_path: Path) -> None:
    """A network saved while watched opens where gandiag cannot be imported."""
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


def test_failing_probe_costs_itself_only() -> None:
    """A probe that raises is told once; loop, bits and the other probes go on."""

    @dataclass(frozen=True)
    class Broken:
        """Always fails."""

        uses: ClassVar[frozenset[str]] = frozenset()

        def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
            """Fail."""
            raise ValueError("broken")

    alone, watched = game("real_fake_then_generator"), game("real_fake_then_generator")
    torch.manual_seed(1)
    alone.play(alone, 55)
    torch.manual_seed(1)
    attached = watch(watched)
    attached._watch.probes.append(ScheduledProbe("broken", Broken(), 1))
    with pytest.warns(RuntimeWarning, match="broken is switched off") as told, attached:
        watched.play(watched, 55)
    assert len(told) == 1
    assert same(alone, watched)
    assert attached.record["gradient/norm/generator"].steps.tolist() == [0, 50]


def test_options_leave_cadences_alone() -> None:
    """An option of a probe, or its name alone, changes nothing of when it looks; False ends it."""
    chosen = {
        "gradient": {"layers": False},
        "objective": True,
        "loop": {"every": 7},
        "units": False,
    }
    with watch(game("real_fake_then_generator")) as plain:
        expected = {probe.name: probe.every for probe in plain._watch.probes}
    with watch(game("real_fake_then_generator"), probes=chosen) as attached:
        found = {probe.name: probe.every for probe in attached._watch.probes}
    del expected["units"]
    assert found == expected | {"loop": 7}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_exception_in_loop_passes(error: type[BaseException], tmp_path: Path) -> None:
    """An exception or Ctrl-C in the loop passes through; hooks are gone and the record opens."""
    played = game("real_fake_then_generator")

    def play() -> None:
        with watched:
            played.play(played, 55)
            raise error

    watched = watch(played, folder=tmp_path / "run")
    with pytest.raises(error):
        play()
    assert not watched._hooks.attached
    assert gandiag.load(tmp_path / "run").last_step == 50


def test_unclear_output_is_told_once() -> None:
    """A discriminator with several heads is refused in one sentence that says what to do."""
    torch.manual_seed(0)
    g, d = loops.Generator(), loops.Discriminator(heads=True)
    optimizers = Adam(g.parameters()), Adam(d.parameters())

    def play(attached: Attachment) -> None:
        with attached:
            for real, _ in loops.reals(3):
                (
                    d(real)[0].mean() - d(g(torch.randn(4, loops.LATENT)).detach())[0].mean()
                ).backward()
                optimizers[1].step()
                (-d(g(torch.randn(4, loops.LATENT)))[0].mean()).backward()
                optimizers[0].step()

    with pytest.warns(RuntimeWarning, match=r"select=lambda output: output\[0\]") as told:
        play(gandiag.attach(g, d, *optimizers, scores="critic"))
    assert len(told) == 1
    attached = gandiag.attach(g, d, *optimizers, scores="critic", select=lambda output: output[0])
    play(attached)
    assert "learning_signal/score_gradient/generator" in attached.record.signals


def test_impossible_is_refused() -> None:
    """What cannot be watched is refused at once, in one line that says why."""
    g, d = loops.Generator(), loops.Discriminator()
    g_step, d_step = Adam(g.parameters()), Adam(d.parameters())
    both = Adam([*g.parameters(), *d.parameters()])
    cases: list[tuple[tuple[object, ...], dict[str, object], str]] = [
        ((g, d, d_step, g_step), {}, "are the two swapped"),
        ((g, d, LBFGS(g.parameters()), d_step), {}, "LBFGS"),
        ((g, d, both, d_step), {}, "also steps parameters"),
        ((g, d, g_step, d_step), {"scores": "logit"}, 'nearest is "logits"'),
        ((g, d, g_step, d_step), {"real": torch.zeros(10, 1, 8, 8)}, "at least 600"),
        ((g, d, g_step, d_step), {"probes": {"diversty": {}}}, 'nearest is "diversity"'),
    ]
    for args, options, message in cases:
        with pytest.raises(gandiag.BadInput, match=message):
            gandiag.attach(*args, **{"scores": "logits", **options})  # type: ignore[arg-type]
    assert not g._forward_hooks


def test_known_data_need_no_gathering() -> None:
    """With `real` given, the first look already measures diversity."""
    played = game("real_fake_then_generator")
    samples = torch.cat([images for images, _ in loops.reals(40)])
    for given in (samples, torch.utils.data.TensorDataset(samples)):
        with watch(played, real=given, probes={"diversity": {"every": 20}}) as watched:
            played.play(played, 41)
            assert watched.record["diversity/coverage/generator"].steps.tolist() == [20, 40]


def test_alerts_reach_the_caller() -> None:
    """`on_alert` hears of a condition when it appears, with the step."""
    heard: list[tuple[str, int]] = []
    torch.manual_seed(0)
    g, d = loops.Generator(), loops.Discriminator()
    g_step, d_step = SGD(g.parameters(), lr=0.0), SGD(d.parameters(), lr=1e-4)

    def hear(diagnosis: Diagnosis, step: int) -> None:
        heard.append((diagnosis.condition, step))

    with gandiag.attach(g, d, g_step, d_step, scores="logits", on_alert=hear):
        for real, _ in loops.reals(500):
            d_step.zero_grad()
            (d(g(torch.randn(32, loops.LATENT)).detach()) - d(real)).mean().backward()
            d_step.step()
            g_step.zero_grad()
            (-1e-6 * d(g(torch.randn(32, loops.LATENT))).mean()).backward()
            g_step.step()
    assert {condition for condition, _ in heard} == {
        "vanishing_gradients",
        "idle_network",  # a learning rate of 0
        "unbounded_critic",
    }


def test_published_page_is_whole(tmp_path: Path) -> None:
    """A loop of one's own gets the same page as a scenario, without settings that it has not."""
    played = game("real_fake_then_generator")
    with watch(played, folder=tmp_path / "run") as watched:
        played.play(played, 60)
        places = watched.publish(tmp_path / "run")
    assert {Path(place).name for place in places} == {"report.html", "diagnoses.json"}
    replayed = gandiag.diagnose(tmp_path / "run")
    assert [d.condition for d in replayed] == [d.condition for d in watched.diagnose()]


def test_reports_fold_what_is_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Page and console name the objectives, and give the checks that found nothing one line."""
    played = game("real_fake_then_generator")
    with watch(played, probes={"loop": {"every": 10}, "objective": {"every": 10}}) as watched:
        played.play(played, 60)
        watched.publish(tmp_path)
    Console().publish(watched.report(), tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for text in (page, " ".join(capsys.readouterr().out.split())):
        assert "The generator minimises non-saturating cross-entropy" in text
        assert "found no fault (generator ascends" in text
    assert 'id="generator_ascends"' not in page
