"""The digits that the generated samples show, for MNIST data."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from gandiag.monitoring.mnist_classifier import MnistClassifier
from gandiag.monitoring.snapshot import Snapshot


@dataclass(frozen=True)
class Classes:
    """Class histogram of the newest generated samples by a small MNIST classifier.

    It is meant for MNIST data only. Other images of 28 x 28 pixels are classified as digits too,
    with a low class probability.
    """

    uses: ClassVar[frozenset[str]] = frozenset({"recent"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the numbers in a generator step; none for samples not of 28 x 28 pixels."""
        recent = snapshot.recent
        if recent is None or recent.shape[1:] != (1, 28, 28):
            return {}
        shares = _load_classifier(recent.device)(recent).softmax(1)
        probabilities, digits = shares.max(1)
        all_digits = torch.arange(10, device=digits.device)
        # Not bincount, as it makes the host wait for the GPU.
        histogram = (digits[:, None] == all_digits).float().mean(0)
        return {
            "histogram/generator": histogram,
            "effective_classes/generator": _entropy(histogram).exp(),
            "certainty/generator": probabilities.mean(),
            # The mean KL divergence is the entropy of the mean minus the mean entropy.
            "classifier_score/generator": (
                _entropy(shares.mean(0)) - _entropy(shares).mean()
            ).exp(),
        }


def _entropy(shares: Tensor) -> Tensor:
    """Entropy of ``(..., classes)`` probabilities along the last axis, in nats."""
    return -torch.xlogy(shares, shares).sum(-1)


@functools.cache
def _load_classifier(device: torch.device) -> MnistClassifier:
    return MnistClassifier.pretrained().to(device)
