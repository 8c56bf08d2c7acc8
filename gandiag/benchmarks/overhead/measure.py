"""What watching costs: the same loop with and without it, ten steps beside ten steps."""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

Play: TypeAlias = Callable[[int], None]
Loop: TypeAlias = Callable[[Any], AbstractContextManager[Play]]  # over a game, warmed up
LEVEL = 0.95  # of the intervals
TURN = 10  # steps that a loop plays at a time: it finds its own memory and code in the caches


class Comparison(NamedTuple):
    """Loops that are played beside each other.

    Attributes:
        game: which game it is.
        title: what is asked.
        base: the name of the loop that the others are compared with.
        make: gives a game with networks of its own.
        loops: by name, what plays so many steps of a game.
        rounds: blocks of each loop.
        crossed: whether within a round each loop plays each game.
    """

    game: str
    title: str
    base: str
    make: Callable[[], Any]
    loops: Mapping[str, Loop]
    rounds: int
    crossed: bool = False


class Block(NamedTuple):
    """What some steps of a loop took.

    Attributes:
        game: which game it was.
        title: which comparison it belongs to.
        round: which of its blocks, from 0.
        loop: whose steps they were.
        steps: of each player.
        seconds: by the clock on the wall.
        cpu_seconds: of this process, all its threads together.
    """

    game: str
    title: str
    round: int
    loop: str
    steps: int
    seconds: float
    cpu_seconds: float


class Cost(NamedTuple):
    """What a loop costs over another, each number a median over blocks.

    Attributes:
        loop: what is compared.
        base: what with.
        ratio: its seconds over the base's.
        low: end of an interval that holds the median of the ratio with 95 %.
        high: the other end.
        cpu_ratio: the same of the processor's seconds.
        extra: microseconds that a step takes longer.
        blocks: how many there were.
    """

    loop: str
    base: str
    ratio: float
    low: float
    high: float
    cpu_ratio: float
    extra: float
    blocks: int


def blocks(comparison: Comparison, steps: int, seed: int = 0) -> Iterator[Block]:
    """Play the loops in turns of ten steps, and sum up what a block of steps took.

    The order of the loops is drawn anew for each turn. What slows the machine down for longer than
    a few turns so falls on all alike. Where networks come to lie in memory makes one game as much
    as 8 % faster than its twin. So they are made anew for each round and dealt out by chance, and a
    crossed comparison plays on with the games passed around, until each loop has played each.

    Args:
        comparison: what is played.
        steps: of a block, with each game.
        seed: of the order.
    """
    names, draw = list(comparison.loops), random.Random(seed)
    for number in range(comparison.rounds):
        spent = {loop: _Spent() for loop in names}
        games = [comparison.make() for _ in names]
        draw.shuffle(games)
        for shift in range(len(games) if comparison.crossed else 1):
            dealt = dict(zip(names, games[shift:] + games[:shift], strict=True))
            _play(comparison.loops, dealt, steps, draw, spent)
        for loop in names:
            about = (comparison.game, comparison.title, number, loop, spent[loop].steps)
            yield Block(*about, spent[loop].seconds, spent[loop].cpu_seconds)


@dataclass
class _Spent:
    """What a loop has taken so far."""

    steps: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0


def _play(
    loops: Mapping[str, Loop],
    games: Mapping[str, Any],
    steps: int,
    draw: random.Random,
    spent: Mapping[str, _Spent],
) -> None:
    """Play each loop's game for so many steps, in turns."""
    order = list(loops)
    draw.shuffle(order)
    with ExitStack() as stack:
        made = {loop: stack.enter_context(loops[loop](games[loop])) for loop in order}
        for begin in range(0, steps, TURN):
            draw.shuffle(order)
            for loop in order:
                now, played = spent[loop], min(TURN, steps - begin)
                wall, cpu = time.perf_counter(), time.process_time()
                made[loop](played)
                now.cpu_seconds += time.process_time() - cpu
                now.seconds += time.perf_counter() - wall
                now.steps += played


def compare(found: Sequence[Block], base: str) -> list[Cost]:
    """Compare each loop's blocks with the base's of the same round.

    >>> compare([Block("g", "t", 0, "bare", 1, 2.0, 2.0), Block("g", "t", 0, "x", 1, 3.0, 3.0)],
    ...         "bare")
    [Cost(loop='x', base='bare', ratio=1.5, low=1.5, high=1.5, cpu_ratio=1.5, extra=1000000.0, \
blocks=1)]
    """
    bases = {block.round: block for block in found if block.loop == base}
    return [
        _cost([(block, bases[block.round]) for block in found if block.loop == loop], loop, base)
        for loop in dict.fromkeys(block.loop for block in found)
        if loop != base
    ]


def _cost(pairs: Sequence[tuple[Block, Block]], loop: str, base: str) -> Cost:
    ratios = [block.seconds / beside.seconds for block, beside in pairs]
    extra = [(block.seconds - beside.seconds) / block.steps for block, beside in pairs]
    return Cost(
        loop,
        base,
        statistics.median(ratios),
        *interval(ratios),
        statistics.median(block.cpu_seconds / beside.cpu_seconds for block, beside in pairs),
        statistics.median(extra) * 1e6,
        len(pairs),
    )


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Two of the values that hold the median between them with a probability of 95 % or more.

    They are the narrowest such order statistics, whatever the distribution (Thompson 1936); the
    smallest and the largest for fewer than six values, which cannot promise as much.

    >>> interval([3.0, 1.0, 2.0])
    (1.0, 3.0)
    """
    count, low = len(values), 0
    while _missed(count, low + 1) <= (1 - LEVEL) / 2:
        low += 1
    ordered = sorted(values)
    return ordered[low], ordered[count - 1 - low]


def _missed(count: int, below: int) -> float:
    """Probability that at most `below` of `count` values lie below the median."""
    return sum(math.comb(count, k) for k in range(below + 1)) / 2.0**count
