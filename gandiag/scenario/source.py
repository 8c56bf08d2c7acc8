"""The source of a scenario: plain data, and the place where each key was written.

A value may come from the file, from a file that it extends, or from an option of the command line.
The places are kept so that the message of a mistake names the line or option that contains it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gandiag.plugins.errors import BadInput
from gandiag.scenario.yaml_positions import MAX_LENGTH, Key, parse_yaml


@dataclass
class Source:
    """Plain data with the place of each key.

    Attributes:
        data: keys and values, including those of the files that the file extends.
        origins: place of each key: ``file:line``, or an option of the command line.
        name: name of the source, usually the path of the file.
    """

    data: dict[str, Any]
    origins: dict[Key, str] = field(default_factory=dict)
    name: str = "scenario"

    def set_value(self, key: str, value: Any, place: str) -> None:
        """Set a value by dotted key, and record `place` as the place of this key."""
        set_by_key(self.data, key, value, place)
        path = tuple(key.split("."))
        # The places of keys below are those of the value that was replaced.
        self.origins = {k: old for k, old in self.origins.items() if k[: len(path)] != path}
        self.origins[path] = place

    def set_values(self, texts: Sequence[str], option: str) -> None:
        """Set the values of texts ``key=value``, each value in YAML.

        Args:
            texts: dotted keys with values.
            option: option of the command line that contains them, for messages.

        Raises:
            BadInput: a text is not ``key=value``, or its value is not YAML.
        """
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
        """Return the place of `key`; if it has none, that of a key below or above it.

        A missing key has no place, and the key above it is where it should be written.
        """
        for end in range(len(key), 0, -1):
            part = key[:end]
            if part in self.origins:
                return self.origins[part]
            below = [place for known, place in self.origins.items() if known[:end] == part]
            if below:
                return below[-1]
        return self.name

    def with_source(self, error: BadInput) -> BadInput:
        """Add the file and line to an error of a plugin, whose message has only a dotted key.

        >>> source = Source({}, {("variant", "vanilla"): "ring.yaml:7"}, "ring.yaml")
        >>> error = BadInput("ring.yaml: variant", "vanilla.objectve: unknown option")
        >>> str(source.with_source(error))
        'ring.yaml:7: variant: vanilla.objectve: unknown option'
        """
        message = str(error).removeprefix(f"{self.name}: ")
        found = _KEYS.match(message)
        key = ".".join(part for part in found.groups() if part).split(".") if found else []
        if not any(known[:1] == tuple(key[:1]) for known in self.origins):
            return error
        return BadInput(self.place_of(tuple(key)), message)


# Keys at the beginning of a message: "variant: vanilla.objectve: ...", "probes.loss.every: ...",
# 'variant: no variant "vanila"; ...', 'expect: no detector of the scenario detects "x"; ...'
_KEYS = re.compile(r'([\w.]+): (?:([\w.]+): |no [\w ]+ "(.+?)")?')


def read_source(path: Path, seen: tuple[Path, ...] = ()) -> Source:
    """Read a file and the files that it extends.

    Args:
        path: the file.
        seen: files that extend this file; none of them may be extended in turn.

    Raises:
        BadInput: with file and line of the mistake.
    """
    try:
        if path.is_fifo():
            raise OSError(22, "a named pipe")  # it would block
        with path.open(encoding="utf-8-sig") as file:  # some editors write a byte order mark
            text = file.read(MAX_LENGTH + 1)  # `parse_yaml` refuses a longer one
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
    """Read the file that a source extends, and merge the source into it."""
    place, parent = source.place_of(("extends",)), source.data.pop("extends")
    if not isinstance(parent, str) or not parent:
        raise BadInput(place, "extends: write the path of one file")
    base = path.parent / parent
    if base.resolve() in (*seen, path.resolve()):
        raise BadInput(place, f"extends: {parent} extends itself")
    if not base.is_file():
        raise BadInput(place, f"extends: {base}: no such file")
    extended = read_source(base, (*seen, path.resolve()))
    # The name is not inherited: the runs of both scenarios would share a folder.
    extended.data.pop("name", None)
    merged = _merge(extended.data, source.data)
    return Source(merged, {**extended.origins, **source.origins}, source.name)


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge `over` into `base`, recursively.

    Another plugin or optimizer replaces the old one, since its options have other meanings.
    """
    merged = dict(base)
    for key, value in over.items():
        old: Any = merged.get(key)
        merged[key] = _merge(old, value) if _is_mergeable(key, old, value) else value
    return merged


def _is_mergeable(key: str, old: Any, new: Any) -> bool:
    """Whether both values are mappings with options of the same plugin or optimizer."""
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return False
    if key in ("data", "variant"):
        return old.keys() == new.keys()
    if key == "optimizer":
        name = old.get("name", "adam")
        return bool(new.get("name", name) == name)
    return True


def sort_outermost_first(changes: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Sort changes by depth, outermost key first, so that no change removes an earlier one."""

    def depth(change: tuple[str, Any]) -> float:
        key = change[0]
        # The name of an optimizer comes before its other keys, as setting it clears them.
        return key.count(".") - (0.5 if key.endswith("optimizer.name") else 0.0)

    return sorted(changes.items(), key=depth)


def set_by_key(data: dict[str, Any], key: str, value: Any, place: str = "") -> None:
    """Set a value by dotted key; mappings on the path are created.

    Args:
        data: where the value is set, in place.
        key: dotted key.
        value: new value.
        place: where the key was written, for messages.

    Raises:
        BadInput: the key is empty in part, or leads through a list.

    >>> data = {"variant": "vanilla"}
    >>> set_by_key(data, "variant.vanilla.width", 8)
    >>> data
    {'variant': {'vanilla': {'width': 8}}}
    """
    parts = key.split(".")
    if not all(parts):
        raise BadInput(place, f'"{key}" is not a key; write key=value, as in training.steps=500')
    for depth, part in enumerate(parts[:-1]):
        inner = _copy_mapping(data.get(part), part, place)
        if depth == 0 and part in ("data", "variant"):  # another plugin replaces the current one
            inner = {name: old for name, old in inner.items() if name == parts[1]}
        data[part] = inner
        data = inner
    if parts[-2:] == ["optimizer", "name"] and value != data.get("name", "adam"):
        data.clear()  # another optimizer has other options
    data[parts[-1]] = value


def _copy_mapping(old: Any, key: str, place: str) -> dict[str, Any]:
    """A copy of the mapping at `key`; an empty one in place of another value."""
    if isinstance(old, list):
        raise BadInput(place, f"{key} is a list; set it as a whole, as in {key}=[a, b]")
    if isinstance(old, str) and key == "optimizer":
        return {"name": old}
    return dict(old) if isinstance(old, Mapping) else {}
