"""Describes an error of pydantic in one line, in words for an author of YAML files."""

from __future__ import annotations

import reprlib
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from gandiag.plugins.errors import suggest_nearest

_SCALARS = (str, int, float, bool, type(None))

# Messages by the beginning of pydantic's error type. pydantic's own messages name Python types.
_MESSAGES = {
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
# Bounds by pydantic's error type: the key of the bound in the error's context, and its wording.
_BOUNDS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def describe_error(first: ErrorDetails, known: Iterable[str]) -> str:
    """Describe an error of pydantic; for an unknown key, suggest the nearest of the `known` keys.

    >>> describe_error({"type": "int_type", "loc": ("steps",), "msg": "", "input": "many"}, [])
    "should be a whole number (got 'many')"
    """
    kind, value, context = first["type"], first["input"], first.get("ctx", {})
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"unknown key; {suggest_nearest(str(first['loc'][-1]), known)}"
    if kind == "union_tag_invalid":
        names = str(context["expected_tags"]).replace("'", "").split(", ")
        name = str(context["tag"])
        return f'no {first["loc"][-1]} "{name}"; {suggest_nearest(name, names)}'
    if kind in _BOUNDS:
        bound, relation = _BOUNDS[kind]
        return f"should be {relation} {context[bound]} (got {shorten(value)})"
    if kind == "literal_error":
        names = str(context["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
        return f"{suggest_nearest(str(value), names)} (got {shorten(value)})"
    message = next((text for start, text in _MESSAGES.items() if kind.startswith(start)), "")
    if not message:  # an error of a validator of gandiag, whose text pydantic begins with this
        raised = first["msg"].removeprefix("Value error, ")
        message = raised[:1].lower() + raised[1:]
    shown = "nothing" if value is None else shorten(value)
    return f"{message} (got {shown})" if isinstance(value, _SCALARS) else message


def shorten(value: Any) -> str:
    """Write a value for a message, with at most 100 characters.

    >>> shorten("x" * 1000)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'"
    """
    writer = reprlib.Repr()
    writer.maxstring = writer.maxother = writer.maxlong = 85
    return writer.repr(value)


def list_keys_at(model: type[BaseModel], key: Iterable[str], data: Any) -> list[str]:
    """Return the field names of the model at a dotted path below `model`.

    A union of models, such as the optimizers, is resolved by the key ``name`` in the data; if the
    data has none, by the first model of the union.

    Args:
        model: where the path begins.
        key: parts of the path.
        data: what was read, from the same beginning.
    """
    kind: Any = model
    for part in key:
        data = data.get(part) if isinstance(data, Mapping) else None
        kind = kind.model_fields[part].annotation if part in kind.model_fields else None
        members = typing.get_args(kind)
        if members:
            name = data.get("name") if isinstance(data, Mapping) else None
            kind = next((member for member in members if name in _tags(member)), members[0])
        if not hasattr(kind, "model_fields"):
            return []
    return list(kind.model_fields)


def _tags(kind: Any) -> tuple[Any, ...]:
    """The values that the field ``name`` of a model can have."""
    fields = getattr(kind, "model_fields", {})
    return typing.get_args(fields["name"].annotation) if "name" in fields else ()
