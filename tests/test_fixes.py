"""Laws of the fixes: pure, valid, and honest about what they treat."""

from __future__ import annotations

from typing import Any

import pytest

from gandiag import plugins
from gandiag.scenario import Scenario, difference

FIXES = list(plugins.BUILT_IN["fixes"])
CONDITIONS = {
    plugins.load("detectors", name).condition  # type: ignore[attr-defined]
    for name in plugins.BUILT_IN["detectors"]
}
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
    gan = plugins.build("variants", result.variant.name, result.variant.options).build((2,))
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
    assert difference(once, fixed(name, once)) == ""


@every_fix
def test_fix_helps_somewhere(name: str) -> None:
    """Every fix changes some scenario: one that never does would be suggested in vain."""
    scenarios = [Scenario.parse(sick) for sick in SICK]
    assert any(difference(scenario, fixed(name, scenario)) for scenario in scenarios)


@every_fix
def test_fix_treats_what_is_detected(name: str) -> None:
    """What a fix treats are conditions that a detector looks for, and its advice is a sentence."""
    fix = plugins.build("fixes", name)
    assert fix.treats
    assert fix.treats <= CONDITIONS
    assert fix.advice.endswith(".")
    assert len(fix.advice) < 250


@pytest.mark.parametrize("condition", sorted(CONDITIONS))
def test_condition_has_a_fix(condition: str) -> None:
    """For every condition there is a fix that helps whatever its cause."""
    fixes = [plugins.build("fixes", name) for name in FIXES]
    assert any(condition in fix.treats and not fix.causes for fix in fixes)


def test_causes_are_known() -> None:
    """A cause or kind that a fix names is one that a detector gives."""
    import inspect

    source = "".join(
        inspect.getsource(inspect.getmodule(plugins.load("detectors", name)))  # type: ignore[arg-type]
        for name in plugins.BUILT_IN["detectors"]
    )
    for name in FIXES:
        for cause in plugins.build("fixes", name).causes:
            assert f'"{cause}"' in source, f"{name} is for {cause}, which nobody finds"


@pytest.mark.parametrize(
    ("name", "sick", "key", "value"),
    [
        ("non_saturating", SICK[1], "variant.vanilla.objective", "non_saturating"),
        ("r1", SICK[0], "variant.vanilla.r1", 10.0),
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
    """Another variant keeps the sizes and, where it has them, the options of the old one."""
    wide = Scenario.parse({"variant": {"vanilla": {"objective": "saturating", "width": 32}}})
    assert fixed("linear_critic", wide).variant.options == {"width": 32}
    averaged = {**wide.variant.options, "average": True}
    assert fixed("minibatch_discrimination", wide).variant.options == averaged


def test_r1_never_weakens() -> None:
    """Where a stronger R1 penalty is there already, the fix leaves it."""
    strong = Scenario.parse({"variant": {"vanilla": {"r1": 20.0}}})
    assert fixed("r1", strong) == strong
