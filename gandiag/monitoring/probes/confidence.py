"""How sure the discriminator is, before its step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gandiag.monitoring.snapshot import Snapshot


@dataclass(frozen=True)
class Confidence:
    """D's scores on real and fake: P(real) for a classifier, the gap alone for a critic.

    Signals, each ``/discriminator``:

    - ``real``, ``fake``: mean P(real) on the real and the fake batch, [0, 1].
    - ``gap``: mean score on real minus mean score on fake, in units of the scores.
    - ``compute_auc``: share of (real, fake) pairs that D ranks rightly, [0, 1]; 0.5 is chance. It is not
      folded: below 0.5 the fakes look more real than the reals.
    """

    uses: ClassVar[frozenset[str]] = frozenset()

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the reading of D's turn, before its step."""
        real, fake = snapshot.real_scores, snapshot.fake_scores
        if snapshot.network_name != "discriminator" or real is None or fake is None:
            return {}
        return confidence_signals(snapshot, real, fake) | {
            "auc/discriminator": compute_auc(real, fake)
        }


def compute_auc(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """P(score of a real > score of a fake), ties counted half (Mann & Whitney 1947); may be NaN.

    >>> import torch
    >>> float(auc(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 1.0])))
    0.875
    """
    difference = real_scores.flatten()[:, None] - fake_scores.flatten()[None]
    won = torch.where(difference.isnan(), difference, difference.sign())  # the sign of NaN is 0
    return (won.mean() + 1) / 2


def confidence_signals(snapshot: Snapshot, real: Tensor, fake: Tensor) -> dict[str, float | Tensor]:
    """What scores of real samples and of fakes say of D's confidence."""
    seen: dict[str, float | Tensor] = {"gap/discriminator": real.mean() - fake.mean()}
    if snapshot.probability is not None:
        seen["real/discriminator"] = snapshot.probability(real).mean()
        seen["fake/discriminator"] = snapshot.probability(fake).mean()
    return seen
