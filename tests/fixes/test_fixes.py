"""Laws of the fixes: pure functions with valid results that do what their advice says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import permutations, product
from pathlib import Path
from typing import Any

import pytest
import torch

import gandiag.diagnosis
from gandiag.datasets.ring import Ring
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.fixes._options import get_option
from gandiag.plugins import registry as plugins
from gandiag.plugins.builtin import BUILT_IN
from gandiag.reports.report import suggest_fixes
from gandiag.scenario.schema import Scenario, diff_scenarios
from gandiag.training.trainer import train

FIXES = list(BUILT_IN["fixes"])
CONDITIONS = {
    plugins.load("detectors", name).condition  # type: ignore[attr-defined]
    for name in BUILT_IN["detectors"]
}
RING: dict[str, Any] = {"data": {"ring": {"samples": 200}}}
REPEATABLE = {"lower_learning_rate", "more_discriminator_steps"}  # stronger when applied twice
ADAM, SGD = {"name": "adam", "betas": [0.9, 0.99]}, {"name": "sgd", "lr": 0.1, "momentum": 0.9}
FAILING: list[dict[str, Any]] = [
    {},
    {"variant": {"vanilla": {"objective": "saturating", "width": 32}}},
    {"variant": {"minibatch_discrimination": {"kernels": 4, "objective": "saturating"}}},
    {"variant": {"linear_critic": {"lipschitz": "clip"}}},
    {"training": {"discriminator": {"steps": 10, "optimizer": ADAM}}},
    {"training": {"generator": {"steps": 15, "optimizer": SGD}}},
    {"probes": {"gradient": False}, "data": {"ring": {"modes": 3}}, "reporters": []},
    {"variant": {"dcgan": {"width": 4, "batch_norm": True, "objective": "saturating"}}},
    {"variant": {"conditional": {"classes": 8, "width": 8, "objective": "hinge"}}},
    {"variant": {"vanilla": {"activation": "relu", "objective": "wasserstein", "clip": 0.01}}},
]

OF_THE_VARIANT = [
    name
    for name in FIXES
    if "set_options" in plugins.load("fixes", name).apply.__code__.co_names  # type: ignore[attr-defined]
]


def every_case() -> Iterator[tuple[str, Scenario]]:
    """Each fix with each of the scenarios."""
    return product(FIXES, map(Scenario.parse, FAILING))


def apply_fix(name: str, scenario: Scenario) -> Scenario:
    """Apply a fix with its default options."""
    result: Scenario = plugins.build("fixes", name).apply(scenario)
    return result


def test_fixes_are_pure() -> None:
    """A fix does not change the scenario that is passed to it, and gives the same result twice."""
    for name, scenario in every_case():
        before = scenario.as_yaml()
        assert apply_fix(name, scenario) == apply_fix(name, scenario), name
        assert scenario.as_yaml() == before, name


def test_fixed_scenarios_are_valid() -> None:
    """A fixed scenario can be written, read back and built."""
    for name, scenario in every_case():
        result = apply_fix(name, scenario)
        assert Scenario.parse(result.as_data()) == result, name
        variant = plugins.build("variants", result.variant.name, result.variant.options)
        gan = variant.build((1, 8, 8) if result.variant.name == "dcgan" else (2,))
        assert gan.latent_size > 0


def test_fixes_change_only_variant_and_training() -> None:
    """Data, seed, probes, length and batch size of a scenario stay as they are."""
    for name, scenario in every_case():
        before, after = scenario.as_data(), apply_fix(name, scenario).as_data()
        for key in before.keys() - {"variant", "training"}:
            assert after[key] == before[key], (name, key)
        assert after["training"]["steps"] == before["training"]["steps"], name
        assert after["training"]["batch_size"] == before["training"]["batch_size"], name


def test_fixes_are_idempotent() -> None:
    """Applied twice, a fix has the same result as once, except for fixes that can be repeated."""
    for name, scenario in every_case():
        if name not in REPEATABLE:
            once = apply_fix(name, scenario)
            assert diff_scenarios(once, apply_fix(name, once)) == "", name


def test_every_fix_changes_a_scenario() -> None:
    """Each fix changes at least one of the scenarios: a fix without effect helps nobody."""
    scenarios = [Scenario.parse(data) for data in FAILING]
    for name in FIXES:
        assert any(diff_scenarios(s, apply_fix(name, s)) for s in scenarios), name


def test_fixes_treat_detected_conditions() -> None:
    """The conditions of each fix are those of detectors, and its advice is a short sentence."""
    for name in FIXES:
        fix = plugins.build("fixes", name)
        assert fix.treats, name
        assert fix.treats <= CONDITIONS, name
        assert fix.advice.endswith("."), name
        assert len(fix.advice) < 250, name


def test_every_default_condition_has_a_fix() -> None:
    """For each condition that is detected by default, some fix is suggested whatever the cause."""
    fixes = [plugins.build("fixes", name) for name in FIXES]
    for choice in Scenario().detection.detectors:
        condition = plugins.build("detectors", choice.name).condition
        assert any(condition in fix.treats and not fix.causes for fix in fixes), condition


def test_causes_are_known() -> None:
    """Each cause or failure type of a fix occurs as a literal in the source of the diagnosis."""
    folder = Path(gandiag.diagnosis.__file__).parent
    source = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    for name in FIXES:
        for cause in plugins.build("fixes", name).causes:
            assert f'"{cause}"' in source, f"{name} is for {cause}, which no detector finds"


@pytest.mark.parametrize(
    ("name", "failing", "key", "value"),
    [
        ("non_saturating", FAILING[1], "variant.vanilla.objective", "non_saturating"),
        ("r1", FAILING[0], "variant.vanilla.r1", 10.0),
        ("r1", RING, "variant.vanilla.r1", 0.1),
        ("hinge", FAILING[1], "variant.vanilla.objective", "hinge"),
        ("least_squares", FAILING[1], "variant.vanilla.objective", "least_squares"),
        ("leaky_units", FAILING[9], "variant.vanilla.activation", "leaky_relu"),
        ("gradient_penalty", FAILING[9], "variant.vanilla.clip", 0.0),
        ("gradient_penalty", FAILING[7], "variant.dcgan.batch_norm", False),
        ("gradient_penalty", FAILING[3], "variant.linear_critic.lipschitz", "gradient_penalty"),
        ("gradient_penalty", RING, "variant.vanilla.gradient_penalty", 0.1),
        ("spectral_norm", FAILING[7], "variant.dcgan.spectral_norm", True),
        ("minibatch_discrimination", FAILING[2], "variant.minibatch_discrimination.average", True),
        ("minibatch_discrimination", FAILING[7], "variant.dcgan.minibatch", "discrimination"),
        ("minibatch_stddev", FAILING[8], "variant.conditional.minibatch", "stddev"),
        ("packing", FAILING[2], "variant.minibatch_discrimination.pack", 2),
        ("linear_critic", FAILING[7], "variant.dcgan.objective", "wasserstein"),
        ("label_smoothing", FAILING[0], "variant.vanilla.label_smoothing", 0.1),
        ("instance_noise", FAILING[0], "training.instance_noise", {"sd": 0.3, "until": 1.0}),
        ("learning_rate_decay", FAILING[0], "training.decay_from", 0.5),
        ("averaged_generator", FAILING[0], "training.averaging", 0.9956),
        ("two_time_scales", FAILING[0], "training.generator.optimizer.lr", 5e-5),
        ("fewer_discriminator_steps", FAILING[4], "training.discriminator.steps", 1),
        ("more_discriminator_steps", FAILING[5], "training.generator.steps", 1),
        ("more_discriminator_steps", FAILING[0], "training.discriminator.steps", 2),
        ("lower_momentum", FAILING[4], "training.discriminator.optimizer.betas", [0.5, 0.99]),
        ("lower_momentum", FAILING[5], "training.generator.optimizer.momentum", 0.0),
        ("lower_learning_rate", FAILING[5], "training.generator.optimizer.lr", 0.02),
    ],
)
def test_fix_does_what_it_says(name: str, failing: dict[str, Any], key: str, value: object) -> None:
    """Each fix sets the option that its advice describes."""
    data: Any = apply_fix(name, Scenario.parse(failing)).as_data()
    for part in key.split("."):
        data = data[part]
    assert data == value or data == pytest.approx(value)


def test_variant_options_are_kept() -> None:
    """A fix keeps the variant, and the options of the variant that it does not set."""
    for failing in FAILING:
        before = Scenario.parse(failing)
        for name in FIXES:
            after = apply_fix(name, before)
            assert after.variant.name == before.variant.name
            assert before.variant.options.keys() <= after.variant.options.keys()
            for size in ("width", "kernels", "classes"):
                assert get_option(after, size) == get_option(before, size)


def test_r1_never_weakens() -> None:
    """The fix does not lower an R1 penalty that is stronger already."""
    strong = Scenario.parse({"variant": {"vanilla": {"r1": 20.0}}})
    assert apply_fix("r1", strong) == strong


@pytest.mark.parametrize(
    ("name", "failing"),
    [
        ("non_saturating", FAILING[0]),
        ("hinge", FAILING[9]),
        ("leaky_units", FAILING[0]),
        ("label_smoothing", FAILING[8]),  # the hinge has no targets
        ("two_time_scales", {"training": {"generator": {"optimizer": SGD}}}),
        ("linear_critic", FAILING[9]),
        ("minibatch_stddev", FAILING[2]),
        ("gradient_penalty", {"variant": {"vanilla": {"gradient_penalty": 3.0}}}),
        ("instance_noise", {"training": {"instance_noise": {"sd": 0.5}}}),
        ("averaged_generator", {"training": {"averaging": 0.999}}),
        ("learning_rate_decay", {"training": {"decay_from": 0.2}}),
        *((name, {"variant": "of_a_package_that_is_gone"}) for name in OF_THE_VARIANT),
    ],
)
def test_unneeded_fix_changes_nothing(name: str, failing: dict[str, Any]) -> None:
    """If a fix cannot apply, or its setting exists already, the scenario is returned unchanged."""
    scenario = Scenario.parse(failing)
    assert apply_fix(name, scenario) == scenario


def test_options_have_their_defaults() -> None:
    """An option that the scenario does not set has its default; an unknown option is None."""
    assert get_option(Scenario.parse({}), "objective") == "non_saturating"
    assert get_option(Scenario.parse({}), "spectral_norm") is False
    assert get_option(Scenario.parse({}), "kernels") is None


def assert_trains(scenario: Scenario) -> None:
    """Assert that a scenario on the ring trains for its three steps, with finite weights."""
    variant = plugins.build("variants", scenario.variant.name, scenario.variant.options)
    data = Ring(samples=200).load()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        gan = variant.build((2,))
        assert train(gan, data.train, scenario.training, 0, None, data.labels) == 3
    for network in (gan.generator, gan.discriminator):
        assert all(value.isfinite().all() for value in network.state_dict().values()), scenario


@pytest.mark.parametrize("index", [1, 2, 8, 9])
def test_fixes_compose(index: int) -> None:
    """All fixes applied one after another, in any order of thirds, give a scenario that trains."""
    training = {"steps": 3, "batch_size": 16}
    for order in permutations(range(3)):
        scenario = Scenario.parse({**FAILING[index], **RING, "training": training})
        for third in order:
            for name in FIXES[third::3]:
                scenario = apply_fix(name, scenario)
        assert_trains(scenario)


def test_fixed_scenarios_train() -> None:
    """Each fix alone gives a scenario that trains on a ring, with finite weights."""
    options = {"objective": "saturating", "width": 8, "activation": "relu"}
    training = {"steps": 3, "batch_size": 16, "generator": {"optimizer": ADAM}}
    scenario = Scenario.parse({"variant": {"vanilla": options}, **RING, "training": training})
    for name in FIXES:
        assert_trains(apply_fix(name, scenario))


def test_opposite_causes_get_opposite_steps() -> None:
    """A discriminator that is too strong gets no more steps, and a weak one no fewer steps."""
    fewer, more = (
        plugins.build("fixes", f"{name}_discriminator_steps") for name in ("fewer", "more")
    )
    slower = plugins.build("fixes", "two_time_scales")
    assert "discriminator_too_strong" in fewer.causes - more.causes - slower.causes
    assert "discriminator_too_weak" in more.causes & slower.causes - fewer.causes
    assert "hopping" in more.causes - fewer.causes
    for name in ("spectral_norm", "gradient_penalty", "instance_noise"):  # they weaken D
        assert not plugins.build("fixes", name).causes & more.causes


@pytest.mark.parametrize(
    ("condition", "kind", "clip", "fixes"),
    [
        ("unbounded_critic", "no_bound", 0.0, {"gradient_penalty", "spectral_norm"}),
        ("saturated_clipping", "saturated", 0.01, {"gradient_penalty"}),
    ],
)
def test_critics_get_a_bound(condition: str, kind: str, clip: float, fixes: set[str]) -> None:
    """A critic without a bound gets one; a critic whose weights are all clipped gets another."""
    critic = {"vanilla": {"objective": "wasserstein", "clip": clip}}
    scenario = Scenario.parse({"variant": critic})
    diagnosis = Diagnosis(condition, "present", "", kind, 0, kind, about="loop")
    found = suggest_fixes(scenario, [diagnosis], plugins.build_all("fixes"))
    assert {treatment.fix for treatment in found} == fixes
    penalised = apply_fix("gradient_penalty", scenario)
    assert get_option(penalised, "gradient_penalty") == 10.0
    assert get_option(penalised, "clip") == 0.0


def test_guide_lists_every_fix() -> None:
    """The guide's table has a row for each fix, in the order of the registry."""
    text = (Path(__file__).parents[2] / "GUIDE.md").read_text(encoding="utf-8")
    table = text.split("| fix | what it sets | after |")[1].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` ", table, re.MULTILINE) == FIXES
