"""The rows of one JSON document, in the forms in which trainers and notebooks save their losses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

STEP = "step"
MAX_DEPTH = 8  # of nested objects and lists


def list_rows(document: Any) -> list[Any]:
    """The rows of a document.

    The forms are a list of objects; an object of lists, also nested, as Keras keeps a history; an
    object of lists of pairs (step, value); an object of objects by step; and a list of lists.

    >>> list_rows({"history": {"d_loss": [1, 2], "g_loss": [3, 4]}, "epochs": 2})
    [{'history/d_loss': 1, 'history/g_loss': 3}, {'history/d_loss': 2, 'history/g_loss': 4}]
    >>> list_rows({"d_loss": [[0, 0.5], [100, 0.4]]})
    [{'step': 0, 'd_loss': 0.5}, {'step': 100, 'd_loss': 0.4}]
    """
    if isinstance(document, list):
        return _list_rows_of_list(document)
    if not isinstance(document, dict):
        return [document]
    if document and all(map(_is_step, document)):  # {"100": {"d_loss": 0.5}, ...}
        return [
            {STEP: float(key), **value}
            for key, value in document.items()
            if isinstance(value, dict)
        ]
    lists = dict(_find_lists(document))
    objects = next((v for v in lists.values() if v and all(isinstance(x, dict) for x in v)), None)
    if objects is not None:
        return list(objects)
    if not lists:
        return [document]
    pairs = {name: values for name, values in lists.items() if _are_pairs(values)}
    if pairs:
        # The last two numbers are step and value; TensorBoard's export has the time before them.
        return [
            {STEP: pair[-2], name: pair[-1]} for name, values in pairs.items() for pair in values
        ]
    size = max(map(len, lists.values()))
    return [
        {name: _unwrap(values[row]) for name, values in lists.items() if row < len(values)}
        for row in range(size)
    ]


def _list_rows_of_list(document: Sequence[Any]) -> list[Any]:
    """Rows of a list: its objects, or its lists as rows of columns 1, 2, 3, and so on."""
    rows = [row for row in document if not isinstance(row, str)]
    if rows and all(isinstance(row, list) for row in rows):
        # A header may come first: [["step", "d_loss"], [0, 0.5], ...].
        first = rows[0]
        if first and all(isinstance(name, str) for name in first):
            return [dict(zip(first, row, strict=False)) for row in rows[1:]]
        return [{str(index + 1): value for index, value in enumerate(row)} for row in rows]
    return list(document)


def _find_lists(data: Mapping[str, Any], outer: str = "", depth: int = 0) -> Iterator[Any]:
    """Names and lists of an object and of its nested objects; an object by step is a list too."""
    for key, value in data.items():
        if isinstance(value, list):
            yield f"{outer}{key}", value
        elif isinstance(value, dict) and depth < MAX_DEPTH:
            if len(value) > 1 and all(map(_is_step, value)):  # {"d_loss": {"0": 0.5, "1": 0.4}}
                yield f"{outer}{key}", [[float(step), number] for step, number in value.items()]
            else:
                yield from _find_lists(value, f"{outer}{key}/", depth + 1)


def _is_step(key: str) -> bool:
    """Whether a key is a plain number, and a short one, so that it fits into a float."""
    return key.isascii() and key.isdigit() and len(key) < 16


def _are_pairs(values: Sequence[Any]) -> bool:
    """Whether a list has pairs of step and value, or triples of time, step and value."""
    return len(values) > 0 and all(
        isinstance(pair, list) and len(pair) in (2, 3) and all(map(is_number, pair[:-1]))
        for pair in values
    )


def _unwrap(value: Any) -> Any:
    """The number of a list with one number, as in `[[0.5], [0.4]]`."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def is_number(value: Any) -> bool:
    """Whether a value is a number; a bool is an int in Python, but no number of a log."""
    return type(value) in (float, int)
