"""Says in one line what is wrong with a scenario or a plugin's options."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from gandiag.plugins.errors import nearest

_SCALARS = (str, int, float, bool, type(None))

# pydantic's kinds of error, in the words of somebody who writes YAML
_WORDS = {
    "int_": "should be a whole number",
    "float_": "should be a number",
    "finite_number": "should be a finite number",
    "string_type": "should be a text",
    "tuple_type": "should be a list",
    "list_type": "should be a list",
    "too_long": "is too long",
    "dict_type": "should be a mapping of keys to values",
    "mapping_type": "should be a mapping of keys to values",
    "model_type": "should be a mapping of keys to values",
    "model_attributes_type": "should be a mapping of keys to values",
    "invalid_key": "a key should be a word",
    "bool_": "should be on or off",
    "missing": "is missing",
}
_BOUNDS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def wording(first: ErrorDetails, known: Iterable[str]) -> str:
    """Say what is wrong, and the nearest of the `known` keys where there is no such key.

    >>> wording({"type": "int_type", "loc": ("steps",), "msg": "", "input": "many"}, [])
    "should be a whole number (got 'many')"
    """
    kind, given, context = first["type"], first["input"], first.get("ctx", {})
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"unknown key; {nearest(str(first['loc'][-1]), known)}"
    if kind == "union_tag_invalid":
        names = str(context["expected_tags"]).replace("'", "").split(", ")
        return f'no {first["loc"][-1]} "{context["tag"]}"; {nearest(str(context["tag"]), names)}'
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"should be {words} {context[name]} (got {given!r})"
    if kind == "literal_error":
        names = str(context["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
        return f"{nearest(str(given), names)} (got {given!r})"
    words = next((text for start, text in _WORDS.items() if kind.startswith(start)), "")
    words = words or _lower(first["msg"].removeprefix("Value error, "))
    shown = "nothing" if given is None else repr(given)
    return f"{words} (got {shown})" if isinstance(given, _SCALARS) else words


def keys_at(model: type[BaseModel], key: Iterable[str], data: Any) -> list[str]:
    """Field names of the model that stands at `key` below `model`.

    A union of models is told apart by ``name``, as `data` or the first one's default has it.
    """
    kind: Any = model
    for part in key:
        data = data.get(part) if isinstance(data, Mapping) else None
        kind = kind.model_fields[part].annotation if part in kind.model_fields else None
        members = typing.get_args(kind)
        if members:
            chosen = data.get("name") if isinstance(data, Mapping) else None
            kind = next((m for m in members if chosen in _tags(m)), members[0])
        if not hasattr(kind, "model_fields"):
            return []
    return list(kind.model_fields)


def _tags(kind: Any) -> tuple[Any, ...]:
    fields = getattr(kind, "model_fields", {})
    return typing.get_args(fields["name"].annotation) if "name" in fields else ()


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
