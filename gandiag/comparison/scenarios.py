"""The arms of a comparison: the scenario as it is, and with some fixes applied."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from gandiag.plugins import registry as plugins
from gandiag.plugins.errors import BadInput
from gandiag.scenario.schema import Choice, Scenario, difference

BASELINE = "untreated"
WANDB = "weights_and_biases"


@dataclass(frozen=True)
class ComparedScenario:
    """A scenario that is played with several seeds.

    Attributes:
        name: the fixes' names joined by ``+``, or ``untreated``; it names a folder.
        fixes: what was applied, in this order.
        scenario: with the fixes applied, otherwise as its author wrote it.
        diff: unified diff of the YAML against the untreated scenario.
    """

    name: str
    fixes: tuple[str, ...]
    scenario: Scenario
    diff: str = ""

    def trial_scenario(self, seed: int, reporters: Sequence[str] = (), group: str = "") -> Scenario:
        """What is played with a seed: to its end, and with few reports.

        A run that ``detection.stop_on`` ended early could not be set beside a whole one.

        Args:
            seed: of the run.
            reporters: asked for each run, beside JSON and those of Weights & Biases that the
                scenario itself names.
            group: of the runs at Weights & Biases.
        """
        written = {choice.name: choice for choice in self.scenario.reporters}
        names = dict.fromkeys(["json", *(name for name in written if name == WANDB), *reporters])
        chosen = [written.get(name, Choice(name=name)) for name in names]
        data = [_grouped(choice, group).model_dump(mode="json") for choice in chosen]
        return self.scenario.set(
            {
                "seed": seed,
                "name": f"{self.scenario.name[: 99 - len(self.name)]}-{self.name}"[:100],
                "detection.stop_on": [],
                "expect": {},
                "reporters": data,
            }
        )

    def digest(self, seed: int) -> str:
        """Tells games apart that are not the same; where they are shown does not matter."""
        text = (
            self.trial_scenario(seed)
            .set({"reporters": [], "device": "auto", "about": ""})
            .as_yaml()
        )
        return hashlib.sha256(text.encode()).hexdigest()


def build_compared_scenarios(
    scenario: Scenario, fixes: Sequence[str], option: str = "--fix"
) -> tuple[ComparedScenario, ...]:
    """The untreated arm, and one for each of `fixes`, which may be several joined by commas.

    Raises:
        BadInput: there is no such fix, it changes nothing here, or two arms are the same game.
    """
    arms = [ComparedScenario(BASELINE, (), scenario)]
    for written in fixes:
        arm = apply_fixes(scenario, tuple(filter(None, map(str.strip, written.split(",")))), option)
        for other in arms[1:]:
            if other.diff == arm.diff:
                raise BadInput(f"{option} {written}", f"is the same game as {other.name}")
        arms.append(arm)
    return tuple(arms)


def apply_fixes(
    scenario: Scenario, fixes: Sequence[str], option: str = "--fix"
) -> ComparedScenario:
    """The scenario with fixes applied one after the other."""
    place = f"{option} {','.join(fixes)}".strip()
    if not fixes:
        raise BadInput(place, "name a fix; gandiag list fixes")
    changed = scenario
    for name in fixes:
        before, changed = changed, plugins.build("fixes", name, {}, place).apply(changed)
        if changed == before:
            raise BadInput(place, f"{name} changes nothing in {scenario.name}")
    return ComparedScenario("+".join(fixes), tuple(fixes), changed, difference(scenario, changed))


def _grouped(choice: Choice, group: str) -> Choice:
    if choice.name != WANDB or not group:
        return choice
    return Choice(name=WANDB, options={"group": group, **choice.options})
