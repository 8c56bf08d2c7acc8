"""What a scenario is made from: plain data, and who wrote each key, so that mistakes are placed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gandiag.plugins.errors import BadInput
from gandiag.scenario.yaml_positions import Key, parse_yaml


@dataclass
class Source:
    """Plain data with the place of each key.

    Attributes:
        data: what was written, by the files that it extends too.
        places: who wrote a key: ``file:line``, or an option of the command line.
        name: what the whole is called, usually the file.
    """

    data: dict[str, Any]
    origins: dict[Key, str] = field(default_factory=dict)
    name: str = "scenario"

    def set_value(self, key: str, value: Any, place: str) -> None:
        """Set a value by dotted key; mistakes in it are blamed on `place`."""
        set_by_key(self.data, key, value, place)
        way = tuple(key.split("."))
        self.origins = {k: old for k, old in self.origins.items() if k[: len(way)] != way}
        self.origins[way] = place

    def set_values(self, texts: Sequence[str], option: str) -> None:
        """Set each ``key=value``, whose value is YAML; mistakes are blamed on `option`."""
        changes = {}
        for text in texts:
            key, equals, value = text.partition("=")
            if not equals:
                problem = "write key=value, as in training.steps=500"
                raise BadInput(f"{option} {text}", problem)
            try:
                changes[key.strip()] = (parse_yaml(value, text)[0], f"{option} {text}")
            except BadInput as error:
                raise BadInput(f"{option} {text}", error.problem) from error
        for key, (found, place) in sort_outermost_first(changes):
            self.set_value(key, found, place)

    def place_of(self, key: Key) -> str:
        """Who wrote `key`, or else the nearest key below it or above it."""
        for end in range(len(key), 0, -1):
            part = key[:end]
            if part in self.origins:
                return self.origins[part]
            below = [place for known, place in self.origins.items() if known[:end] == part]
            if below:
                return below[-1]
        return self.name

    def with_source(self, error: BadInput) -> BadInput:
        """Give a plugin's mistake, which knows its dotted key only, the place of that key.

        >>> source = Source({}, {("variant", "vanilla"): "ring.yaml:7"}, "ring.yaml")
        >>> str(source.with_source(BadInput("ring.yaml: variant", "vanilla.objectve: unknown option")))
        'ring.yaml:7: variant: vanilla.objectve: unknown option'
        """
        said = str(error).removeprefix(f"{self.name}: ")
        found = _KEYS.match(said)
        key = ".".join(part for part in found.groups() if part).split(".") if found else []
        if not any(known[:1] == tuple(key[:1]) for known in self.origins):
            return error
        return BadInput(self.place_of(tuple(key)), said)


# "variant: vanilla.objectve: ...", 'variant: no variant "vanila"; ...', "probes.loss.every: ..."
_KEYS = re.compile(r'([\w.]+): (?:([\w.]+): |(?:no|nobody) \w+ "(.+?)")?')


def read_source(path: Path, seen: tuple[Path, ...] = ()) -> Source:
    """Read a file and what it extends.

    Raises:
        BadInput: naming file and line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a mark
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise BadInput(str(path), reason.lower()) from error
    data, lines = parse_yaml(text, str(path))
    if not isinstance(data, dict):
        empty = "empty; " if data is None else ""
        raise BadInput(str(path), f"{empty}a scenario is a mapping of keys to values")
    places = {key: f"{path}:{line}" for key, line in lines.items()}
    source = Source(data, places, str(path))
    return _extended(source, path, seen) if "extends" in data else source


def _extended(source: Source, path: Path, seen: tuple[Path, ...]) -> Source:
    """Put a source on top of the one that it extends."""
    place, parent = source.place_of(("extends",)), source.data.pop("extends")
    if not isinstance(parent, str) or not parent:
        raise BadInput(place, "extends: write the path of one file")
    base = path.parent / parent
    if base.resolve() in (*seen, path.resolve()):
        raise BadInput(place, f"extends: {parent} leads back to itself")
    if not base.is_file():
        raise BadInput(place, f"extends: {base}: no such file")
    below = read_source(base, (*seen, path.resolve()))
    below.data.pop("name", None)  # a child is not its parent, nor do its runs go there
    merged = _merge(below.data, source.data)
    return Source(merged, {**below.origins, **source.origins}, source.name)


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Put `over` on top of `base`; another plugin or optimizer replaces, the same one merges."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping) and _same_kind(key, old, value):
            merged[key] = _merge(old, value)
        else:
            merged[key] = value
    return merged


def _same_kind(key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    if key in ("data", "variant"):
        return old.keys() == new.keys()
    if key == "optimizer":
        was = old.get("name", "adam")
        return bool(new.get("name", was) == was)
    return True


def sort_outermost_first(changes: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Changes from the outermost key inwards, so that none takes another away."""
    return sorted(changes.items(), key=lambda change: _depth(change[0]))


def set_by_key(data: dict[str, Any], key: str, value: Any, place: str = "") -> None:
    """Set a value by dotted key, making the mappings on the way.

    >>> data = {"variant": "vanilla"}
    >>> set_by_key(data, "variant.vanilla.width", 8)
    >>> data
    {'variant': {'vanilla': {'width': 8}}}
    """
    parts = key.split(".")
    if not all(parts):
        raise BadInput(place, f'"{key}" is no key; write key=value, as in training.steps=500')
    for depth, part in enumerate(parts[:-1]):
        inner = _inner(data.get(part), part, place)
        if depth == 0 and part in ("data", "variant"):  # another plugin replaces the chosen one
            inner = {name: old for name, old in inner.items() if name == parts[1]}
        data[part] = inner
        data = inner
    if parts[-2:] == ["optimizer", "name"] and value != data.get("name", "adam"):
        data.clear()  # another optimizer has other options
    data[parts[-1]] = value


def _depth(key: str) -> float:
    inner = 0.5 if key.endswith("optimizer.name") else 0.0  # another name has other options
    return key.count(".") - inner


def _inner(old: Any, key: str, place: str) -> dict[str, Any]:
    """A copy of the mapping under `key`; an empty one where something else stands."""
    if isinstance(old, list):
        raise BadInput(place, f"{key} is a list; set it as a whole, as in {key}=[a, b]")
    if isinstance(old, str) and key == "optimizer":
        return {"name": old}
    return dict(old) if isinstance(old, Mapping) else {}
