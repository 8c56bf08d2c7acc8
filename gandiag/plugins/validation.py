"""Whether a plugin keeps its contract, and what it is given keeps to its options."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Mapping
from typing import Any

from gandiag.plugins.errors import BadInput, nearest


def violation(found: Any, contract: type) -> str | None:
    """How a loaded object breaks its contract; None if it keeps it."""
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        return "is not a dataclass"
    if not found.__dataclass_params__.frozen:  # type: ignore[attr-defined]  # typeshed lacks it
        return "is not a frozen dataclass"
    facts = inspect.get_annotations(contract)
    lacking = [name for name in facts if not hasattr(found, name)]
    methods = [name for name in vars(contract) if not name.startswith("_")]
    lacking += [name for name in methods if not callable(getattr(found, name, None))]
    return f"lacks {', '.join(lacking)} of {contract.__name__}" if lacking else None


def validate_options(kind: type, options: Mapping[str, Any], name: str, place: str) -> Any:
    """Make a plugin from its options, each turned into its field's type.

    Raises:
        BadInput: naming `place`, the plugin's `name` and the option.
    """
    from pydantic import (
        PydanticUndefinedAnnotation,
        PydanticUserError,
        TypeAdapter,
        ValidationError,
    )

    from gandiag.plugins.validation_messages import wording

    _refuse(kind, options, name, place)
    try:
        return TypeAdapter(kind).validate_python(dict(options))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join([name, *map(str, first["loc"])])
        raise BadInput(place, f"{key}: {wording(first, ())}") from error
    except (PydanticUserError, PydanticUndefinedAnnotation) as error:
        problem = f"{name}: the types of its options cannot be read: {error}"
        raise BadInput(place, problem.partition("\n")[0]) from error


def _refuse(kind: type, options: Mapping[str, Any], name: str, place: str) -> None:
    """Refuse what pydantic lets pass: unknown options, infinite numbers, switches for numbers."""
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    for key, value in options.items():
        if key not in fields:
            raise BadInput(place, f"{name}.{key}: unknown option; {nearest(str(key), fields)}")
        if isinstance(value, float) and not math.isfinite(value):
            raise BadInput(place, f"{name}.{key}: should be a finite number (got {value!r})")
        default = fields[key].default
        if isinstance(value, bool) and type(default) in (int, float):
            raise BadInput(place, f"{name}.{key}: should be a number (got {value!r})")
