"""Format numbers, thresholds and verdicts, in the same way for every reporter."""

from __future__ import annotations

import math

from gandiag.diagnosis.diagnosis import Diagnosis, Evidence, humanize
from gandiag.reports.report import Report, format_verdict

# Files that reporters write into a run's folder.
PAGE_FILE = "report.html"
DIAGNOSES_FILE = "diagnoses.json"
PAIR_FILE = "beside.html"  # compares two runs; written into the folder of the first run
FILM_FILE = "film.gif"

MARKS = {"present": "●", "absent": "○", "inconclusive": "?"}
_STATUS_ORDER = {"present": 0, "inconclusive": 1, "absent": 2}


def format_number(value: float) -> str:
    """Write a number with three significant digits.

    >>> format_number(0.0421371), format_number(12345678)
    ('0.0421', '1.23e+07')
    >>> format_number(float("nan")), format_number(float("-inf"))
    ('NaN', '-infinity')
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "infinity" if value > 0 else "-infinity"
    return f"{value:.3g}"


def format_threshold(evidence: Evidence) -> str:
    """Write the threshold of an observed number and the side on which it counts as exceeded.

    >>> format_threshold(Evidence("a/b", 0.1, "<", 0.7, True, "diversity"))
    'below 0.7'
    """
    return f"{'below' if evidence.relation == '<' else 'above'} {format_number(evidence.threshold)}"


def format_exceeded(evidence: Evidence) -> str:
    """Whether the threshold is exceeded: yes, no, or *unknown* if nothing was measured."""
    if math.isnan(evidence.observed) and not evidence.holds:
        return "unknown"
    return "yes" if evidence.holds else "no"


def format_verdict_sentence(report: Report) -> str:
    """Write the verdict of a run as a sentence."""
    text = format_verdict(report.diagnoses) if report.diagnoses else "no detector was run"
    return f"{text[0].upper()}{text[1:]}."


def list_notes(report: Report) -> list[str]:
    """List reasons for caution about the verdict: a short run, or an unexpected diagnosis."""
    record = report.record
    notes = list(record.environment.get("log", {}).get("notes", ()))
    planned = record.facts.get("steps")
    trained = record.environment.get("steps_played", record.last_step)
    if not record.signals:
        notes.append("The record is empty: no signal was recorded.")
    elif isinstance(planned, int) and trained < planned:
        # A run that ends by itself, for example after NaN, still writes the number of its steps.
        how = "ended early" if "steps_played" in record.environment else "was interrupted"
        notes.append(f"The run {how} at step {trained} of {planned} planned steps.")
    for condition, expected, status in report.unexpected:
        notes.append(
            f"Unexpected: {humanize(condition)} is {status}; the scenario expects {expected}."
        )
    return notes


def select_shown(diagnoses: tuple[Diagnosis, ...]) -> tuple[Diagnosis, ...]:
    """All diagnoses of the training, and those of the loop's code that found an error."""
    return tuple(d for d in diagnoses if d.about != "loop" or d.status == "present")


def summarize_loop_checks(diagnoses: tuple[Diagnosis, ...]) -> str:
    """One sentence about the checks of the loop's code that found no error; empty without any.

    >>> summarize_loop_checks((Diagnosis("idle_network", "absent", "", about="loop"),))
    "Checks of the training loop's code: 1 found no error (idle network)."
    """
    passed = [d for d in diagnoses if d.about == "loop" and d.status != "present"]
    parts = []
    for status, result in (("absent", "found no error"), ("inconclusive", "inconclusive")):
        names = [humanize(d.condition) for d in passed if d.status == status]
        if names:
            parts.append(f"{len(names)} {result} ({', '.join(names)})")
    return f"Checks of the training loop's code: {'; '.join(parts)}." if parts else ""


def sort_by_status(diagnoses: tuple[Diagnosis, ...]) -> list[Diagnosis]:
    """Sort diagnoses: present ones by onset, then inconclusive ones, then absent ones."""
    return sorted(diagnoses, key=lambda d: (_STATUS_ORDER[d.status], d.onset or 0))
