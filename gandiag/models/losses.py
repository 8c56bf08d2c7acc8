"""Objectives: the loss functions of the discriminator and the generator, on D's scores.

Scores are what the discriminator puts out, ``(B,)``: logits for the losses with logarithms, real
numbers for the others. With logits ``s``, ``D(x) = sigmoid(s)``, ``-log D = softplus(-s)`` and
``-log(1 - D) = softplus(s)``. Softplus stays finite where ``log(sigmoid(s))`` would be -inf.

In the docstrings, chance level is the loss of a discriminator whose scores do not depend on the
sample, at its best constant score.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from gandiag.models.gan import Objective


def _cross_entropy(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Return -log D(x) - log(1 - D(G(z))) on logits; chance level is 2 ln 2."""
    return softplus(-real_scores).mean() + softplus(fake_scores).mean()


def _non_saturating(fake_scores: Tensor) -> Tensor:
    """Return -log D(G(z)); its derivative by the logit tends to -1 for rejected samples."""
    return softplus(-fake_scores).mean()


def _saturating(fake_scores: Tensor) -> Tensor:
    """Return log(1 - D(G(z))); its derivative tends to 0 for rejected samples: it saturates."""
    return -softplus(fake_scores).mean()


def _least_squares(real_scores: Tensor, fake_scores: Tensor, target: float = 1.0) -> Tensor:
    """Return half the squared distances of real scores from `target` and of fake scores from 0.

    Chance level is 1/4 for a target of 1, at the score 1/2.
    """
    return ((real_scores - target).square().mean() + fake_scores.square().mean()) / 2


def _least_squares_generator(fake_scores: Tensor) -> Tensor:
    """Return half the squared distance of fake scores from 1; its derivative is score - 1."""
    return (fake_scores - 1).square().mean() / 2


def _hinge(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Return the hinge loss: scores on the correct side of the margin +-1 have no gradient.

    Chance level is 2.
    """
    return relu(1 - real_scores).mean() + relu(1 + fake_scores).mean()


def _wasserstein(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Return the negative estimate of the Wasserstein-1 distance; chance level is 0."""
    return fake_scores.mean() - real_scores.mean()


def _negative_mean_score(fake_scores: Tensor) -> Tensor:
    """Return -E D(G(z)); its derivatives sum to -1, however well D separates the samples."""
    return -fake_scores.mean()


def _clamp_to_unit_interval(scores: Tensor) -> Tensor:
    """Return P(real) of least-squares scores: the best score is p / (p + q) (Mao 2017, eq. 5)."""
    return scores.clamp(0, 1)


#: Goodfellow et al. 2014, section 3, second form.
NON_SATURATING = Objective(_cross_entropy, _non_saturating, torch.sigmoid)

#: Goodfellow et al. 2014, equation 1 (minimax).
SATURATING = Objective(_cross_entropy, _saturating, torch.sigmoid)

#: Mao et al. 2017, equation 9: targets 0 and 1 for the discriminator, 1 for the generator.
LEAST_SQUARES = Objective(_least_squares, _least_squares_generator, _clamp_to_unit_interval)

#: Lim & Ye 2017; Miyato et al. 2018, equations 16 and 17. Scores have no probability.
HINGE = Objective(_hinge, _negative_mean_score, None)

#: Arjovsky et al. 2017, equation 2. Scores have no probability.
WASSERSTEIN = Objective(_wasserstein, _negative_mean_score, None)

#: All objectives by their names in scenarios.
OBJECTIVES: Mapping[str, Objective] = {
    "non_saturating": NON_SATURATING,
    "saturating": SATURATING,
    "least_squares": LEAST_SQUARES,
    "hinge": HINGE,
    "wasserstein": WASSERSTEIN,
}


def smooth_labels(name: str, by: float) -> Objective:
    """Return an objective with one-sided label smoothing (Salimans et al. 2016, section 3.4).

    The discriminator's target for real samples becomes ``1 - by``. The best discriminator then
    gives P(real) = ``(1 - by) p / (p + q)``, and ``(1 - by) / 2`` where p and q are equal.

    Args:
        name: key of `OBJECTIVES`. Its discriminator needs a target for real samples: cross-entropy
            and least squares have one.
        by: amount of smoothing in [0, 1); 0 returns the objective itself.

    Raises:
        ValueError: the objective has no target for real samples.
    """
    objective = OBJECTIVES[name]
    if not by:
        return objective
    smoothed_losses = {
        _cross_entropy: _smoothed_cross_entropy,
        _least_squares: _smoothed_least_squares,
    }
    if objective.discriminator not in smoothed_losses:
        raise ValueError(f"label_smoothing needs a target for real samples, and {name} has none")
    smoothed_loss = smoothed_losses[objective.discriminator]
    return objective._replace(discriminator=functools.partial(smoothed_loss, by))


def _smoothed_cross_entropy(by: float, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    # -(1 - by) log D - by log(1 - D) = -log D + by * logit, because log D - log(1 - D) = logit.
    return _cross_entropy(real_scores, fake_scores) + by * real_scores.mean()


def _smoothed_least_squares(by: float, real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    return _least_squares(real_scores, fake_scores, 1 - by)
