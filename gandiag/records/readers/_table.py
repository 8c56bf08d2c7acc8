"""A log as a table of named columns, and the record that is built from the table.

Every reader only fills such a table; the losses, their steps and the notes for the user are found
here, the same way for every log format.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gandiag.records.arrays import Array
from gandiag.records.readers._names import EPOCH, STEP, find_best_columns, find_unit
from gandiag.records.readers._roles import FAKE, REAL, SIGNAL_OF_ROLE, WHOLE, assign_roles
from gandiag.records.readers._steps import find_newest_branch, unroll_counter
from gandiag.records.record import Record, Signal


class Column(NamedTuple):
    """The numbers that a log has under one name.

    Attributes:
        rows: ``(n,)`` index of the log's row of each number, increasing.
        values: ``(n,)`` the numbers; NaN and infinities were logged as such.
    """

    rows: NDArray[np.int64]
    values: Array


def collect_columns(rows: Iterable[Mapping[str, float]]) -> dict[str, Column]:
    """Columns from rows, which need not all have the same names."""
    found: dict[str, tuple[list[int], list[float]]] = {}
    for index, row in enumerate(rows):
        for name, value in row.items():
            indices, values = found.setdefault(name, ([], []))
            indices.append(index)
            values.append(value)
    return {
        name: Column(np.asarray(indices, np.int64), np.asarray(values, np.float64))
        for name, (indices, values) in found.items()
    }


def build_record(
    columns: Mapping[str, Column], path: Path, reader: str, wanted: Mapping[str, str]
) -> Record:
    """Build the record of a log.

    Args:
        columns: every numeric column by its name.
        path: path of the log, for messages.
        reader: name of the reader, for messages.
        wanted: column names by role (`_names.ROLES`) that the user passed.

    Returns:
        A record with the losses as signals and the fact ``unit``, the unit of its steps: step,
        epoch, kimg, image, tick or row. ``environment["log"]`` has the columns that were read and
        notes for the user.

    Raises:
        BadInput: a column that the user named does not exist, or there is no column, or more than
            one, that can be the discriminator's loss.
    """
    roles, notes = assign_roles(columns, path, wanted)
    losses = [name for role, name in roles.items() if role in SIGNAL_OF_ROLE]
    steps_of_row, unit, step_notes = _find_steps(columns, wanted, losses)
    notes += step_notes
    signals, repeated = {}, 0
    for role, signal in SIGNAL_OF_ROLE.items():
        if role in roles:
            signals[signal], dropped = _build_signal(columns[roles[role]], steps_of_row)
            repeated = max(repeated, dropped)
    if WHOLE not in roles:
        parts = signals[SIGNAL_OF_ROLE[REAL]], signals[SIGNAL_OF_ROLE[FAKE]]
        signals[SIGNAL_OF_ROLE[WHOLE]] = _sum(*parts)
    if repeated:
        notes.append(f"The log goes back: {repeated} rows that were repeated later are left out.")
    facts: dict[str, Any] = {"unit": unit}
    # A note about class_loss means that there are class terms, but none that can be subtracted.
    if any("class_loss" in note for note in notes):
        facts["mixed"] = True
    assignment = ", ".join(f"{role} is {name}" for role, name in roles.items())
    is_guess = bool(set(roles) - set(wanted))
    guessed = " (guessed from the names; change with --map)" if is_guess else ""
    notes.insert(0, f"Read as {reader}: {assignment}{guessed}.")
    log = {"reader": reader, "name": path.name, "columns": roles, "unit": unit, "notes": notes}
    return Record(signals, facts, {"log": log})


def _find_steps(
    columns: Mapping[str, Column], wanted: Mapping[str, str], losses: Sequence[str]
) -> tuple[NDArray[np.int64], str, list[str]]:
    """The step of each row of the log, -1 for a row without one; their unit; and notes."""
    # Number of rows of the log: the last row of any column decides.
    size = 1 + max(int(column.rows[-1]) for column in columns.values() if len(column.rows))
    rows = columns[losses[0]].rows
    free = [name for name in columns if name not in losses]
    names = [wanted[STEP]] if STEP in wanted else sorted(find_best_columns(STEP, free)[:1])
    full = {name: _fill_rows(columns[name], size) for name in names}
    # A counter must be known for most rows of the losses; else the rows themselves are counted.
    names = [name for name in names if np.isfinite(full[name][rows]).mean() > 0.5]
    if not names:
        return np.arange(1, size + 1), "row", ["No column counts steps, so rows are counted."]
    name, notes = names[0], list[str]()
    position, unit = full[name], find_unit(name)
    is_known = np.isfinite(position)
    if unit != EPOCH:
        position, notes = _unroll(columns, free, name, position, is_known)
    whole = np.where(is_known, np.floor(np.where(is_known, position, 0)), -1).astype(np.int64)
    at_losses = whole[rows[is_known[rows]]]
    # A counter that often stands still, such as an epoch logged at every batch, cannot order rows.
    if (np.diff(at_losses) == 0).mean() > 0.1:
        text = f"Many rows have the same {name}, so rows are counted."
        return np.arange(1, size + 1), "row", [text]
    if unit == STEP:
        return whole, unit, [f"Steps are taken from the column {name}.", *notes]
    return whole, unit, [f"The unit of all steps is {unit}: the column {name} counts it.", *notes]


def _unroll(
    columns: Mapping[str, Column],
    free: Iterable[str],
    name: str,
    position: Array,
    is_known: NDArray[np.bool_],
) -> tuple[Array, list[str]]:
    """Continue a counter that restarts in each epoch over all epochs, with a note; or keep it."""
    epochs = [
        _fill_rows(columns[epoch], len(position)) for epoch in find_best_columns(EPOCH, free)[:1]
    ]
    complete = [epoch[is_known] for epoch in epochs if np.isfinite(epoch[is_known]).all()]
    unrolled = unroll_counter(position[is_known], complete[0] if complete else None)
    if unrolled is None:
        return position, []
    continued = position.copy()
    continued[is_known] = unrolled
    return continued, [f"{name} restarts in each epoch; its values are continued over the epochs."]


def _build_signal(column: Column, steps_of_row: NDArray[np.int64]) -> tuple[Signal, int]:
    """A column over steps, and how many of its entries were left out as repeated later."""
    steps = steps_of_row[column.rows]
    steps, values = steps[steps >= 0], column.values[steps >= 0]
    # Steps of -1 belong to rows without a counter and were removed above.
    is_kept = find_newest_branch(steps)
    goes_back = bool((np.diff(steps) < 0).any())
    return Signal(steps[is_kept], values[is_kept]), int((~is_kept).sum()) if goes_back else 0


def _sum(first: Signal, second: Signal) -> Signal:
    """The sum of two signals at the steps that both have."""
    steps, left, right = np.intersect1d(first.steps, second.steps, return_indices=True)
    return Signal(steps, first.values[left] + second.values[right])


def _fill_rows(column: Column, size: int) -> Array:
    """A column with one entry for each of `size` rows, NaN where the log has no number."""
    full = np.full(size, np.nan)
    full[column.rows] = column.values
    return full
