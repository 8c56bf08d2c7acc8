"""The options of a scenario's variant, whoever brings it: which there are, and setting them."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from typing import Any

from gandiag.plugins import registry as plugins
from gandiag.plugins.descriptions import Option
from gandiag.plugins.errors import BadInput
from gandiag.scenario.schema import Scenario

POINTS = ("ring", "grid", "gaussian", "sine")  # datasets whose samples are points, not images


def get_option(scenario: Scenario, name: str) -> Any:
    """What the variant's option is set to, its default included; None where it has none."""
    known = _options(scenario.variant.name)
    if name not in known:
        return None
    try:
        default = ast.literal_eval(known[name].default)
    except ValueError:  # made by a call, as a stranger's may be
        default = None
    return scenario.variant.options.get(name, default)


def set_options(scenario: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """The scenario with its variant's options changed; the same one where one cannot be so."""
    variant = scenario.variant.name
    known = _options(variant)
    if not all(name in known and _admits(known[name], value) for name, value in changes.items()):
        return scenario
    new = {name: value for name, value in changes.items() if get_option(scenario, name) != value}
    return scenario.set({f"variant.{variant}.{name}": value for name, value in new.items()})


def has_point_data(scenario: Scenario) -> bool:
    """Whether the data are points, as far as their name tells: weights differ from images'."""
    return scenario.data.name in POINTS


def _options(variant: str) -> Mapping[str, Option]:
    """The variant's options; none for a variant that is not installed."""
    try:
        return _described(variant)
    except BadInput:  # an old run's, played with a package that is gone
        return {}


@functools.cache
def _described(variant: str) -> Mapping[str, Option]:
    return {item.name: item for item in plugins.describe("variants", variant).options}


def _admits(item: Option, value: Any) -> bool:
    """Whether an option can have a value, as far as its type is a list of them."""
    if not item.type.startswith("Literal["):
        return True
    return value in ast.literal_eval(item.type.removeprefix("Literal"))
