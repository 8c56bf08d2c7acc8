"""How well the discriminator separates real from generated samples, before its step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gandiag.monitoring.snapshot import Snapshot


@dataclass(frozen=True)
class Confidence:
    """The discriminator's scores of real and generated samples, before its step.

    P(real) is recorded for a discriminator with probabilities; for a Wasserstein critic only the
    score gap and the AUC are. The AUC is not folded at 0.5: below 0.5, D scores generated samples
    higher than real ones.
    """

    uses: ClassVar[frozenset[str]] = frozenset()

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the numbers of a discriminator step."""
        real, fake = snapshot.real_scores, snapshot.fake_scores
        if snapshot.network_name != "discriminator" or real is None or fake is None:
            return {}
        numbers = confidence_signals(snapshot, real, fake)
        return numbers | {"auc/discriminator": compute_auc(real, fake)}


def compute_auc(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Area under the ROC curve, P(score of a real sample > score of a generated one), 0-dim.

    Ties count half (Mann & Whitney 1947). The result is NaN if a score is NaN.

    >>> import torch
    >>> float(compute_auc(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 1.0])))
    0.875
    """
    difference = real_scores.flatten()[:, None] - fake_scores.flatten()[None]
    # sign() maps NaN to 0, which would count as a tie.
    outcome = torch.where(difference.isnan(), difference, difference.sign())
    return (outcome.mean() + 1) / 2


def confidence_signals(snapshot: Snapshot, real: Tensor, fake: Tensor) -> dict[str, float | Tensor]:
    """The score gap and, for a discriminator with probabilities, the mean P(real) of both batches.

    Args:
        snapshot: provides the function from scores to P(real).
        real: scores of real samples, ``(B, ...)``.
        fake: scores of generated samples, ``(B, ...)``.
    """
    numbers: dict[str, float | Tensor] = {"gap/discriminator": real.mean() - fake.mean()}
    if snapshot.probability is not None:
        numbers["real/discriminator"] = snapshot.probability(real).mean()
        numbers["fake/discriminator"] = snapshot.probability(fake).mean()
    return numbers
