"""Which digits the generator makes."""

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
    """Class histogram of the newest fakes by a small MNIST classifier; for MNIST data only.

    Signals, each ``/generator``:

    - ``histogram``: share of each digit, a vector of 10.
    - ``effective_classes``: exp of the histogram's entropy, the effective number of digits, [1, 10].
    - ``certainty``: mean largest class probability, [0.1, 1]; low for samples that are no digits.
    """

    uses: ClassVar[frozenset[str]] = frozenset({"recent"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the histogram of the generator's turn; nothing for samples not of 28 x 28."""
        recent = snapshot.recent
        if recent is None or recent.shape[1:] != (1, 28, 28):
            return {}
        certainties, digits = _classifier(recent.device)(recent).softmax(1).max(1)
        every_digit = torch.arange(10, device=digits.device)
        histogram = (digits[:, None] == every_digit).float().mean(0)  # bincount waits for the GPU
        return {
            "histogram/generator": histogram,
            "effective_classes/generator": (-torch.xlogy(histogram, histogram).sum()).exp(),
            "certainty/generator": certainties.mean(),
        }


@functools.cache
def _classifier(device: torch.device) -> MnistClassifier:
    return MnistClassifier.pretrained().to(device)
