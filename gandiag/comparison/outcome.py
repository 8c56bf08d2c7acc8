"""The outcome of one run: its diagnoses, the quality of its samples, and the cost of its steps."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from gandiag.records.storage import MAX_STEP, decode_number, encode


@dataclass(frozen=True)
class Outcome:
    """What a comparison needs to know about one run.

    Attributes:
        scenario_name: name of the compared scenario, see `ComparedScenario.name`.
        seed: seed of the run.
        statuses: ``present``, ``absent`` or ``inconclusive``, by condition.
        kinds: failure type of each condition that is present and has one, by condition.
        distances: pairs of a step and the distance between generated and real samples at that
            step, by rising step; the distance is infinite if a sample is not finite.
        coverage: coverage of the last samples, in [0, 1].
        balance: class balance of the last samples, in [0, 1]; NaN for data without classes.
        seconds_per_step: mean seconds of a generator step, with its discriminator steps and
            with gandiag's measurements.
        distance_name: name of the distance, such as ``energy distance``.
    """

    scenario_name: str
    seed: int
    statuses: Mapping[str, str]
    kinds: Mapping[str, str]
    distances: tuple[tuple[int, float], ...]
    coverage: float
    balance: float
    seconds_per_step: float
    distance_name: str

    @property
    def distance(self) -> float:
        """Distance of the last samples from the real samples; NaN if none was measured."""
        return self.distances[-1][1] if self.distances else math.nan

    def status(self, condition: str) -> str:
        """Return the status of a condition; ``inconclusive`` if no detector reported it."""
        # A run may lack a detector that other runs have, for example one of a newer version.
        return self.statuses.get(condition, "inconclusive")

    def failure_status(self, targets: Collection[str]) -> str:
        """Combine the statuses of several conditions.

        Returns:
            ``present`` if at least one of `targets` is present, ``absent`` if all of them are
            absent, otherwise ``inconclusive``.
        """
        statuses = {self.status(target) for target in targets}
        # One present target decides, whatever the inconclusive ones might be.
        if "present" in statuses:
            return "present"
        return "inconclusive" if "inconclusive" in statuses else "absent"

    def steps_to(self, level: float) -> float:
        """Return the first measured step with a distance of at most `level`; infinite if none."""
        return next((float(s) for s, value in self.distances if value <= level), math.inf)

    def as_json(self) -> dict[str, Any]:
        """Return plain data, in which non-finite numbers are strings as in the record."""
        data: dict[str, Any] = encode(
            {
                "arm": self.scenario_name,
                "seed": self.seed,
                "statuses": dict(self.statuses),
                "kinds": dict(self.kinds),
                "distances": self.distances,
                "coverage": self.coverage,
                "balance": self.balance,
                "seconds_per_step": self.seconds_per_step,
                "name": self.distance_name,
            }
        )
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outcome:
        """Read what `as_json` has written.

        Raises:
            KeyError: an entry is missing.
            ValueError: an entry that should be a number is none.
            TypeError: an entry has another type.
        """
        statuses, kinds, seed = dict(data["statuses"]), dict(data["kinds"]), data["seed"]
        if not set(statuses.values()) <= {"present", "absent", "inconclusive"}:
            raise ValueError("a status that gandiag does not know")
        distances = tuple((int(step), decode_number(value)) for step, value in data["distances"])
        steps = [step for step, _ in distances]
        if steps != sorted(steps) or not all(0 <= step <= MAX_STEP for step in (seed, *steps)):
            raise ValueError("the seed or a step is out of range")
        texts = (data["arm"], data["name"], *statuses, *kinds, *kinds.values())
        if not all(isinstance(text, str) and text.isprintable() for text in texts):
            raise TypeError("a name is no printable text")
        return cls(
            scenario_name=data["arm"],
            seed=seed,
            statuses=statuses,
            kinds=kinds,
            distances=distances,
            coverage=decode_number(data["coverage"]),
            balance=decode_number(data["balance"]),
            seconds_per_step=decode_number(data["seconds_per_step"]),
            distance_name=data["name"],
        )
