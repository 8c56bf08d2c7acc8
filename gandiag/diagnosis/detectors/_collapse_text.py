"""Summaries of mode collapse: where it is present, absent, or inconclusive."""

from __future__ import annotations

import math

from gandiag.diagnosis.detectors._causes import TOO_WEAK
from gandiag.diagnosis.diagnosis import Status, describe_onset
from gandiag.diagnosis.phases import Phases
from gandiag.records.arrays import Bools

EXPLANATIONS = {
    "discriminator_too_strong": (
        "The discriminator separates real and generated samples almost without error, and drives "
        "the generator to the few samples with the highest scores."
    ),
    "discriminator_too_weak": TOO_WEAK,
    "latent_ignored": (
        "All latents give nearly the same sample: the generator ignores its latent input."
    ),
}


def describe_collapse(
    onset: int,
    first_evaluation: int,
    diversity: float,
    within_mode: float,
    *,
    is_improving: bool,
    is_off_data: bool,
    missing_classes: str,
    kind: str,
    cause: str | None,
) -> str:
    """Write the summary of a collapse.

    Args:
        onset: generator step at which it began.
        first_evaluation: generator step of the first evaluation of the samples.
        diversity: effective number of modes over that of real samples; NaN where not finite.
        within_mode: variance within a mode over the real one; 1 where it is not too small.
        is_improving: whether the samples get more diverse or nearer to the data.
        is_off_data: whether hardly any sample is near a real one.
        missing_classes: a sentence on the missing classes, or an empty string.
        kind: failure type.
        cause: a key of `EXPLANATIONS`; None where unknown.
    """
    share = "an unknown share" if math.isnan(diversity) else f"{diversity:.0%}"
    return join_sentences(
        f"{describe_onset(onset, first_evaluation)} the samples have lacked diversity: they now "
        f"have {share} of the real data's effective number of modes.",
        "They are getting better." if is_improving else "",
        f"Within a mode, their variance is {within_mode:.0%} of the real variance."
        if within_mode < 1
        else "",
        "Hardly any sample is near a real sample." if is_off_data else "",
        missing_classes,
        "The generated modes change from evaluation to evaluation." if kind == "hopping" else "",
        EXPLANATIONS[cause] if cause else "",
    )


def explain_no_collapse(diversity: float, *, is_low: bool, phases: Phases) -> tuple[Status, str]:
    """Find the status, and write the summary, where no collapse is present.

    Args:
        diversity: effective number of modes over that of real samples; NaN where not finite.
        is_low: whether this is too low at the newest evaluations.
        phases: of the run, in which a low diversity is no collapse; the first that holds is named.
    """
    share = f"{diversity:.0%} of the real data's effective number of modes"
    if math.isnan(diversity):
        return "inconclusive", (
            "The newest values of the samples' diversity are not finite, so the collapse cannot be "
            "evaluated."
        )
    if is_low and is_most(phases.untrained):
        return "inconclusive", (
            "The samples do not change and are unlike the data: the generator has not begun to "
            "learn, so it cannot have lost modes."
        )
    if is_low and phases.initial[-1]:
        return "inconclusive", (
            f"The samples have only {share} so far: all are alike, in the center of the data or on "
            "the way there. Every generator starts like this."
        )
    if is_low and phases.improving[-1]:
        return "inconclusive", f"The samples have only {share} so far, but are getting better."
    if is_low and is_most(phases.away):
        return "absent", (
            "The samples differ from each other as much as real samples do, but are far from the "
            "data: they do not lack diversity."
        )
    if is_low:
        return "inconclusive", (
            f"The samples have {share}, but only at the newest evaluations: train for more steps."
        )
    return "absent", f"The samples have {share}."


def join_sentences(*sentences: str) -> str:
    """Join the sentences that are not empty with spaces."""
    return " ".join(sentence for sentence in sentences if sentence)


def is_most(flags: Bools) -> bool:
    """Whether most of the five newest evaluations have a flag."""
    return bool(flags[-5:].sum() >= 3)
