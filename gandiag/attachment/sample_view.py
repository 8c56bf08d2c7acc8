"""Whether the discriminator sees what the generator returns, and what is compared otherwise.

Loops put functions between the two networks: an activation, noise, an augmentation, or the
concatenation with a condition. Samples are comparable with D's real input only as D sees them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gandiag.attachment.calls import DiscriminatorCall
from gandiag.monitoring.features import flatten_samples
from gandiag.monitoring.reference import Reference
from gandiag.monitoring.sample_metrics import compute_sample_metrics

# Generator steps in a row in which D must see something else than what G returned. The first steps
# of a loop may have another form, such as a warm-up without the discriminator.
CONFIRMATIONS = 3

OTHER_SAMPLES = (
    "The discriminator sees something else than what the generator returns: a function of the "
    "loop, such as an activation, noise or an augmentation, stands between the two. "
)
NOT_COMPARABLE = OTHER_SAMPLES + (
    "What it sees of real samples is not like real=..., so it is unknown what is to be compared "
    "with them, and diversity is not measured. Pass attach samples=..., a function from the "
    "generator's output to what is compared with the real samples, or leave out real=...: then "
    "what the discriminator sees is compared."
)
NO_DISPLACEMENT = OTHER_SAMPLES + (
    "Diversity is measured of what the discriminator sees; how far the generator moves is not "
    "measured. Pass attach samples=..., a function from the generator's output to the samples, "
    "together with real=..., to measure it."
)


# Real samples of D's step that are compared with the reference, at least: chance explains less than
# a tenth of the distance of total mode collapse then.
MIN_SEEN = 16
# Largest distance of what D sees of real samples from the reference, over that of total mode
# collapse: 2 to 5 times what chance explains in batches of 64 to 16.
SAME_DISTANCE = 0.25


def sees_reference(reference: Reference | None, seen: Tensor | None) -> bool:
    """Whether what D sees of real samples is like the reference that the user has passed.

    Args:
        reference: the user's real samples.
        seen: real samples of D's latest step, ``(B, *shape)``.
    """
    if reference is None or seen is None or len(seen) < MIN_SEEN:
        return False
    if reference.embedding is None and flatten_samples(seen).shape[1:] != reference.mean.shape:
        return False
    metrics = compute_sample_metrics(reference, reference.compute_fake_stats(seen.detach()))
    return bool(metrics["energy_distance"] < SAME_DISTANCE * reference.mean_energy_distance)


class SampleView:
    """Finds the generator's samples among D's inputs.

    Attributes:
        channels: the channels of D's input that are the sample, where a loop concatenates it with a
            condition; None where the input is the sample.
        is_other: whether D sees something else than what the generator returns.
    """

    def __init__(self, is_mapped: bool = False, is_known: bool = False) -> None:
        """Assume that D sees what the generator returns.

        Args:
            is_mapped: whether the samples come from a function of the user's: then the memory of
                the generator's output says nothing.
            is_known: whether the user has stated both the function and the real samples.
        """
        self.channels: slice | None = None
        self.is_other = False
        self._is_mapped = is_mapped
        self._is_found = is_known  # such loops are not checked at every step
        self._misses = 0

    def check(self, calls: Sequence[DiscriminatorCall], generated: Sequence[Tensor]) -> bool:
        """Compare D's inputs in a generator step with what the generator returned.

        On a GPU, the host waits for the comparison, in at most `CONFIRMATIONS` steps.

        Args:
            calls: D's calls of the step that lead to the generator.
            generated: samples ``(B, *shape)`` that the generator returned lately.

        Returns:
            Whether the answer has changed: what was collected before is then not comparable.
        """
        if self.is_other or self._is_found or not calls or not generated:
            return False
        if not self._is_mapped and any(call.is_output for call in calls):
            self._misses = 0
            return False
        for call in calls:
            for samples in generated:
                channels = _find_channels(samples, call.samples)
                if channels is not None:
                    self._is_found = True
                    is_part = samples.shape[1] != call.samples.shape[1]
                    self.channels = channels if is_part else None
                    return is_part
        self._misses += 1
        self.is_other = self._misses == CONFIRMATIONS
        return self.is_other

    def select(self, samples: Tensor | None) -> Tensor | None:
        """The samples in an input of D, ``(B, *shape)``."""
        return samples if samples is None or self.channels is None else samples[:, self.channels]


def _find_channels(samples: Tensor, seen: Tensor) -> slice | None:
    """The channels of an input of D that are equal to samples of the generator, if there are any.

    Args:
        samples: ``(B, C, ...)`` samples.
        seen: ``(B, D, ...)`` input of D; more than C channels where they were concatenated.
    """
    if samples.ndim < 2 or seen.ndim != samples.ndim:
        return None
    if seen.shape[2:] != samples.shape[2:]:
        return None
    rows, count = len(samples), samples.shape[1]
    # One call may score the generated samples after, or before, the real ones.
    for part in (seen[:rows], seen[-rows:]):
        for first in range(seen.shape[1] - count + 1):
            channels = slice(first, first + count)
            if torch.equal(part[:, channels].to(samples.dtype), samples):
                return channels
    return None
