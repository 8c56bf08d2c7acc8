"""Benchmark of how well a comparison uses the cores."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandiag.benchmarks.comparison import FIXES, Utilization, measure_utilization

seconds = st.lists(st.floats(0.1, 100.0), min_size=1, max_size=40)


@given(alone=seconds, parallel=st.integers(1, 8))
def test_perfect_use_of_the_cores_has_ratio_one(alone: list[float], parallel: int) -> None:
    """A comparison that takes no longer than its runs divided by the workers has the ratio 1."""
    found = Utilization(tuple(alone), sum(alone) / parallel, parallel, 1, 1.0, 1.0)
    assert found.ratio == pytest.approx(1.0)


@given(alone=seconds, parallel=st.integers(2, 8))
def test_serial_comparison_has_the_number_of_workers_as_ratio(
    alone: list[float], parallel: int
) -> None:
    """A comparison that trains its runs one after another uses one worker of all."""
    assert Utilization(tuple(alone), sum(alone), parallel, 1, 1.0, 1.0).ratio == pytest.approx(
        parallel
    )


def test_both_measurements_train_the_same_runs() -> None:
    """The baseline and every fix are trained, one by one and as a comparison."""
    found = measure_utilization(steps=4, seeds=1, jobs=1)
    assert len(found.run_seconds) == 1 + len(FIXES)
    assert found.parallel_runs == 1
    assert min(found.run_seconds) > 0
    assert found.comparison_seconds > 0
    assert found.comparison_cpu_seconds > 0
    assert found.serial_cpu_seconds > 0
