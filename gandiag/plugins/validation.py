"""Checks that a plugin follows its protocol, and that the options passed to it are valid."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Any

from gandiag.plugins.errors import BadInput, suggest_nearest

if TYPE_CHECKING:
    from pydantic import TypeAdapter


def find_violation(found: Any, contract: type) -> str | None:
    """Return how a loaded object violates the protocol of its family; None if it follows it."""
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        return "is not a dataclass"
    # Plugins are frozen because a scenario and its report refer to the same options.
    if not found.__dataclass_params__.frozen:  # type: ignore[attr-defined]  # typeshed lacks it
        return "is not a frozen dataclass"
    attributes = inspect.get_annotations(contract)
    missing = [name for name in attributes if not hasattr(found, name)]
    methods = [name for name in vars(contract) if not name.startswith("_")]
    missing += [name for name in methods if not callable(getattr(found, name, None))]
    if missing:
        return f"lacks {', '.join(missing)} of {contract.__name__}"
    wrong = [name for name, kind in attributes.items() if not _has_kind(getattr(found, name), kind)]
    return f"has {wrong[0]} of another type than {attributes[wrong[0]]}" if wrong else None


def _has_kind(value: Any, kind: str) -> bool:
    """Whether a class variable has the type of its annotation in a protocol: texts, or one."""
    if "frozenset" not in kind:
        return isinstance(value, str)
    return isinstance(value, Set) and all(isinstance(item, str) for item in value)


def validate_options(kind: type, options: Mapping[str, Any], name: str, place: str) -> Any:
    """Build a plugin from its options, each converted to the type of its field.

    Args:
        kind: class of the plugin.
        options: values by the name of their field.
        name: name of the plugin, for messages.
        place: where the options were written, for messages.

    Raises:
        BadInput: with `place`, `name` and the option.
    """
    # pydantic takes a third of a second to import, and `gandiag list` never validates.
    from pydantic import PydanticUndefinedAnnotation, PydanticUserError, ValidationError

    from gandiag.plugins.validation_messages import describe_error

    _check_names_and_numbers(kind, options, name, place)
    try:
        return _build_adapter(kind).validate_python(dict(options))
    except ValidationError as error:
        # Only the first mistake is reported: the others often follow from it.
        first = error.errors()[0]
        key = ".".join([name, *map(str, first["loc"])])
        raise BadInput(place, f"{key}: {describe_error(first, ())}") from error
    # pydantic resolves annotations when it first sees the class, at the latest here.
    except (PydanticUserError, PydanticUndefinedAnnotation) as error:
        problem = f"{name}: the types of its options cannot be read: {error}"
        raise BadInput(place, problem.partition("\n")[0]) from error
    except (Exception, SystemExit) as error:  # of the plugin's own check of its options
        raise BadInput(place, f"{name}: raised {type(error).__name__}: {error}") from error


@functools.cache  # takes milliseconds, and a diagnosis validates the options of 30 plugins
def _build_adapter(kind: type) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _check_names_and_numbers(kind: type, options: Mapping[str, Any], name: str, place: str) -> None:
    """Refuse options that pydantic accepts: unknown names, infinite numbers, booleans as numbers.

    YAML reads ``yes`` as a boolean, which pydantic would convert to 1.
    """
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    for key, value in options.items():
        if key not in fields:
            raise BadInput(
                place, f"{name}.{key}: unknown option; {suggest_nearest(str(key), fields)}"
            )
        if isinstance(value, float) and not math.isfinite(value):
            raise BadInput(place, f"{name}.{key}: should be a finite number (got {value!r})")
        default = fields[key].default
        if isinstance(value, bool) and type(default) in (int, float):
            raise BadInput(place, f"{name}.{key}: should be a number (got {value!r})")
