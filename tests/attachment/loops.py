"""Training loops as people write them, each in its own style; none knows of gandiag."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits
from torch.optim import Adam, Optimizer

from gandiag.models.scores import Scores

BATCH, LATENT, SIDE = 32, 8, 8
Bce = Callable[[Tensor, Tensor], Tensor]


class Generator(nn.Module):
    """A small DCGAN generator, conditional if asked for, with BatchNorm, dropout, in-place ReLU."""

    def __init__(self, classes: int = 0) -> None:
        """Make the layers."""
        super().__init__()
        self.label = nn.Embedding(classes, LATENT) if classes else None
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(LATENT, 8, 4),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            nn.Dropout(0.2),
            nn.ConvTranspose2d(8, 1, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """``(B, LATENT)`` to ``(B, 1, SIDE, SIDE)``."""
        if self.label is not None and labels is not None:
            latents = latents * self.label(labels)
        images: Tensor = self.layers(latents[..., None, None])
        return images


class Discriminator(nn.Module):
    """Its counterpart; `patches` gives a map of scores, `heads` a tuple of two outputs."""

    def __init__(
        self, sigmoid: bool = False, patches: bool = False, heads: bool = False, classes: int = 0
    ) -> None:
        """Make the layers."""
        super().__init__()
        self.label = nn.Embedding(classes, SIDE * SIDE) if classes else None
        self.heads = heads
        self.layers = nn.Sequential(
            nn.Conv2d(1, 8, 4, 2, 1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Dropout(0.2),
            nn.Conv2d(8, 8, 3, 1, 1),
            nn.BatchNorm2d(8),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(8, 1, 1) if patches else nn.Conv2d(8, 1, 4),
            *([nn.Sigmoid()] if sigmoid else []),
        )
        if not patches:
            self.layers.append(nn.Flatten())

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor | tuple[Tensor, ...]:
        """``(B, 1, SIDE, SIDE)`` to scores."""
        if self.label is not None and labels is not None:
            images = images + self.label(labels).view(-1, 1, SIDE, SIDE)
        scores: Tensor = self.layers(images)
        return (scores, scores.detach()) if self.heads else scores


class Game(NamedTuple):
    """Two networks, their optimizers, and how their loop goes."""

    generator: nn.Module
    discriminator: nn.Module
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    play: Callable[[Game, int], None]
    scores: Scores


def reals(steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Blurred blobs with their class, from a stream of their own."""
    stream = torch.Generator().manual_seed(5)
    for _ in range(steps):
        labels = torch.randint(4, (BATCH,), generator=stream)
        images = torch.full((BATCH, 1, SIDE, SIDE), -1.0)
        for index, label in enumerate(labels.tolist()):
            top, left = 4 * (label // 2), 4 * (label % 2)
            images[index, 0, top : top + 4, left : left + 4] = 1.0
        yield images + 0.1 * torch.randn(images.shape, generator=stream), labels


def targets(scores: Tensor, value: float) -> Tensor:
    """A tensor of one value, shaped as the scores."""
    return torch.full_like(scores, value)


def real_fake_then_generator(game: Game, steps: int) -> None:
    """PyTorch's DCGAN example: D on real, D on detached fakes, two backward passes, then G."""
    g, d, g_step, d_step, *_ = game
    loss: Bce = binary_cross_entropy_with_logits
    for real, _ in reals(steps):
        d_step.zero_grad()
        scores = d(real)
        loss(scores, targets(scores, 1.0)).backward()
        fake = g(torch.randn(BATCH, LATENT))
        scores = d(fake.detach())
        loss(scores, targets(scores, 0.0)).backward()
        d_step.step()
        g_step.zero_grad()
        scores = d(fake)
        loss(scores, targets(scores, 1.0)).backward()
        g_step.step()


def generator_first(game: Game, steps: int) -> None:
    """PyTorch-GAN's order: G steps first, on probabilities; D's two losses are averaged."""
    g, d, g_step, d_step, *_ = game
    for real, _ in reals(steps):
        g_step.zero_grad()
        made = g(torch.randn(BATCH, LATENT))
        scores = d(made)
        binary_cross_entropy(scores, targets(scores, 1.0)).backward()
        g_step.step()
        d_step.zero_grad()
        on_real, on_fake = d(real), d(made.detach())
        real_loss = binary_cross_entropy(on_real, targets(on_real, 1.0))
        fake_loss = binary_cross_entropy(on_fake, targets(on_fake, 0.0))
        ((real_loss + fake_loss) / 2).backward()
        d_step.step()


def gradient_penalty(game: Game, steps: int) -> None:
    """WGAN-GP: three critic steps with a double backward pass for each of the generator's."""
    g, d, g_step, d_step, *_ = game
    for index, (real, _) in enumerate(reals(3 * steps)):
        d_step.zero_grad()
        fake = g(torch.randn(BATCH, LATENT)).detach()
        mix = torch.rand(BATCH, 1, 1, 1)
        between = (mix * real + (1 - mix) * fake).requires_grad_(True)
        (slopes,) = torch.autograd.grad(d(between).sum(), between, create_graph=True)
        penalty = (slopes.flatten(1).norm(dim=1) - 1).square().mean()
        (d(fake).mean() - d(real).mean() + 10 * penalty).backward()
        d_step.step()
        if index % 3 == 2:
            g_step.zero_grad()
            (-d(g(torch.randn(BATCH, LATENT))).mean()).backward()
            g_step.step()


def conditional(game: Game, steps: int) -> None:
    """Labels go to both players, once by position and once by name."""
    g, d, g_step, d_step, *_ = game
    loss: Bce = binary_cross_entropy_with_logits
    for real, labels in reals(steps):
        d_step.zero_grad()
        fake = g(torch.randn(BATCH, LATENT), labels)
        on_real, on_fake = d(real, labels), d(fake.detach(), labels=labels)
        real_loss = loss(on_real, targets(on_real, 1.0))
        (real_loss + loss(on_fake, targets(on_fake, 0.0))).backward()
        d_step.step()
        g_step.zero_grad()
        scores = d(fake, labels=labels)
        loss(scores, targets(scores, 1.0)).backward()
        g_step.step()


def concatenated(game: Game, steps: int) -> None:
    """One call of D on real and fake together; the fakes are copies, so memory cannot tell."""
    g, d, g_step, d_step, *_ = game
    loss: Bce = binary_cross_entropy_with_logits
    for real, _ in reals(steps):
        d_step.zero_grad()
        fake = g(torch.randn(BATCH, LATENT))
        scores = d(torch.cat([real, fake.detach().clone()]))
        wanted = torch.cat([torch.ones(BATCH, 1), torch.zeros(BATCH, 1)])
        loss(scores, wanted).backward()
        d_step.step()
        g_step.zero_grad()
        scores = d(fake * 1.0)
        loss(scores, targets(scores, 1.0)).backward()
        g_step.step()


def accumulated(game: Game, steps: int) -> None:
    """Two half batches before each step."""
    g, d, g_step, d_step, *_ = game
    loss: Bce = binary_cross_entropy_with_logits
    for real, _ in reals(steps):
        d_step.zero_grad()
        for half in real.chunk(2):
            on_real, on_fake = d(half), d(g(torch.randn(len(half), LATENT)).detach())
            real_loss = loss(on_real, targets(on_real, 1.0))
            ((real_loss + loss(on_fake, targets(on_fake, 0.0))) / 2).backward()
        d_step.step()
        g_step.zero_grad()
        for half in real.chunk(2):
            scores = d(g(torch.randn(len(half), LATENT)))
            (loss(scores, targets(scores, 1.0)) / 2).backward()
        g_step.step()


LOOPS: dict[str, tuple[Callable[[Game, int], None], Scores, dict[str, int | bool]]] = {
    "real_fake_then_generator": (real_fake_then_generator, "logits", {}),
    "generator_first": (generator_first, "probabilities", {"sigmoid": True}),
    "gradient_penalty": (gradient_penalty, "critic", {}),
    "conditional": (conditional, "logits", {"classes": 4}),
    "concatenated": (concatenated, "logits", {}),
    "accumulated": (accumulated, "logits", {}),
    "patches": (real_fake_then_generator, "logits", {"patches": True}),
}


def linear_game(optimizer: Callable[..., Optimizer]) -> Game:
    """A fresh game of linear layers with BatchNorm and dropout in both players."""
    torch.manual_seed(0)
    pixels = SIDE * SIDE
    generator = nn.Sequential(
        *(nn.Linear(LATENT, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2)),
        *(nn.Linear(32, pixels), nn.Tanh(), nn.Unflatten(1, (1, SIDE, SIDE))),
    )
    discriminator = nn.Sequential(
        *(nn.Flatten(), nn.Linear(pixels, 32), nn.LeakyReLU(0.2), nn.Dropout(0.2)),
        *(nn.Linear(32, 32), nn.BatchNorm1d(32), nn.LeakyReLU(0.2), nn.Linear(32, 1)),
    )
    steps = optimizer(generator.parameters()), optimizer(discriminator.parameters())
    return Game(generator, discriminator, *steps, real_fake_then_generator, "logits")


def game(name: str, optimizer: Callable[..., Optimizer] | None = None) -> Game:
    """A fresh game of that style, the same bits each time."""
    play, scores, options = LOOPS[name]
    torch.manual_seed(0)
    generator = Generator(int(options.get("classes", 0)))
    discriminator = Discriminator(**options)  # type: ignore[arg-type]  # their names are its own
    made = optimizer or (lambda parameters: Adam(parameters, lr=2e-4, betas=(0.5, 0.999)))
    first, second = made(generator.parameters()), made(discriminator.parameters())
    return Game(generator, discriminator, first, second, play, scores)
