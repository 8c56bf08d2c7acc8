"""Which of the generator's steps belong to an iteration of their own."""

from __future__ import annotations


class IterationCounter:
    """Tells further steps of the generator from its steps against the discriminator.

    StyleGAN2, for example, regularises the generator by a step of its own at every fourth iteration
    (Karras et al. 2020): positions in the record are the iterations of the loop, without such
    steps. A further step follows a step against D, without a step of D between, and D scores
    nothing for it.
    """

    def __init__(self) -> None:
        """Start before the first step."""
        self._discriminator_steps = -1  # at the last step of an iteration
        self._was_adversarial = False
        self._has_further = self._has_repeated = False

    def is_further(self, is_adversarial: bool, discriminator_steps: int) -> bool:
        """Whether the generator's step that ends belongs to the iteration of the step before.

        Args:
            is_adversarial: whether D has scored generated samples for the step.
            discriminator_steps: steps of D's optimizer so far.
        """
        is_repeated = discriminator_steps == self._discriminator_steps
        if is_repeated and self._was_adversarial and not is_adversarial:
            self._has_further = True
            return True
        # A loop may also step the generator several times against the same discriminator.
        self._has_repeated |= is_repeated and is_adversarial
        self._discriminator_steps, self._was_adversarial = discriminator_steps, is_adversarial
        return False

    def is_unseen_further(self, discriminator_steps: int) -> bool:
        """The same of a step of which no call was seen, by the form of the steps before."""
        is_repeated = discriminator_steps == self._discriminator_steps
        self._discriminator_steps = discriminator_steps
        return is_repeated and self._has_further and not self._has_repeated
