"""Benchmark of the cost of watching: the order of the loops, the costs, and the commands."""

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
    Train,
    compute_costs,
    measure_blocks,
    median_interval,
)
from gandiag.benchmarks.overhead.models import MODELS
from gandiag.cli.main import main
from gandiag.plugins.builtin import PROBE_CADENCES

times = st.floats(1e-6, 1e3)


def build_block(loop: str, number: int, seconds: float, cpu_seconds: float = 1.0) -> Block:
    """A block of ten steps of a loop."""
    return Block("model", "title", number, loop, 10, seconds, cpu_seconds)


@pytest.mark.parametrize(("count", "low"), [(1, 0), (5, 0), (6, 0), (8, 0), (9, 1), (12, 2)])
def test_interval_agrees_with_tables(count: int, low: int) -> None:
    """The order statistics are those of published tables of the sign test at 5 %."""
    values = [float(k) for k in range(count)]
    assert median_interval(values[::-1]) == (low, count - 1 - low)


@given(count=st.integers(6, 60))
def test_interval_is_the_narrowest_at_its_level(count: int) -> None:
    """The interval has a level of 95 % or more; the next narrower interval does not."""
    low, _ = median_interval([float(k) for k in range(count)])

    def outside(rank: int) -> float:
        return 2 * sum(math.comb(count, k) for k in range(rank + 1)) / 2**count

    assert outside(int(low)) <= 0.05 < outside(int(low) + 1)


@given(values=st.lists(times, min_size=1, max_size=40))
def test_interval_contains_the_median(values: list[float]) -> None:
    """The median of the values always lies in the interval."""
    low, high = median_interval(values)
    assert low <= statistics.median(values) <= high


@given(pairs=st.lists(st.tuples(times, st.floats(1.0, 8.0)), min_size=1, max_size=12))
def test_slow_round_changes_no_ratio(pairs: list[tuple[float, float]]) -> None:
    """A round that is slower for all its loops changes no ratio."""
    even = [build_block("bare", i, 1.0) for i in range(len(pairs))]
    even += [build_block("watched", i, ratio) for i, (_, ratio) in enumerate(pairs)]
    uneven = [b._replace(seconds=b.seconds * pairs[b.round][0]) for b in even]
    assert compute_costs(uneven, "bare")[0].ratio == pytest.approx(
        compute_costs(even, "bare")[0].ratio
    )


def test_cost_has_known_values() -> None:
    """Blocks of 2, 3 and 7 seconds against 2 have the ratio 1.5 and 0.05 additional s a step."""
    found = [build_block("bare", i, 2.0, 1.0) for i in range(3)]
    found += [build_block("watched", i, seconds, 1.25) for i, seconds in enumerate((2.0, 3.0, 7.0))]
    (cost,) = compute_costs(found, "bare")
    assert cost[:2] == ("watched", "bare")
    assert (cost.ratio, cost.low, cost.high, cost.cpu_ratio) == (1.5, 1.0, 3.5, 1.25)
    assert cost.extra == pytest.approx(100_000)
    assert cost.blocks == 3


def test_loops_alternate() -> None:
    """Loops train ten steps at a time, in an order that changes; each trains all its steps."""
    trained: list[tuple[str, int]] = []

    @contextmanager
    def loop(model: object, name: str) -> Iterator[Train]:
        yield lambda steps: trained.append((name, steps))

    loops: dict[str, Loop] = {name: functools.partial(loop, name=name) for name in "abc"}
    found = list(measure_blocks(Comparison("model", "title", "a", object, loops, 2), steps=295))
    groups = [trained[i : i + 3] for i in range(0, len(trained), 3)]
    assert [steps for (_, steps), *_ in groups] == 2 * [*[10] * 29, 5]
    assert all(len({steps for _, steps in group}) == 1 for group in groups)
    assert len({tuple(name for name, _ in group) for group in groups}) == 6
    assert all(sorted(name for name, _ in group) == ["a", "b", "c"] for group in groups)
    assert [(b.round, b.loop, b.steps) for b in found] == [
        (number, name, 295) for number in range(2) for name in "abc"
    ]
    assert all(b.seconds > 0 for b in found)


@pytest.mark.parametrize("crossed", [False, True])
def test_crossed_loops_train_each_model(crossed: bool) -> None:
    """Crossed loops train every model of a round equally long; other loops train one each."""
    trained: list[tuple[str, object, int]] = []

    @contextmanager
    def loop(model: object, name: str) -> Iterator[Train]:
        yield lambda steps: trained.append((name, model, steps))

    loops: dict[str, Loop] = {name: functools.partial(loop, name=name) for name in "ab"}
    models: list[object] = []

    def build() -> object:
        models.append(object())
        return models[-1]

    comparison = Comparison("model", "title", "a", build, loops, 20, crossed)
    found = list(measure_blocks(comparison, steps=25))
    assert len(models) == 40
    for begin in range(0, 40, 2):
        pair = models[begin : begin + 2]
        steps = [sum(s for n, m, s in trained if m is model) for model in pair]
        assert steps == [50, 50] if crossed else [25, 25]
        by = [{n for n, m, _ in trained if m is model} for model in pair]
        assert by in ([{"a", "b"}] * 2,) if crossed else by in ([{"a"}, {"b"}], [{"b"}, {"a"}])
    assert {b.steps for b in found} == {50 if crossed else 25}
    firsts = [next(n for n, m, _ in trained if m is models[k]) for k in range(0, 40, 2)]
    assert set(firsts) == {"a", "b"}


@pytest.mark.parametrize("name", MODELS)
def test_watching_does_not_change_the_weights(name: str) -> None:
    """The watched and the unwatched loop end with the same bits in all weights."""
    images = torch.rand(100, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
    ends = []
    for watched in (False, True):
        torch.manual_seed(0)
        model = MODELS[name](images)
        options = {"loss": {"every": 1}}
        with overhead_loops.attach_gandiag(model, options) if watched else nullcontext():
            model.train(3)
        ends.append([*model.generator.parameters(), *model.discriminator.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*ends, strict=True))


@pytest.fixture
def short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, and measurements without W&B and with one warm-up step."""
    monkeypatch.chdir(tmp_path)
    for warm_up in ("UNWATCHED_WARM_UP", "WARM_UP", "DETECTOR_WARM_UP"):
        monkeypatch.setattr(overhead_loops, warm_up, 1)
    monkeypatch.setattr(overhead_memory, "UNWATCHED_STEPS", 1)
    monkeypatch.setattr(overhead_loops, "WANDB_LOG_FREQUENCIES", ())
    return tmp_path


def test_command_prints_and_writes_every_block(short: Path) -> None:
    """Each probe has a row in the last table, and each block has a row in the file."""
    result = CliRunner().invoke(main, ["bench", "overhead", "--rounds", "1", "--steps", "1"])
    assert result.exit_code == 0, result.output
    probes = PROBE_CADENCES["attach"]
    for name in (*probes, "hooks alone", "gandiag, every step"):
        assert name in result.stdout
    with (short / "reports" / "bench" / "overhead.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 + 2 + 1 + len(probes)
    assert all(float(row["seconds"]) > 0 for row in rows)


def test_memory_is_measured_along_the_way(short: Path) -> None:
    """--memory trains the given steps, and writes twenty measurements to the given file."""
    arguments = ["bench", "overhead", "--memory", "25", "--out", "mine.csv"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "after step 12" in result.stdout
    with (short / "mine.csv").open(newline="") as file:
        steps = [int(row["step"]) for row in csv.DictReader(file)]
    assert len(steps) == overhead_memory.MEASUREMENTS
    assert steps[-1] == 25
    assert steps == sorted(steps)
