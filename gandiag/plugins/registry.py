"""The catalogue: one door for every plugin, ours and strangers'.

A name leads to ``module:Class``. Ours stand in `BUILT_IN`; a stranger's package declares an entry
point in the group ``gandiag.<family>``. Nothing is imported before it is used: `describe` reads a
plugin's docstring and options from its source.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from gandiag.plugins import protocols as contracts
from gandiag.plugins.builtin import BUILT_IN, RENAMED
from gandiag.plugins.descriptions import Description, read_description
from gandiag.plugins.errors import BadInput, nearest
from gandiag.plugins.validation import validate_options, violation

_PROTOCOLS: Mapping[str, type] = {
    "datasets": contracts.Dataset,
    "variants": contracts.Variant,
    "probes": contracts.Probe,
    "readers": contracts.Reader,
    "detectors": contracts.Detector,
    "fixes": contracts.Fix,
    "instruments": contracts.Instrument,
    "reporters": contracts.Reporter,
}


def families() -> tuple[str, ...]:
    """The plugin families, in the order of the data's way."""
    return tuple(BUILT_IN)


def names(family: str) -> tuple[str, ...]:
    """All plugin names of a family, ours first."""
    return tuple(_entries(family))


def load(family: str, name: str, place: str = "") -> type:
    """Import a plugin's class and check it against its contract.

    Raises:
        BadInput: there is no such plugin, it cannot be imported, or it breaks its contract.
    """
    entry = _entry(family, name, place)
    called = f"{family}.{name} ({entry.value})"
    try:
        found = entry.load()
    except BadInput:
        raise
    except Exception as error:  # a stranger's module may raise anything while it is imported
        reason = f"{type(error).__name__}: {error}"
        raise BadInput(place, f"{called} cannot be imported: {reason}") from error
    problem = violation(found, _PROTOCOLS[family])
    if problem:
        raise BadInput(place, f"{called} {problem}")
    kind: type = found
    return kind


def build(family: str, name: str, options: Mapping[str, Any] | None = None, place: str = "") -> Any:
    """Make a plugin from its options.

    Args:
        family: one of `families`.
        name: the plugin's name in the catalogue.
        options: its fields by name; those left out keep their defaults.
        place: what a mistake is blamed on, such as ``scenario.yaml: variant``.

    Raises:
        BadInput: as `load`, or an option is unknown or has a bad value.
    """
    return validate_options(load(family, name, place), options or {}, name, place)


def build_all(family: str) -> tuple[tuple[str, Any], ...]:
    """Make every plugin of a family with its defaults; warn of those that cannot be, and go on."""
    made = []
    for name in names(family):
        try:
            made.append((name, build(family, name)))
        except BadInput as error:
            warnings.warn(f"left out: {error}", RuntimeWarning, stacklevel=2)
    return tuple(made)


def describe(family: str, name: str) -> Description:
    """Read a plugin's summary and options from its source, without importing it."""
    return read_description(family, name, _entry(family, name))


def _entry(family: str, name: str, place: str = "") -> EntryPoint:
    entries = _entries(family)
    name = RENAMED.get(family, {}).get(name, name)
    if name not in entries:
        raise BadInput(place, f'no {_singular(family)} "{name}"; {nearest(name, entries)}')
    first, *others = entries[name]
    if others and name not in BUILT_IN[family]:
        owners = ", ".join(_owner(entry) for entry in entries[name])
        raise BadInput(place, f"{family}.{name} is brought by {owners}; uninstall all but one")
    for other in others:
        problem = f"{family}.{name} of {_owner(other)} is left out: the name is gandiag's own"
        warnings.warn(problem, RuntimeWarning, stacklevel=3)
    return first


@functools.cache
def _entries(family: str) -> dict[str, list[EntryPoint]]:
    """Who claims each name, ours first."""
    group = f"gandiag.{family}"
    found = {name: [EntryPoint(name, value, group)] for name, value in BUILT_IN[family].items()}
    for entry in sorted(entry_points(group=group), key=lambda entry: (entry.name, _owner(entry))):
        found.setdefault(entry.name, []).append(entry)
    return found


def _owner(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.value


def _singular(family: str) -> str:
    return "fix" if family == "fixes" else family.removesuffix("s")
