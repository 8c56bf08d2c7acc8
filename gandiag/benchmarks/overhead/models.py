"""GANs whose training loop is measured, written in plain torch as a user would write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.autograd import backward
from torch.nn.functional import binary_cross_entropy_with_logits as loss
from torch.optim import Adam


class BenchModel:
    """Two networks, their optimizers, and the training loop of PyTorch's DCGAN example.

    Args:
        generator: maps ``(B, latent_size)`` to ``(B, 1, 28, 28)``.
        discriminator: maps ``(B, 1, 28, 28)`` to logits ``(B, 1)``.
        images: ``(N, 1, 28, 28)`` training images in [-1, 1].
        batch_size: number of real samples of a step, and of generated samples.
        latent_size: length of a latent vector.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        images: Tensor,
        batch_size: int,
        latent_size: int,
    ) -> None:
        self.generator, self.discriminator, self.images = generator, discriminator, images
        # Adam with a low momentum, as in DCGAN (Radford et al. 2016, section 4).
        self.generator_optimizer = Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.discriminator_optimizer = Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self._batch_size, self._latent_size = batch_size, latent_size
        # Targets of the cross entropy, made once: they are not part of what is measured.
        self._ones, self._zeros = torch.ones(batch_size, 1), torch.zeros(batch_size, 1)

    def train(self, steps: int) -> None:
        """Train both networks for `steps` steps each."""
        generator, discriminator = self.generator, self.discriminator
        for _ in range(steps):
            real = self.images[torch.randint(len(self.images), (self._batch_size,))]
            fake = generator(torch.randn(self._batch_size, self._latent_size))
            self.discriminator_optimizer.zero_grad()
            # Two backward passes add the gradients of real and generated samples, as in the DCGAN
            # example: the two batches keep their own batch-normalisation statistics.
            backward(loss(discriminator(real), self._ones))
            backward(loss(discriminator(fake.detach()), self._zeros))
            self.discriminator_optimizer.step()
            self.generator_optimizer.zero_grad()
            backward(loss(discriminator(fake), self._ones))
            self.generator_optimizer.step()


def build_mlp(images: Tensor) -> BenchModel:
    """Build linear layers 64-256-256-784 and 784-256-256-1, for batches of 128."""
    generator = nn.Sequential(
        nn.Linear(64, 256),
        nn.ReLU(),
        nn.Linear(256, 256),
        nn.ReLU(),
        nn.Linear(256, 784),
        nn.Tanh(),
        nn.Unflatten(1, (1, 28, 28)),
    )
    discriminator = nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 256),
        nn.LeakyReLU(0.2),
        nn.Linear(256, 256),
        nn.LeakyReLU(0.2),
        nn.Linear(256, 1),
    )
    return BenchModel(generator, discriminator, images, batch_size=128, latent_size=64)


def build_dcgan(images: Tensor) -> BenchModel:
    """Build two transposed convolutions and two convolutions, for batches of 64.

    They have 32 and 16 channels, so that the loop stays fast on one core.
    """
    generator = nn.Sequential(
        nn.Linear(64, 32 * 7 * 7, bias=False),
        nn.Unflatten(1, (32, 7, 7)),
        nn.BatchNorm2d(32),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(32, 16, 4, 2, 1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(16, 1, 4, 2, 1),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(1, 16, 4, 2, 1),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(16, 32, 4, 2, 1, bias=False),
        nn.BatchNorm2d(32),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 1),
    )
    return BenchModel(generator, discriminator, images, batch_size=64, latent_size=64)


MODELS: Mapping[str, Callable[[Tensor], BenchModel]] = {"mlp": build_mlp, "dcgan": build_dcgan}
