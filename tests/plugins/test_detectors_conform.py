"""Laws of every detector: it always answers, from the record alone, and changes nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gandiag.diagnosis.diagnosis import Diagnosis, diagnose
from gandiag.monitoring.signals import MODE_HISTOGRAM, signal_info
from gandiag.monitoring.snapshot import Snapshot
from gandiag.plugins import registry as plugins
from gandiag.plugins.builtin import BUILT_IN, PROBE_CADENCES
from gandiag.records.record import Record, Row, Signal
from gandiag.records.writer import Recorder
from tests.plugins.test_conformance import SNAKE_CASE
from tests.plugins.test_probes_conform import NETWORKS, observe

DETECTORS = list(BUILT_IN["detectors"])
BINS = 6  # of the histograms in the synthetic records
FACTS = {
    "steps": 2000,
    "mode_shares": [1 / BINS] * BINS,
    "class_shares": [1 / BINS] * BINS,
    "turnover_baseline": 0.1,
}

every_detector = pytest.mark.parametrize("name", DETECTORS)


def build(name: str) -> Any:
    """A detector with its default thresholds."""
    return plugins.build("detectors", name)


def signals_of(name: str) -> set[str]:
    """Every signal whose constant the module of a detector imports, required or not."""
    module = inspect.getmodule(plugins.load("detectors", name))
    names = [value for value in vars(module).values() if isinstance(value, str)]
    return {name for name in names if signal_info(name) is not None}


ALL_SIGNALS = sorted(
    {signal for name in DETECTORS for signal in signals_of(name)}
    | {
        f"{quantity}/{network}"
        for quantity in ("loss/value", "gradient/parameter_norm")
        for network in NETWORKS
    }
)
assert len(ALL_SIGNALS) > 40  # fewer mean that detectors name their signals in another way


def is_vector(name: str) -> bool:
    """Whether each value of a signal is a vector."""
    info = signal_info(name)
    return info is not None and info.is_vector


def random_rows(seed: int, count: int = 40, non_finite: float = 0.0) -> list[Row]:
    """Rows in which every signal is a random walk over decades.

    Args:
        seed: of the random numbers.
        count: number of rows, 50 steps apart.
        non_finite: share of values that are NaN or infinite.
    """
    random, width = np.random.default_rng(seed), len(ALL_SIGNALS)
    walks = random.normal(0, 0.2, (count, width)).cumsum(0) + random.uniform(-5, 1, width)
    levels = 10.0 ** walks.clip(-30, 30)
    replaced = random.random((count, width)) < non_finite
    levels[replaced] = random.choice([np.nan, np.inf, -np.inf], replaced.sum())
    shares = random.dirichlet(np.full(BINS, 0.3), (count, width))
    shares[replaced] = np.nan
    rows = []
    for index in range(count):
        values = zip(ALL_SIGNALS, levels[index].tolist(), shares[index].tolist(), strict=True)
        rows.append(Row(50 * index, {n: v if is_vector(n) else x for n, x, v in values}))
    return rows


def evaluate(name: str, rows: list[Row]) -> dict[str, Any]:
    """The diagnosis of a record as JSON data, in which NaN equals NaN, after its checks."""
    record = Record.from_rows(rows, facts=FACTS)
    (diagnosis,) = diagnose(record, [build(name)])
    assert_well_formed(diagnosis, record)
    return diagnosis.as_json()


def assert_well_formed(diagnosis: Diagnosis, record: Record) -> None:
    """Assert the laws of every diagnosis."""
    assert diagnosis.status in ("present", "absent", "inconclusive")
    assert diagnosis.summary.strip().endswith(".")
    if diagnosis.status == "present":
        assert diagnosis.kind is not None
        assert diagnosis.onset is not None
        assert 0 <= diagnosis.onset <= record.last_step
        assert diagnosis.severity is not None
        assert 0 <= diagnosis.severity <= 1
    else:
        assert (diagnosis.kind, diagnosis.onset, diagnosis.severity) == (None, None, None)
    # A lint may be absent without a number: for example, only a Wasserstein critic needs a bound.
    if diagnosis.status == "present" or (diagnosis.status, diagnosis.about) == (
        "absent",
        "training",
    ):
        assert diagnosis.evidence
    for item in diagnosis.evidence:
        if np.isfinite(item.observed):  # a detector decides itself what a non-finite value means
            below, above = item.observed < item.threshold, item.observed > item.threshold
            assert item.holds == (below if item.relation == "<" else above)
        assert SNAKE_CASE.fullmatch(item.signal.split("/")[0])


def test_conditions_are_unique() -> None:
    """The name of a condition is in snake_case, and exactly one detector detects it."""
    conditions = [build(name).condition for name in DETECTORS]
    assert len(set(conditions)) == len(conditions)
    assert all(map(SNAKE_CASE.fullmatch, conditions)), conditions


def test_too_little_data_is_inconclusive() -> None:
    """An empty record and a single evaluation are inconclusive, never absent."""
    row = Row(50, dict.fromkeys(ALL_SIGNALS, 0.5) | {MODE_HISTOGRAM: [1.0] * BINS})
    for name in DETECTORS:
        for rows in ([], [row]):
            assert evaluate(name, rows)["status"] == "inconclusive", name
        diagnosis = build(name).detect(Record({}))
        assert diagnosis.status == "inconclusive", name
        assert diagnosis.condition == build(name).condition


def test_missing_signals_are_named() -> None:
    """If a required signal is missing, the diagnosis is inconclusive and names the signal."""
    for name in DETECTORS:
        for missing in build(name).needs:
            rows = [
                Row(row.step, {n: v for n, v in row.signals.items() if n != missing})
                for row in random_rows(0)
            ]
            answer = evaluate(name, rows)
            assert answer["status"] == "inconclusive", name
            assert missing in answer["summary"], name


@every_detector
@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    non_finite=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    count=st.integers(1, 40),
)
def test_every_record_gets_an_answer(name: str, seed: int, non_finite: float, count: int) -> None:
    """Any record, also one with NaN and infinities, gets a well-formed diagnosis."""
    evaluate(name, random_rows(seed, count, non_finite))


@every_detector
def test_constant_records_get_an_answer(name: str) -> None:
    """A record in which every signal has the same value gets a well-formed diagnosis."""
    for value in (0.0, 1.0, -1.0, 1e30, float("nan"), float("inf"), float("-inf")):
        signals = {n: [value] * BINS if is_vector(n) else value for n in ALL_SIGNALS}
        evaluate(name, [Row(50 * index, signals) for index in range(40)])


@every_detector
@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), index=st.integers(0, 39))
def test_prefix_gets_same_answer(name: str, seed: int, index: int) -> None:
    """The diagnosis at a step is the same during the run and afterwards, cut at this step."""
    rows = random_rows(seed)
    recorder = Recorder(None, FACTS, {})
    recorder.add(rows[: index + 1])
    (during,) = diagnose(recorder.record(), [build(name)])
    recorder.add(rows[index + 1 :])
    (afterwards,) = diagnose(recorder.record().until(rows[index].step), [build(name)])
    assert during.as_json() == afterwards.as_json()


def test_detectors_change_nothing() -> None:
    """A detector does not change the record, and a second diagnosis equals the first one."""
    for name in DETECTORS:
        record = Record.from_rows(random_rows(5), facts=dict(FACTS))
        before = {n: Signal(s.steps.copy(), s.values.copy()) for n, s in record.signals.items()}
        for signal in record.signals.values():
            signal.values.flags.writeable = signal.steps.flags.writeable = False
        first, second = (diagnose(record, [build(name)])[0].as_json() for _ in range(2))
        assert first == second, name
        assert record.facts == FACTS, name
        for n, signal in before.items():
            np.testing.assert_array_equal(record[n].values, signal.values, name)


def test_diagnoses_survive_json() -> None:
    """A diagnosis that is written as JSON and read back is the same."""
    for name in DETECTORS:
        for seed in range(5):
            (diagnosis,) = diagnose(Record.from_rows(random_rows(seed), facts=FACTS), [build(name)])
            assert Diagnosis.from_json(diagnosis.as_json()).as_json() == diagnosis.as_json(), name


def test_required_signals_are_recorded(make_snapshot: Callable[..., Snapshot]) -> None:
    """A default probe of attached loops returns each signal that a detector requires."""
    recorded = {
        f"{probe}/{signal}"
        for probe in PROBE_CADENCES["attach"]
        for network_name in NETWORKS
        for signal in observe(probe, make_snapshot(network_name))
    }
    for name in DETECTORS:
        assert build(name).needs <= recorded, name
