"""How sure the discriminator is, before and after its step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gandiag.snapshot import Snapshot
from gandiag.undisturbed import undisturbed

__all__ = ["Confidence", "auc"]


@dataclass(frozen=True)
class Confidence:
    """D's scores on real and fake: P(real) for a classifier, the gap alone for a critic.

    Signals, each ``/discriminator``:

    - ``real``, ``fake``: mean P(real) on the real and the fake batch before D's step, [0, 1].
    - ``real_after``, ``fake_after``: the same on the same batches once D has stepped.
    - ``gap``, ``gap_after``: mean score on real minus mean score on fake, in units of the scores.
    - ``auc``: share of (real, fake) pairs that D ranks rightly, [0, 1]; 0.5 is chance. It is not
      folded: below 0.5 the fakes look more real than the reals.
    """

    uses: ClassVar[frozenset[str]] = frozenset()

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the reading before D's step in its turn, after it in G's."""
        if snapshot.player == "discriminator":
            if snapshot.real_scores is None or snapshot.fake_scores is None:
                return {}
            real, fake = snapshot.real_scores, snapshot.fake_scores
            return {"auc/discriminator": auc(real, fake)} | _read(snapshot, real, fake, "")
        if snapshot.score_real is None or snapshot.score_fake is None:
            return {}
        with undisturbed(snapshot.discriminator):
            real, fake = snapshot.score_real(), snapshot.score_fake()
        return _read(snapshot, real, fake, "_after")


def auc(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """P(score of a real > score of a fake), ties counted half (Mann & Whitney 1947).

    >>> import torch
    >>> float(auc(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 1.0])))
    0.875
    """
    difference = real_scores.flatten()[:, None] - fake_scores.flatten()[None]
    return (difference.sign().mean() + 1) / 2


def _read(snapshot: Snapshot, real: Tensor, fake: Tensor, when: str) -> dict[str, float | Tensor]:
    seen: dict[str, float | Tensor] = {f"gap{when}/discriminator": real.mean() - fake.mean()}
    if snapshot.probability is not None:
        seen[f"real{when}/discriminator"] = snapshot.probability(real).mean()
        seen[f"fake{when}/discriminator"] = snapshot.probability(fake).mean()
    return seen
