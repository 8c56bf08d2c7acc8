"""Noun 1: the scenario, a run written down before it happens.

A scenario is a YAML file. Only what differs from the defaults needs to be written; a file that
begins with ``extends: other.yaml`` needs only what differs from that one. A plugin is written as
its name, or as its name with options::

    variant: vanilla
    variant: {vanilla: {objective: saturating}}
"""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_serializer,
    model_validator,
)

from gandiag.errors import BadInput, nearest

__all__ = ["Choice", "Optimizer", "PlayerTraining", "Scenario", "Training", "difference"]

_PROBES: Mapping[str, Any] = {
    "loss": {"every": 10},
    "gradient": {"every": 10},
    "confidence": {"every": 10},
    "slope": {"every": 10},
    "diversity": {"every": 50},
    "motion": {"every": 50},
    "units": {"every": 100},
}
_DETECTORS = ("vanishing_gradients", "mode_collapse", "non_convergence")


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Choice(_Frozen):
    """A plugin chosen by name, with its options."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, Mapping) and len(value) == 1 and "name" not in value:
            name, options = next(iter(value.items()))
            if options is None or isinstance(options, Mapping):
                return {"name": name, "options": dict(options or {})}
        if isinstance(value, (Choice, Mapping)) and "name" in dict(value):
            return value
        raise ValueError("write a plugin as its name, or as {name: {option: value}}")

    @model_serializer
    def _to_yaml(self) -> Any:
        return {self.name: dict(self.options)} if self.options else self.name


class Adam(_Frozen):
    """Adam (Kingma & Ba 2015)."""

    name: Literal["adam"] = "adam"
    lr: PositiveFloat = 2e-4  # with betas (0.5, 0.999): Radford et al. 2016, section 4
    betas: tuple[float, float] = (0.5, 0.999)
    eps: PositiveFloat = 1e-8


class SGD(_Frozen):
    """Stochastic gradient descent."""

    name: Literal["sgd"] = "sgd"
    lr: PositiveFloat = 0.01
    momentum: float = Field(0.0, ge=0.0, lt=1.0)


class RMSprop(_Frozen):
    """RMSprop, as used for clipped critics (Arjovsky et al. 2017, algorithm 1)."""

    name: Literal["rmsprop"] = "rmsprop"
    lr: PositiveFloat = 5e-5
    alpha: float = Field(0.99, ge=0.0, lt=1.0)
    eps: PositiveFloat = 1e-8


Optimizer = Annotated[Adam | SGD | RMSprop, Field(discriminator="name")]


class PlayerTraining(_Frozen):
    """How one player learns."""

    steps: PositiveInt = 1  # updates of this player an iteration
    optimizer: Optimizer = Adam()


class Training(_Frozen):
    """How long and how the game is played."""

    steps: PositiveInt = 2000  # generator updates in all
    batch_size: int = Field(64, ge=2)
    generator: PlayerTraining = PlayerTraining()
    discriminator: PlayerTraining = PlayerTraining()


class Detection(_Frozen):
    """Which conditions are looked for, and how often while the run goes on."""

    every: PositiveInt = 100  # generator updates between two looks
    detectors: tuple[Choice, ...] = tuple(Choice(name=name) for name in _DETECTORS)
    stop_on: tuple[str, ...] = ()  # conditions that end the run once they are present


class Scenario(_Frozen):
    """A run written down before it happens. Immutable; `set` returns a changed copy."""

    name: str = "unnamed"
    about: str = ""  # the story: what is to be seen and why
    data: Choice = Choice(name="mnist")
    variant: Choice = Choice(name="vanilla")
    training: Training = Training()
    probes: dict[str, dict[str, Any]] = Field(default_factory=lambda: _copy(_PROBES))
    detection: Detection = Detection()
    reporters: tuple[Choice, ...] = (Choice(name="html"), Choice(name="json"))
    sheet_every: PositiveInt = 500  # generator updates between two sample sheets
    seed: int = Field(0, ge=0)
    device: str = "auto"  # auto, cpu, cuda, cuda:1, ...
    expect: dict[str, Literal["present", "absent", "inconclusive"]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _fill_probes(cls, value: Any) -> Any:
        """Probes that are not mentioned keep their cadence; ``name: off`` leaves one out."""
        if not isinstance(value, Mapping) or not isinstance(value.get("probes", {}), Mapping):
            return value
        probes = _copy(_PROBES)
        for name, options in value.get("probes", {}).items():
            if options is False:
                probes.pop(name, None)
            elif options is None or isinstance(options, Mapping):
                probes[name] = {"every": 50} | probes.get(name, {}) | dict(options or {})
            else:
                raise ValueError(f"probes.{name}: write options, or off")
        return {**value, "probes": probes}

    @classmethod
    def load(cls, path: Path | str, changes: Mapping[str, Any] | None = None) -> Scenario:
        """Read a scenario file, with `changes` by dotted key on top.

        Raises:
            BadInput: naming file, line and key of the first mistake.
        """
        path = Path(path)
        data = _read(path, ())
        for key, value in (changes or {}).items():
            _put(data, key, value)
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise _explain(error, path, data) from error

    @classmethod
    def parse(cls, data: Mapping[str, Any], place: str = "scenario") -> Scenario:
        """Check plain data; raise `BadInput` naming `place` and key of the first mistake."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise _explain(error, Path(place), data) from error

    def set(self, changes: Mapping[str, Any]) -> Scenario:
        """Return a copy with values replaced by dotted key.

        >>> Scenario().set({"training.discriminator.steps": 5}).training.discriminator.steps
        5
        """
        data = self.as_data()
        for key, value in changes.items():
            _put(data, key, value)
        return Scenario.parse(data)

    def as_data(self) -> dict[str, Any]:
        """Plain data with every default written out; `parse` reads it back."""
        data: dict[str, Any] = self.model_dump(mode="json")
        data["probes"] |= {name: False for name in _PROBES if name not in self.probes}
        return data

    def as_yaml(self) -> str:
        """The resolved scenario as YAML."""
        return yaml.dump(self.as_data(), Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def difference(before: Scenario, after: Scenario) -> str:
    """Unified diff of two scenarios' YAML; empty where they are equal."""
    lines = difflib.unified_diff(
        before.as_yaml().splitlines(),
        after.as_yaml().splitlines(),
        "before",
        "after",
        "",
        "",
        1,
        "",
    )
    return "\n".join(lines)


class _Dumper(yaml.SafeDumper):
    """Stories as blocks, short lists on one line."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _list(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.SequenceNode:
    flow = not any(isinstance(item, (dict, list)) for item in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=flow)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)


def _copy(probes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: dict(options) for name, options in probes.items()}


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """Read a file and what it extends as plain data."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise BadInput(str(path), reason.lower()) from error
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise BadInput(place, f"not YAML: {getattr(error, 'problem', error)}") from error
    if not isinstance(data, dict):
        raise BadInput(str(path), "a scenario is a mapping of keys to values")
    parent = data.pop("extends", None)
    if parent is None:
        return data
    base = path.parent / str(parent)
    if base.resolve() in seen or base.resolve() == path.resolve():
        raise BadInput(str(path), f"extends: {parent} leads back here")
    return _merge(_read(base, (*seen, path.resolve())), data)


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Put `over` on top of `base`; another plugin or optimizer replaces, the same one merges."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and _same_kind(key, old, value):
            merged[key] = _merge(old, value)
        else:
            merged[key] = value
    return merged


def _same_kind(key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    if key in ("data", "variant"):
        return old.keys() == new.keys()
    if key == "optimizer":
        return new.get("name", old.get("name")) == old.get("name")
    return True


def _put(data: dict[str, Any], key: str, value: Any) -> None:
    """Set a value by dotted key, making the mappings on the way."""
    *way, last = key.split(".")
    for part in way:
        inner = data.get(part)
        if isinstance(inner, str) and part in ("data", "variant"):
            inner = {inner: {}}  # a plugin written as its bare name
        data[part] = dict(inner) if isinstance(inner, Mapping) else {}
        data = data[part]
    data[last] = value


def _explain(error: ValidationError, path: Path, data: Mapping[str, Any]) -> BadInput:
    """The first mistake, as one line."""
    first = error.errors()[0]
    where = tuple(part for part in first["loc"] if part not in ("adam", "sgd", "rmsprop"))
    line = _line_of(path, where)
    place = f"{path}:{line}" if line else str(path)
    key = ".".join(map(str, where))
    if first["type"] == "extra_forbidden":
        known = _known_keys(where[:-1], data)
        return BadInput(place, f"{key}: unknown key; {nearest(str(where[-1]), known)}")
    message = first["msg"].removeprefix("Value error, ")
    given = first.get("input")
    shown = f" (got {given!r})" if isinstance(given, (str, int, float, bool)) else ""
    return BadInput(place, f"{key}: {message[0].lower()}{message[1:]}{shown}" if key else message)


def _known_keys(where: tuple[Any, ...], data: Any) -> list[str]:
    """Field names of the model at a place."""
    kind: Any = Scenario
    for part in where:
        data = data.get(part, {}) if isinstance(data, Mapping) else {}
        kind = kind.model_fields[part].annotation if part in kind.model_fields else None
        if typing.get_args(kind):  # the union of optimizers
            chosen = str(data.get("name", "adam")) if isinstance(data, Mapping) else "adam"
            kind = {"adam": Adam, "sgd": SGD, "rmsprop": RMSprop}.get(chosen, Adam)
        if kind is None or not hasattr(kind, "model_fields"):
            return []
    return list(kind.model_fields)


def _line_of(path: Path, where: tuple[Any, ...]) -> int | None:
    """Line of the deepest key of `where` that the file itself holds, counted from 1."""
    if not path.is_file():
        return None
    node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    line = None
    for key, value in _walk(node, where):
        line, node = key.start_mark.line + 1, value
    return line


def _walk(node: Any, where: tuple[Any, ...]) -> Iterator[tuple[Any, Any]]:
    for part in where:
        if not isinstance(node, yaml.MappingNode):
            return
        for key, value in node.value:
            if key.value == str(part):
                yield key, value
                node = value
                break
        else:
            return
