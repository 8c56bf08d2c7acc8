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
from gandiag.records.readers._names import (
    EPOCH,
    STEP,
    find_best_columns,
    find_unit,
    is_adversarial_term,
    rank_columns,
)
from gandiag.records.readers._quality import SIGNAL_OF_QUALITY
from gandiag.records.readers._roles import (
    FAKE,
    GENERATOR,
    REAL,
    SIGNAL_OF_ROLE,
    WHOLE,
    Assignment,
    assign_roles,
)
from gandiag.records.readers._steps import find_newest_branch, unroll_counter
from gandiag.records.record import Record, Signal

_SIGNAL_OF_ROLE = {**SIGNAL_OF_ROLE, **SIGNAL_OF_QUALITY}
MAX_STEP = 2.0**53  # a larger number is no counter, and cannot be one in 64 bits


class Column(NamedTuple):
    """The numbers that a log has under one name.

    Attributes:
        rows: ``(n,)`` index of the log's row of each number, increasing.
        values: ``(n,)`` the numbers; NaN and infinities were logged as such.
    """

    rows: NDArray[np.int64]
    values: Array


class _Position(NamedTuple):
    """The steps of a log.

    Attributes:
        steps: ``(rows,)`` the step of each row, -1 for a row without one.
        unit: of the steps.
        note: for the user, where the steps come from.
        epochs: first epoch, length of an epoch and least count, where epochs were put together.
    """

    steps: NDArray[np.int64]
    unit: str
    note: str
    epochs: list[float] | None


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


def build_series_record(
    series: Mapping[str, tuple[Sequence[int], Sequence[float]]],
    path: Path,
    reader: str,
    wanted: Mapping[str, str],
) -> Record:
    """Build the record of a log that keeps steps and values of each name apart.

    Names share no rows, so a name that goes back to an earlier step does not affect the others.

    Args:
        series: steps and values of each name, in the order in which they were logged; not empty.
        path: path of the log, for messages.
        reader: name of the reader, for messages.
        wanted: column names by role that the user passed.

    Raises:
        BadInput: as `build_record`.
    """
    columns, all_steps, unit, begin = {}, [], STEP, 0
    for name, pair in series.items():
        counts, values = (np.asarray(numbers, np.float64) for numbers in pair)
        steps = np.where(np.abs(counts) < MAX_STEP, counts, -1).astype(np.int64)
        # A tool that was not told the step counts nothing: all entries have the step 0.
        is_counted = _can_order(steps, STEP)
        all_steps.append(steps if is_counted else np.arange(1, len(steps) + 1))
        # The steps are epochs where the log has them as a number of their own, too.
        is_epoch = find_unit(name) == EPOCH and np.array_equal(values, steps)
        unit = EPOCH if is_epoch and len(steps) > 1 else unit
        columns[name] = Column(np.arange(begin, begin + len(steps)), values)
        begin += len(steps)
    note = f"Steps are those that the log has for each name; their unit is {unit}."
    position = _Position(np.concatenate(all_steps), unit, note, None)
    return build_record(columns, path, reader, wanted, position=position)


def build_record(
    columns: Mapping[str, Column],
    path: Path,
    reader: str,
    wanted: Mapping[str, str],
    lengths: Mapping[str, float] | None = None,
    position: _Position | None = None,
) -> Record:
    """Build the record of a log.

    Args:
        columns: every numeric column by its name.
        path: path of the log, for messages.
        reader: name of the reader, for messages.
        wanted: column names by role (`_names.ROLES`) that the user passed.
        lengths: counts in an epoch by the name of the counter, where the log gives them.
        position: steps of the rows, if they are known; otherwise a column that counts is used.

    Returns:
        A record with the losses, and the qualities of the samples, as signals, and with facts.
        ``unit`` is the unit of its steps: step, epoch, kimg, image, tick or row.
        ``discriminators`` are the columns of several discriminators; the losses of the second one
        are the signals ``loss/value.COLUMN/discriminator`` and ``loss/value.COLUMN/generator``.
        ``epochs`` are the first epoch, the length of an epoch and the least count of a counter that
        restarts in each epoch. ``weighted`` means that the generator's loss is a term with an
        unknown weight.
        ``environment["log"]`` has the columns that were read and notes for the user.

    Raises:
        BadInput: a column that the user named does not exist, or no column can be a loss of the
            discriminator or of the generator, or a quality of the samples.
    """
    columns = {name: column for name, column in columns.items() if len(column.rows)}
    assigned = assign_roles(columns, path, wanted)
    roles = assigned.roles
    names = {signal: roles[role] for role, signal in _SIGNAL_OF_ROLE.items() if role in roles}
    for discriminator, generator in assigned.others:
        names[f"loss/value.{discriminator}/discriminator"] = discriminator
        if generator is not None:
            names[f"loss/value.{discriminator}/generator"] = generator
    if position is None or STEP in wanted:
        position = _find_steps(columns, wanted, list(names.values()), lengths or {})
    built = {s: _build_signal(columns[name], position.steps) for s, name in names.items()}
    signals, repeated = {s: pair[0] for s, pair in built.items()}, max(p[1] for p in built.values())
    if WHOLE not in roles and {REAL, FAKE} <= set(roles):
        parts = signals[SIGNAL_OF_ROLE[REAL]], signals[SIGNAL_OF_ROLE[FAKE]]
        signals[SIGNAL_OF_ROLE[WHOLE]] = _sum(*parts)
    is_guess = bool(set(roles) - set(wanted))
    guessed = " (guessed from the names; change with --map)" if is_guess else ""
    assignment = ", ".join(f"{role} is {name}" for role, name in roles.items())
    notes = [
        f"Read as {reader}: {assignment}{guessed}.",
        _describe_extent(signals, position.unit),
        position.note,
        *assigned.notes,
    ]
    if repeated:
        notes.append(f"The log goes back: {repeated} rows that were repeated later are left out.")
    log = {"reader": reader, "name": path.name, "columns": roles, "unit": position.unit}
    facts = {"unit": position.unit, **_find_facts(assigned)}
    if position.epochs is not None:
        facts["epochs"] = position.epochs
    return Record(signals, facts, {"log": {**log, "notes": notes}})


def _find_facts(assigned: Assignment) -> dict[str, Any]:
    """What the columns tell about the losses."""
    facts: dict[str, Any] = {}
    # A note about class_loss means that there are class terms, but none that can be subtracted.
    if any("Not read: class_loss" in note for note in assigned.notes):
        facts["mixed"] = True
    if is_adversarial_term(assigned.roles.get(GENERATOR, "")):
        facts["weighted"] = True
    if assigned.others:
        others = (name for name, _ in assigned.others)
        facts["discriminators"] = [assigned.roles[WHOLE], *others]
    return facts


def _describe_extent(signals: Mapping[str, Signal], unit: str) -> str:
    """The number of rows with a loss, and their first and last step."""
    longest = max(signals.values(), key=lambda signal: len(signal.steps))
    if not len(longest.steps):
        return "No row has a number."
    first, last = int(longest.steps[0]), int(longest.steps[-1])
    extent = f"{len(longest.steps)} rows, from {unit} {first} to {last}."
    generator = signals.get(SIGNAL_OF_ROLE[GENERATOR])
    if generator is not None and len(generator.values) and not generator.values.any():
        # Trainers that start the discriminator late multiply its terms by 0 until then.
        extent += " The generator's loss is exactly 0 in all of them: it has not started yet."
    return extent


def _find_steps(
    columns: Mapping[str, Column],
    wanted: Mapping[str, str],
    losses: Sequence[str],
    lengths: Mapping[str, float],
) -> _Position:
    """The step of each row of the log.

    The finest counter is used that is known for most rows of the first loss and can order them;
    without such a counter the rows are counted.
    """
    # Number of rows of the log: the last row of any column decides.
    size = 1 + max(int(column.rows[-1]) for column in columns.values())
    rows = columns[losses[0]].rows
    free = [name for name in columns if name not in losses]
    names = [wanted[STEP]] if STEP in wanted else rank_columns(STEP, free)
    problem = "No column counts steps, so rows are counted."
    for name in names:
        counter, unit = _fill_rows(columns[name], size), find_unit(name)
        is_known = np.isfinite(counter) & (np.abs(counter) < MAX_STEP)
        if is_known[rows].mean() <= 0.5:
            continue
        continued, epochs = counter, None
        if unit != EPOCH:
            epoch = _find_epoch(columns, free, is_known)
            continued, epochs = _unroll(counter, epoch, is_known, lengths.get(name))
        steps = np.where(is_known, np.floor(np.where(is_known, continued, 0)), -1).astype(np.int64)
        if not _can_order(steps[rows[is_known[rows]]], unit):
            problem = f"Many rows have the same {name}, so rows are counted."
            continue
        note = f"Steps are taken from the column {name}."
        if unit != STEP:
            note = f"The unit of all steps is {unit}: the column {name} counts it."
        if continued is not counter:
            note = (
                f"The position is epoch and {name} together: {name} restarts in each epoch; its "
                "values are continued over the epochs."
            )
        return _Position(steps, unit, note, epochs)
    return _Position(np.arange(1, size + 1), "row", problem, None)


def _can_order(steps: NDArray[np.int64], unit: str) -> bool:
    """Whether a counter can order rows, that is, neither stands still nor restarts too often."""
    # An epoch that is logged at every batch stands still; a progress bar repeats some steps.
    still = float((np.diff(steps) == 0).mean()) if len(steps) > 1 else 0.0
    restarts = int((np.diff(steps) < 0).sum())
    kept = float(find_newest_branch(steps).sum()) + still * len(steps)
    return still <= (0.1 if unit == EPOCH else 0.7) and (restarts < 3 or kept > len(steps) / 2)


def _find_epoch(
    columns: Mapping[str, Column], free: Iterable[str], is_known: NDArray[np.bool_]
) -> Array | None:
    """The epoch of each row of the log, if it is known wherever the counter is."""
    for name in find_best_columns(EPOCH, free)[:1]:
        epoch = _fill_rows(columns[name], len(is_known))
        return epoch if np.isfinite(epoch[is_known]).all() else None
    return None


def _unroll(
    counter: Array, epoch: Array | None, is_known: NDArray[np.bool_], length: float | None
) -> tuple[Array, list[float] | None]:
    """Continue a counter that restarts in each epoch over all epochs, or keep it.

    The second value is the first epoch, the length of an epoch and the counter's least value; None
    where the counter does not restart or no epochs are known.
    """
    within, known = counter[is_known], None if epoch is None else epoch[is_known]
    unrolled = unroll_counter(within, known, length)
    if unrolled is None:
        return counter, None
    continued = counter.copy()
    continued[is_known] = unrolled
    if known is None or np.ptp(known) == 0:
        return continued, None
    latest = int(np.argmax(known))
    lasting = float((unrolled - within)[latest] / (known[latest] - known[0]))
    return continued, [float(known[0]), lasting, float(within.min())]


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
