"""Reads YAML with the line of every key, and writes YAML.

Numbers are read as in YAML 1.2, where ``1e-3`` is a number; booleans as in YAML 1.1, where ``off``
is one. A key that a mapping contains twice is an error: PyYAML would ignore the first one silently.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

import yaml
from yaml.composer import ComposerError

from gandiag.plugins.errors import BadInput

Key: TypeAlias = "tuple[str, ...]"

#: Most characters of a scenario; the longest shipped one has a few thousand, and PyYAML reads a
#: million in some seconds.
MAX_LENGTH = 1_000_000
#: Most values of a scenario, where an alias counts as all that it refers to.
MAX_NODES = 100_000
#: Deepest nesting; a scenario has 5 levels, and Python's recursion ends at 1,000.
MAX_NESTING = 100
#: Most digits of an integer: it must fit into a float64, whose largest value has 309.
MAX_DIGITS = 308
TOO_MANY = f"more than {MAX_NODES:,} values"

# PyYAML raises ValueError for an impossible date, TypeError for a key that cannot be hashed, and
# RecursionError for a thousand nested brackets.
_UNREADABLE = (yaml.YAMLError, ValueError, TypeError, RecursionError)


def parse_yaml(text: str, name: str) -> tuple[Any, dict[Key, int]]:
    """Read a text as plain data.

    Args:
        text: the YAML.
        name: name of the text, for messages.

    Returns:
        The data, None for an empty text, and the line of every key, counted from 1.

    Raises:
        BadInput: with `name` and line of the mistake.

    >>> parse_yaml("lr: 1e-3", "a.yaml")
    ({'lr': 0.001}, {('lr',): 1})
    """
    lines: dict[Key, int] = {}
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None, lines
        _check_size(node, {}, name)
        lines.update(_find_lines(node, (), frozenset(), name))
        return loader.construct_document(node), lines
    except BadInput:
        raise
    except _UNREADABLE as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1}" if mark else name
        raise BadInput(place, f"not YAML: {_describe_yaml_error(error)}") from error


def dump_yaml(data: Any) -> str:
    """Write plain data as YAML: long texts as blocks, flat lists on one line."""
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text


class _Loader(yaml.SafeLoader):
    """Reads plain data only; a tag such as ``!!python/object`` is an error.

    Nodes and nesting are counted while they are read, as a short text can hold many of both.
    """

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise yaml.YAMLError(f"more than {MAX_LENGTH:,} characters")
        super().__init__(text)
        self._nodes = self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._nodes += 1
        self._depth += 1
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # typeshed
        if self._nodes > MAX_NODES:
            raise ComposerError(None, None, TOO_MANY, mark)
        if self._depth > MAX_NESTING:
            raise ComposerError(None, None, f"nested more than {MAX_NESTING} levels deep", mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_number(self, node: yaml.ScalarNode) -> Any:
        """A number; its text is bounded first, as reading some forms takes quadratic time."""
        is_long = len(node.value) > MAX_DIGITS + 100  # signs, underscores, zeros
        is_float = node.tag.endswith("float")
        read = self.construct_yaml_float if is_float else self.construct_yaml_int
        value = 0 if is_long else read(node)
        if is_long or (isinstance(value, int) and abs(value) > 10**MAX_DIGITS):
            problem = f"a number of more than {MAX_DIGITS} digits"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return value


for _tag in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _Loader.construct_number)


class _Dumper(yaml.SafeDumper):
    """Writes a value that occurs twice in full both times, not as an anchor and an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)[eE][-+]?[0-9]+$")
for _class in (_Loader, _Dumper):  # the dumper too, so that the text "1e-3" is written in quotes
    _class.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER, list("-+.0123456789"))


# Characters that YAML takes for line breaks; in a block they would be read back as "\n".
_LINE_BREAKS = set("\r\x85\u2028\u2029")


def _represent_text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    if _LINE_BREAKS & set(value):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _represent_list(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.SequenceNode:
    is_flat = not any(isinstance(item, (dict, list)) for item in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=is_flat)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(list, _represent_list)


def _check_size(node: yaml.Node, sizes: dict[yaml.Node, int], name: str) -> int:
    """Return the number of values below a node, where an alias stands for all that it refers to.

    Each node is visited once, whatever the number of its aliases: a few lines of aliases of aliases
    can stand for more values than any memory holds.

    Args:
        node: where to begin.
        sizes: numbers of the nodes that were visited; 1 for the nodes that contain `node`.
        name: name of the text, for messages.

    Raises:
        BadInput: there are more than `MAX_NODES`.
    """
    if node in sizes:
        return sizes[node]
    sizes[node] = 1
    inside: list[yaml.Node] = []
    if isinstance(node, yaml.SequenceNode):
        inside = node.value
    elif isinstance(node, yaml.MappingNode):
        inside = [each for pair in node.value for each in pair]
    sizes[node] = 1 + sum(_check_size(each, sizes, name) for each in inside)
    if sizes[node] > MAX_NODES:
        raise BadInput(f"{name}:{node.start_mark.line + 1}", TOO_MANY)
    return sizes[node]


def _find_lines(
    node: yaml.Node, key: Key, above: frozenset[yaml.Node], name: str
) -> Iterator[tuple[Key, int]]:
    """Yield every key below a node with its line.

    Raises:
        BadInput: a mapping contains a key twice, or an alias refers to a node that contains it.
    """
    line = node.start_mark.line + 1
    if node in above:
        raise BadInput(f"{name}:{line}", f"{'.'.join(key)}: an alias that contains itself")
    inside = above | {node}
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*key, str(index)), item.start_mark.line + 1
            yield from _find_lines(item, (*key, str(index)), inside, name)
    elif isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for word, value in node.value:
            below, line = (*key, str(word.value)), word.start_mark.line + 1
            if below[-1] in first and isinstance(word, yaml.ScalarNode):
                both = f"lines {first[below[-1]]} and {line}"
                raise BadInput(f"{name}:{line}", f"{'.'.join(below)} is written twice, in {both}")
            first[below[-1]] = line
            yield below, line
            yield from _find_lines(value, below, inside, name)


def _describe_yaml_error(error: Exception) -> str:
    problem = getattr(error, "problem", None)
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if problem is None:
        return str(error)
    if "'\\t'" in problem:
        return "a tab; indent with spaces"
    context = getattr(error, "context", None)
    return f"{context}, {problem}" if context else str(problem)
