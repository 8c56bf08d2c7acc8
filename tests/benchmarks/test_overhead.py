"""Laws of the measured cost: what is compared with what, and what is said of it."""

from __future__ import annotations

import csv
import functools
import math
import statistics
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from gandiag.benchmarks.overhead import loops as overhead_loops
from gandiag.benchmarks.overhead import memory as overhead_memory
from gandiag.benchmarks.overhead.measure import (
    Block,
    Comparison,
    Loop,
    Play,
    blocks,
    compare,
    interval,
)
from gandiag.benchmarks.overhead.models import GAMES
from gandiag.cli.main import main
from gandiag.plugins.builtin import PROBE_CADENCES

times = st.floats(1e-6, 1e3)


def block(loop: str, number: int, seconds: float, cpu_seconds: float = 1.0) -> Block:
    """Ten steps of a loop."""
    return Block("game", "title", number, loop, 10, seconds, cpu_seconds)


@pytest.mark.parametrize(("count", "low"), [(1, 0), (5, 0), (6, 0), (8, 0), (9, 1), (12, 2)])
def test_intervals_are_those_of_the_tables(count: int, low: int) -> None:
    """The order statistics are those in tables of the sign test at 5 %."""
    values = [float(k) for k in range(count)]
    assert interval(values[::-1]) == (low, count - 1 - low)


@given(count=st.integers(6, 60))
def test_interval_is_as_sure_as_it_says_and_no_surer(count: int) -> None:
    """It holds the median with 95 % or more; the next narrower one would not."""
    low, _ = interval([float(k) for k in range(count)])

    def outside(rank: int) -> float:
        return 2 * sum(math.comb(count, k) for k in range(rank + 1)) / 2**count

    assert outside(int(low)) <= 0.05 < outside(int(low) + 1)


@given(values=st.lists(times, min_size=1, max_size=40))
def test_interval_holds_the_median(values: list[float]) -> None:
    """The median of the values themselves always lies in it."""
    low, high = interval(values)
    assert low <= statistics.median(values) <= high


@given(pairs=st.lists(st.tuples(times, st.floats(1.0, 8.0)), min_size=1, max_size=12))
def test_slow_rounds_do_not_count(pairs: list[tuple[float, float]]) -> None:
    """Whatever slows a round down for all its loops leaves every ratio as it is."""
    even = [block("bare", i, 1.0) for i in range(len(pairs))]
    even += [block("watched", i, ratio) for i, (_, ratio) in enumerate(pairs)]
    uneven = [b._replace(seconds=b.seconds * pairs[b.round][0]) for b in even]
    assert compare(uneven, "bare")[0].ratio == pytest.approx(compare(even, "bare")[0].ratio)


def test_cost_is_known() -> None:
    """With 2, 3 and 7 seconds beside 2, the ratio is 1.5, the extra 0.05 s a step, CPU its own."""
    found = [block("bare", i, 2.0, 1.0) for i in range(3)]
    found += [block("watched", i, seconds, 1.25) for i, seconds in enumerate((2.0, 3.0, 7.0))]
    (cost,) = compare(found, "bare")
    assert cost[:2] == ("watched", "bare")
    assert (cost.ratio, cost.low, cost.high, cost.cpu_ratio) == (1.5, 1.0, 3.5, 1.25)
    assert cost.extra == pytest.approx(100_000)
    assert cost.blocks == 3


def test_loops_play_in_turns() -> None:
    """Ten steps each, then the next ten, in an order that changes; each plays all its steps."""
    played: list[tuple[str, int]] = []

    @contextmanager
    def loop(game: object, name: str) -> Iterator[Play]:
        yield lambda steps: played.append((name, steps))

    loops: dict[str, Loop] = {name: functools.partial(loop, name=name) for name in "abc"}
    found = list(blocks(Comparison("game", "title", "a", object, loops, 2), steps=295))
    turns = [played[i : i + 3] for i in range(0, len(played), 3)]
    assert [steps for (_, steps), *_ in turns] == 2 * [*[10] * 29, 5]
    assert all(len({steps for _, steps in turn}) == 1 for turn in turns)
    assert len({tuple(name for name, _ in turn) for turn in turns}) == 6
    assert all(sorted(name for name, _ in turn) == ["a", "b", "c"] for turn in turns)
    assert [(b.round, b.loop, b.steps) for b in found] == [
        (number, name, 295) for number in range(2) for name in "abc"
    ]
    assert all(b.seconds > 0 for b in found)


@pytest.mark.parametrize("crossed", [False, True])
def test_crossed_loops_play_each_game(crossed: bool) -> None:
    """Each loop plays every game of a round as long as any other, or one that is dealt out."""
    played: list[tuple[str, object, int]] = []

    @contextmanager
    def loop(game: object, name: str) -> Iterator[Play]:
        yield lambda steps: played.append((name, game, steps))

    loops: dict[str, Loop] = {name: functools.partial(loop, name=name) for name in "ab"}
    games: list[object] = []

    def make() -> object:
        games.append(object())
        return games[-1]

    found = list(blocks(Comparison("game", "t", "a", make, loops, 20, crossed), steps=25))
    assert len(games) == 40
    for begin in range(0, 40, 2):
        steps = [sum(s for n, g, s in played if g is game) for game in games[begin : begin + 2]]
        assert steps == [50, 50] if crossed else [25, 25]
        by = [{n for n, g, _ in played if g is game} for game in games[begin : begin + 2]]
        assert by in ([{"a", "b"}] * 2,) if crossed else by in ([{"a"}, {"b"}], [{"b"}, {"a"}])
    assert {b.steps for b in found} == {50 if crossed else 25}
    firsts = [next(n for n, g, _ in played if g is games[k]) for k in range(0, 40, 2)]
    assert set(firsts) == {"a", "b"}


@pytest.mark.parametrize("name", GAMES)
def test_watched_game_is_the_bare_one(name: str) -> None:
    """What is compared is the same game: the weights end as the same bits."""
    images = torch.rand(100, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
    ends = []
    for watched in (False, True):
        torch.manual_seed(0)
        game = GAMES[name](images)
        options = {"loss": {"every": 1}}
        with overhead_loops.attached(game, options) if watched else nullcontext():
            game.play(3)
        ends.append([*game.generator.parameters(), *game.discriminator.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*ends, strict=True))


@pytest.fixture
def short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, and measurements without W&B that are warm at once."""
    monkeypatch.chdir(tmp_path)
    for warm in ("ALONE", "WARM", "JUDGED"):
        monkeypatch.setattr(overhead_loops, warm, 1)
    monkeypatch.setattr(overhead_memory, "BEFORE", 1)
    monkeypatch.setattr(overhead_loops, "WANDB", ())
    return tmp_path


def test_command_shows_and_keeps_every_number(short: Path) -> None:
    """Each probe has a line of its own in the last table, and each block a row in the file."""
    result = CliRunner().invoke(main, ["bench", "overhead", "--rounds", "1", "--steps", "1"])
    assert result.exit_code == 0, result.output
    probes = PROBE_CADENCES["attach"]
    for name in (*probes, "hooks alone", "gandiag, every step"):
        assert name in result.stdout
    with (short / "reports" / "bench" / "overhead.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 + 2 + 1 + len(probes)
    assert all(float(row["seconds"]) > 0 for row in rows)


def test_memory_is_looked_at_on_the_way(short: Path) -> None:
    """--memory plays the steps asked for, and writes twenty looks to the file named."""
    arguments = ["bench", "overhead", "--memory", "25", "--out", "mine.csv"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "after step 12" in result.stdout
    with (short / "mine.csv").open(newline="") as file:
        steps = [int(row["step"]) for row in csv.DictReader(file)]
    assert len(steps) == overhead_memory.PARTS
    assert steps[-1] == 25
    assert steps == sorted(steps)
