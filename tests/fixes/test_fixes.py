"""Laws of the fixes: pure, valid, and honest about what they treat."""

from __future__ import annotations

import re
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import torch

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
STEPWISE = {"lower_learning_rate", "more_discriminator_steps"}  # a second dose is stronger
ADAM, SGD = {"name": "adam", "betas": [0.9, 0.99]}, {"name": "sgd", "lr": 0.1, "momentum": 0.9}
SICK: list[dict[str, Any]] = [
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
every_fix = pytest.mark.parametrize("name", FIXES)
every_scenario = pytest.mark.parametrize("sick", SICK, ids=range(len(SICK)))


def fixed(name: str, scenario: Scenario) -> Scenario:
    """What a fix makes of a scenario."""
    result: Scenario = plugins.build("fixes", name).apply(scenario)
    return result


@every_fix
@every_scenario
def test_fix_is_pure(name: str, sick: dict[str, Any]) -> None:
    """The scenario that a fix is given stays as it was, and it gives the same answer twice."""
    scenario = Scenario.parse(sick)
    before = scenario.as_yaml()
    assert fixed(name, scenario) == fixed(name, scenario)
    assert scenario.as_yaml() == before


@every_fix
@every_scenario
def test_fixed_scenario_is_valid(name: str, sick: dict[str, Any]) -> None:
    """What a fix gives is a scenario that can be written down, read back and built."""
    result = fixed(name, Scenario.parse(sick))
    assert Scenario.parse(result.as_data()) == result
    variant = plugins.build("variants", result.variant.name, result.variant.options)
    gan = variant.build((1, 8, 8) if result.variant.name == "dcgan" else (2,))
    assert gan.latent_size > 0


@every_fix
@every_scenario
def test_fix_keeps_the_rest(name: str, sick: dict[str, Any]) -> None:
    """A fix changes variant and training alone: the data, the seed and what is measured stay."""
    before = Scenario.parse(sick).as_data()
    after = fixed(name, Scenario.parse(sick)).as_data()
    for key in before.keys() - {"variant", "training"}:
        assert after[key] == before[key], key
    assert after["training"]["steps"] == before["training"]["steps"]
    assert after["training"]["batch_size"] == before["training"]["batch_size"]


@pytest.mark.parametrize("name", [name for name in FIXES if name not in STEPWISE])
@every_scenario
def test_second_dose_does_nothing(name: str, sick: dict[str, Any]) -> None:
    """A cured scenario has nothing left to fix."""
    once = fixed(name, Scenario.parse(sick))
    assert diff_scenarios(once, fixed(name, once)) == ""


@every_fix
def test_fix_helps_somewhere(name: str) -> None:
    """Every fix changes some scenario: one that never does would be suggested in vain."""
    scenarios = [Scenario.parse(sick) for sick in SICK]
    assert any(diff_scenarios(scenario, fixed(name, scenario)) for scenario in scenarios)


@every_fix
def test_fix_treats_what_is_detected(name: str) -> None:
    """What a fix treats are conditions that a detector looks for, and its advice is a sentence."""
    fix = plugins.build("fixes", name)
    assert fix.treats
    assert fix.treats <= CONDITIONS
    assert fix.advice.endswith(".")
    assert len(fix.advice) < 250


@pytest.mark.parametrize("name", [choice.name for choice in Scenario().detection.detectors])
def test_condition_has_a_fix(name: str) -> None:
    """For every condition that a scenario is asked about, some fix helps whatever its cause."""
    condition = plugins.build("detectors", name).condition
    fixes = [plugins.build("fixes", name) for name in FIXES]
    assert any(condition in fix.treats and not fix.causes for fix in fixes)


def test_causes_are_known() -> None:
    """A cause or kind that a fix names is one that a detector gives."""
    import inspect

    source = "".join(
        inspect.getsource(inspect.getmodule(plugins.load("detectors", name)))  # type: ignore[arg-type]
        for name in BUILT_IN["detectors"]
    )
    for name in FIXES:
        for cause in plugins.build("fixes", name).causes:
            assert f'"{cause}"' in source, f"{name} is for {cause}, which nobody finds"


@pytest.mark.parametrize(
    ("name", "sick", "key", "value"),
    [
        ("non_saturating", SICK[1], "variant.vanilla.objective", "non_saturating"),
        ("r1", SICK[0], "variant.vanilla.r1", 10.0),
        ("r1", RING, "variant.vanilla.r1", 0.1),
        ("hinge", SICK[1], "variant.vanilla.objective", "hinge"),
        ("least_squares", SICK[1], "variant.vanilla.objective", "least_squares"),
        ("leaky_units", SICK[9], "variant.vanilla.activation", "leaky_relu"),
        ("gradient_penalty", SICK[9], "variant.vanilla.clip", 0.0),
        ("gradient_penalty", SICK[7], "variant.dcgan.batch_norm", False),
        ("gradient_penalty", SICK[3], "variant.linear_critic.lipschitz", "gradient_penalty"),
        ("gradient_penalty", RING, "variant.vanilla.gradient_penalty", 0.1),
        ("spectral_norm", SICK[7], "variant.dcgan.spectral_norm", True),
        ("minibatch_discrimination", SICK[2], "variant.minibatch_discrimination.average", True),
        ("minibatch_discrimination", SICK[7], "variant.dcgan.minibatch", "discrimination"),
        ("minibatch_stddev", SICK[8], "variant.conditional.minibatch", "stddev"),
        ("packing", SICK[2], "variant.minibatch_discrimination.pack", 2),
        ("linear_critic", SICK[7], "variant.dcgan.objective", "wasserstein"),
        ("label_smoothing", SICK[0], "variant.vanilla.label_smoothing", 0.1),
        ("instance_noise", SICK[0], "training.instance_noise", {"sd": 0.3, "until": 1.0}),
        ("learning_rate_decay", SICK[0], "training.decay_from", 0.5),
        ("averaged_generator", SICK[0], "training.averaging", 0.9956),
        ("two_time_scales", SICK[0], "training.generator.optimizer.lr", 5e-5),
        ("fewer_discriminator_steps", SICK[4], "training.discriminator.steps", 1),
        ("more_discriminator_steps", SICK[5], "training.generator.steps", 1),
        ("more_discriminator_steps", SICK[0], "training.discriminator.steps", 2),
        ("lower_momentum", SICK[4], "training.discriminator.optimizer.betas", [0.5, 0.99]),
        ("lower_momentum", SICK[5], "training.generator.optimizer.momentum", 0.0),
        ("lower_learning_rate", SICK[5], "training.generator.optimizer.lr", 0.02),
    ],
)
def test_fix_does_what_it_says(name: str, sick: dict[str, Any], key: str, value: object) -> None:
    """Each fix sets the one thing that its advice speaks of."""
    data: Any = fixed(name, Scenario.parse(sick)).as_data()
    for part in key.split("."):
        data = data[part]
    assert data == value or data == pytest.approx(value)


def test_variant_options_are_kept() -> None:
    """A fix keeps the variant, and those of its options that it has nothing to do with."""
    for sick in SICK:
        before = Scenario.parse(sick)
        for name in FIXES:
            after = fixed(name, before)
            assert after.variant.name == before.variant.name
            assert before.variant.options.keys() <= after.variant.options.keys()
            for size in ("width", "kernels", "classes"):
                assert get_option(after, size) == get_option(before, size)


def test_r1_never_weakens() -> None:
    """Where a stronger R1 penalty is there already, the fix leaves it."""
    strong = Scenario.parse({"variant": {"vanilla": {"r1": 20.0}}})
    assert fixed("r1", strong) == strong


@pytest.mark.parametrize(
    ("name", "sick"),
    [
        ("non_saturating", SICK[0]),
        ("hinge", SICK[9]),
        ("leaky_units", SICK[0]),
        ("label_smoothing", SICK[8]),  # a hinge has no targets
        ("two_time_scales", {"training": {"generator": {"optimizer": SGD}}}),
        ("linear_critic", SICK[9]),
        ("minibatch_stddev", SICK[2]),
        ("gradient_penalty", {"variant": {"vanilla": {"gradient_penalty": 3.0}}}),
        ("instance_noise", {"training": {"instance_noise": {"sd": 0.5}}}),
        ("averaged_generator", {"training": {"averaging": 0.999}}),
        ("learning_rate_decay", {"training": {"decay_from": 0.2}}),
        *((name, {"variant": "of_a_package_that_is_gone"}) for name in OF_THE_VARIANT),
    ],
)
def test_nothing_to_change_is_the_same(name: str, sick: dict[str, Any]) -> None:
    """Where a fix cannot apply, or what it brings is there already, the scenario stays."""
    scenario = Scenario.parse(sick)
    assert fixed(name, scenario) == scenario


def test_options_have_their_defaults() -> None:
    """An option that is not written is as its default; one that the variant lacks is None."""
    assert get_option(Scenario.parse({}), "objective") == "non_saturating"
    assert get_option(Scenario.parse({}), "spectral_norm") is False
    assert get_option(Scenario.parse({}), "kernels") is None


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("sick", [*SICK[1:3], *SICK[8:]], ids=lambda s: next(iter(s["variant"])))
def test_fixes_compose(sick: dict[str, Any], order: tuple[int, ...]) -> None:
    """All fixes one after another, third by third in any order, give a game that can be played."""
    scenario = Scenario.parse({**sick, **RING, "training": {"steps": 3, "batch_size": 16}})
    for third in order:
        for name in FIXES[third::3]:
            scenario = fixed(name, scenario)
    variant = plugins.build("variants", scenario.variant.name, scenario.variant.options)
    data = Ring(samples=200).load()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        gan = variant.build((2,))
        assert train(gan, data.train, scenario.training, 0, None, data.labels) == 3
    for network in (gan.generator, gan.discriminator):
        assert all(value.isfinite().all() for value in network.state_dict().values())


@every_fix
def test_fixed_game_is_played(name: str) -> None:
    """Each fix by itself gives a game on a ring that can be played."""
    sick = {"variant": {"vanilla": {"objective": "saturating", "width": 8, "activation": "relu"}}}
    training = {"steps": 3, "batch_size": 16, "generator": {"optimizer": ADAM}}
    scenario = fixed(name, Scenario.parse({**sick, **RING, "training": training}))
    variant = plugins.build("variants", scenario.variant.name, scenario.variant.options)
    data = Ring(samples=200).load()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        gan = variant.build((2,))
        assert train(gan, data.train, scenario.training, 0, None) == 3
    assert all(value.isfinite().all() for value in gan.generator.state_dict().values())


def test_opposite_causes_get_opposite_steps() -> None:
    """A discriminator that is too strong is not given more steps, nor one too weak fewer."""
    fewer, more = (
        plugins.build("fixes", f"{way}_discriminator_steps") for way in ("fewer", "more")
    )
    slower = plugins.build("fixes", "two_time_scales")
    assert "discriminator_too_strong" in fewer.causes - more.causes - slower.causes
    assert "discriminator_too_weak" in more.causes & slower.causes - fewer.causes
    assert "hopping" in more.causes - fewer.causes
    for name in ("spectral_norm", "gradient_penalty", "instance_noise"):  # they hold D back
        assert not plugins.build("fixes", name).causes & more.causes


@pytest.mark.parametrize(
    ("condition", "kind", "clip", "fixes"),
    [
        ("unbounded_critic", "no_bound", 0.0, {"gradient_penalty", "spectral_norm"}),
        ("saturated_clipping", "saturated", 0.01, {"gradient_penalty"}),
    ],
)
def test_critic_is_given_a_bound(condition: str, kind: str, clip: float, fixes: set[str]) -> None:
    """A critic without a bound is given one; one whose weights are all clipped, another one."""
    critic = {"vanilla": {"objective": "wasserstein", "clip": clip}}
    scenario = Scenario.parse({"variant": critic})
    diagnosis = Diagnosis(condition, "present", "", kind, 0, kind, about="loop")
    found = suggest_fixes(scenario, [diagnosis], plugins.build_all("fixes"))
    assert {treatment.fix for treatment in found} == fixes
    penalised = fixed("gradient_penalty", scenario)
    assert get_option(penalised, "gradient_penalty") == 10.0
    assert get_option(penalised, "clip") == 0.0


def test_readme_tells_every_fix() -> None:
    """The guide's table has a row for each fix, in the catalogue's order."""
    text = (Path(__file__).parents[2] / "GUIDE.md").read_text(encoding="utf-8")
    table = text.split("| fix | what it sets | after |")[1].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` ", table, re.MULTILINE) == FIXES
