"""Distances between real and generated samples: energy distance and Frechet distance."""

from __future__ import annotations

import torch
from torch import Tensor


def energy_distance(real: Tensor, fake: Tensor) -> float:
    """Return the energy distance, divided by the mean distance between two real samples.

    The energy distance is ``2 E|X - Y| - E|X - X'| - E|Y - Y'|`` (Szekely & Rizzo 2013). It is 0 if
    and only if both distributions are equal. The division makes it independent of the data's unit.

    Args:
        real: ``(n, f)`` real points.
        fake: ``(m, f)`` generated points.

    >>> energy_distance(torch.tensor([[0.0], [2.0]]), torch.tensor([[0.0], [2.0]]))
    0.0
    """
    # The distance is a small difference of three means over millions of pairs, so float64 adds
    # them. Pairs of a sample with itself are included (V-statistic), so the result is negative by
    # rounding only.
    within_real, between, within_fake = (
        torch.cdist(*pair).mean(dtype=torch.float64)
        for pair in ((real, real), (real, fake), (fake, fake))
    )
    # The clamp avoids a division by 0 if all real samples are equal.
    distance = (2 * between - within_real - within_fake) / within_real.clamp(min=1e-12)
    return max(0.0, float(distance))  # rounding can leave a value just below 0


def frechet_distance_of_features(real: Tensor, fake: Tensor) -> float:
    """Return `frechet_distance` of Gaussians fitted to features ``(n, f)`` and ``(m, f)``."""
    moments = [(each.double().mean(0), each.double().T.cov()) for each in (real, fake)]
    return frechet_distance(*moments[0], *moments[1])


def frechet_distance(
    mean: Tensor, covariance: Tensor, other_mean: Tensor, other_covariance: Tensor
) -> float:
    """Return the squared Frechet distance of two Gaussians (Heusel et al. 2017, equation 6).

    ``|m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2))``. The eigenvalues of ``C1 C2`` are those of the
    symmetric ``C1^(1/2) C2 C1^(1/2)``, so no square root of an asymmetric matrix is needed.

    >>> one = torch.eye(2, dtype=torch.float64)
    >>> round(frechet_distance(one[0] * 0, one, one[0], 4 * one), 6)
    3.0
    """
    values, vectors = torch.linalg.eigh(covariance)
    # Rounding can make eigenvalues of a singular covariance slightly negative.
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ other_covariance @ root).clamp(min=0).sqrt().sum()
    means = (mean - other_mean).square().sum()
    return max(0.0, float(means + covariance.trace() + other_covariance.trace() - 2 * cross))
