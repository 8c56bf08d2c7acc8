"""Common styles of GAN training loops. None of them contains a line of gandiag."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits
from torch.optim import Adam, Optimizer

from gandiag.models.scores import ScoreType

BATCH_SIZE, LATENT_SIZE, SIDE = 32, 8, 8
Bce = Callable[[Tensor, Tensor], Tensor]


class Generator(nn.Module):
    """A small DCGAN generator with BatchNorm, dropout and in-place ReLU; optionally conditional."""

    def __init__(self, classes: int = 0) -> None:
        """Create the layers."""
        super().__init__()
        self.label = nn.Embedding(classes, LATENT_SIZE) if classes else None
        self.layers = nn.Sequential(
            nn.ConvTranspose2d(LATENT_SIZE, 8, 4),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            nn.Dropout(0.2),
            nn.ConvTranspose2d(8, 1, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """``(B, LATENT_SIZE)`` to ``(B, 1, SIDE, SIDE)``."""
        if self.label is not None and labels is not None:
            latents = latents * self.label(labels)
        images: Tensor = self.layers(latents[..., None, None])
        return images


class Discriminator(nn.Module):
    """A small DCGAN discriminator; `patches` makes it return a score map, `heads` two outputs."""

    def __init__(
        self, sigmoid: bool = False, patches: bool = False, heads: bool = False, classes: int = 0
    ) -> None:
        """Create the layers."""
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


class TrainingLoop(NamedTuple):
    """Two networks, their optimizers, and the function that trains them for a number of steps."""

    generator: nn.Module
    discriminator: nn.Module
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    train: Callable[[TrainingLoop, int], None]
    scores: ScoreType


def generate_real_batches(steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Noisy squares ``(B, 1, SIDE, SIDE)`` in one of four corners, with the corner as label."""
    stream = torch.Generator().manual_seed(5)
    for _ in range(steps):
        labels = torch.randint(4, (BATCH_SIZE,), generator=stream)
        images = torch.full((BATCH_SIZE, 1, SIDE, SIDE), -1.0)
        for index, label in enumerate(labels.tolist()):
            top, left = 4 * (label // 2), 4 * (label % 2)
            images[index, 0, top : top + 4, left : left + 4] = 1.0
        yield images + 0.1 * torch.randn(images.shape, generator=stream), labels


def constant_like(scores: Tensor, value: float) -> Tensor:
    """A tensor of one value with the shape of the scores."""
    return torch.full_like(scores, value)


def real_fake_then_generator(loop: TrainingLoop, steps: int) -> None:
    """PyTorch's DCGAN example: D on real and on detached fakes, two backward passes, then G."""
    g, d, g_step, d_step, *_ = loop
    loss: Bce = binary_cross_entropy_with_logits
    for real, _ in generate_real_batches(steps):
        d_step.zero_grad()
        scores = d(real)
        loss(scores, constant_like(scores, 1.0)).backward()
        fake = g(torch.randn(BATCH_SIZE, LATENT_SIZE))
        scores = d(fake.detach())
        loss(scores, constant_like(scores, 0.0)).backward()
        d_step.step()
        g_step.zero_grad()
        scores = d(fake)
        loss(scores, constant_like(scores, 1.0)).backward()
        g_step.step()


def generator_first(loop: TrainingLoop, steps: int) -> None:
    """The order of PyTorch-GAN: G steps first, on probabilities; D's two losses are averaged."""
    g, d, g_step, d_step, *_ = loop
    for real, _ in generate_real_batches(steps):
        g_step.zero_grad()
        fake = g(torch.randn(BATCH_SIZE, LATENT_SIZE))
        scores = d(fake)
        binary_cross_entropy(scores, constant_like(scores, 1.0)).backward()
        g_step.step()
        d_step.zero_grad()
        on_real, on_fake = d(real), d(fake.detach())
        real_loss = binary_cross_entropy(on_real, constant_like(on_real, 1.0))
        fake_loss = binary_cross_entropy(on_fake, constant_like(on_fake, 0.0))
        ((real_loss + fake_loss) / 2).backward()
        d_step.step()


def gradient_penalty(loop: TrainingLoop, steps: int) -> None:
    """WGAN-GP: three critic steps with a double backward pass for each generator step."""
    g, d, g_step, d_step, *_ = loop
    for index, (real, _) in enumerate(generate_real_batches(3 * steps)):
        d_step.zero_grad()
        fake = g(torch.randn(BATCH_SIZE, LATENT_SIZE)).detach()
        mix = torch.rand(BATCH_SIZE, 1, 1, 1)
        between = (mix * real + (1 - mix) * fake).requires_grad_(True)
        (gradients,) = torch.autograd.grad(d(between).sum(), between, create_graph=True)
        penalty = (gradients.flatten(1).norm(dim=1) - 1).square().mean()
        (d(fake).mean() - d(real).mean() + 10 * penalty).backward()
        d_step.step()
        if index % 3 == 2:
            g_step.zero_grad()
            (-d(g(torch.randn(BATCH_SIZE, LATENT_SIZE))).mean()).backward()
            g_step.step()


def conditional(loop: TrainingLoop, steps: int) -> None:
    """Both networks receive labels, as positional and as keyword arguments."""
    g, d, g_step, d_step, *_ = loop
    loss: Bce = binary_cross_entropy_with_logits
    for real, labels in generate_real_batches(steps):
        d_step.zero_grad()
        fake = g(torch.randn(BATCH_SIZE, LATENT_SIZE), labels)
        on_real, on_fake = d(real, labels), d(fake.detach(), labels=labels)
        real_loss = loss(on_real, constant_like(on_real, 1.0))
        (real_loss + loss(on_fake, constant_like(on_fake, 0.0))).backward()
        d_step.step()
        g_step.zero_grad()
        scores = d(fake, labels=labels)
        loss(scores, constant_like(scores, 1.0)).backward()
        g_step.step()


def concatenated(loop: TrainingLoop, steps: int) -> None:
    """One call of D on real samples and copies of fakes; their memory does not identify them."""
    g, d, g_step, d_step, *_ = loop
    loss: Bce = binary_cross_entropy_with_logits
    for real, _ in generate_real_batches(steps):
        d_step.zero_grad()
        fake = g(torch.randn(BATCH_SIZE, LATENT_SIZE))
        scores = d(torch.cat([real, fake.detach().clone()]))
        wanted = torch.cat([torch.ones(BATCH_SIZE, 1), torch.zeros(BATCH_SIZE, 1)])
        loss(scores, wanted).backward()
        d_step.step()
        g_step.zero_grad()
        scores = d(fake * 1.0)
        loss(scores, constant_like(scores, 1.0)).backward()
        g_step.step()


def accumulated(loop: TrainingLoop, steps: int) -> None:
    """Gradient accumulation over two half batches before each step."""
    g, d, g_step, d_step, *_ = loop
    loss: Bce = binary_cross_entropy_with_logits
    for real, _ in generate_real_batches(steps):
        d_step.zero_grad()
        for half in real.chunk(2):
            on_real, on_fake = d(half), d(g(torch.randn(len(half), LATENT_SIZE)).detach())
            real_loss = loss(on_real, constant_like(on_real, 1.0))
            ((real_loss + loss(on_fake, constant_like(on_fake, 0.0))) / 2).backward()
        d_step.step()
        g_step.zero_grad()
        for half in real.chunk(2):
            scores = d(g(torch.randn(len(half), LATENT_SIZE)))
            (loss(scores, constant_like(scores, 1.0)) / 2).backward()
        g_step.step()


LOOPS: dict[str, tuple[Callable[[TrainingLoop, int], None], ScoreType, dict[str, int | bool]]] = {
    "real_fake_then_generator": (real_fake_then_generator, "logits", {}),
    "generator_first": (generator_first, "probabilities", {"sigmoid": True}),
    "gradient_penalty": (gradient_penalty, "critic", {}),
    "conditional": (conditional, "logits", {"classes": 4}),
    "concatenated": (concatenated, "logits", {}),
    "accumulated": (accumulated, "logits", {}),
    "patches": (real_fake_then_generator, "logits", {"patches": True}),
}


def build_linear_loop(optimizer: Callable[..., Optimizer]) -> TrainingLoop:
    """A new loop with linear layers, BatchNorm and dropout in both networks."""
    torch.manual_seed(0)
    pixels = SIDE * SIDE
    generator = nn.Sequential(
        *(nn.Linear(LATENT_SIZE, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2)),
        *(nn.Linear(32, pixels), nn.Tanh(), nn.Unflatten(1, (1, SIDE, SIDE))),
    )
    discriminator = nn.Sequential(
        *(nn.Flatten(), nn.Linear(pixels, 32), nn.LeakyReLU(0.2), nn.Dropout(0.2)),
        *(nn.Linear(32, 32), nn.BatchNorm1d(32), nn.LeakyReLU(0.2), nn.Linear(32, 1)),
    )
    steps = optimizer(generator.parameters()), optimizer(discriminator.parameters())
    return TrainingLoop(generator, discriminator, *steps, real_fake_then_generator, "logits")


def build_loop(name: str, optimizer: Callable[..., Optimizer] | None = None) -> TrainingLoop:
    """A new loop of a style in `LOOPS`; its initial weights have the same bits at each call."""
    train, scores, options = LOOPS[name]
    torch.manual_seed(0)
    generator = Generator(int(options.get("classes", 0)))
    discriminator = Discriminator(**options)  # type: ignore[arg-type]  # the options in LOOPS have the parameters' names
    build = optimizer or (lambda parameters: Adam(parameters, lr=2e-4, betas=(0.5, 0.999)))
    first, second = build(generator.parameters()), build(discriminator.parameters())
    return TrainingLoop(generator, discriminator, first, second, train, scores)
