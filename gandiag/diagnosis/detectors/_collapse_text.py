"""What is said of mode collapse: where it is, where it is not, and where that cannot be told."""

from __future__ import annotations

import math

from gandiag.diagnosis.detectors._balance import TOO_WEAK
from gandiag.diagnosis.diagnosis import Status

EXPLANATIONS = {
    "discriminator_too_strong": (
        "The discriminator tells real from fake almost without error, and drives the generator to "
        "the few samples that it finds least bad."
    ),
    "discriminator_too_weak": TOO_WEAK,
    "latent_ignored": "All latents give nearly the same sample: the generator ignores its input.",
}


def describe_collapse(
    onset: int,
    share: float,
    narrow: float,
    *,
    learning: bool,
    off_the_data: bool,
    unmade: str,
    kind: str,
    cause: str | None,
) -> str:
    """The sentences on a collapse.

    Args:
        onset: step since which it has been there.
        share: diversity over the real data's; NaN where it is of late not finite.
        narrow: variety within a mode over the real one; 1 where that is not the trouble.
        learning: whether it is on its way out.
        off_the_data: whether hardly a sample lies near a real one.
        unmade: a sentence on the classes that are hardly made, or nothing.
        kind: of the collapse.
        cause: a key of `EXPLANATIONS`, None where it is unknown.
    """
    much = "an unknown part" if math.isnan(share) else f"{share:.0%}"
    return join_sentences(
        f"Since step {onset} the samples have lacked variety: {much} of the real data's now.",
        "They are getting better." if learning else "",
        f"Within a mode they vary {narrow:.0%} as much as real ones." if narrow < 1 else "",
        "Hardly any of them lies near a real sample." if off_the_data else "",
        unmade,
        "Which modes they show changes from look to look." if kind == "hopping" else "",
        EXPLANATIONS[cause] if cause else "",
    )


def explain_no_collapse(
    share: float, *, low: bool, untaught: bool, beginning: bool, learning: bool, elsewhere: bool
) -> tuple[Status, str]:
    """What to answer where no collapse is shown, by what the newest looks are.

    `share` is the diversity over the real data's, NaN where it is not finite; `low` says whether
    that is little, and the others what may excuse it, see `_exclusions`.
    """
    much = f"{share:.0%} of the real data's diversity"
    if math.isnan(share):
        text = "Of late the diversity of the samples is no finite number: it cannot be judged."
        return "inconclusive", text
    if low and untaught:
        return "inconclusive", (
            "The generator stands still and makes nothing like the data: it has not begun to "
            "learn, and what it has never made it cannot have lost."
        )
    if low and beginning:
        return "inconclusive", (
            f"The samples have only {much} so far: they are all of one kind, near the middle of "
            "the data or on the way there, as those of every generator that begins."
        )
    if low and learning:
        return "inconclusive", f"The samples have only {much} so far, but are getting better."
    if low and elsewhere:
        return "absent", (
            "The samples differ as much as real ones do, but lie far from the data: it is not "
            "variety that they lack."
        )
    if low:
        return "inconclusive", f"The samples have {much}, but not for long: more steps would tell."
    return "absent", f"The samples have {much}."


def join_sentences(*sentences: str) -> str:
    """Those that are not empty, one after another."""
    return " ".join(sentence for sentence in sentences if sentence)
