"""What came of one game: its diagnoses, how good its samples were, and what its steps cost."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from gandiag.records.storage import decode_number, encode_number


@dataclass(frozen=True)
class Outcome:
    """A played game in a few numbers.

    Attributes:
        arm: its name.
        seed: of the run.
        statuses: present, absent or inconclusive, by condition.
        kinds: sub-type of what is present, by condition.
        distances: (step, distance to real samples), oldest first; infinite where samples are.
        coverage: of the last samples, [0, 1].
        balance: of the last samples' classes, [0, 1]; NaN for data without classes.
        seconds_per_step: a generator step with all that belongs to it, as watched.
        name: of the distance.
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
        """Of the last samples."""
        return self.distances[-1][1] if self.distances else math.nan

    def status(self, condition: str) -> str:
        """What was answered about a condition."""
        return self.statuses.get(condition, "inconclusive")

    def failure_status(self, targets: Collection[str]) -> str:
        """``present`` if any of `targets` is, ``absent`` if all are, else ``inconclusive``."""
        found = {self.status(target) for target in targets}
        if "present" in found:
            return "present"
        return "inconclusive" if "inconclusive" in found else "absent"

    def steps_to(self, level: float) -> float:
        """First measured step at which the distance was at most `level`; infinite if never."""
        return next((float(s) for s, value in self.distances if value <= level), math.inf)

    def as_json(self) -> dict[str, Any]:
        """Plain data; numbers that are not finite become strings, as in the record."""
        return {
            "arm": self.scenario_name,
            "seed": self.seed,
            "statuses": dict(self.statuses),
            "kinds": dict(self.kinds),
            "distances": [[step, encode_number(value)] for step, value in self.distances],
            "coverage": encode_number(self.coverage),
            "balance": encode_number(self.balance),
            "seconds_per_step": encode_number(self.seconds_per_step),
            "name": self.distance_name,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outcome:
        """Read back what `as_json` wrote."""
        numbers = {
            key: decode_number(data[key]) for key in ("coverage", "balance", "seconds_per_step")
        }
        distances = tuple((int(step), decode_number(value)) for step, value in data["distances"])
        return cls(
            scenario_name=data["arm"],
            seed=data["seed"],
            statuses=data["statuses"],
            kinds=data["kinds"],
            distances=distances,
            distance_name=data["name"],
            **numbers,
        )
