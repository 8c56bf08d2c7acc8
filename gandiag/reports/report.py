"""The report of a run: the record, the diagnoses and the suggested fixes, as plain data.

Reporters turn a report into a page, a table, a film or a log entry. Nothing is rendered here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from gandiag.diagnosis.diagnosis import Diagnosis, diagnose, humanize
from gandiag.diagnosis.objective import recognise_objectives
from gandiag.diagnosis.stability import Evaluation, Stability, assess_stability, evaluate_history
from gandiag.plugins.errors import BadInput, warn_user
from gandiag.plugins.fence import FIX_SECONDS, PluginFailed, call_plugin
from gandiag.records.record import Record
from gandiag.scenario.schema import Scenario, diff_scenarios

if TYPE_CHECKING:
    from gandiag.plugins.protocols import Detector, Fix


@dataclass(frozen=True, slots=True)
class SuggestedFix:
    """A fix that may help, written as a change of this scenario.

    Attributes:
        fix: name of the fix, as in ``gandiag list fixes``.
        condition: the failure that the fix is suggested for.
        advice: what to do, in one sentence.
        diff: unified diff of the scenario's YAML; empty where there is no scenario.
    """

    fix: str
    condition: str
    advice: str
    diff: str


@dataclass(frozen=True)
class Report:
    """The settings of a run, its measurements, the diagnoses and the fixes that may help.

    Attributes:
        scenario: settings of the run; None for an attached training loop and for a log.
        record: the recorded signals.
        diagnoses: one for each detector, in the order of `detectors`.
        suggested_fixes: fixes for the failures that are present, the most specific first.
        detectors: the detectors that were run; their fields are the thresholds.
        locations: path or URL of each published report; empty before publication.
    """

    scenario: Scenario | None
    record: Record
    diagnoses: tuple[Diagnosis, ...]
    suggested_fixes: tuple[SuggestedFix, ...] = ()
    detectors: tuple[Detector, ...] = ()
    locations: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Name of the scenario; without one, name of the record's folder or of the log."""
        if self.scenario is not None:
            return self.scenario.name
        if self.record.folder is not None:
            return self.record.folder.name
        return str(self.record.environment.get("log", {}).get("name", "record"))

    @property
    def verdict(self) -> str:
        """The diagnoses in one line, such as ``mode collapse (total) since step 800``."""
        return format_verdict(self.diagnoses)

    @cached_property
    def history(self) -> tuple[Evaluation, ...]:
        """Statuses at steps along the run; computed at the first access (about a second)."""
        return evaluate_history(self.record, self.detectors)

    def _repr_html_(self) -> str:
        """HTML that a notebook shows for a report."""
        # Imported here, as the figures load matplotlib: only notebooks need them.
        from gandiag.reports.html_repr import render_run

        return render_run(self.title, format_verdict(self.diagnoses), self.record, self.diagnoses)

    def stability(self, diagnosis: Diagnosis) -> Stability:
        """How stable one of the diagnoses is, and what would settle an open one."""
        known = {detector.condition: detector for detector in self.detectors}
        detector = known.get(diagnosis.condition)
        return assess_stability(diagnosis, self.record, self.history, detector)

    @property
    def objectives(self) -> str:
        """The recognised objectives of both networks in one sentence; empty if not recognised."""
        seen = recognise_objectives(self.record)
        return seen.describe() if any((seen.generator, seen.real, seen.fake)) else ""

    @property
    def unexpected(self) -> tuple[tuple[str, str, str], ...]:
        """(condition, expected, found) where a diagnosis differs from the scenario's `expect`."""
        found = {diagnosis.condition: diagnosis.status for diagnosis in self.diagnoses}
        expect: dict[str, Any] = dict(self.scenario.expect) if self.scenario else {}
        return tuple(
            (condition, status, found.get(condition, "not evaluated"))
            for condition, status in expect.items()
            if found.get(condition) != status
        )


def build_report(
    record: Record,
    scenario: Scenario | None,
    detectors: Sequence[Detector],
    fixes: Sequence[tuple[str, Fix]],
) -> Report:
    """Diagnose a record and suggest fixes.

    Args:
        record: signals of a finished or unfinished run.
        scenario: settings of the run; without them no fix is suggested.
        detectors: the detectors to run.
        fixes: (name, fix) of every fix that may be suggested.
    """
    diagnoses = diagnose(record, detectors)
    suggested = suggest_fixes(scenario, diagnoses, fixes) if scenario is not None else ()
    return Report(scenario, record, diagnoses, suggested, tuple(detectors))


def format_verdict(diagnoses: Iterable[Diagnosis]) -> str:
    """Sum up the diagnoses of a run in one line.

    Bugs of the loop that are present come first, as the cause of the failures; the failures follow
    in the order of their onset. Otherwise the line names the
    failures about which the record cannot decide: an inconclusive answer is not an absent failure.

    >>> format_verdict([Diagnosis("mode_collapse", "present", "", "total", 800)])
    'mode collapse (total) since step 800'
    >>> format_verdict([Diagnosis("mode_collapse", "absent", "")])
    'no failure detected'
    >>> format_verdict([Diagnosis("mode_collapse", "inconclusive", "")])
    'inconclusive: mode collapse'
    """
    diagnoses = list(diagnoses)
    present = sorted(
        (d for d in diagnoses if d.status == "present"),
        key=lambda d: (d.about != "loop", d.onset or 0),
    )
    if present:
        return "; ".join(_format_failure(diagnosis) for diagnosis in present)
    # Checks of the loop's code are often inconclusive, and say nothing about the training itself.
    failures = [d for d in diagnoses if d.about != "loop"]
    unclear = [humanize(d.condition) for d in failures if d.status == "inconclusive"]
    if not unclear:
        return "no failure detected"
    rest = "; no other failure detected" if len(unclear) < len(failures) else ""
    return f"inconclusive: {', '.join(unclear)}{rest}"


def suggest_fixes(
    scenario: Scenario, diagnoses: Iterable[Diagnosis], fixes: Iterable[tuple[str, Fix]]
) -> tuple[SuggestedFix, ...]:
    """Select the fixes for the failures that are present, each with its change of the scenario.

    A fix that names causes is suggested only if the diagnosis has one of them as its cause or its
    failure type. Fixes that change nothing, or the same as an earlier one, are left out.

    Returns:
        Fixes that name a cause first, then the general ones.
    """
    found: list[tuple[bool, SuggestedFix]] = []
    fixes = list(fixes)
    for diagnosis in diagnoses:
        if diagnosis.status != "present":
            continue
        causes = {diagnosis.cause, diagnosis.kind}
        for name, fix in fixes:
            if diagnosis.condition not in fix.treats or (fix.causes and not fix.causes & causes):
                continue
            # Two fixes can come to the same change, for example a lower learning rate.
            try:
                diff = call_plugin(fix, partial(_diff_fixed, scenario, fix), str, FIX_SECONDS)
            except (BadInput, PluginFailed) as error:
                warn_user(f"the fix {name} is not suggested: {error}")
                continue
            if diff and all(diff != other.diff for _, other in found):
                is_specific = bool(fix.causes)
                suggestion = SuggestedFix(name, diagnosis.condition, fix.advice, diff)
                found.append((is_specific, suggestion))
    # The sort is stable: fixes of equal rank keep the order of the diagnoses and of the registry.
    return tuple(suggestion for _, suggestion in sorted(found, key=lambda item: not item[0]))


def _diff_fixed(scenario: Scenario, fix: Fix) -> str:
    return diff_scenarios(scenario, fix.apply(scenario))


def _format_failure(diagnosis: Diagnosis) -> str:
    failure_type = f" ({diagnosis.kind.replace('_', ' ')})" if diagnosis.kind else ""
    name = humanize(diagnosis.condition)
    if diagnosis.about == "loop":
        name = f"bug in the loop: {name}"
    return f"{name}{failure_type} since step {diagnosis.onset}"
