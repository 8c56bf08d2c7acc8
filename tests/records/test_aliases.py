"""Records of earlier versions open under the current names of signals and facts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gandiag.monitoring.signals import SIGNALS, signal_info
from gandiag.records import aliases
from gandiag.records.record import Record
from gandiag.records.storage import decode_row, encode_row

RECORDS = Path(__file__).parents[1] / "recorded_runs"


def test_former_names_lead_to_registered_signals() -> None:
    """Each former name is out of use, and its current name is in the registry of signals."""
    for former, current in aliases._SIGNALS.items():
        assert former not in SIGNALS, f"{former} is in use again"
        assert current in SIGNALS, f"{former} is renamed to {current}, which is not registered"


@pytest.mark.parametrize("name", ["healthy", "ring_collapse"])
def test_old_record_opens_under_current_names(name: str) -> None:
    """Every signal of an old record is found under a registered name, with the same values."""
    record = Record.load(RECORDS / name)
    unknown = [signal for signal in record.signals if signal_info(signal) is None]
    assert not unknown
    first, *_ = (RECORDS / name / "signals.jsonl").read_text().splitlines()
    on_disk = json.loads(first)["signals"]
    assert "diversity/effective_bins/generator" in on_disk
    for former, value in on_disk.items():
        assert record[aliases.rename_signal(former)].values[0].tolist() == value, former


def test_old_facts_open_under_current_names() -> None:
    """Facts are renamed with their values; facts that kept their name are unchanged."""
    on_disk = json.loads((RECORDS / "healthy" / "environment.json").read_bytes())["facts"]
    facts = Record.load(RECORDS / "healthy").facts
    assert facts["real_pair_distance"] == on_disk["scale"]
    assert facts["turnover_baseline"] == on_disk["turnover_null"]
    assert facts["class_shares"] == on_disk["class_shares"]
    assert not {"scale", "turnover_null"} & facts.keys()


def test_only_known_former_names_change() -> None:
    """A row is renamed signal by signal; names of third-party probes are unchanged."""
    row = encode_row(3, {"slope/score/generator": 1.0, "mine/slope/generator": 2.0})
    signals = {"learning_signal/score_gradient/generator": 1.0, "mine/slope/generator": 2.0}
    assert decode_row(row.encode()) == (3, signals)
