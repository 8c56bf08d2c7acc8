"""Noun 5: the report, all that a page needs, with nothing rendered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gandiag.diagnosis.diagnosis import Diagnosis, diagnose, humanize
from gandiag.diagnosis.objective import recognise_objectives
from gandiag.diagnosis.stability import Evaluation, Stability, evaluate_history, stability_of
from gandiag.records.record import Record
from gandiag.scenario.schema import Scenario, difference

if TYPE_CHECKING:
    from gandiag.plugins.protocols import Detector, Fix


@dataclass(frozen=True, slots=True)
class SuggestedFix:
    """A fix that may help, written out for this scenario.

    Attributes:
        fix: its name in the catalogue.
        condition: what it is suggested against.
        advice: what to do, in one sentence.
        diff: unified diff of the scenario's YAML; empty where there is no scenario.
    """

    fix: str
    condition: str
    advice: str
    diff: str


@dataclass(frozen=True)
class Report:
    """What was played, what was seen, what it means and what may help.

    Attributes:
        scenario: the run as it was written down; None for a loop or log of somebody's own.
        record: what the run left behind.
        diagnoses: one for each condition asked for.
        treatments: fixes for the conditions that are present, best first.
        detectors: those that were asked; their fields are the thresholds.
        places: where its reports lie, a path or URL each; empty before they are published.
    """

    scenario: Scenario | None
    record: Record
    diagnoses: tuple[Diagnosis, ...]
    suggested_fixes: tuple[SuggestedFix, ...] = ()
    detectors: tuple[Detector, ...] = ()
    places: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The scenario's name, or that of the record's folder."""
        if self.scenario is not None:
            return self.scenario.name
        if self.record.folder is not None:
            return self.record.folder.name
        return str(self.record.environment.get("log", {}).get("name", "record"))

    @cached_property
    def history(self) -> tuple[Evaluation, ...]:
        """What its detectors answered along the run; worked out when first asked for (seconds)."""
        return evaluate_history(self.record, self.detectors)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from gandiag.reports.html_repr import render_run  # with its figures, for a notebook only

        return render_run(self.title, format_verdict(self.diagnoses), self.record, self.diagnoses)

    def stability(self, diagnosis: Diagnosis) -> Stability:
        """How sure one of its answers is, and what would settle it."""
        known = {detector.condition: detector for detector in self.detectors}
        detector = known.get(diagnosis.condition)
        return stability_of(diagnosis, self.record, self.history, detector)

    @property
    def objectives(self) -> str:
        """What the two players minimise, in words, where slopes were recorded that show it."""
        seen = recognise_objectives(self.record)
        return seen.describe() if any((seen.generator, seen.real, seen.fake)) else ""

    @property
    def unexpected(self) -> tuple[tuple[str, str, str], ...]:
        """(condition, expected, found) where a diagnosis differs from the scenario's `expect`."""
        found = {diagnosis.condition: diagnosis.status for diagnosis in self.diagnoses}
        expect: dict[str, Any] = dict(self.scenario.expect) if self.scenario else {}
        return tuple(
            (condition, status, found.get(condition, "not asked"))
            for condition, status in expect.items()
            if found.get(condition) != status
        )


def build_report(
    record: Record,
    scenario: Scenario | None,
    detectors: Sequence[Detector],
    fixes: Sequence[tuple[str, Fix]],
) -> Report:
    """Diagnose a record and look for fixes: a run's end, and all that a saved one needs."""
    diagnoses = diagnose(record, detectors)
    treatments = suggest_fixes(scenario, diagnoses, fixes) if scenario is not None else ()
    return Report(scenario, record, diagnoses, treatments, tuple(detectors))


def format_verdict(diagnoses: Iterable[Diagnosis]) -> str:
    """One line for a run.

    >>> verdict([Diagnosis("mode_collapse", "present", "", "total", 800)])
    'mode collapse (total) since step 800'
    >>> verdict([Diagnosis("mode_collapse", "absent", "")])
    'nothing found'
    """
    diagnoses = list(diagnoses)
    present = sorted((d for d in diagnoses if d.status == "present"), key=lambda d: d.onset or 0)
    if present:
        return "; ".join(_phrase(diagnosis) for diagnosis in present)
    asked = [d for d in diagnoses if d.about == "game"]
    unclear = [humanize(d.condition) for d in asked if d.status == "inconclusive"]
    return (
        f"nothing found, but {', '.join(unclear)} could not be judged"
        if unclear
        else "nothing found"
    )


def suggest_fixes(
    scenario: Scenario, diagnoses: Iterable[Diagnosis], fixes: Iterable[tuple[str, Fix]]
) -> tuple[SuggestedFix, ...]:
    """Write out the fixes that treat what is present; those that know the cause come first."""
    found: list[tuple[bool, SuggestedFix]] = []
    fixes = list(fixes)
    for diagnosis in diagnoses:
        if diagnosis.status != "present":
            continue
        why = {diagnosis.cause, diagnosis.kind}
        for name, fix in fixes:
            if diagnosis.condition not in fix.treats or (fix.causes and not fix.causes & why):
                continue
            diff = difference(scenario, fix.apply(scenario))
            if diff and all(diff != other.diff for _, other in found):
                specific = bool(fix.causes)
                found.append((specific, SuggestedFix(name, diagnosis.condition, fix.advice, diff)))
    return tuple(treatment for _, treatment in sorted(found, key=lambda item: not item[0]))


def _phrase(diagnosis: Diagnosis) -> str:
    kind = f" ({diagnosis.kind.replace('_', ' ')})" if diagnosis.kind else ""
    return f"{humanize(diagnosis.condition)}{kind} since step {diagnosis.onset}"
