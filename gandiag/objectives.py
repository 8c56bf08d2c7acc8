"""The objectives: what the two players minimise, as pairs of functions of the scores."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gandiag.gan import Objective

__all__ = ["CROSS_ENTROPY", "NON_SATURATING", "SATURATING", "WASSERSTEIN"]


def _cross_entropy(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """-log D(x) - log(1 - D(G(z))) on logits; 2 ln 2 for a discriminator that cannot tell."""
    return softplus(-real_scores).mean() + softplus(fake_scores).mean()


def _non_saturating(fake_scores: Tensor) -> Tensor:
    """-log D(G(z)); its slope tends to -1 where the discriminator is sure."""
    return softplus(-fake_scores).mean()


def _saturating(fake_scores: Tensor) -> Tensor:
    """log(1 - D(G(z))); its slope tends to 0 where the discriminator is sure."""
    return -softplus(fake_scores).mean()


def _critic(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    return fake_scores.mean() - real_scores.mean()


def _critic_generator(fake_scores: Tensor) -> Tensor:
    return -fake_scores.mean()


#: Goodfellow et al. 2014, section 3, second form.
NON_SATURATING = Objective(_cross_entropy, _non_saturating, torch.sigmoid)

#: Goodfellow et al. 2014, equation 1 (minimax).
SATURATING = Objective(_cross_entropy, _saturating, torch.sigmoid)

#: Arjovsky et al. 2017, equation 2; scores are no probabilities.
WASSERSTEIN = Objective(_critic, _critic_generator, None)

#: The cross-entropy pair by the name of the generator's form.
CROSS_ENTROPY = {"non_saturating": NON_SATURATING, "saturating": SATURATING}
