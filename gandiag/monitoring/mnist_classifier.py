"""A small digit classifier, with which generated samples are counted by class."""

from __future__ import annotations

from importlib.resources import files

import torch
from safetensors.torch import load
from torch import Tensor, nn


class MnistClassifier(nn.Module):
    """A convolutional network for MNIST digits, with 61,000 weights.

    The metadata of the weights' file state the training data and the accuracy.
    """

    def __init__(self) -> None:
        """Build an untrained network; `pretrained` loads a trained one."""
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
        """Load the shipped weights on the CPU, in eval mode and with frozen parameters."""
        # On the meta device no initial weights are drawn: the global generator is not used.
        with torch.device("meta"):
            network = cls()
        weights = (files("gandiag.datasets.assets") / "mnist_classifier.safetensors").read_bytes()
        network.load_state_dict(load(weights), assign=True)
        return network.eval().requires_grad_(False)

    def features(self, images: Tensor) -> Tensor:
        """Activations of the layer before the logits.

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
    """A convolution after which the image has half the side."""
    return nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
