"""Sentences about a whole report: its verdict, and reasons for caution."""

from __future__ import annotations

from gandiag.diagnosis.diagnosis import humanize
from gandiag.records.facts import DAMAGE
from gandiag.reports.report import Report, format_verdict


def format_verdict_sentence(report: Report) -> str:
    """Write the verdict of a run as a sentence."""
    text = format_verdict(report.diagnoses) if report.diagnoses else "no detector was run"
    return f"{text[0].upper()}{text[1:]}."


def list_notes(report: Report) -> list[str]:
    """List reasons for caution about the verdict: a short run, or an unexpected diagnosis."""
    record = report.record
    notes = list(record.environment.get("log", {}).get("notes", ()))
    if DAMAGE in record.environment:
        notes.append(str(record.environment[DAMAGE]))
    planned = record.facts.get("steps")
    trained = record.environment.get("steps_played", record.last_step)
    if not record.signals:
        notes.append("The record is empty: no signal was recorded.")
    elif isinstance(planned, int) and trained < planned:
        # A run that ends by itself, for example after NaN, still writes the number of its steps.
        is_complete = "steps_played" in record.environment
        is_complete = is_complete and "interrupted" not in record.environment
        how = "ended early" if is_complete else "was interrupted"
        notes.append(f"The run {how} at step {trained} of {planned} planned steps.")
    for condition, expected, status in report.unexpected:
        notes.append(
            f"Unexpected: {humanize(condition)} is {status}; the scenario expects {expected}."
        )
    return notes
