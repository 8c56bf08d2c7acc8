"""Whether the discriminator gives real samples high outputs, or low ones as an energy."""

from __future__ import annotations

from torch import Tensor

from gandiag.attachment.calls import DiscriminatorStep, compare_targets

# Discriminator steps in a row that must contradict the answer before it changes. The first step
# that decides is believed at once, so that no measurement is lost.
CONTRADICTIONS = 3
# Mean sum of two paired gradients, relative to their size, below which they count as opposite. It
# is 0 up to rounding for a relativistic loss, and about 1 for losses that do not pair the scores.
PAIRED = 1e-3


class Orientation:
    """Reads the orientation of the scores from the gradients of the discriminator's loss.

    Attributes:
        is_low_real: whether low outputs mean real: the discriminator returns energies (Zhao et al.
            2017), or the labels of the loss are flipped.
        is_relativistic: whether the loss compares the outputs of real and of generated samples in
            pairs (Jolicoeur-Martineau 2019); then a single output means nothing by itself.
    """

    def __init__(self) -> None:
        """Assume that high outputs mean real, as in most loops."""
        self.is_low_real = self.is_relativistic = False
        self._is_decided = False
        self._contradictions = 0

    def add(self, step: DiscriminatorStep) -> bool:
        """Use one more discriminator step; return whether an answer has changed.

        A step without samples that are known to be generated says nothing. On a GPU, the host waits
        for the gradients.
        """
        parts = (step.real_output, step.fake_output), (step.real_gradient, step.fake_gradient)
        outputs = [output for output in parts[0] if output is not None]
        gradients = [gradient for gradient in parts[1] if gradient is not None]
        if not step.has_known_split or len(outputs) < 2 or len(gradients) < 2:
            return False
        before = self.is_low_real, self.is_relativistic
        self.is_relativistic = self.is_relativistic or _are_paired(*gradients)
        is_higher = compare_targets(outputs, gradients)
        if is_higher is not None:
            is_low_real = not is_higher[0]
            self._contradictions += is_low_real != self.is_low_real
            if not self._is_decided or self._contradictions >= CONTRADICTIONS:
                self.is_low_real, self._contradictions = is_low_real, 0
            elif is_low_real == self.is_low_real:
                self._contradictions = 0
            self._is_decided = True
        return before != (self.is_low_real, self.is_relativistic)


def _are_paired(real: Tensor, fake: Tensor) -> bool:
    """Whether the gradients at the outputs are opposite in pairs, and not all equal."""
    if real.shape != fake.shape or real.numel() < 2:
        return False
    size = (real.abs().mean() + fake.abs().mean()).clamp(min=1e-12)
    # Equal gradients are those of a linear loss, which pairs nothing.
    varies = real.std() / size > PAIRED
    return bool(((real + fake).abs().mean() / size < PAIRED) & varies)
