"""The scenario: a description of a training run, written before the run begins.

A scenario is a YAML file. Every key has a default, so a file contains only the keys that differ
from it. A file with ``extends: other.yaml`` contains only the keys that differ from the other file.
A plugin is written as its name, or as its name with options::

    variant: vanilla
    variant: {vanilla: {objective: saturating}}
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from gandiag.plugins.builtin import DETECTORS, PROBE_CADENCES, RENAMED_PLUGINS
from gandiag.plugins.errors import BadInput
from gandiag.plugins.validation_messages import describe_error, list_keys_at
from gandiag.scenario.source import Source, read_source, set_by_key, sort_outermost_first
from gandiag.scenario.training_settings import (
    Count,
    Frozen,
    Seed,
    Training,
)
from gandiag.scenario.yaml_positions import dump_yaml

# Earlier keys, which the scenarios of saved runs contain, and their current names.
_RENAMED_KEYS = {"sheet_every": "sample_grid_every"}


class Choice(Frozen):
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


class Detection(Frozen):
    """Detectors of a run, and how often they are evaluated during the run."""

    every: Count = 100  # generator steps between two evaluations of the detectors
    detectors: tuple[Choice, ...] = tuple(Choice(name=name) for name in DETECTORS)
    stop_on: tuple[str, ...] = ()  # conditions that end the run as soon as they are present


class _Cadence(Frozen):
    every: Count


def _with_cadence(options: dict[str, Any]) -> dict[str, Any]:
    return options | _Cadence(every=options.get("every", 50)).model_dump()


ProbeOptions = Annotated[dict[str, Any], AfterValidator(_with_cadence)]  # every: generator steps


class Scenario(Frozen):
    """A training run and its monitoring. Immutable; `set` returns a changed copy."""

    name: str = "unnamed"  # also the name of the folder that holds its runs
    about: str = ""  # what the run shows and why, for readers of the report
    data: Choice = Choice(name="mnist")
    variant: Choice = Choice(name="vanilla")
    training: Training = Training()
    probes: dict[str, ProbeOptions] = Field(default_factory=lambda: _probes({}))
    detection: Detection = Detection()
    reporters: tuple[Choice, ...] = (Choice(name="html"), Choice(name="json"))
    sample_grid_every: Count = 500  # generator steps between two sample grids
    seed: Seed = 0
    device: str = "auto"  # auto, cpu, cuda, cuda:1, ...
    expect: dict[str, Literal["present", "absent", "inconclusive"]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _use_current_keys(cls, data: Any) -> Any:
        """Accept keys of earlier versions, which the scenarios of saved runs contain."""
        if not isinstance(data, Mapping):
            return data
        return {_RENAMED_KEYS.get(key, key): value for key, value in data.items()}

    @field_validator("name")
    @classmethod
    def _check_folder_name(cls, name: str) -> str:
        if not re.fullmatch(r"[^/\\. ][^/\\]{0,99}", name) or not name.isprintable():
            # Runs are saved in reports/NAME; a name such as ../x would leave that folder.
            raise ValueError("should name a folder: printable, no slashes, at most 100 characters")
        return name

    @field_validator("device")
    @classmethod
    def _check_device(cls, device: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:[0-9]+)?", device):
            raise ValueError("there are auto, cpu, cuda and cuda:<number>")
        return device

    @field_validator("probes", mode="before")
    @classmethod
    def _fill_probes(cls, probes: Any) -> Any:
        """Add the default probes that are not mentioned; ``name: off`` removes one."""
        return _probes(probes) if isinstance(probes, Mapping) else {} if probes is None else probes

    @classmethod
    def load(cls, path: Path | str, changes: Mapping[str, Any] | None = None) -> Scenario:
        """Read a scenario file.

        Args:
            path: the file.
            changes: values by dotted key, which replace those of the file.

        Raises:
            BadInput: with file, line and key of the first mistake.
        """
        source = read_source(Path(path))
        for key, value in sort_outermost_first(changes or {}):
            source.set_value(key, value, f"{key}={value}")
        return cls.from_source(source)

    @classmethod
    def from_source(cls, source: Source) -> Scenario:
        """Validate a source; a scenario without a name is named after its file.

        Raises:
            BadInput: with the place and key of the first mistake.
        """
        data = {"name": Path(source.name).stem, **source.data}
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise _explain(error, source) from error

    @classmethod
    def parse(cls, data: Mapping[str, Any], place: str = "scenario") -> Scenario:
        """Validate plain data.

        Raises:
            BadInput: with `place` and the key of the first mistake.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise _explain(error, Source(dict(data), name=place)) from error

    def set(self, changes: Mapping[str, Any]) -> Scenario:
        """Return a copy with values replaced by dotted key.

        >>> Scenario().set({"training.discriminator.steps": 5}).training.discriminator.steps
        5
        """
        data = self.as_data()
        for key, value in sort_outermost_first(changes):
            set_by_key(data, key, value)
        return Scenario.parse(data)

    def as_data(self) -> dict[str, Any]:
        """Plain data with every default written out; `parse` reads it back."""
        data: dict[str, Any] = self.model_dump(mode="json")
        # A default probe that is missing would be added again when the data are read.
        data["probes"] |= {name: False for name in PROBE_CADENCES["run"] if name not in self.probes}
        return data

    def as_yaml(self) -> str:
        """The resolved scenario as YAML."""
        return dump_yaml(self.as_data())


def diff_scenarios(before: Scenario, after: Scenario) -> str:
    """Return the unified diff of the YAML of two scenarios; empty if they are equal."""
    old, new = before.as_yaml().splitlines(), after.as_yaml().splitlines()
    return "\n".join(difflib.unified_diff(old, new, "before", "after", n=1, lineterm=""))


def _probes(written: Mapping[str, Any]) -> dict[str, Any]:
    """The options of all probes of a scenario that contains these options."""
    probes: dict[str, Any] = {name: {"every": n} for name, n in PROBE_CADENCES["run"].items()}
    for written_name, options in written.items():
        name = RENAMED_PLUGINS["probes"].get(written_name, written_name)
        if options is False:
            probes.pop(name, None)
        elif options is None or options is True:
            probes.setdefault(name, {})
        else:
            # Anything but a mapping is passed on: pydantic then reports it.
            is_mapping = isinstance(options, Mapping)
            probes[name] = probes.get(name, {}) | dict(options) if is_mapping else options
    return probes


def _explain(error: ValidationError, source: Source) -> BadInput:
    """The first mistake, as one line with its place and dotted key."""
    first = error.errors()[0]
    # pydantic adds the name of the optimizer to the path, which is no key of the file.
    tags = ("adam", "sgd", "rmsprop")
    where = tuple(str(part) for part in first["loc"] if part not in tags)
    known = list_keys_at(Scenario, where[:-1], source.data)
    words = describe_error({**first, "loc": where}, known)
    key = ".".join(part for part in where if part != "[key]")
    place = source.place_of((*where, "name") if first["type"] == "union_tag_invalid" else where)
    return BadInput(place, f"{key}: {words}" if key else words)
