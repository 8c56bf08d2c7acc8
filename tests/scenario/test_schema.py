"""Scenarios: written and read again they are the same, and each mistake has its place."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gandiag.plugins.errors import BadInput
from gandiag.scenario.schema import Scenario, diff_scenarios
from gandiag.scenario.source import Source, read_source, set_by_key
from gandiag.scenario.yaml_positions import dump_yaml, parse_yaml

# Without a deadline, as a busy machine may be slow.
LAW = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])

WORDS = st.from_regex(r"[a-z][a-z_0-9]{0,12}", fullmatch=True).filter(lambda word: word != "name")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
RATES = st.floats(1e-12, 1e6)
DECAYS = st.floats(0, 0.9999)
OPTIMIZERS = st.one_of(
    st.fixed_dictionaries(
        {"name": st.just("adam"), "lr": RATES, "betas": st.tuples(DECAYS, DECAYS)}
    ),
    st.fixed_dictionaries({"name": st.just("sgd"), "lr": RATES, "momentum": DECAYS}),
    st.fixed_dictionaries({"name": st.just("rmsprop"), "lr": RATES, "alpha": DECAYS}),
)
CHOICES = WORDS | st.dictionaries(WORDS, st.dictionaries(WORDS, VALUES), min_size=1, max_size=1)
COUNTS = st.integers(1, 10**6)
NETWORKS = st.fixed_dictionaries({"steps": COUNTS, "optimizer": OPTIMIZERS})
SCENARIOS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.from_regex(r"[^/\\. ][^/\\]{0,99}", fullmatch=True).filter(str.isprintable),
        "about": st.text(),
        "data": CHOICES,
        "variant": CHOICES,
        "training": st.fixed_dictionaries(
            {"steps": COUNTS, "generator": NETWORKS, "discriminator": NETWORKS}
        ),
        "probes": st.dictionaries(
            WORDS | st.sampled_from(["loss", "units"]),
            st.just(False) | st.fixed_dictionaries({"every": COUNTS}),
        ),
        "detection": st.fixed_dictionaries(
            {"every": COUNTS, "detectors": st.lists(CHOICES), "stop_on": st.lists(WORDS)}
        ),
        "reporters": st.lists(CHOICES),
        "sample_grid_every": COUNTS,
        "seed": st.integers(0, 2**63 - 1),
        "device": st.sampled_from(["auto", "cpu", "cuda", "cuda:1"]),
        "expect": st.dictionaries(WORDS, st.sampled_from(["present", "absent", "inconclusive"])),
    },
).map(Scenario.parse)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The file of a scenario."""
    return tmp_path / "mine.yaml"


@LAW
@given(SCENARIOS)
def test_yaml_round_trip(scenario: Scenario) -> None:
    """A scenario that is written as YAML and read back is the same."""
    data, _ = parse_yaml(scenario.as_yaml(), "mine.yaml")
    assert Scenario.from_source(Source(data, name="mine.yaml")) == scenario


@LAW
@given(SCENARIOS)
def test_data_round_trip(scenario: Scenario) -> None:
    """A scenario that is written as plain data and read back is the same, as is an empty change."""
    assert Scenario.parse(scenario.as_data()) == scenario
    assert scenario.set({}) == scenario
    assert diff_scenarios(scenario, scenario) == ""


@LAW
@given(SCENARIOS, COUNTS, RATES)
def test_set_is_read_back(scenario: Scenario, steps: int, lr: float) -> None:
    """A changed value is kept by a round trip, and nothing else changes."""
    changes = {"training.steps": steps, "training.generator.optimizer.lr": lr}
    changed = scenario.set(changes)
    assert changed.training.steps == steps
    assert changed.training.generator.optimizer.lr == lr
    back = {
        "training.steps": scenario.training.steps,
        "training.generator.optimizer.lr": scenario.training.generator.optimizer.lr,
    }
    assert Scenario.parse(changed.as_data()).set(back) == scenario


@LAW
@given(VALUES)
def test_values_round_trip(value: Any) -> None:
    """Any plain value survives YAML, including numbers such as 1e-3 and texts such as "1e-3"."""
    assert parse_yaml(dump_yaml({"value": value}), "x")[0] == {"value": value}


@pytest.mark.parametrize("text", ["1e-3", "1.5e3", "+2E4", ".5e1", "off", "null", "1_000", "0x1f"])
def test_texts_stay_texts(text: str) -> None:
    """A text that looks like a number or a boolean is written in quotes."""
    assert parse_yaml(dump_yaml({"value": text}), "x")[0] == {"value": text}


@pytest.mark.parametrize(("text", "number"), [("1e-3", 0.001), ("-2E4", -20000.0), (".5e1", 5.0)])
def test_exponents_are_numbers(text: str, number: float) -> None:
    """``1e-3`` is a number, as in YAML 1.2; PyYAML alone reads it as a text."""
    assert parse_yaml(text, "x")[0] == number


MISTAKES = {
    "": "mine.yaml: empty; a scenario is a mapping",
    "# nothing but a comment": "mine.yaml: empty; a scenario is a mapping",
    "- a": "mine.yaml: a scenario is a mapping",
    "training:\n\tsteps: 5": "mine.yaml:2: not YAML: a tab; indent with spaces",
    "a: [1": "mine.yaml:1: not YAML: while parsing a flow sequence",
    "seed: 1\n---\nseed: 2": "mine.yaml:2: not YAML: expected a single document",
    "about: \x01": "mine.yaml: not YAML: unacceptable character",
    "about: 2020-13-45": "mine.yaml: not YAML: month must be in 1..12",
    "? [a]\n: 1": "mine.yaml:1: not YAML: while constructing a mapping, found unhashable key",
    "x: !!python/object:os.system {}": "mine.yaml:1: not YAML: could not determine a constructor",
    "[" * 5000: "mine.yaml:1: not YAML: nested more than 100 levels deep",
    "seed: " + "9" * 400: "mine.yaml:1: not YAML: a number of more than 308 digits",
    "seed: " + "1:" * 9000 + "1": "mine.yaml:1: not YAML: a number of more than 308 digits",
    "about: " + "x" * 1_000_000: "mine.yaml: not YAML: more than 1,000,000 characters",
    "about: [" + "a, " * 100_001 + "]": "mine.yaml:1: not YAML: more than 100,000 values",
    # Nine aliases of nine aliases, nine times: 400 million values in 300 bytes.
    "a0: &a0 [x]\n"
    + "".join(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]\n" for k in range(1, 10)): (
        "mine.yaml:6: more than 100,000 values"
    ),
    "about: &a {b: *a}": "mine.yaml:1: about.b: an alias that contains itself",
    "seed: 1\nname: x\nseed: 2": "mine.yaml:3: seed is written twice, in lines 1 and 3",
    "training:\n  steps: 3\n  steps: 4": "mine.yaml:3: training.steps is written twice, in lines 2",
    "1: 2": "mine.yaml:1: 1: a key should be a word",
    "seed: 1\ntrainig: {}": 'mine.yaml:2: trainig: unknown key; nearest is "training"',
    "training:\n  stps: 5": 'mine.yaml:2: training.stps: unknown key; nearest is "steps"',
    "training: {steps: 0}": "mine.yaml:1: training.steps: should be at least 1 (got 0)",
    "training: {steps: 1.5}": "training.steps: should be a whole number (got 1.5)",
    "training: {steps: yes}": "training.steps: should be a number, not on or off (got True)",
    "training: {batch_size: 1}": "training.batch_size: should be at least 2 (got 1)",
    "training:": "training: should be a mapping of keys to values (got nothing)",
    "training:\n  generator:\n    optimizer:\n      lr: .nan": "mine.yaml:4: training.gen",
    "training: {generator: {optimizer: {lr: .inf}}}": "optimizer.lr: should be a finite number",
    "training: {generator: {optimizer: {lr: 1e400}}}": "optimizer.lr: should be a finite number",
    "training: {generator: {optimizer: {lr: -1}}}": "optimizer.lr: should be greater than 0.0",
    "training: {generator: {optimizer: {betas: [0.5, 1]}}}": "betas.1: should be less than 1.0",
    "training: {generator: {optimizer: {betas: [0.5]}}}": "optimizer.betas.1: is missing",
    "training:\n  generator:\n    optimizer:\n      name: adma": "mine.yaml:4: training.",
    "training: {generator: {optimizer: sdg}}": 'no optimizer "sdg"; nearest is "sgd"',
    "training: {generator: {optimizer: {name: sgd, beta: 1}}}": "there are lr, momentum, name",
    "training: {generator: {optimizer: {momentm: 1}}}": "there are betas, eps, lr, name",
    "detection:\n  evry: 3": 'mine.yaml:2: detection.evry: unknown key; nearest is "every"',
    "detection: {detectors: mode_collapse}": "detection.detectors: should be a list",
    "variant: 3": "variant: write a plugin as its name, or as {name: {option: value}}",
    "variant: {vanilla: 5}": "variant: write a plugin as its name",
    "variant: {vanilla: {}, linear_critic: {}}": "variant: write a plugin as its name",
    "variant: {name: vanilla, optons: {}}": 'variant.optons: unknown key; nearest is "options"',
    "probes: [loss]": "probes: should be a mapping of keys to values",
    "probes: {loss: 5}": "probes.loss: should be a mapping of keys to values",
    "probes:\n  loss:\n    every: 0": "mine.yaml:3: probes.loss.every: should be at least 1",
    "seed: -1": "seed: should be at least 0",
    "seed: 9223372036854775808": "seed: should be less than 9223372036854775808",
    "name: ../x": "name: should name a folder",
    "device: tpu": "device: there are auto, cpu, cuda and cuda:<number> (got 'tpu')",
    "expect: {mode_collapse: presnt}": 'expect.mode_collapse: nearest is "present"',
    "extends: none.yaml": "mine.yaml:1: extends: ",
    "extends: mine.yaml": "mine.yaml:1: extends: mine.yaml extends itself",
    "extends:": "mine.yaml:1: extends: write the path of one file",
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.items(), ids=range(len(MISTAKES)))
def test_mistakes_have_a_place(
    written: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    """The message of a mistake is one line with file, line, key and the nearest valid name."""
    monkeypatch.chdir(written.parent)
    written.write_text(text)
    with pytest.raises(BadInput) as error:
        Scenario.load(written.name)
    raised = str(error.value)
    assert message in raised
    assert raised.startswith("mine.yaml")
    assert "\n" not in raised


@LAW
@given(st.text() | VALUES.map(dump_yaml) | st.dictionaries(WORDS, VALUES).map(dump_yaml))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Any text gives a scenario or `BadInput`, and no other exception."""
    with contextlib.suppress(BadInput):
        data, _ = parse_yaml(text, "x")
        if isinstance(data, dict):
            Scenario.from_source(Source(data, name="x.yaml"))


@pytest.mark.parametrize(
    ("path", "message"), [("none.yaml", "no such file"), (".", "is a directory")]
)
def test_unreadable_files_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, message: str
) -> None:
    """The message for a file that cannot be read has the reason."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=message):
        Scenario.load(path)
    Path("bytes.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(BadInput, match="not a text file"):
        Scenario.load("bytes.yaml")


def test_extending_files_merge(tmp_path: Path) -> None:
    """A file has the values of the files that it extends, its own values, and its own name."""
    (tmp_path / "a.yaml").write_text(
        "name: a\nseed: 1\nvariant: {vanilla: {width: 8, r1: 1.0}}\nprobes: {units: off}\n"
        "training: {generator: {optimizer: {name: sgd, lr: 0.5, momentum: 0.1}}}\n"
    )
    (tmp_path / "b.yaml").write_text("extends: a.yaml\nvariant: {vanilla: {width: 9}}\n")
    (tmp_path / "c.yaml").write_text(
        "extends: b.yaml\nvariant: linear_critic\ntraining: {generator: {optimizer: rmsprop}}\n"
    )
    b, c = Scenario.load(tmp_path / "b.yaml"), Scenario.load(tmp_path / "c.yaml")
    assert b.variant.options == {"width": 9, "r1": 1.0}
    assert (b.name, c.name) == ("b", "c")
    assert c.seed == 1
    assert c.variant.options == {}
    assert "units" not in c.probes
    assert c.training.generator.optimizer.name == "rmsprop"
    assert b.training.generator.optimizer.lr == 0.5


def test_files_may_not_extend_each_other(tmp_path: Path) -> None:
    """Two files that extend each other are refused."""
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("seed: 1\nextends: a.yaml\n")
    with pytest.raises(BadInput, match=r"b\.yaml:2: extends: a\.yaml extends itself"):
        Scenario.load(tmp_path / "a.yaml")


def test_mistakes_name_where_they_were_written(tmp_path: Path) -> None:
    """The place of a mistake is the file or option that contains it, not an extending file."""
    (tmp_path / "a.yaml").write_text("seed: 1\ntraining:\n  batch_size: 1\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\ntraining: {steps: 5}\n")
    with pytest.raises(BadInput, match=r"a\.yaml:3: training\.batch_size"):
        Scenario.load(tmp_path / "b.yaml")
    source = read_source(tmp_path / "b.yaml")
    source.set_values(["training.batch_size=0"], "--set")
    with pytest.raises(BadInput, match=r"^--set training\.batch_size=0: training\.batch_size: "):
        Scenario.from_source(source)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("variant.vanilla.width", 8, {"vanilla": {"r1": 1.0, "width": 8}}),
        ("variant.linear_critic.width", 8, {"linear_critic": {"width": 8}}),
        ("variant", "vanilla", "vanilla"),
    ],
)
def test_set_chooses_plugins(key: str, value: Any, expected: Any) -> None:
    """Setting an option of another plugin selects this plugin, without the old one's options."""
    data: dict[str, Any] = {"variant": {"vanilla": {"r1": 1.0}}}
    set_by_key(data, key, value)
    assert data == {"variant": expected}


def test_set_changes_an_optimizer() -> None:
    """Another optimizer has none of the old one's options, in any order of the changes."""
    name, lr = "training.generator.optimizer.name", "training.generator.optimizer.lr"
    whole = "training.generator.optimizer"
    for changes in ({name: "sgd", lr: 0.5}, {lr: 0.5, name: "sgd"}, {lr: 0.5, whole: "sgd"}):
        optimizer = Scenario().set(changes).training.generator.optimizer
        assert optimizer.model_dump() == {"name": "sgd", "lr": 0.5, "momentum": 0.0}


@pytest.mark.parametrize(
    ("key", "message"),
    [("", "is not a key"), ("a..b", "is not a key"), ("reporters.html", "reporters is a list")],
)
def test_set_refuses_invalid_keys(key: str, message: str) -> None:
    """A key that is empty in part, or leads through a list, is refused."""
    with pytest.raises(BadInput, match=message):
        Scenario().set({key: 1})


def test_probes_can_be_removed() -> None:
    """``off`` removes a probe; ``on`` and an empty value keep it with its default interval."""
    scenario = Scenario.parse({"probes": {"units": False, "classes": True, "loss": None}})
    assert "units" not in scenario.probes
    assert "units" not in Scenario.parse(scenario.as_data()).probes
    assert scenario.probes["classes"] == {"every": 50}
    assert scenario.probes["loss"] == {"every": 10}
    assert scenario.probes["displacement"] == {"every": 50}
