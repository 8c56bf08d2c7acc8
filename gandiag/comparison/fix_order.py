"""The order in which `gandiag treat` tries fixes, from the diagnoses of several runs.

To cure a scenario, a fix must remove all its failures. The order is therefore:

1. fixes that treat more of the failures come first;
2. then fixes for a specific cause that was found in at least half of the failing runs;
3. then fixes that the diagnoses of more runs suggest;
4. then the order in which the diagnoses suggest them.
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
    """Return the fixes that the diagnoses of some runs suggest, best first.

    Args:
        folders: folders of finished runs.
        conditions: only fixes against these conditions are returned.
    """
    wanted = set(conditions)
    suggestions = [_suggested_fixes(folder, wanted) for folder in folders if wanted]
    counts = Counter(name for names in suggestions for name in names)
    fixes = {name: plugins.build("fixes", name) for name in counts}
    # Runs without a suggestion have none of the conditions and do not count.
    half = MAJORITY * sum(map(bool, suggestions))

    def sort_key(name: str) -> tuple[int, bool, int]:
        treated = len(fixes[name].treats & wanted)
        fits_cause = bool(fixes[name].causes) and counts[name] >= half
        return -treated, not fits_cause, -counts[name]

    return sorted(counts, key=sort_key)  # stable: ties stay in the order of the diagnoses


def _suggested_fixes(folder: Path, conditions: set[str]) -> list[str]:
    suggestions = reopen_report(folder).suggested_fixes
    return [suggestion.fix for suggestion in suggestions if suggestion.condition in conditions]


def remaining_conditions(result: ScenarioResult) -> tuple[str, ...]:
    """Return the conditions that another fix on top of this one should remove.

    These are all conditions that are present in a run with the fix. They are returned only if more
    runs are failure-free than in the baseline, beyond chance, but the fix does not cure: then it
    makes sense to keep the fix and to add another one.
    """
    free = result.failure_free
    if free is None or free.p >= SIGNIFICANCE_LEVEL or result.verdict == "cures":
        return ()
    return tuple(condition for condition, rate in result.rates.items() if rate.present)
