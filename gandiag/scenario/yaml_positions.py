"""YAML in, with the line of every key, and YAML out.

Numbers are read as YAML 1.2 reads them (``1e-3`` is one), switches as YAML 1.1 does (``off`` is
one). A key that stands twice in a mapping is refused: one of the two would be lost in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

import yaml

from gandiag.plugins.errors import BadInput

Key: TypeAlias = "tuple[str, ...]"

# A bad date raises ValueError, an unhashable key TypeError, a thousand brackets RecursionError.
_UNREADABLE = (yaml.YAMLError, ValueError, TypeError, RecursionError)


def parse_yaml(text: str, name: str) -> tuple[Any, dict[Key, int]]:
    """Read a text as plain data; None where it is empty.

    Returns:
        The data, and the line of every key, counted from 1.

    Raises:
        BadInput: naming `name` and line.

    >>> parse_yaml("lr: 1e-3", "a.yaml")
    ({'lr': 0.001}, {('lr',): 1})
    """
    lines: dict[Key, int] = {}
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None, lines
        lines.update(_lines(node, (), frozenset(), name))
        return loader.construct_document(node), lines
    except BadInput:
        raise
    except _UNREADABLE as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1}" if mark else name
        raise BadInput(place, f"not YAML: {_reason(error)}") from error


def dump_yaml(data: Any) -> str:
    """Write plain data: stories as blocks, short lists on one line."""
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text


class _Loader(yaml.SafeLoader):
    """Reads plain data only; nothing in the text is run."""


class _Dumper(yaml.SafeDumper):
    """Repeats what stands twice, where PyYAML would write an anchor."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)[eE][-+]?[0-9]+$")
for _kind in (_Loader, _Dumper):  # both, so that the text "1e-3" is written in quotes
    _kind.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER, list("-+.0123456789"))


_BREAKS = set("\r\x85\u2028\u2029")


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    if _BREAKS & set(value):  # line breaks to YAML, which would be read back as others
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _list(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.SequenceNode:
    flow = not any(isinstance(item, (dict, list)) for item in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=flow)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)


def _lines(
    node: yaml.Node, key: Key, above: frozenset[yaml.Node], name: str
) -> Iterator[tuple[Key, int]]:
    """Every key below a node, with its line; refuses what stands twice or holds itself."""
    line = node.start_mark.line + 1
    if node in above:
        raise BadInput(f"{name}:{line}", f"{'.'.join(key)}: an alias that leads back to itself")
    inside = above | {node}
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*key, str(index)), item.start_mark.line + 1
            yield from _lines(item, (*key, str(index)), inside, name)
    elif isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for word, value in node.value:
            below, line = (*key, str(word.value)), word.start_mark.line + 1
            if below[-1] in first and isinstance(word, yaml.ScalarNode):
                where = f"{'.'.join(below)} stands twice, in lines {first[below[-1]]} and {line}"
                raise BadInput(f"{name}:{line}", where)
            first[below[-1]] = line
            yield below, line
            yield from _lines(value, below, inside, name)


def _reason(error: Exception) -> str:
    problem = getattr(error, "problem", None)
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if problem is None:
        return str(error)
    if "'\\t'" in problem:
        return "a tab; indent with spaces"
    context = getattr(error, "context", None)
    return f"{context}, {problem}" if context else str(problem)
