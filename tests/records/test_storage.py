"""Files of a run: whole or absent, strict JSON, and the same numbers when read back."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gandiag.records.storage import (
    decode_facts,
    decode_number,
    decode_row,
    encode,
    encode_number,
    encode_row,
    format_json,
    write_file,
    write_json_file,
)

plain_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def refuse(constant: str) -> float:
    """Fail on a bare NaN or Infinity, which Python reads and most other parsers do not."""
    raise AssertionError(f"{constant} is not JSON")


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails leaves the old file unchanged and no temporary file."""
    path = tmp_path / "page.html"
    write_file(path, "old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_file(path, b"new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["page.html"]


@given(st.floats())
def test_numbers_survive_json(value: float) -> None:
    """Each number, NaN and infinities included, is the same after writing and reading."""
    text = json.dumps(encode_number(value), allow_nan=False)
    np.testing.assert_equal(decode_number(json.loads(text)), value)


@pytest.mark.parametrize("value", ["ten", "1", "inf", "", None, [], {}])
def test_other_values_are_not_numbers(value: Any) -> None:
    """Of all strings only NaN, Infinity and -Infinity count as numbers."""
    with pytest.raises((ValueError, TypeError)):
        decode_number(value)


@given(plain_data)
def test_plain_data_become_strict_json(data: Any) -> None:
    """Any plain data can be written; a strict parser reads them."""
    text = format_json(data)
    assert text.isascii()
    assert json.loads(text, parse_constant=refuse) == encode(data)


def test_numpy_numbers_and_tuples_are_plain_data(tmp_path: Path) -> None:
    """Tuples become lists, and numpy's float64 is written as the float that it is."""
    path = tmp_path / "data.json"
    write_json_file(path, {"a": (np.float64("nan"), np.float64(0.5)), "b": {"c": math.inf}})
    text = path.read_text()
    assert json.loads(text, parse_constant=refuse) == {"a": ["NaN", 0.5], "b": {"c": "Infinity"}}
    assert text.endswith("}\n")


def test_row_is_strict_json() -> None:
    """Non-finite numbers of a row are strings in the file and numbers again when read."""
    line = encode_row(3, {"a": math.nan, "b": math.inf, "c": [-math.inf, 1.0]})
    assert json.loads(line, parse_constant=refuse) == {
        "step": 3,
        "signals": {"a": "NaN", "b": "Infinity", "c": ["-Infinity", 1.0]},
    }
    np.testing.assert_equal(
        decode_row(line.encode()), (3, {"a": math.nan, "b": math.inf, "c": [-math.inf, 1.0]})
    )


def test_non_finite_facts_are_numbers_again() -> None:
    """NaN in a fact, alone or in a list, is NaN when read; other strings stay strings."""
    facts = {"mode_shares": [0.5, "NaN"], "unit": "step", "real_pair_distance": "Infinity"}
    np.testing.assert_equal(
        decode_facts(facts),
        {"mode_shares": [0.5, math.nan], "unit": "step", "real_pair_distance": math.inf},
    )
