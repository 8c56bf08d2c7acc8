"""The registry: finds, checks and builds every plugin, built-in or third-party, by its name.

A name maps to ``module:Class``. Built-in plugins are in `BUILT_IN`; a third-party package declares
an entry point in the group ``gandiag.<family>``. A plugin is imported when it is loaded, not
before: `describe` reads docstring and options from its source.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from gandiag.plugins import protocols
from gandiag.plugins.builtin import BUILT_IN, RENAMED_PLUGINS
from gandiag.plugins.descriptions import Description, read_description
from gandiag.plugins.errors import BadInput, suggest_nearest, warn_user
from gandiag.plugins.fence import IMPORT_SECONDS, run_limited
from gandiag.plugins.validation import find_violation, validate_options

_PROTOCOLS: Mapping[str, type] = {
    "datasets": protocols.Dataset,
    "variants": protocols.Variant,
    "probes": protocols.Probe,
    "readers": protocols.Reader,
    "detectors": protocols.Detector,
    "fixes": protocols.Fix,
    "instruments": protocols.Instrument,
    "reporters": protocols.Reporter,
}


def list_families() -> tuple[str, ...]:
    """Return the names of the plugin families, in the order of the data flow."""
    return tuple(BUILT_IN)


def list_names(family: str) -> tuple[str, ...]:
    """Return all plugin names of a family, built-in plugins first."""
    return tuple(_entries(family))


def load(family: str, name: str, place: str = "") -> type:
    """Import the class of a plugin and check that it follows the protocol of its family.

    Args:
        family: one of `list_families`.
        name: name of the plugin in the registry.
        place: where the name was written, for messages.

    Raises:
        BadInput: there is no such plugin, it cannot be imported, or it violates its protocol.
    """
    entry = _entry(family, name, place)
    title = f"{family}.{name} ({entry.value})"
    try:
        found = entry.load()
    except BadInput:
        raise
    # A third-party module may raise anything while it is imported, or call sys.exit.
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        raise BadInput(place, f"{title} cannot be imported: {reason}") from error
    problem = find_violation(found, _PROTOCOLS[family])
    if problem:
        raise BadInput(place, f"{title} {problem}")
    kind: type = found  # `find_violation` has checked that it is a class
    return kind


def build(family: str, name: str, options: Mapping[str, Any] | None = None, place: str = "") -> Any:
    """Build a plugin from its options.

    Args:
        family: one of `list_families`.
        name: name of the plugin in the registry.
        options: values by field name; a missing option has its default.
        place: where the options were written, for messages, such as ``scenario.yaml: variant``.

    Raises:
        BadInput: as `load`, or an option is unknown or has a bad value.
    """
    return validate_options(load(family, name, place), options or {}, name, place)


def build_all(family: str) -> tuple[tuple[str, Any], ...]:
    """Build every plugin of a family with its defaults; warn of each that cannot be built.

    Nobody has chosen these plugins: they are only installed. One whose import takes too long is
    left out.
    """
    made = []
    for name in list_names(family):
        try:
            if name in BUILT_IN[family]:
                made.append((name, build(family, name)))
            else:
                made.append((name, run_limited(partial(build, family, name), IMPORT_SECONDS)))
        except (BadInput, TimeoutError) as error:
            warn_user(f"plugin ignored: {family}.{name}: {error}")
    return tuple(made)


def describe(family: str, name: str) -> Description:
    """Read summary and options of a plugin from its source, without importing the plugin."""
    return read_description(family, name, _entry(family, name))


def _entry(family: str, name: str, place: str = "") -> EntryPoint:
    entries = _entries(family)
    # An earlier name is translated here, so that it works in scenarios, on the command line and in
    # saved runs.
    name = RENAMED_PLUGINS.get(family, {}).get(name, name)
    if name not in entries:
        raise BadInput(place, f'no {_singular(family)} "{name}"; {suggest_nearest(name, entries)}')
    # The built-in entry comes first: a third-party package cannot change what a scenario means.
    first, *others = entries[name]
    if others and name not in BUILT_IN[family]:
        owners = ", ".join(_owner(entry) for entry in entries[name])
        raise BadInput(place, f"{family}.{name} is provided by {owners}; uninstall all but one")
    for other in others:
        problem = f"{family}.{name} of {_owner(other)} is ignored: it is the name of a built-in one"
        warn_user(problem)
    return first


@functools.cache
def _entries(family: str) -> dict[str, list[EntryPoint]]:
    """The entry points of each name, the built-in one first; cached, as reading them is slow."""
    group = f"gandiag.{family}"
    found = {name: [EntryPoint(name, value, group)] for name, value in BUILT_IN[family].items()}
    # Sorted, so that messages do not depend on the order of installation.
    for entry in sorted(entry_points(group=group), key=lambda entry: (entry.name, _owner(entry))):
        found.setdefault(entry.name, []).append(entry)
    return found


def _owner(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.value


def _singular(family: str) -> str:
    return "fix" if family == "fixes" else family.removesuffix("s")
