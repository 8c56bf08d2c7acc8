"""The scenarios of a comparison: the baseline, and the baseline with one or more fixes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from gandiag.plugins import registry as plugins
from gandiag.plugins.errors import BadInput
from gandiag.plugins.fence import FIX_SECONDS, PluginFailed, call_plugin
from gandiag.scenario.schema import Choice, Scenario, diff_scenarios

BASELINE = "baseline"
OLD_BASELINE = "untreated"  # Former name of the baseline, which older comparisons on disk have.
WANDB = "weights_and_biases"
MAX_NAME_LENGTH = 100  # Longest name, in characters, that the scenario schema accepts.


@dataclass(frozen=True)
class ComparedScenario:
    """One of the scenarios of a comparison. It is trained once with each seed.

    Attributes:
        name: ``baseline``, or the names of the fixes joined by ``+``; also the name of a folder.
        fixes: names of the fixes in the order in which they were applied; empty for the baseline.
        scenario: the scenario with the fixes applied, otherwise as its author wrote it.
        diff: unified diff of the YAML against the baseline; empty for the baseline.
    """

    name: str
    fixes: tuple[str, ...]
    scenario: Scenario
    diff: str = ""

    def trial_scenario(self, seed: int, reporters: Sequence[str] = (), group: str = "") -> Scenario:
        """Return the scenario of one run.

        The run never stops early: a run that ``detection.stop_on`` has ended cannot be compared
        with a run of full length.

        Args:
            seed: seed of the run.
            reporters: names of reporters for the run. JSON is always written, and a Weights &
                Biases reporter that the scenario itself names is kept.
            group: name under which Weights & Biases groups the runs; none if empty.
        """
        written = {choice.name: choice for choice in self.scenario.reporters}
        names = dict.fromkeys(["json", *(name for name in written if name == WANDB), *reporters])
        chosen = [written.get(name, Choice(name=name)) for name in names]
        data = [_add_group(choice, group).model_dump(mode="json") for choice in chosen]
        # Shorten the scenario's name and not the fixes' names, which distinguish the runs.
        kept = self.scenario.name[: MAX_NAME_LENGTH - 1 - len(self.name)]
        return self.scenario.set(
            {
                "seed": seed,
                "name": f"{kept}-{self.name}"[:MAX_NAME_LENGTH],
                "detection.stop_on": [],
                "expect": {},  # expectations hold for the scenario without fixes
                "reporters": data,
            }
        )

    def digest(self, seed: int) -> str:
        """Return a hash of everything that decides the outcome of the run with this seed.

        Reporters, device and description are left out, as they do not change the outcome.
        """
        neutral = {"reporters": [], "device": "auto", "about": ""}
        text = self.trial_scenario(seed).set(neutral).as_yaml()
        return hashlib.sha256(text.encode()).hexdigest()


def build_compared_scenarios(
    scenario: Scenario, fixes: Sequence[str], option: str = "--fix"
) -> tuple[ComparedScenario, ...]:
    """Return the baseline, and one scenario for each item of `fixes`.

    Args:
        scenario: the baseline.
        fixes: names of fixes; an item may be several names joined by commas.
        option: command-line option that error messages name.

    Raises:
        BadInput: there is no such fix, a fix changes nothing in this scenario, or two items give
            the same scenario.
    """
    compared = [ComparedScenario(BASELINE, (), scenario)]
    for item in fixes:
        # Empty names, as after a comma at the end, are left out.
        names = tuple(filter(None, map(str.strip, item.split(","))))
        fixed = apply_fixes(scenario, names, option)
        for other in compared[1:]:
            # Two orders of the same fixes, or a fix that includes another one.
            if other.diff == fixed.diff:
                raise BadInput(f"{option} {item}", f"gives the same scenario as {other.name}")
        compared.append(fixed)
    return tuple(compared)


def apply_fixes(
    scenario: Scenario, fixes: Sequence[str], option: str = "--fix"
) -> ComparedScenario:
    """Apply fixes to a scenario, one after the other.

    Raises:
        BadInput: no fix is named, there is no such fix, or a fix changes nothing.
    """
    place = f"{option} {','.join(fixes)}".strip()
    if not fixes:
        raise BadInput(place, "name a fix; gandiag list fixes")
    fixed = scenario
    for name in fixes:
        # A later fix sees the changes of an earlier one, so the order can matter.
        before, fix = fixed, plugins.build("fixes", name, {}, place)
        try:
            fixed = call_plugin(fix, partial(fix.apply, before), Scenario, FIX_SECONDS)
        except PluginFailed as error:
            raise BadInput(place, f"{name} cannot be applied: {error}") from error
        if fixed == before:
            raise BadInput(place, f"{name} changes nothing in {scenario.name}")
    return ComparedScenario("+".join(fixes), tuple(fixes), fixed, diff_scenarios(scenario, fixed))


def _add_group(choice: Choice, group: str) -> Choice:
    if choice.name != WANDB or not group:
        return choice
    # A group that the scenario names itself has priority over the one of the comparison.
    return Choice(name=WANDB, options={"group": group, **choice.options})
