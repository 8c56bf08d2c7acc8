"""Time of watching: the same loop watched and unwatched, ten steps of each in alternation."""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

Train: TypeAlias = Callable[[int], None]
"""Trains for this number of steps."""
Loop: TypeAlias = Callable[[Any], AbstractContextManager[Train]]
"""Enters a loop over a model and warms it up."""

LEVEL = 0.95  # Confidence level of the intervals.
# Steps of a loop at a time. Fewer steps would let each loop find the memory and code of the others
# in the processor's caches.
ALTERNATION = 10


class Comparison(NamedTuple):
    """Loops that are compared.

    Attributes:
        model: name of the model that the loops train.
        title: what the comparison measures.
        base: name of the loop with which the others are compared.
        build: builds a model with new networks.
        loops: the loops by name.
        rounds: number of blocks of each loop.
        crossed: whether each loop trains each model of a round.
    """

    model: str
    title: str
    base: str
    build: Callable[[], Any]
    loops: Mapping[str, Loop]
    rounds: int
    crossed: bool = False


class Block(NamedTuple):
    """Time of a block of steps of a loop. The fields are the columns of the CSV file.

    Attributes:
        model: name of the model.
        title: title of the comparison.
        round: number of the round, from 0.
        loop: name of the loop.
        steps: number of steps of each network.
        seconds: seconds of the clock.
        cpu_seconds: seconds of the processor, over all threads of this process.
    """

    model: str
    title: str
    round: int
    loop: str
    steps: int
    seconds: float
    cpu_seconds: float


class Cost(NamedTuple):
    """Cost of a loop relative to another; each number is a median over blocks.

    Attributes:
        loop: name of the loop.
        base: name of the loop with which it is compared.
        ratio: seconds of a block over those of the base.
        low: lower end of the 95 % confidence interval of the median ratio.
        high: upper end of the interval.
        cpu_ratio: seconds of the processor over those of the base.
        extra: additional microseconds of a step.
        blocks: number of blocks.
    """

    loop: str
    base: str
    ratio: float
    low: float
    high: float
    cpu_ratio: float
    extra: float
    blocks: int


def measure_blocks(comparison: Comparison, steps: int, seed: int = 0) -> Iterator[Block]:
    """Train the loops alternately, ten steps of each, and sum the time of each loop.

    The order of the loops is drawn again for every ten steps, so whatever slows the machine down
    for a while slows all loops alike. The addresses of the networks in memory make one model as
    much as 8 % faster than an equal one. Each round therefore builds new networks and assigns them
    to the loops at random. In a crossed comparison, the loops then swap their models until each
    loop has trained each model.

    Args:
        comparison: the loops.
        steps: number of steps of a block, with each model.
        seed: seed of the order of the loops.

    Yields:
        The blocks of a round, in the order of the loops, as soon as the round has ended.
    """
    names, draw = list(comparison.loops), random.Random(seed)
    for number in range(comparison.rounds):
        times = {name: _Time() for name in names}
        # New networks for each round, so that no place in memory favours a loop in all rounds.
        models = [comparison.build() for _ in names]
        draw.shuffle(models)
        for shift in range(len(models) if comparison.crossed else 1):
            assigned = dict(zip(names, models[shift:] + models[:shift], strict=True))
            _alternate(comparison.loops, assigned, steps, draw, times)
        for name in names:
            spent = times[name]
            yield Block(
                model=comparison.model,
                title=comparison.title,
                round=number,
                loop=name,
                steps=spent.steps,
                seconds=spent.seconds,
                cpu_seconds=spent.cpu_seconds,
            )


@dataclass
class _Time:
    """Steps and time of a loop so far."""

    steps: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0


def _alternate(
    loops: Mapping[str, Loop],
    models: Mapping[str, Any],
    steps: int,
    draw: random.Random,
    times: Mapping[str, _Time],
) -> None:
    """Train each loop's model for `steps` steps, in alternation."""
    order = list(loops)
    draw.shuffle(order)
    with ExitStack() as stack:
        # All loops are entered, and warmed up, before the clock of any of them starts.
        train = {name: stack.enter_context(loops[name](models[name])) for name in order}
        for begin in range(0, steps, ALTERNATION):
            draw.shuffle(order)
            for name in order:
                spent, count = times[name], min(ALTERNATION, steps - begin)
                # Nothing but the training stands between the two readings of the clocks.
                wall, cpu = time.perf_counter(), time.process_time()
                train[name](count)
                spent.cpu_seconds += time.process_time() - cpu
                spent.seconds += time.perf_counter() - wall
                spent.steps += count


def compute_costs(blocks: Sequence[Block], base: str) -> list[Cost]:
    """Compare the blocks of each loop with those of the base in the same round.

    >>> base = Block("mlp", "title", 0, "base", steps=1, seconds=2.0, cpu_seconds=2.0)
    >>> compute_costs([base, base._replace(loop="x", seconds=3.0, cpu_seconds=3.0)], "base")
    [Cost(loop='x', base='base', ratio=1.5, low=1.5, high=1.5, cpu_ratio=1.5, extra=1000000.0, \
blocks=1)]
    """
    bases = {block.round: block for block in blocks if block.loop == base}
    return [
        _compute_cost([(b, bases[b.round]) for b in blocks if b.loop == loop], loop, base)
        for loop in dict.fromkeys(block.loop for block in blocks)
        if loop != base
    ]


def _compute_cost(pairs: Sequence[tuple[Block, Block]], loop: str, base: str) -> Cost:
    # The median of ratios within a round: slow rounds have no more weight than fast ones.
    ratios = [block.seconds / other.seconds for block, other in pairs]
    extra = [(block.seconds - other.seconds) / block.steps for block, other in pairs]
    return Cost(
        loop,
        base,
        statistics.median(ratios),
        *median_interval(ratios),
        statistics.median(block.cpu_seconds / other.cpu_seconds for block, other in pairs),
        statistics.median(extra) * 1e6,
        len(pairs),
    )


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """Confidence interval of the median, at a level of 95 % or more.

    The ends are the narrowest pair of order statistics with that level, whatever the distribution
    (Thompson 1936). Fewer than six values cannot reach the level; the interval is then from the
    smallest to the largest value.

    >>> median_interval([3.0, 1.0, 2.0])
    (1.0, 3.0)
    """
    count, low = len(values), 0
    while _probability_below(count, low + 1) <= (1 - LEVEL) / 2:
        low += 1
    ordered = sorted(values)
    return ordered[low], ordered[count - 1 - low]


def _probability_below(count: int, most: int) -> float:
    """Probability that at most `most` of `count` values lie below the median of their source."""
    return sum(math.comb(count, k) for k in range(most + 1)) / 2.0**count
