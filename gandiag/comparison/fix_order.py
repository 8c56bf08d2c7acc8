"""Which fixes to try, and in which order: what the diagnoses of some runs say of all of them.

A cure takes away every failure that a game suffers from. So fixes that treat them all come first;
among these, those that fit the causes found in half of the failing runs or more; then those that
more runs' diagnoses name; then as they name them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from gandiag.comparison.results import ScenarioResult
from gandiag.comparison.statistics import SIGNIFICANCE_LEVEL
from gandiag.comparison.verdict import MAJORITY
from gandiag.plugins import registry as plugins
from gandiag.reports.saved_runs import reopen_report


def rank_fixes(folders: Sequence[Path], conditions: Iterable[str]) -> list[str]:
    """Fixes that the diagnoses of the runs in `folders` name against `conditions`, best first."""
    wanted = set(conditions)
    named = [_named(folder, wanted) for folder in folders if wanted]
    seeds_of = Counter(name for names in named for name in names)
    known = {name: plugins.build("fixes", name) for name in seeds_of}
    half = MAJORITY * sum(map(bool, named))

    def rank(name: str) -> tuple[int, bool, int]:
        fits = bool(known[name].causes) and seeds_of[name] >= half
        return -len(known[name].treats & wanted), not fits, -seeds_of[name]

    return sorted(seeds_of, key=rank)  # stable: as they were named


def _named(folder: Path, wanted: set[str]) -> list[str]:
    return [each.fix for each in reopen_report(folder).suggested_fixes if each.condition in wanted]


def remaining_conditions(result: ScenarioResult) -> tuple[str, ...]:
    """What an arm that is no cure still suffers from, or newly; none where it frees no more runs.

    Where more runs are free of every target, beyond chance, another fix on top may do the rest.
    """
    if (
        result.failure_free is None
        or result.verdict == "cures"
        or result.failure_free.p >= SIGNIFICANCE_LEVEL
    ):
        return ()
    return tuple(condition for condition, rate in result.rates.items() if rate.present)
