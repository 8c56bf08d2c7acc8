"""One line of console text as named numbers: where the numbers are, and what each of them is.

Lines of a log repeat: only their numbers change. So a line is split into its numbers and the texts
between them, and what each number means is worked out once for each such template.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gandiag.records.readers._console_names import find_name
from gandiag.records.readers._names import EPOCH, find_unit, has_network_word, is_position

#: Name of a counter that has none in the log, as in `[200/782]`.
ITERATION = "iteration"
# A number with an optional sign, groups of thousands, fraction and exponent; or nan, inf. A group
# after an opening bracket is a pair instead, as in `[1,200]`. Digits within a word are no number.
_NUMBER = re.compile(
    r"(?<![\w.])[+-]?(?:(?<![\[(])[1-9]\d{0,2}(?:,\d{3})+(?!,?\d)|\d+)(?:\.\d*)?(?:e[+-]?\d+)?"
    r"|(?<![\w.])[+-]?\.\d+(?:e[+-]?\d+)?"
    r"|(?<![\w./'])[+-]?(?:nan|inf(?:inity)?)(?![\w/'])",
    re.I | re.A,
)
# A counter that is written into one word with its number, such as `epoch3` or `iter_1000`.
_GLUED_COUNTER = re.compile(
    r"(?<![A-Za-z])(epoch|iter|iteration|itr|step|batch|kimg)[_-]?(?=\d)", re.I
)
_UNIT = re.compile(r"%|[^\W\d_]+(?:/[^\W\d_]+)?")  # letters that follow a number without a space
_SCALES = {"": 1.0, "%": 1.0, "k": 1e3, "K": 1e3, "M": 1e6}
_FRACTION = re.compile(r"\s*(?:/|of|out of)\s*")
_COUNTER_TEXT = re.compile(r"[\s\[\](){}|,:<>-]*")  # text before a counter that has no name
_WHOLE = re.compile(r"[+-]?[\d,]+")
MAX_NAME = 100  # characters; a longer text before a number is none of its names
MAX_LINE = 4000  # characters; the rest of a longer line is left out
MAX_NUMBERS = 200  # of a line


class Slot(NamedTuple):
    """What one number of a line is.

    Attributes:
        at: index of the number in its line.
        name: of the number.
        is_position: whether it counts epochs, steps or the like; otherwise it is a value.
        total: index of the number that ends the counter's epoch, as the 782 of `[200/782]`.
        scale: factor of the number's unit, such as 1000 for `k`.
    """

    at: int
    name: str
    is_position: bool
    total: int | None = None
    scale: float = 1.0


class Line(NamedTuple):
    """The numbers of one line.

    Attributes:
        lead: text before the first number.
        positions: counters by name.
        totals: numbers of counts in an epoch, by the name of their counter.
        values: all other named numbers.
    """

    lead: str
    positions: dict[str, float]
    totals: dict[str, float]
    values: dict[str, float]


def parse_line(line: str) -> Line:
    """Find the named numbers of a line.

    >>> line = parse_line("[3/25][200/782] Loss_D: 0.45 D(x): nan")
    >>> line.positions, line.values
    ({'epoch': 3.0, 'iteration': 200.0}, {'Loss_D': 0.45, 'D(x)': nan})
    """
    line = " ".join(line[:MAX_LINE].split())
    if _GLUED_COUNTER.search(line):
        line = _GLUED_COUNTER.sub(r"\1 ", line)
    texts, numbers, end = [], [], 0
    for match in _NUMBER.finditer(line):
        texts.append(line[end : match.start()])
        numbers.append(match[0])
        end = match.end()
        if len(numbers) == MAX_NUMBERS:
            break
    texts.append(line[end:])
    whole = tuple([n.isdigit() or _WHOLE.fullmatch(n) is not None for n in numbers])
    plan = _plan_list(texts, whole) or _plan_line(tuple(texts), whole)
    positions: dict[str, float] = {}
    totals: dict[str, float] = {}
    values: dict[str, float] = {}
    for at, name, is_counter, total, scale in plan:
        number = float(numbers[at].replace(",", "")) * scale
        if not is_counter:
            values.setdefault(name, number)
            continue
        positions.setdefault(name, number)
        if total is not None:
            totals.setdefault(name, float(numbers[total].replace(",", "")))
    return Line(texts[0][:MAX_NAME], positions, totals, values)


@functools.lru_cache(maxsize=4096)
def _plan_line(texts: tuple[str, ...], whole: tuple[bool, ...]) -> tuple[Slot, ...]:
    """What the numbers of a line are, given the texts around them and which of them are whole."""
    units = [match[0] if (match := _UNIT.match(text)) else "" for text in texts[1:]]
    between = [texts[0], *(text[len(unit) :] for text, unit in zip(texts[1:], units, strict=True))]
    dates = _find_dates(between, whole)
    totals = {
        index - 1: index
        for index in range(1, len(whole))
        if _FRACTION.fullmatch(between[index])
        and whole[index - 1]
        and whole[index]
        and not {index - 1, index} & dates
    }
    slots: list[Slot] = []
    counters: list[Slot] = []  # those without a name
    for index in range(len(whole)):
        if index in dates or index in totals.values() or units[index] not in _SCALES:
            continue
        name, has_operator = find_name(between[index])
        last = name.split()[-1:]
        if last and not has_operator and whole[index] and is_position(last[0]):
            name = last[0]  # "Time for epoch 3": the word right before the number counts
        total, scale = totals.get(index), _SCALES[units[index]]
        if name:
            slot = Slot(index, name, _is_counter(name, whole[index]), total, scale)
            if slot.is_position or total is None or has_operator:
                is_progress = units[index] == "%" and texts[index + 1].startswith("%|")
                slots += [] if is_progress else [slot]
                continue
        is_first = not any(not slot.is_position for slot in slots)
        is_bare = is_first and whole[index] and _COUNTER_TEXT.fullmatch(between[index])
        if units[index] != "%" and (total is not None or is_bare):
            counters.append(Slot(index, "", True, total, scale))
        elif pair := _split_pair(slots, between[index], index):
            slots[-1:] = pair
    return (*_name_counters(counters, slots), *slots)


def _plan_list(texts: Sequence[str], whole: Sequence[bool]) -> tuple[Slot, ...]:
    """The places of a list's numbers as their names, as VITS prints its losses; else nothing."""
    is_list = texts[0].endswith("[") and texts[-1].startswith("]") and not all(whole)
    if not is_list or any(text != ", " for text in texts[1:-1]):
        return ()
    return tuple(Slot(index, str(index + 1), False) for index in range(len(whole)))


def _find_dates(between: Sequence[str], whole: Sequence[bool]) -> set[int]:
    """Indices of numbers that are parts of a time, a date, or a version: 12:30, 2020-08-15."""
    found: set[int] = set()
    for sign, least in ((":", 2), ("-", 3), ("/", 3), (".", 3)):
        for run in _find_runs(between, whole, sign):
            found |= set(run) if len(run) >= least else set()
    # A number that goes on after a second dot, such as 1.2.3, is a version.
    return found | {i for i in range(len(whole)) if re.match(r"\.\d", between[i + 1])}


def _find_runs(between: Sequence[str], whole: Sequence[bool], sign: str) -> Iterator[list[int]]:
    """Runs of whole numbers that are joined by a sign; the last one may have a fraction."""
    run: list[int] = []
    for index, is_whole in enumerate(whole):
        is_joined = bool(run) and between[index] == sign and (is_whole or len(run) > 1)
        if not is_joined:
            yield run
            run = []
        if is_joined or is_whole:
            run.append(index)
        if run and not is_whole:
            yield run
            run = []
    yield run


def _is_counter(name: str, is_whole: bool) -> bool:
    """Whether a named number is a position; steps and batches are whole numbers."""
    return is_position(name) and (is_whole or find_unit(name) in (EPOCH, "kimg"))


def _split_pair(slots: Sequence[Slot], text: str, index: int) -> list[Slot]:
    """Two values for a name such as "Loss D/G", whose numbers are "0.5 / 1.2"; else none."""
    left, slash, right = slots[-1].name.rpartition("/") if slots else ("", "", "")
    if not slash or text.strip() not in ("/", ",", "|", "") or slots[-1].at != index - 1:
        return []
    words, others = left.split(), right.split()
    if not (words and others and has_network_word(words[-1]) and has_network_word(others[0])):
        return []
    first = " ".join([*words, *others[1:]])
    second = " ".join([*words[:-1], *others])
    return [slots[-1]._replace(name=first), slots[-1]._replace(at=index, name=second)]


def _name_counters(counters: Sequence[Slot], slots: Sequence[Slot]) -> list[Slot]:
    """Names of counters without one: the first of two counts epochs, the other one iterations."""
    units = {find_unit(slot.name) for slot in slots if slot.is_position}
    names = [ITERATION] if EPOCH in units or len(counters) == 1 else [EPOCH, ITERATION]
    if units - {EPOCH}:
        return []  # a counter with a name is more reliable
    return [slot._replace(name=name) for slot, name in zip(counters, names, strict=False)]
