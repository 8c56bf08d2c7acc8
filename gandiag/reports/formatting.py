"""How numbers, names and verdicts are put into words, the same in every report."""

from __future__ import annotations

import math

from gandiag.diagnosis.diagnosis import Diagnosis, Evidence, humanize
from gandiag.reports.report import Report, format_verdict

PAGE_FILE, DIAGNOSES_FILE = (
    "report.html",
    "diagnoses.json",
)  # what reporters write into a run's folder
PAIR_FILE = "beside.html"  # ... and for two runs, into the first one's
FILM_FILE = "film.gif"

MARKS = {"present": "●", "absent": "○", "inconclusive": "?"}
_STATUS_ORDER = {"present": 0, "inconclusive": 1, "absent": 2}


def format_number(value: float) -> str:
    """Write a number to three digits.

    >>> number(0.0421371), number(float("nan")), number(float("-inf")), number(12345678)
    ('0.0421', 'NaN', '-infinity', '1.23e+07')
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "infinity" if value > 0 else "-infinity"
    return f"{value:.3g}"


def plain(name: str) -> str:
    """Write a name as words.

    >>> plain("mode_collapse")
    'mode collapse'
    """
    return humanize(name)


def format_threshold(evidence: Evidence) -> str:
    """Say where the observed number must lie to speak for the condition.

    >>> gate(Evidence("a/b", 0.1, "<", 0.7, True, "diversity"))
    'below 0.7'
    """
    return f"{'below' if evidence.relation == '<' else 'above'} {format_number(evidence.threshold)}"


def format_exceeded(evidence: Evidence) -> str:
    """Say whether the evidence speaks for the condition; *unknown* where nothing was seen."""
    if math.isnan(evidence.observed) and not evidence.holds:
        return "unknown"
    return "yes" if evidence.holds else "no"


def format_verdict_sentence(report: Report) -> str:
    """The verdict as a sentence."""
    text = format_verdict(report.diagnoses) if report.diagnoses else "nothing was asked"
    return f"{text[0].upper()}{text[1:]}."


def list_notes(report: Report) -> list[str]:
    """What a reader must know before trusting the verdict: a short run, an unexpected answer."""
    record, found = report.record, list(report.record.environment.get("log", {}).get("notes", ()))
    planned = record.facts.get("steps")
    played = record.environment.get("steps_played", record.last_step)
    if not record.signals:
        found.append("The record is empty: nothing was measured.")
    elif isinstance(planned, int) and played < planned:
        how = "ended early, at" if "steps_played" in record.environment else "was interrupted at"
        found.append(f"The run {how} step {played} of {planned} planned ones.")
    for condition, expected, status in report.unexpected:
        found.append(
            f"Not as the scenario expects: {plain(condition)} is {status}, expected {expected}."
        )
    return found


def select_shown(diagnoses: tuple[Diagnosis, ...]) -> tuple[Diagnosis, ...]:
    """All answers about the game, and those about the loop's code that found a fault."""
    return tuple(d for d in diagnoses if d.about == "game" or d.status == "present")


def summarize_loop_checks(diagnoses: tuple[Diagnosis, ...]) -> str:
    """One sentence for the answers about the loop's code that found nothing; empty without any.

    >>> folded((Diagnosis("idle_network", "absent", "", about="loop"),))
    "The loop's code: 1 check found no fault (idle network)."
    """
    rest = [d for d in diagnoses if d.about == "loop" and d.status != "present"]
    said = []
    for status, what in (("absent", "found no fault"), ("inconclusive", "could not tell")):
        names = [plain(d.condition) for d in rest if d.status == status]
        if names:
            checks = "check" if len(names) == 1 else "checks"
            said.append(f"{len(names)} {checks} {what} ({', '.join(names)})")
    return f"The loop's code: {'; '.join(said)}." if said else ""


def sort_by_status(diagnoses: tuple[Diagnosis, ...]) -> list[Diagnosis]:
    """Present ones first, by onset; then those that could not be judged; then absent ones."""
    return sorted(diagnoses, key=lambda d: (_STATUS_ORDER[d.status], d.onset or 0))
