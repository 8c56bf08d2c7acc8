"""The verdict on a fix: whether it cures, helps, harms, or shows no evidence of an effect.

Runs are paired by seed: with the same seed, the baseline and the fix get the same batches and the
same latents, and the same initial weights where the networks are the same. A run in which a
condition is inconclusive is left out of that condition's pairs. The terms:

*targets*
    the conditions that a fix should remove: those that are present in at least half of the
    baseline's runs in which they are not inconclusive
*failure-free*
    a run is failure-free if every target is absent; it is not if a target is present; if no target
    is present but one is inconclusive, the run is left out
*further from the data*
    for a seed, the distance between the last samples and the data is more than 5 % larger with the
    fix than in the baseline
*cures*
    the fix is confirmed, as its runs are failure-free beyond chance: (1) more runs are failure-free
    than in the baseline (McNemar's exact test, two-sided, corrected for the number of fixes by
    Holm's method, p below 0.05); (2) the lower 95 % bound of the share of failure-free runs is
    above one half; (3) no condition is present in more runs than in the baseline; and (4) the
    samples are further from the data for at most half of the seeds
*harms*
    a condition is present in more runs than in the baseline, or the samples are further from the
    data for more seeds than they are nearer (sign test), with p below 0.05 after Holm's correction
    for all tests of all fixes
*helps*
    the opposite of *harms*; or only point (1) of *cures* is fulfilled
*no evidence*
    none of the above; this is not evidence that the fix has no effect, as few seeds can show little

If several verdicts apply, *harms* takes precedence, then *cures*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gandiag.comparison.results import QUALITY, FailureFree, PairedTest, Verdict
from gandiag.comparison.statistics import SIGNIFICANCE_LEVEL, Rate
from gandiag.diagnosis.diagnosis import humanize

# Share of runs. A condition is a target if at least this share of the baseline's runs has it, and
# a fix cures only if more than this share of its runs is failure-free.
MAJORITY = 0.5


def decide_verdict(
    paired_tests: Sequence[PairedTest],
    rates: Mapping[str, Rate],
    baseline_rates: Mapping[str, Rate],
    targets: Sequence[str],
    failure_free: FailureFree,
) -> tuple[Verdict, str]:
    """Decide the verdict on a fix, and write the sentences that give its reasons.

    Args:
        paired_tests: tests of the fix against the baseline.
        rates: rate of runs with each condition, with the fix.
        baseline_rates: the same for the baseline.
        targets: conditions that the fix should remove.
        failure_free: rates of failure-free runs, with their corrected p-value.
    """
    # Without targets every run counts as failure-free, and there is nothing to cure.
    more_free = bool(targets) and failure_free.p < SIGNIFICANCE_LEVEL
    doubts = _find_doubts(paired_tests, rates, baseline_rates, failure_free.with_fix)
    worse = [test for test in paired_tests if test.is_significant and test.worse > test.better]
    better = [test for test in paired_tests if test.is_significant and test.better > test.worse]
    verdict: Verdict = "no evidence"
    if worse:
        verdict = "harms"
    elif more_free and not doubts:
        verdict = "cures"
    elif better or more_free:
        verdict = "helps"
    reasons = [_describe_rates(target, rates[target], baseline_rates[target]) for target in targets]
    if targets:
        reasons.append(_describe_failure_free(failure_free))
    reasons += [
        _describe_change(test) for test in (*worse, *better) if test.quantity not in targets
    ]
    if more_free and doubts:
        reasons.append(f"The fix is not confirmed: {'; '.join(doubts)}.")
    if verdict == "no evidence":
        reasons.append("No difference is beyond chance.")
    return verdict, " ".join(reasons)


def _find_doubts(
    paired_tests: Sequence[PairedTest],
    rates: Mapping[str, Rate],
    baseline_rates: Mapping[str, Rate],
    failure_free: Rate,
) -> list[str]:
    """List which of the points (2) to (4) of *cures* are not fulfilled."""
    doubts = []
    if failure_free.low <= MAJORITY:
        share = f"{failure_free.present} of {failure_free.evaluated}"
        doubts.append(
            f"only {share} runs are failure-free, which may be less than half of all runs"
        )
    for condition, rate in rates.items():
        before = baseline_rates[condition].present
        # Counts and no test: one run with a new failure is a reason not to confirm a fix.
        if rate.present > before:
            found = f"{humanize(condition)} is present in {rate.present} of {rate.evaluated} runs"
            doubts.append(f"{found} with the fix and in {before} of the baseline")
    for test in paired_tests:
        if test.quantity == QUALITY and test.worse > MAJORITY * test.pairs:
            seeds = f"{test.worse} of {test.pairs} seeds"
            doubts.append(f"the samples are further from the data for {seeds}")
    return doubts


def _describe_failure_free(failure_free: FailureFree) -> str:
    fix, baseline = failure_free.with_fix, failure_free.baseline
    return (
        f"{fix.present} of {fix.evaluated} runs with the fix and {baseline.present} of "
        f"{baseline.evaluated} runs of the baseline are failure-free (McNemar's exact test, "
        f"corrected p = {failure_free.p:.2g})."
    )


def _describe_rates(condition: str, rate: Rate, baseline: Rate) -> str:
    name = humanize(condition)
    return (
        f"{name[0].upper()}{name[1:]} is present in {rate.present} of {rate.evaluated} runs with "
        f"the fix and in {baseline.present} of {baseline.evaluated} runs of the baseline."
    )


def _describe_change(test: PairedTest) -> str:
    name = humanize(test.quantity).capitalize()
    if test.quantity == QUALITY:
        name = "The distance to the data"
    word, count = ("better", test.better) if test.better > test.worse else ("worse", test.worse)
    seeds = f"{count} of {test.pairs} seeds"
    return f"{name} is {word} for {seeds} (corrected p = {test.adjusted_p:.2g})."
