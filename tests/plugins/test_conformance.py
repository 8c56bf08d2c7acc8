"""Laws of every plugin in the catalogue: whoever adds one is held to these without a new test."""

from __future__ import annotations

import dataclasses
import inspect
import random
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from gandiag.diagnosis.diagnosis import Diagnosis, diagnose
from gandiag.models.gan import GAN
from gandiag.monitoring.forward_pass import ForwardPass
from gandiag.monitoring.reference import Reference
from gandiag.monitoring.snapshot import Call, LoopTrace, NetworkName, Snapshot
from gandiag.plugins import protocols as contracts
from gandiag.plugins import registry as plugins
from gandiag.plugins.builtin import BUILT_IN, PROBE_CADENCES
from gandiag.records.record import Record, Row, Signal
from gandiag.records.writer import Recorder

EVERY = [(family, name) for family, names in BUILT_IN.items() for name in names]
DETECTORS = list(BUILT_IN["detectors"])
SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
NEEDS_A_PATH = {("datasets", "npz"), ("datasets", "image_folder")}
PLAYERS: tuple[NetworkName, ...] = ("discriminator", "generator")
BINS = 6  # of the histograms in the made-up records

every_plugin = pytest.mark.parametrize(("family", "name"), EVERY)
every_detector = pytest.mark.parametrize("name", DETECTORS)
every_probe = pytest.mark.parametrize("name", BUILT_IN["probes"])


@every_plugin
def test_plugin_keeps_contract(family: str, name: str) -> None:
    """Every name leads to a frozen dataclass that has what its family asks for."""
    kind = plugins.load(family, name)
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert SNAKE.fullmatch(name)
    contract = getattr(contracts, family.removesuffix("es" if family == "fixes" else "s").title())
    for method, expected in inspect.getmembers(contract, inspect.isfunction):
        if not method.startswith("_"):
            asked = list(inspect.signature(expected).parameters)
            assert list(inspect.signature(getattr(kind, method)).parameters) == asked


@every_plugin
def test_plugin_needs_no_options(family: str, name: str) -> None:
    """Every option has a default, but for the path of data that somebody else has."""
    open_fields = [
        field.name
        for field in dataclasses.fields(plugins.load(family, name))
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    assert open_fields == (["path"] if (family, name) in NEEDS_A_PATH else [])
    if not open_fields:
        assert plugins.build(family, name) == plugins.build(family, name, {})


@every_plugin
def test_plugin_is_described(family: str, name: str) -> None:
    """The catalogue can say what a plugin is, and what each of its options means."""
    described = plugins.describe(family, name)
    assert re.match(r"[A-Z0-9].*\.", described.summary), "the docstring begins with a sentence"
    fields = [field.name for field in dataclasses.fields(plugins.load(family, name))]
    assert [option.name for option in described.options] == fields
    for option in described.options:
        assert option.comment, f"{option.name} has no comment that says what it means"


# --- detectors


def detector(name: str) -> Any:
    """A detector with its default thresholds."""
    return plugins.build("detectors", name)


def signals_read(name: str) -> list[str]:
    """Every signal that a detector's source mentions, whether it needs it or not."""
    source = inspect.getsource(inspect.getmodule(plugins.load("detectors", name)))  # type: ignore[arg-type]
    players = {"generator", "discriminator"}
    found = set(re.findall(r'"(\w+/[\w.]+/(?:generator|discriminator))"', source))
    return sorted({name for name in found if name.rsplit("/", 1)[1] in players})


ALL_SIGNALS = sorted(
    {signal for name in DETECTORS for signal in signals_read(name)}
    | {
        f"{what}/{player}"
        for what in ("loss/value", "gradient/parameter_norm")
        for player in PLAYERS
    }
)


def made_up(seed: int, looks: int = 40, odd: float = 0.0) -> list[Row]:
    """Rows in which every signal wanders over decades; a share `odd` of them is not finite."""
    draw, count = np.random.default_rng(seed), len(ALL_SIGNALS)
    walks = draw.normal(0, 0.2, (looks, count)).cumsum(0) + draw.uniform(-5, 1, count)
    levels = 10.0 ** walks.clip(-30, 30)
    strange = draw.random((looks, count)) < odd
    levels[strange] = draw.choice([np.nan, np.inf, -np.inf], strange.sum())
    shares = draw.dirichlet(np.full(BINS, 0.3), (looks, count))
    shares[strange] = np.nan
    rows = []
    for look in range(looks):
        values = zip(ALL_SIGNALS, levels[look].tolist(), shares[look].tolist(), strict=True)
        rows.append(Row(50 * look, {n: v if is_vector(n) else x for n, x, v in values}))
    return rows


def is_vector(name: str) -> bool:
    """Whether a signal is a histogram."""
    return "/bins/" in name or "/histogram/" in name or name.startswith("objective/")


FACTS = {"steps": 2000, "mode_shares": [1 / BINS] * BINS, "class_shares": [1 / BINS] * BINS,
         "turnover_baseline": 0.1}  # fmt: skip


def judged(name: str, rows: list[Row], step: int | None = None) -> dict[str, Any]:
    """The answer on a record of rows, as plain data in which NaN equals NaN."""
    record = Record.from_rows(rows, facts=FACTS)
    (found,) = diagnose(record if step is None else record.until(step), [detector(name)])
    check(found, record)
    return found.as_json()


def check(found: Diagnosis, record: Record) -> None:
    """Assert what is true of every answer."""
    assert found.status in ("present", "absent", "inconclusive")
    assert found.summary.strip().endswith(".")
    if found.status == "present":
        assert found.kind is not None
        assert found.onset is not None
        assert 0 <= found.onset <= record.last_step
        assert found.severity is not None
        assert 0 <= found.severity <= 1
    else:
        assert (found.kind, found.onset, found.severity) == (None, None, None)
    if found.status != "inconclusive":
        assert found.evidence
    for item in found.evidence:
        if np.isfinite(item.observed):  # what is not finite may hold by itself
            below, above = item.observed < item.threshold, item.observed > item.threshold
            assert item.holds == (below if item.relation == "<" else above)
        assert SNAKE.fullmatch(item.signal.split("/")[0])


@every_detector
def test_condition_is_snake_case(name: str) -> None:
    """A condition's name is snake_case, and each is detected by one detector."""
    conditions = [detector(other).condition for other in DETECTORS]
    assert SNAKE.fullmatch(detector(name).condition)
    assert conditions.count(detector(name).condition) == 1


@every_detector
def test_no_data_is_inconclusive(name: str) -> None:
    """An empty record, and one look, are too little to say that a failure is absent."""
    assert judged(name, [])["status"] == "inconclusive"
    rows = [
        Row(
            50,
            dict.fromkeys(ALL_SIGNALS, 0.5) | {"diversity/mode_histogram/generator": [1.0] * BINS},
        )
    ]
    assert judged(name, rows)["status"] == "inconclusive"
    (empty,) = [detector(name).detect(Record({}))]
    assert empty.status == "inconclusive"
    assert empty.condition == detector(name).condition


@every_detector
def test_missing_signals_are_named(name: str) -> None:
    """Without one of the signals it needs, the answer is inconclusive and says which."""
    for missing in detector(name).needs:
        rows = [
            Row(row.step, {n: v for n, v in row.signals.items() if n != missing})
            for row in made_up(0)
        ]
        answer = judged(name, rows)
        assert answer["status"] == "inconclusive"
        assert missing in answer["summary"]


@every_detector
@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10**6), odd=st.sampled_from([0.0, 0.1, 0.5, 1.0]), looks=st.integers(1, 40)
)
def test_detector_answers_anything(name: str, seed: int, odd: float, looks: int) -> None:
    """Whatever a record holds, NaN and infinities included, there is a well-formed answer."""
    judged(name, made_up(seed, looks, odd))


@every_detector
@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, 1e30, float("nan"), float("inf"), float("-inf")])
def test_constant_records_are_judged(name: str, value: float) -> None:
    """A record in which every signal has one value, whichever it is, gets an answer."""
    signals = {n: [value] * BINS if is_vector(n) else value for n in ALL_SIGNALS}
    judged(name, [Row(50 * look, signals) for look in range(40)])


@every_detector
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), look=st.integers(0, 39))
def test_prefix_gets_same_answer(name: str, seed: int, look: int) -> None:
    """Asked during the run, or years later about the run until then, the answer is the same."""
    rows = made_up(seed)
    recorder = Recorder(None, FACTS, {})
    recorder.add(rows[: look + 1])
    (during,) = diagnose(recorder.record(), [detector(name)])
    recorder.add(rows[look + 1 :])
    (later,) = diagnose(recorder.record().until(rows[look].step), [detector(name)])
    assert during.as_json() == later.as_json()


@every_detector
def test_detector_changes_nothing(name: str) -> None:
    """A record is the same after it has been judged, and the second answer is the first."""
    record = Record.from_rows(made_up(5), facts=dict(FACTS))
    before = {n: Signal(s.steps.copy(), s.values.copy()) for n, s in record.signals.items()}
    for signal in record.signals.values():
        signal.values.flags.writeable = signal.steps.flags.writeable = False
    first, second = (diagnose(record, [detector(name)])[0].as_json() for _ in range(2))
    assert first == second
    assert record.facts == FACTS
    for n, signal in before.items():
        np.testing.assert_array_equal(record[n].values, signal.values)


@every_detector
def test_answers_survive_json(name: str) -> None:
    """A diagnosis that is written down and read back is the same."""
    for seed in range(5):
        (found,) = diagnose(Record.from_rows(made_up(seed), facts=FACTS), [detector(name)])
        assert Diagnosis.from_json(found.as_json()).as_json() == found.as_json()


# --- probes


@pytest.fixture
def noisy_turn(
    build_noisy_gan: Callable[[], GAN], ring_reference: Reference, normal: Callable[..., Tensor]
) -> Callable[[NetworkName, bool], Snapshot]:
    """A full turn of players with BatchNorm, dropout and gradients."""

    def make(player: NetworkName, digits: bool) -> Snapshot:
        gan = build_noisy_gan()
        latents, real = normal((64, 4)), normal((64, 2))
        fake = gan.generator(latents)
        scores = gan.discriminator(fake)
        fake.retain_grad()
        scores.retain_grad()
        loss = gan.objective.generator(scores)
        loss.backward()
        return Snapshot(
            step=100,
            network_name=player,
            generator=gan.generator,
            discriminator=gan.discriminator,
            real=real,
            fake=fake.detach(),
            real_scores=gan.discriminator(real).detach(),
            fake_scores=scores.detach(),
            real_pass=ForwardPass(gan.discriminator, lambda: gan.discriminator(real)),
            score_fake=lambda: gan.discriminator(fake.detach()),
            score_gradient=scores.grad,
            input_gradient=fake.grad,
            probability=torch.sigmoid,
            loss=loss.detach(),
            recent=normal((512, 1, 28, 28)) if digits else normal((512, 2)),
            fake_stats=ring_reference.compute_fake_stats(normal((512, 2))),
            latents=(Call((latents,), {}),),
            fixed_pass=ForwardPass(gan.generator, lambda: gan.generator(latents)),
            fixed=fake.detach(),
            fixed_before=normal((64, 2)),
            fixed_steps=100,
            reference=ring_reference,
            weights=normal((9,)),
            weights_before=normal((9,), seed=1),
            weights_steps=10,
            loop_trace=LoopTrace(
                scores.detach(), normal((64,)), scores.detach(), normal((64,)),
                leftover_norm=normal(()),
                largest_weight=normal(()), largest_weight_before=normal(()),
            ),
        )  # fmt: skip

    return make


Traces = dict[str, Any]


def traces(snapshot: Snapshot) -> Traces:
    """Copies of everything that a probe could disturb."""
    found: Traces = {"torch": torch.get_rng_state(), "random": random.getstate()}
    found["numpy"] = np.random.get_state()[1].copy()  # type: ignore[index, union-attr]
    for player in PLAYERS:
        network: nn.Module = getattr(snapshot, player)
        for name, value in network.state_dict().items():
            found[f"{player}.{name}"] = value.clone()
        for name, parameter in network.named_parameters():
            found[f"{player}.{name}.grad"] = (
                None if parameter.grad is None else parameter.grad.clone()
            )
        for name, module in network.named_modules():
            hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks)
            found[f"{player}.{name}.state"] = (module.training, *map(len, hooks))
    for item in dataclasses.fields(snapshot):
        value = getattr(snapshot, item.name)
        if isinstance(value, Tensor):
            found[item.name] = value.clone()
    return found


def watched(name: str, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
    """What a probe returns when it is called as the watch calls it."""
    with torch.no_grad():
        found: Mapping[str, float | Tensor] = plugins.build("probes", name).observe(snapshot)
    return found


@every_probe
@pytest.mark.parametrize("player", PLAYERS)
def test_probe_leaves_no_trace(
    name: str, player: NetworkName, noisy_turn: Callable[[NetworkName, bool], Snapshot]
) -> None:
    """Weights, gradients, buffers, flags, hooks, random states and the snapshot stay bit by bit."""
    snapshot = noisy_turn(player, name == "classes")
    before = traces(snapshot)
    watched(name, snapshot)
    after = traces(snapshot)
    assert before.keys() == after.keys()
    for key, value in before.items():
        same = torch.equal(value, after[key]) if isinstance(value, Tensor) else None
        same = bool(np.all(value == after[key])) if same is None else same
        assert same, key


@every_probe
def test_probe_returns_numbers(
    name: str, noisy_turn: Callable[[NetworkName, bool], Snapshot]
) -> None:
    """Each answer is named `what/player` and is a number or a 0- or 1-dim tensor, and repeats."""
    seen: set[str] = set()
    for player in PLAYERS:
        snapshot = noisy_turn(player, name == "classes")
        answer, again = watched(name, snapshot), watched(name, snapshot)
        assert answer.keys() == again.keys()
        for signal, value in answer.items():
            assert re.fullmatch(r"[\w.]+/(generator|discriminator)", signal)
            assert isinstance(value, float) or (isinstance(value, Tensor) and value.ndim <= 1)
            torch.testing.assert_close(
                torch.as_tensor(value),
                torch.as_tensor(again[signal]),
                rtol=0,
                atol=0,
                equal_nan=True,
            )
        seen |= answer.keys()
    assert seen


@every_probe
@pytest.mark.parametrize("player", PLAYERS)
def test_probe_bears_ignorance(
    name: str, player: NetworkName, build_noisy_gan: Callable[[], GAN]
) -> None:
    """Of a loop that tells only whose turn it is, a probe says what it can, and never fails."""
    gan = build_noisy_gan()
    answer = watched(name, Snapshot(0, player, gan.generator, gan.discriminator))
    assert isinstance(answer, Mapping)


@every_probe
def test_docstring_names_signals(
    name: str, noisy_turn: Callable[[NetworkName, bool], Snapshot]
) -> None:
    """Every signal that a probe returns is explained in its docstring."""
    probe = plugins.build("probes", name)
    for player in PLAYERS:
        for signal in watched(name, noisy_turn(player, name == "classes")):
            what = signal.split("/")[0].split(".")[0]
            assert f"``{what}" in (type(probe).__doc__ or ""), signal


@every_detector
def test_needs_are_recorded(name: str, noisy_turn: Callable[[NetworkName, bool], Snapshot]) -> None:
    """Every signal that a detector needs is one that a default probe returns, here or attached."""
    given_by = {
        f"{probe}/{signal}"
        for probe in PROBE_CADENCES["attach"]
        for player in PLAYERS
        for signal in watched(probe, noisy_turn(player, False))
    }
    assert detector(name).needs <= given_by
