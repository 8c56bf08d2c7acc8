"""Definitions of the failures: the effect sizes of ``definitions.yaml``, by name."""

from __future__ import annotations

import functools
from importlib.resources import files
from typing import Any

import yaml

DEFINITIONS_FILE = "definitions.yaml"


@functools.cache
def read_definitions() -> dict[str, dict[str, dict[str, Any]]]:
    """Every definition by its group and name: ``value``, ``why``, and ``unit`` where it has one."""
    text = files("gandiag.diagnosis").joinpath(DEFINITIONS_FILE).read_text(encoding="utf-8")
    return dict(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def define(name: str) -> float:
    """The value of a definition.

    Args:
        name: its group and name, such as ``mode_collapse.total``.

    Raises:
        KeyError: there is no such definition.

    >>> define("mode_collapse.effective_modes")
    0.7
    """
    group, _, key = name.partition(".")
    return float(read_definitions()[group][key]["value"])
