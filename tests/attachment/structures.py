"""Small GANs of the structures that people train. None of these loops contains a line of gandiag.

Each builder returns a `Structure`: the networks, what is passed to `gandiag.attach`, and the loop.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss
from torch.optim import Adam, Optimizer


@dataclass
class Structure:
    """A GAN of one structure.

    Attributes:
        networks: every network that is trained.
        generator: passed to `gandiag.attach`, as the following ones.
        discriminator: likewise.
        generator_optimizer: likewise.
        discriminator_optimizer: likewise.
        train: trains for a number of iterations.
        options: further arguments of `gandiag.attach`.
    """

    networks: Sequence[nn.Module]
    generator: nn.Module | Mapping[str, nn.Module]
    discriminator: nn.Module | Mapping[str, nn.Module]
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    train: Callable[[int], None]
    options: dict[str, Any] = field(default_factory=dict)


def adam(*networks: nn.Module) -> Adam:
    """One optimizer for the parameters of several networks."""
    parameters = itertools.chain(*(network.parameters() for network in networks))
    return Adam(parameters, lr=2e-4, betas=(0.5, 0.9))


class Scales(nn.Module):
    """Scores real and generated waves in one call, each at two scales, and returns the features."""

    def __init__(self, strides: Sequence[int]) -> None:
        """Create one discriminator for each stride."""
        super().__init__()
        self.discriminators = nn.ModuleList(
            nn.Sequential(nn.Conv1d(1, 8, 5, s, 2), nn.LeakyReLU(0.1), nn.Conv1d(8, 1, 3, 1, 1))
            for s in strides
        )

    def forward(self, real: Tensor, fake: Tensor) -> tuple[list[Tensor], ...]:
        """Scores of real and of generated waves ``(B, 1, 64)``, and features of both."""
        scores: tuple[list[Tensor], ...] = ([], [], [], [])
        for each in self.discriminators:
            for place, wave in enumerate((real, fake)):
                features = each[1](each[0](wave))
                scores[place].append(each[2](features).flatten(1))
                scores[2 + place].append(features)
        return scores


def hifi_gan() -> Structure:
    """HiFi-GAN: ``D(y, y_hat)`` of two discriminators, one optimizer, feature matching."""
    generator = nn.Sequential(nn.Conv1d(4, 16, 3, 1, 1), nn.ReLU(), nn.Conv1d(16, 1, 3, 1, 1))
    period, scale = Scales((2, 3)), Scales((1, 4))
    g_step, d_step = adam(generator), adam(period, scale)

    def train(steps: int) -> None:
        for _ in range(steps):
            mel = torch.randn(16, 4, 64)
            wave = (mel.sum(1, keepdim=True) + torch.rand(16, 1, 1)).sin()
            made = generator(mel)
            d_step.zero_grad()
            loss = torch.zeros(())
            for d in (period, scale):
                on_real, on_fake, _, _ = d(wave, made.detach())
                loss = loss + sum(((1 - r) ** 2).mean() for r in on_real)
                loss = loss + sum((f**2).mean() for f in on_fake)
            loss.backward()
            d_step.step()
            g_step.zero_grad()
            loss = 45 * l1_loss(made, wave)
            for d in (period, scale):
                _, on_fake, real_features, fake_features = d(wave, made)
                pairs = zip(real_features, fake_features, strict=True)
                loss = loss + 2 * sum(l1_loss(r, f) for r, f in pairs)
                loss = loss + sum(((1 - f) ** 2).mean() for f in on_fake)
            loss.backward()
            g_step.step()

    both = {"period": period, "scale": scale}
    options = {"select": lambda output: {"real": output[0], "fake": output[1]}}
    return Structure([generator, *both.values()], generator, both, g_step, d_step, train, options)


class ImagePool:
    """The replay buffer of CycleGAN: returns new tensors of images, half of them older ones."""

    def __init__(self, size: int) -> None:
        """Start empty."""
        self.size, self.images = size, []

    def query(self, images: Tensor) -> Tensor:
        """Images of the same number."""
        returned = []
        for image in images.detach().split(1):
            if len(self.images) < self.size:
                self.images.append(image)
            elif random.random() < 0.5:
                place = random.randrange(self.size)
                image, self.images[place] = self.images[place].clone(), image
            returned.append(image)
        return torch.cat(returned)


def images(channels: int = 1) -> nn.Sequential:
    """A network from images to images ``(B, 1, 8, 8)``."""
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, 1, 1), nn.InstanceNorm2d(8), nn.ReLU(), nn.Conv2d(8, 1, 3, 1, 1)
    )


def patches(channels: int = 1) -> nn.Sequential:
    """A discriminator that returns a map of scores."""
    return nn.Sequential(
        nn.Conv2d(channels, 8, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 3, 1, 1)
    )


def draw_domains() -> tuple[Tensor, Tensor]:
    """Images of two domains: horizontal and vertical bars."""
    bars = torch.where(torch.rand(8, 1, 8, 1) < 0.5, -1.0, 1.0).expand(8, 1, 8, 8)
    return bars + 0.1 * torch.randn(8, 1, 8, 8), bars.mT + 0.1 * torch.randn(8, 1, 8, 8)


def cycle_gan() -> Structure:
    """CycleGAN: two pairs, one optimizer for the generators and one for the discriminators."""
    to_b, to_a, judge_b, judge_a = images(), images(), patches(), patches()
    g_step, d_step = adam(to_b, to_a), adam(judge_b, judge_a)
    pool_b, pool_a = ImagePool(50), ImagePool(50)

    def train(steps: int) -> None:
        for _ in range(steps):
            a, b = draw_domains()
            made_b, made_a = to_b(a), to_a(b)
            for network in (judge_a, judge_b):
                network.requires_grad_(False)
            g_step.zero_grad()
            identity = l1_loss(to_b(b), b) + l1_loss(to_a(a), a)
            cycle = l1_loss(to_a(made_b), a) + l1_loss(to_b(made_a), b)
            fooled = ((judge_b(made_b) - 1) ** 2).mean() + ((judge_a(made_a) - 1) ** 2).mean()
            (fooled + 10 * cycle + 5 * identity).backward()
            g_step.step()
            for network in (judge_a, judge_b):
                network.requires_grad_(True)
            d_step.zero_grad()
            for judge, real, made in (
                (judge_a, a, pool_a.query(made_a)),
                (judge_b, b, pool_b.query(made_b)),
            ):
                on_real, on_fake = judge(real), judge(made.detach())
                (((on_real - 1) ** 2).mean() / 2 + (on_fake**2).mean() / 2).backward()
            d_step.step()

    generators, discriminators = {"AtoB": to_b, "BtoA": to_a}, {"AtoB": judge_b, "BtoA": judge_a}
    networks = [*generators.values(), *discriminators.values()]
    return Structure(networks, generators, discriminators, g_step, d_step, train)


def pix2pix() -> Structure:
    """pix2pix: D scores the input and the output, concatenated as channels."""
    generator, judge = images(), patches(2)
    g_step, d_step = adam(generator), adam(judge)

    def train(steps: int) -> None:
        for _ in range(steps):
            a, _ = draw_domains()
            b = -a.mT
            made = generator(a)
            d_step.zero_grad()
            on_fake, on_real = judge(torch.cat((a, made), 1).detach()), judge(torch.cat((a, b), 1))
            (((on_real - 1) ** 2).mean() / 2 + (on_fake**2).mean() / 2).backward()
            d_step.step()
            g_step.zero_grad()
            on_fake = judge(torch.cat((a, made), 1))
            (mse_loss(on_fake, torch.ones_like(on_fake)) + 100 * l1_loss(made, b)).backward()
            g_step.step()

    return Structure([generator, judge], generator, judge, g_step, d_step, train)


FIRST: dict[str, Callable[[], Structure]] = {
    "HiFi-GAN": hifi_gan,
    "CycleGAN": cycle_gan,
    "pix2pix": pix2pix,
}
