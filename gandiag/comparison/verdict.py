"""The judgement: which arm cures, helps, harms, or shows no evidence, from outcomes alone.

Runs are paired by seed: a seed gives an arm and the untreated game the same batches and latents,
and, where the networks are the same, the same initial weights. A run in which a condition could
not be judged is left out of that condition's pairs.

*targets*
    conditions that are present in at least half of the untreated runs in which they could be judged
*free*
    a run in which every target is absent; one with a target present is not, whatever could not be
    judged; where nothing is present but not all could be judged, it is left out
*cures*
    more treated than untreated runs are free of all targets (McNemar's exact test, two-sided,
    corrected for the number of arms by Holm's method; p below 0.05), the lower 95 % bound of the
    share of treated runs that are free lies above one half, no condition is present in more treated
    runs than in untreated ones, and the samples are further from the data for at most half of the
    seeds
*further*
    for a seed, the last samples' distance from the data is larger by more than 5 %
*harms*
    some condition is present in more runs, or the samples are further from the data for more seeds
    (sign test); p below 0.05, corrected by Holm's method for all tests of all arms
*helps*
    the same the other way round; or all that *cures* asks but for its last three
*no evidence*
    none of these, which is not evidence of no effect: with few seeds little can be shown

Where several hold, *harms* comes first, then *cures*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gandiag.comparison.results import QUALITY, FailureFree, PairedTest, Verdict
from gandiag.comparison.statistics import SIGNIFICANCE_LEVEL, Rate
from gandiag.diagnosis.diagnosis import humanize

MAJORITY = (
    0.5  # of the untreated runs: what makes a condition a target; of the treated: a cure's bound
)


def decide_verdict(
    contrasts: Sequence[PairedTest],
    rates: Mapping[str, Rate],
    base: Mapping[str, Rate],
    targets: Sequence[str],
    freed: FailureFree,
) -> tuple[Verdict, str]:
    """The verdict, and the sentences that say why."""
    freer = bool(targets) and freed.p < SIGNIFICANCE_LEVEL
    doubts = _find_doubts(contrasts, rates, base, freed.with_fix)
    worse = [c for c in contrasts if c.is_significant and c.worse > c.better]
    better = [c for c in contrasts if c.is_significant and c.better > c.worse]
    verdict: Verdict = "no evidence"
    if worse:
        verdict = "harms"
    elif freer and not doubts:
        verdict = "cures"
    elif better or freer:
        verdict = "helps"
    told = [_describe_rates(target, rates[target], base[target]) for target in targets]
    if targets:
        told.append(_describe_failure_free(freed, len(targets)))
    told += [_describe_change(c) for c in (*worse, *better) if c.quantity not in targets]
    if freer and doubts and verdict != "cures":
        told.append(f"It is no cure: {'; '.join(doubts)}.")
    if verdict == "no evidence":
        told.append("Beyond chance nothing is shown.")
    return verdict, " ".join(told)


def _find_doubts(
    contrasts: Sequence[PairedTest],
    rates: Mapping[str, Rate],
    base: Mapping[str, Rate],
    free: Rate,
) -> list[str]:
    """What speaks against calling it a cure, even where more runs are free of all targets."""
    found = []
    if free.low <= MAJORITY:
        share = f"{free.present} of {free.evaluated}"
        found.append(f"free of it are only {share} runs, which may be less than half of all")
    for condition, rate in rates.items():
        if rate.present > base[condition].present:
            more = (
                f"{rate.present} of {rate.evaluated} runs, untreated in {base[condition].present}"
            )
            found.append(f"{humanize(condition)} is present in {more}")
    for c in contrasts:
        if c.quantity == QUALITY and c.worse > MAJORITY * c.pairs:
            found.append(f"the samples are further from the data for {c.worse} of {c.pairs} seeds")
    return found


def _describe_failure_free(freed: FailureFree, targets: int) -> str:
    what = {1: "it", 2: "both"}.get(targets, "all of them")
    treated, base = freed.with_fix, freed.baseline
    return (
        f"Free of {what} are {treated.present} of {treated.evaluated} runs, untreated "
        f"{base.present} of {base.evaluated} (McNemar's exact test, corrected: p = {freed.p:.2g})."
    )


def _describe_rates(condition: str, rate: Rate, base: Rate) -> str:
    name = humanize(condition)
    return (
        f"{name[0].upper()}{name[1:]} is present in {rate.present} of {rate.evaluated} runs, "
        f"untreated in {base.present} of {base.evaluated}."
    )


def _describe_change(c: PairedTest) -> str:
    name = (
        "The distance to the data" if c.quantity == QUALITY else humanize(c.quantity).capitalize()
    )
    word, count = ("better", c.better) if c.better > c.worse else ("worse", c.worse)
    return f"{name} is {word} for {count} of {c.pairs} seeds (p = {c.adjusted_p:.2g}, corrected)."
