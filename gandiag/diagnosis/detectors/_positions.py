"""Positions in a log, in the words of the log: epochs and iterations where it counts these."""

from __future__ import annotations

from gandiag.records.record import Record


def format_position(record: Record, step: int) -> str:
    """A step of a record for use in a sentence.

    >>> format_position(Record({}, {"unit": "epoch"}), 3)
    'epoch 3'
    >>> format_position(Record({}, {"unit": "step", "epochs": [1, 782, 0]}), 1600)
    'step 1600 (epoch 3, iteration 36)'
    """
    text = f"{record.facts.get('unit', 'step')} {step}"
    epochs = record.facts.get("epochs")
    if not epochs:
        return text
    first, length, low = epochs
    past, within = divmod(step - low, length)
    return f"{text} (epoch {first + past:g}, iteration {within + low:g})"
