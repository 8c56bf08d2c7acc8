"""A small digit classifier, so that samples can be counted by class."""

from __future__ import annotations

from importlib.resources import files

import torch
from safetensors.torch import load
from torch import Tensor, nn


class MnistClassifier(nn.Module):
    """A convolutional network for MNIST digits, 61,000 weights.

    What it was trained on and how well it does stand in the metadata of its weights' file.
    """

    def __init__(self) -> None:
        """Make an untrained network; `pretrained` gives a trained one."""
        super().__init__()
        self.body = nn.Sequential(
            *_block(1, 16),  # 28 -> 14 pixels a side
            *_block(16, 32),  # -> 7
            *_block(32, 64),  # -> 3
            nn.Flatten(),
            nn.Linear(64 * 3 * 3, 64),
            nn.ReLU(),
        )
        self.head = nn.Linear(64, 10)

    @classmethod
    def pretrained(cls) -> MnistClassifier:
        """Load the shipped weights on the CPU, in eval mode, without gradients of its own."""
        with torch.device("meta"):  # initial weights would be drawn from the global generator
            network = cls()
        weights = (files("gandiag.datasets.assets") / "mnist_classifier.safetensors").read_bytes()
        network.load_state_dict(load(weights), assign=True)
        return network.eval().requires_grad_(False)

    def features(self, images: Tensor) -> Tensor:
        """Penultimate activations.

        Args:
            images: ``(B, 1, 28, 28)`` in [-1, 1].

        Returns:
            ``(B, 64)``, non-negative.
        """
        features: Tensor = self.body(images)
        return features

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the digits 0 to 9, ``(B, 10)``, for images as in `features`."""
        logits: Tensor = self.head(self.features(images))
        return logits


def _block(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    """Convolve and halve the side."""
    return nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
