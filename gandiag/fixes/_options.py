"""Reads and sets the options of a scenario's variant, built-in or third-party.

A fix depends on the options of a variant, not on its name: it applies to every variant with an
option of this name.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from gandiag.plugins import registry as plugins
from gandiag.plugins.descriptions import Option
from gandiag.plugins.errors import BadInput
from gandiag.scenario.schema import Scenario

POINT_DATASETS = ("ring", "grid", "gaussian", "sine")  # their samples are points, not images


@dataclass(frozen=True)
class OptionFix:
    """Base class of fixes that only set options of the variant to constants."""

    replaces: ClassVar[Mapping[str, tuple[Any, ...]]]
    """Values of options that the fix replaces; with any other value it changes nothing."""
    sets: ClassVar[Mapping[str, Any]]
    """New values of options."""

    def apply(self, scenario: Scenario) -> Scenario:
        """Return the scenario with the new values, where the variant has values to replace."""
        for name, values in self.replaces.items():
            if get_option(scenario, name) not in values:
                return scenario
        return set_options(scenario, self.sets)


def get_option(scenario: Scenario, name: str) -> Any:
    """Return the value of an option of the variant; None if the variant has no such option."""
    known = _describe_options(scenario.variant.name)
    if name not in known:
        return None
    try:
        default = ast.literal_eval(known[name].default)
    except ValueError:  # the default is no literal, but for example a call
        default = None
    return scenario.variant.options.get(name, default)


def set_options(scenario: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """Return the scenario with changed options of its variant.

    The scenario is returned unchanged if the variant lacks one of the options, or if an option
    cannot have the new value: half a fix could be worse than none.
    """
    variant = scenario.variant.name
    known = _describe_options(variant)
    if not all(name in known and _admits(known[name], value) for name, value in changes.items()):
        return scenario
    new = {name: value for name, value in changes.items() if get_option(scenario, name) != value}
    return scenario.set({f"variant.{variant}.{name}": value for name, value in new.items()})


def has_point_data(scenario: Scenario) -> bool:
    """Return whether the samples are points in the plane, by the name of the dataset.

    The weight of a gradient penalty depends on it: gradients are relative to the unit of the data.
    """
    return scenario.data.name in POINT_DATASETS


def _describe_options(variant: str) -> Mapping[str, Option]:
    """The options of a variant by name; none for a variant that is not installed."""
    try:
        return _cached_options(variant)
    except BadInput:  # the scenario of an old run, whose package has been removed
        return {}


@functools.cache
def _cached_options(variant: str) -> Mapping[str, Option]:
    return {item.name: item for item in plugins.describe("variants", variant).options}


def _admits(option: Option, value: Any) -> bool:
    """Whether an option can have a value; only an annotation ``Literal`` excludes values."""
    if not option.type.startswith("Literal["):
        return True
    return value in ast.literal_eval(option.type.removeprefix("Literal"))
