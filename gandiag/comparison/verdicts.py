"""The judgement: which arm cures, helps, harms, or shows no evidence, from outcomes alone.

Runs are paired by seed: a seed gives an arm and the untreated game the same batches and latents,
and, where the networks are the same, the same initial weights. A run in which a condition could
not be judged is left out of that condition's pairs.

*targets*
    conditions that are present in at least half of the untreated runs in which they could be judged
*cures*
    every target is present in fewer treated runs (McNemar's exact test, two-sided; the largest p
    over the targets, corrected for the number of arms by Holm's method, is below 0.05), the lower
    95 % bound of the share of treated runs in which it is absent lies above one half, no other
    condition is present in more treated runs than in untreated ones, and the samples are further
    from the data for at most half of the seeds
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

from gandiag.comparison.results import QUALITY, Contrast, Verdict
from gandiag.comparison.statistics import LEVEL, Rate, rate_of
from gandiag.diagnosis import in_words

__all__ = ["HALF", "verdict_of"]

HALF = 0.5  # of the untreated runs: what makes a condition a target; of the treated: a cure's bound


def verdict_of(
    contrasts: Sequence[Contrast],
    rates: Mapping[str, Rate],
    base: Mapping[str, Rate],
    targets: Sequence[str],
    cure_p: float,
) -> tuple[Verdict, str]:
    """The verdict, and the sentences that say why."""
    rarer = bool(targets) and cure_p < LEVEL
    doubts = _doubts(contrasts, rates, base, targets)
    worse = [c for c in contrasts if c.shown and c.worse > c.better]
    better = [c for c in contrasts if c.shown and c.better > c.worse]
    verdict: Verdict = "no evidence"
    if worse:
        verdict = "harms"
    elif rarer and not doubts:
        verdict = "cures"
    elif better or rarer:
        verdict = "helps"
    told = [_rates_told(target, rates[target], base[target]) for target in targets]
    if targets:
        told.append(f"McNemar's exact test, corrected for the arms: p = {cure_p:.2g}.")
    told += [_change_told(c) for c in (*worse, *better) if c.what not in targets]
    if rarer and doubts and verdict != "cures":
        told.append(f"It is no cure: {'; '.join(doubts)}.")
    if verdict == "no evidence":
        told.append("Beyond chance nothing is shown.")
    return verdict, " ".join(told)


def _doubts(
    contrasts: Sequence[Contrast],
    rates: Mapping[str, Rate],
    base: Mapping[str, Rate],
    targets: Sequence[str],
) -> list[str]:
    """What speaks against calling it a cure, even where every target has become rarer."""
    found = []
    for condition, rate in rates.items():
        if condition in targets:
            low = rate_of(rate.judged - rate.present, rate.judged).low
            if low <= HALF:
                share = f"{rate.judged - rate.present} of {rate.judged}"
                found.append(f"absent in only {share} runs, which may be less than half of all")
        elif rate.present > base[condition].present:
            more = f"{rate.present} of {rate.judged} runs, untreated in {base[condition].present}"
            found.append(f"{in_words(condition)} is present in {more}")
    for c in contrasts:
        if c.what == QUALITY and c.worse > HALF * c.pairs:
            found.append(f"the samples are further from the data for {c.worse} of {c.pairs} seeds")
    return found


def _rates_told(condition: str, rate: Rate, base: Rate) -> str:
    name = in_words(condition)
    return (
        f"{name[0].upper()}{name[1:]} is present in {rate.present} of {rate.judged} runs, "
        f"untreated in {base.present} of {base.judged}."
    )


def _change_told(c: Contrast) -> str:
    name = "The distance to the data" if c.what == QUALITY else in_words(c.what).capitalize()
    word, count = ("better", c.better) if c.better > c.worse else ("worse", c.worse)
    return f"{name} is {word} for {count} of {c.pairs} seeds (p = {c.adjusted:.2g}, corrected)."
