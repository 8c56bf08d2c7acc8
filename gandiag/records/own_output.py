"""The record of a run that gandiag itself wrote to TensorBoard or Weights & Biases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gandiag.records.record import Record, Row
from gandiag.records.storage import Value, decode_facts, decode_row

#: Name of the event file of gandiag, and of its texts that no dashboard shows: the facts of the
#: record, and the vectors of a row that no chart shows exactly. The reporters use the same names.
EVENTS_NAME = "events.out.tfevents.gandiag"
FACTS, UNCHARTED = "gandiag/facts", "gandiag/uncharted"
STEP = "generator_step"  # W&B's x axis of gandiag's charts
#: Begins and ends of names that are no signals: answers of detectors, and counts of NaN.
_ANSWERS, _COUNTS = "diagnosis/", ("/not_finite", "not_finite/all")


def build_own_record(
    rows: Mapping[int, Mapping[str, Value]], uncharted: Iterable[bytes], facts: Mapping[str, Any]
) -> Record:
    """Put the record together again; its diagnoses are those of the original record.

    Args:
        rows: numbers and vectors by name, at each step.
        uncharted: texts with the vectors that no chart shows exactly, one for a step.
        facts: the facts of the record, as JSON has them; empty if the run has not ended.

    Raises:
        ValueError: a text is not one of gandiag.
    """
    found: dict[int, dict[str, Value]] = {step: dict(signals) for step, signals in rows.items()}
    for text in uncharted:
        step, vectors = decode_row(text)
        found.setdefault(step, {}).update(vectors)
    complete = (
        Row(step, {name: value for name, value in found[step].items() if _is_signal(name)})
        for step in sorted(found)
    )
    return Record.from_rows(complete, facts=decode_facts(facts))


def _is_signal(name: str) -> bool:
    return "/" in name and not name.startswith(_ANSWERS) and not name.endswith(_COUNTS)
