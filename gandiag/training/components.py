"""A scenario's plugins, made from their names and options before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gandiag.monitoring.schedule import ScheduledProbe
from gandiag.plugins import registry as plugins
from gandiag.plugins.errors import BadInput, nearest
from gandiag.plugins.protocols import Dataset, Detector, Fix, Reporter, Variant
from gandiag.scenario.schema import Choice, Scenario


@dataclass(frozen=True)
class Components:
    """A scenario's plugins, made. Whatever is wrong with their names or options shows here."""

    dataset: Dataset
    variant: Variant
    probes: tuple[ScheduledProbe, ...]
    detectors: tuple[Detector, ...]
    reporters: tuple[Reporter, ...]
    fixes: tuple[tuple[str, Fix], ...]

    @classmethod
    def from_scenario(cls, scenario: Scenario, place: str = "scenario") -> Components:
        """Make every plugin that the scenario names.

        Raises:
            BadInput: naming `place`, the key, and the nearest name that exists.
        """
        detectors = tuple(
            _build("detectors", choice, f"{place}: detection.detectors")
            for choice in scenario.detection.detectors
        )
        conditions = [detector.condition for detector in detectors]
        for key, named in (
            ("detection.stop_on", scenario.detection.stop_on),
            ("expect", scenario.expect),
        ):
            for condition in named:
                if condition not in conditions:
                    hint = nearest(condition, conditions)
                    raise BadInput(f"{place}: {key}", f'nobody detects "{condition}"; {hint}')
        return cls(
            dataset=_build("datasets", scenario.data, f"{place}: data"),
            variant=_build("variants", scenario.variant, f"{place}: variant"),
            probes=tuple(_schedule(n, o, place) for n, o in scenario.probes.items()),
            detectors=detectors,
            reporters=tuple(
                _build("reporters", choice, f"{place}: reporters") for choice in scenario.reporters
            ),
            fixes=plugins.build_all("fixes"),
        )


def _build(family: str, choice: Choice, place: str) -> Any:
    return plugins.build(family, choice.name, choice.options, place)


def _schedule(name: str, options: dict[str, Any], place: str) -> ScheduledProbe:
    options = dict(options)
    every = options.pop("every")
    if not isinstance(every, int) or isinstance(every, bool) or every < 1:
        problem = f"a whole number of generator steps, at least 1 (got {every!r})"
        raise BadInput(f"{place}: probes.{name}.every", problem)
    return ScheduledProbe(name, plugins.build("probes", name, options, f"{place}: probes"), every)
