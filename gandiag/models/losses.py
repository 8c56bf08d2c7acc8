"""The objectives: what the two players minimise, as pairs of functions of the scores."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from gandiag.models.gan import Objective


def _cross_entropy(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """-log D(x) - log(1 - D(G(z))) on logits; 2 ln 2 for a discriminator that cannot tell."""
    return softplus(-real_scores).mean() + softplus(fake_scores).mean()


def _non_saturating(fake_scores: Tensor) -> Tensor:
    """-log D(G(z)); its slope tends to -1 where the discriminator is sure."""
    return softplus(-fake_scores).mean()


def _saturating(fake_scores: Tensor) -> Tensor:
    """log(1 - D(G(z))); its slope tends to 0 where the discriminator is sure."""
    return -softplus(fake_scores).mean()


def _least_squares(real_scores: Tensor, fake_scores: Tensor, target: float = 1.0) -> Tensor:
    """Squared distances of real scores from `target` and of fakes from 0, halved.

    At least 1/4 for a discriminator that cannot tell.
    """
    return ((real_scores - target).square().mean() + fake_scores.square().mean()) / 2


def _least_squares_generator(fake_scores: Tensor) -> Tensor:
    """Squared distance of the fakes' scores from 1, halved; its slope grows with the distance."""
    return (fake_scores - 1).square().mean() / 2


def _hinge(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Scores beyond 1 on the right side cost nothing; 2 for a discriminator that cannot tell."""
    return relu(1 - real_scores).mean() + relu(1 + fake_scores).mean()


def _wasserstein(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    return fake_scores.mean() - real_scores.mean()


def _negative_mean_score(fake_scores: Tensor) -> Tensor:
    return -fake_scores.mean()


def _clamp_to_unit_interval(scores: Tensor) -> Tensor:
    """The least-squares optimum is p / (p + q) itself (Mao et al. 2017, equation 5)."""
    return scores.clamp(0, 1)


#: Goodfellow et al. 2014, section 3, second form.
NON_SATURATING = Objective(_cross_entropy, _non_saturating, torch.sigmoid)

#: Goodfellow et al. 2014, equation 1 (minimax).
SATURATING = Objective(_cross_entropy, _saturating, torch.sigmoid)

#: Mao et al. 2017, equation 9: targets 0 and 1 for the discriminator, 1 for the generator.
LEAST_SQUARES = Objective(_least_squares, _least_squares_generator, _clamp_to_unit_interval)

#: Lim & Ye 2017; Miyato et al. 2018, equations 16 and 17; scores are no probabilities.
HINGE = Objective(_hinge, _negative_mean_score, None)

#: Arjovsky et al. 2017, equation 2; scores are no probabilities.
WASSERSTEIN = Objective(_wasserstein, _negative_mean_score, None)

#: Every objective by its name.
OBJECTIVES: Mapping[str, Objective] = {
    "non_saturating": NON_SATURATING,
    "saturating": SATURATING,
    "least_squares": LEAST_SQUARES,
    "hinge": HINGE,
    "wasserstein": WASSERSTEIN,
}


def smooth_labels(name: str, by: float) -> Objective:
    """One-sided label smoothing: the target of real samples is ``1 - by`` (Salimans et al. 2016).

    Where p and q are equal, the best discriminator then says ``(1 - by) / 2`` (section 3.4).

    Args:
        name: of an objective whose discriminator has a target for real samples.
        by: in [0, 1); 0 gives the objective as it is.

    Raises:
        ValueError: the objective has no such target.
    """
    plain = OBJECTIVES[name]
    if not by:
        return plain
    kind = {_cross_entropy: _smoothed_cross_entropy, _least_squares: _smoothed_least_squares}
    if plain.discriminator not in kind:
        raise ValueError(f"label_smoothing needs a target for reals, and {name} has none")
    return plain._replace(discriminator=functools.partial(kind[plain.discriminator], by))


def _smoothed_cross_entropy(by: float, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    # -(1 - s) log D - s log(1 - D) = -log D + s * logit
    return _cross_entropy(real_scores, fake_scores) + by * real_scores.mean()


def _smoothed_least_squares(by: float, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    return _least_squares(real_scores, fake_scores, 1 - by)
