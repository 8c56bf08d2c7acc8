"""Laws of every built-in plugin: a new plugin is tested here without a new test."""

from __future__ import annotations

import dataclasses
import inspect
import re

from gandiag.plugins import protocols
from gandiag.plugins import registry as plugins
from gandiag.plugins.builtin import BUILT_IN

EVERY = [(family, name) for family, names in BUILT_IN.items() for name in names]
SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
NEEDS_A_PATH = {("datasets", "npz"), ("datasets", "image_folder")}


def test_plugins_follow_their_protocol() -> None:
    """Every plugin is a frozen dataclass whose methods have the parameters of its protocol."""
    for family, name in EVERY:
        kind = plugins.load(family, name)
        assert dataclasses.is_dataclass(kind), name
        assert kind.__dataclass_params__.frozen, name  # type: ignore[attr-defined]
        assert SNAKE_CASE.fullmatch(name)
        singular = family.removesuffix("es" if family == "fixes" else "s")
        protocol = getattr(protocols, singular.title())
        for method, expected in inspect.getmembers(protocol, inspect.isfunction):
            if not method.startswith("_"):
                parameters = list(inspect.signature(getattr(kind, method)).parameters)
                assert parameters == list(inspect.signature(expected).parameters), (name, method)


def test_plugins_need_no_options() -> None:
    """Every option has a default, except for the path of a dataset of the user."""
    for family, name in EVERY:
        required = [
            field.name
            for field in dataclasses.fields(plugins.load(family, name))
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        ]
        assert required == (["path"] if (family, name) in NEEDS_A_PATH else []), name
        options = dict.fromkeys(required, "here")
        assert plugins.build(family, name, options) == plugins.build(family, name, options), name


def test_plugins_are_described() -> None:
    """The description of a plugin is a sentence, and has every field with a comment."""
    for family, name in EVERY:
        description = plugins.describe(family, name)
        assert re.match(r"[A-Z0-9].*\.$", description.summary), (name, description.summary)
        assert description.source == "gandiag"
        fields = [field.name for field in dataclasses.fields(plugins.load(family, name))]
        assert [option.name for option in description.options] == fields, name
        for option in description.options:
            assert option.comment, f"{name}.{option.name} has no comment"
