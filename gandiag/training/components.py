"""The plugins of a scenario, built from their names and options before the run writes a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gandiag.monitoring.schedule import ScheduledProbe
from gandiag.plugins import registry as plugins
from gandiag.plugins.errors import BadInput, suggest_nearest
from gandiag.plugins.protocols import Dataset, Detector, Fix, Reporter, Variant
from gandiag.scenario.schema import Choice, Scenario


@dataclass(frozen=True)
class Components:
    """All plugins that a scenario names.

    To build them reveals every wrong name and option, before the run has cost any time.

    Attributes:
        dataset: loads the real samples.
        variant: builds the GAN.
        probes: measure signals during training, each with its schedule.
        detectors: diagnose failures from the record.
        reporters: write the reports.
        fixes: all installed fixes as ``(name, fix)``; a report suggests some of them.
    """

    dataset: Dataset
    variant: Variant
    probes: tuple[ScheduledProbe, ...]
    detectors: tuple[Detector, ...]
    reporters: tuple[Reporter, ...]
    fixes: tuple[tuple[str, Fix], ...]

    @classmethod
    def from_scenario(cls, scenario: Scenario, place: str = "scenario") -> Components:
        """Build every plugin that the scenario names.

        Args:
            scenario: names and options of the plugins.
            place: prefix of error messages, usually the scenario's file.

        Raises:
            BadInput: a name or option does not exist. The message has `place`, the key and the
                nearest name that exists.
        """
        # Detectors come first: the conditions in stop_on and expect are those that they detect.
        detectors = tuple(
            _build("detectors", choice, f"{place}: detection.detectors")
            for choice in scenario.detection.detectors
        )
        conditions = [detector.condition for detector in detectors]
        for key, named_conditions in (
            ("detection.stop_on", scenario.detection.stop_on),
            ("expect", scenario.expect),
        ):
            for condition in named_conditions:
                if condition not in conditions:
                    problem = f'no detector of the scenario detects "{condition}"'
                    hint = suggest_nearest(condition, conditions)
                    raise BadInput(f"{place}: {key}", f"{problem}; {hint}")
        return cls(
            dataset=_build("datasets", scenario.data, f"{place}: data"),
            variant=_build("variants", scenario.variant, f"{place}: variant"),
            probes=tuple(
                _schedule_probe(name, options, place) for name, options in scenario.probes.items()
            ),
            detectors=detectors,
            reporters=tuple(
                _build("reporters", choice, f"{place}: reporters") for choice in scenario.reporters
            ),
            # Every fix is built, as the diagnoses decide which of them the report suggests.
            fixes=plugins.build_all("fixes"),
        )


def _build(family: str, choice: Choice, place: str) -> Any:
    return plugins.build(family, choice.name, choice.options, place)


def _schedule_probe(name: str, options: dict[str, Any], place: str) -> ScheduledProbe:
    """Build a probe; ``every`` belongs to the schedule, all other options to the probe."""
    # A copy, because `pop` would remove the interval from the scenario itself.
    options = dict(options)
    every = options.pop("every")
    # In YAML, ``every: yes`` is a bool, and a bool is an int in Python.
    if not isinstance(every, int) or isinstance(every, bool) or every < 1:
        problem = f"a whole number of generator steps, at least 1 (got {every!r})"
        raise BadInput(f"{place}: probes.{name}.every", problem)
    return ScheduledProbe(name, plugins.build("probes", name, options, f"{place}: probes"), every)
