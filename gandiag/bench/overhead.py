"""What watching costs: the same loop with and without it, ten steps beside ten steps."""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import NamedTuple, TypeAlias

__all__ = ["Block", "Comparison", "Cost", "Make", "Play", "blocks", "compare", "interval"]

Play: TypeAlias = Callable[[int], None]
Make: TypeAlias = Callable[[], AbstractContextManager[Play]]
LEVEL = 0.95  # of the intervals
TURN = 10  # steps that a loop plays at a time: it finds its own memory and code in the caches


class Comparison(NamedTuple):
    """Loops that are played beside each other.

    Attributes:
        game: which game it is.
        title: what is asked.
        base: the name of the loop that the others are compared with.
        loops: by name, what makes networks and gives what plays so many steps with them.
        rounds: blocks of each loop.
        warm: steps that each loop plays before each block.
    """

    game: str
    title: str
    base: str
    loops: Mapping[str, Make]
    rounds: int
    warm: int = 0


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
    a few turns so falls on all alike. Networks are made anew for each block, in an order drawn too:
    where they come to lie in memory makes one as much as 5 % faster than its twin.

    Args:
        comparison: what is played.
        steps: of a block.
        seed: of the order.
    """
    order, draw = list(comparison.loops), random.Random(seed)
    for number in range(comparison.rounds):
        seconds, cpu_seconds = dict.fromkeys(order, 0.0), dict.fromkeys(order, 0.0)
        draw.shuffle(order)
        with ExitStack() as stack:
            made = {loop: stack.enter_context(comparison.loops[loop]()) for loop in order}
            for play in made.values():
                play(comparison.warm)
            for begin in range(0, steps, TURN):
                draw.shuffle(order)
                for loop in order:
                    wall, cpu = time.perf_counter(), time.process_time()
                    made[loop](min(TURN, steps - begin))
                    cpu_seconds[loop] += time.process_time() - cpu
                    seconds[loop] += time.perf_counter() - wall
        for loop in comparison.loops:
            about = (comparison.game, comparison.title, number, loop, steps)
            yield Block(*about, seconds[loop], cpu_seconds[loop])


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
