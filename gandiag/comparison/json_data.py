"""A comparison as plain data, for ``comparison.json`` and for ``gandiag compare --json``.

The keys do not change, as programs read them. Some differ from the names in Python: ``arms`` are
the baseline and the fixes, ``free`` counts failure-free runs (``treated`` with the fix,
``untreated`` those of the baseline), ``judged`` counts runs in which a condition is not
inconclusive.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gandiag.comparison.results import Comparison, FailureFree, PairedTest, ScenarioResult
from gandiag.comparison.statistics import Rate
from gandiag.records.storage import encode, write_json_file

DATA = "comparison.json"  # File name in the comparison's folder.


def write_comparison_json(comparison: Comparison, folder: Path) -> Path:
    """Write ``comparison.json`` to a comparison's folder and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json_file(folder / DATA, comparison_as_json(comparison))
    return folder / DATA


def comparison_as_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as plain data, in which non-finite numbers are strings."""
    data: dict[str, Any] = encode(
        {
            "scenario": comparison.name,
            "conditions": comparison.conditions,
            "targets": comparison.targets,
            "seeds": comparison.seeds,
            "threads": comparison.threads,
            "distance": comparison.distance_name,
            "quality_level": comparison.level,
            "notes": comparison.notes,
            "arms": [_result_as_json(result) for result in comparison.results],
        }
    )
    return data


def _result_as_json(result: ScenarioResult) -> dict[str, Any]:
    return {
        "arm": result.compared.name,
        "fixes": result.compared.fixes,
        "verdict": result.verdict,
        "says": result.summary,
        "free": result.failure_free and _failure_free_as_json(result.failure_free),
        "rates": {condition: _rate_as_json(rate) for condition, rate in result.rates.items()},
        "contrasts": [_paired_test_as_json(test) for test in result.paired_tests],
        "runs": [result.outcomes[seed].as_json() for seed in sorted(result.outcomes)],
        "distance": result.distance._asdict(),
        "coverage": result.coverage._asdict(),
        "balance": result.balance._asdict(),
        "steps_to_quality": result.steps_to_quality._asdict(),
        "cost": result.cost._asdict(),
    }


def _failure_free_as_json(failure_free: FailureFree) -> dict[str, Any]:
    return {
        "treated": _rate_as_json(failure_free.with_fix),
        "untreated": _rate_as_json(failure_free.baseline),
        "p": failure_free.p,
    }


def _rate_as_json(rate: Rate) -> dict[str, Any]:
    return {
        "present": rate.present,
        "judged": rate.evaluated,
        "low": rate.low,
        "high": rate.high,
    }


def _paired_test_as_json(test: PairedTest) -> dict[str, Any]:
    return {
        "what": test.quantity,
        "better": test.better,
        "worse": test.worse,
        "pairs": test.pairs,
        "p": test.p,
        "adjusted": test.adjusted_p,
    }
