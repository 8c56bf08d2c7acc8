"""Further small GANs: autoencoders, labels and codes, energies, relativistic losses, sequences."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    gumbel_softmax,
    l1_loss,
    mse_loss,
    one_hot,
    softplus,
)

from tests.attachment.structures import FIRST, Structure, adam, draw_domains, images, patches

BATCH = 32


def mlp(inputs: int, outputs: int, *last: nn.Module) -> nn.Sequential:
    """Two linear layers."""
    return nn.Sequential(nn.Linear(inputs, 32), nn.LeakyReLU(0.2), nn.Linear(32, outputs), *last)


def draw_points() -> Tensor:
    """Points ``(BATCH, 2)`` of eight Gaussians on a ring."""
    angle = torch.randint(8, (BATCH,)) * torch.pi / 4
    return torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(BATCH, 2)


def ones(scores: Tensor, value: float = 1.0) -> Tensor:
    """Targets of the shape of the scores."""
    return torch.full_like(scores, value)


def vqgan() -> Structure:
    """An autoencoder; D starts late, and the weight of its term is a ratio of two gradients."""
    autoencoder, judge = images(), patches()
    g_step, d_step = adam(autoencoder), adam(judge)
    start, counter = 6, [0]

    def train(steps: int) -> None:
        for _ in range(steps):
            real, _ = draw_domains()
            made = autoencoder(real)
            likeness = l1_loss(made, real)
            fooled = -judge(made).mean()
            last = autoencoder[-1].weight
            (of_likeness,) = torch.autograd.grad(likeness, last, retain_graph=True)
            (of_fooled,) = torch.autograd.grad(fooled, last, retain_graph=True)
            weight = (of_likeness.norm() / (of_fooled.norm() + 1e-4)).clamp(0, 1e4).detach()
            factor = float(counter[0] >= start)
            g_step.zero_grad()
            (likeness + 0.8 * weight * factor * fooled).backward()
            g_step.step()
            on_real, on_fake = judge(real.detach()), judge(made.detach())
            loss = ((1 - on_real).relu().mean() + (1 + on_fake).relu().mean()) / 2
            d_step.zero_grad()
            (factor * loss).backward()
            d_step.step()
            counter[0] += 1

    return Structure([autoencoder, judge], autoencoder, judge, g_step, d_step, train)


def adversarial_autoencoder() -> Structure:
    """AAE: D scores codes; the optimizer of the encoder steps the decoder, too."""
    encoder, decoder, judge = mlp(2, 3), mlp(3, 2), mlp(3, 1, nn.Sigmoid())
    g_step, d_step = adam(encoder, decoder), adam(judge)
    loss = nn.BCELoss()

    def train(steps: int) -> None:
        for _ in range(steps):
            points = draw_points()
            g_step.zero_grad()
            codes = encoder(points)
            scores = judge(codes)
            (0.01 * loss(scores, ones(scores)) + mse_loss(decoder(codes), points)).backward()
            g_step.step()
            d_step.zero_grad()
            prior = torch.randn(BATCH, 3)
            on_real, on_fake = judge(prior), judge(codes.detach())
            ((loss(on_real, ones(on_real)) + loss(on_fake, ones(on_fake, 0))) / 2).backward()
            d_step.step()

    return Structure([encoder, decoder, judge], encoder, judge, g_step, d_step, train)


class TwoHeads(nn.Module):
    """A discriminator with a score and a second output."""

    def __init__(self, outputs: int) -> None:
        """Create a trunk and two heads."""
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2))
        self.score, self.other = nn.Linear(32, 1), nn.Linear(32, outputs)

    def forward(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Scores ``(B, 1)`` and the other output ``(B, outputs)``."""
        features = self.trunk(points)
        return self.score(features), self.other(features)


class ByClass(nn.Module):
    """A generator from latents and labels."""

    def __init__(self) -> None:
        """Create the layers."""
        super().__init__()
        self.embedding, self.layers = nn.Embedding(8, 4), mlp(8, 2)

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        """Points ``(B, 2)``."""
        return self.layers(torch.cat([latents, self.embedding(labels)], 1))


def acgan() -> Structure:
    """ACGAN: D also classifies, and its two outputs have losses of their own."""
    generator, judge = ByClass(), TwoHeads(8)
    g_step, d_step = adam(generator), adam(judge)
    adversarial = binary_cross_entropy_with_logits

    def train(steps: int) -> None:
        for _ in range(steps):
            real = draw_points()
            classes = (torch.atan2(real[:, 1], real[:, 0]) / (torch.pi / 4)).round().long() % 8
            labels = torch.randint(8, (BATCH,))
            g_step.zero_grad()
            made = generator(torch.randn(BATCH, 4), labels)
            scores, guessed = judge(made)
            ((adversarial(scores, ones(scores)) + cross_entropy(guessed, labels)) / 2).backward()
            g_step.step()
            d_step.zero_grad()
            on_real, real_guess = judge(real)
            real_loss = adversarial(on_real, ones(on_real)) + cross_entropy(real_guess, classes)
            on_fake, fake_guess = judge(made.detach())
            fake_loss = adversarial(on_fake, ones(on_fake, 0)) + cross_entropy(fake_guess, labels)
            ((real_loss + fake_loss) / 4).backward()
            d_step.step()

    options = {"select": lambda output: output[0]}
    return Structure([generator, judge], generator, judge, g_step, d_step, train, options)


def infogan() -> Structure:
    """InfoGAN: a third optimizer steps both networks to keep the code in the samples."""
    generator, judge = mlp(6, 2), TwoHeads(2)
    g_step, d_step, info_step = adam(generator), adam(judge), adam(generator, judge)

    def train(steps: int) -> None:
        for _ in range(steps):
            g_step.zero_grad()
            made = generator(torch.randn(BATCH, 6))
            scores, _ = judge(made)
            mse_loss(scores, ones(scores)).backward()
            g_step.step()
            d_step.zero_grad()
            on_real, on_fake = judge(draw_points())[0], judge(made.detach())[0]
            (
                (mse_loss(on_real, ones(on_real)) + mse_loss(on_fake, ones(on_fake, 0))) / 2
            ).backward()
            d_step.step()
            info_step.zero_grad()
            code = torch.rand(BATCH, 2)
            _, guessed = judge(generator(torch.cat([torch.randn(BATCH, 4), code], 1)))
            mse_loss(guessed, code).backward()
            info_step.step()

    options = {"select": lambda output: output[0]}
    return Structure([generator, judge], generator, judge, g_step, d_step, train, options)


def style_gan() -> Structure:
    """StyleGAN2: R1 and path length at every fourth iteration, in steps of their own; an EMA."""
    generator, judge = mlp(6, 2), mlp(2, 1)
    average = copy.deepcopy(generator).requires_grad_(False)
    g_step, d_step = adam(generator), adam(judge)

    def train(steps: int) -> None:
        for index in range(steps):
            real = draw_points()
            judge.requires_grad_(True)
            generator.requires_grad_(False)
            fake = generator(torch.randn(BATCH, 6))
            d_step.zero_grad()
            (softplus(judge(fake)).mean() + softplus(-judge(real)).mean()).backward()
            d_step.step()
            if index % 4 == 0:
                real.requires_grad_(True)
                (of_real,) = torch.autograd.grad(judge(real).sum(), real, create_graph=True)
                d_step.zero_grad()
                (2 * of_real.square().sum(1).mean()).backward()
                d_step.step()
            judge.requires_grad_(False)
            generator.requires_grad_(True)
            g_step.zero_grad()
            softplus(-judge(generator(torch.randn(BATCH, 6)))).mean().backward()
            g_step.step()
            if index % 4 == 0:
                latents = torch.randn(BATCH // 2, 6, requires_grad=True)
                paths = generator(latents)
                noise = torch.randn_like(paths)
                (of_paths,) = torch.autograd.grad((paths * noise).sum(), latents, create_graph=True)
                g_step.zero_grad()
                (of_paths.square().sum(1).sqrt() - 1).square().mean().backward()
                g_step.step()
            with torch.no_grad():
                for kept, weight in zip(average.parameters(), generator.parameters(), strict=True):
                    kept.lerp_(weight, 0.01)

    networks = [generator, judge, average]
    return Structure(networks, generator, judge, g_step, d_step, train)


def relativistic() -> Structure:
    """R3GAN: scores of real and generated samples in pairs, with R1 and R2 penalties."""
    generator, judge = mlp(6, 2), mlp(2, 1)
    g_step, d_step = adam(generator), adam(judge)

    def penalty(samples: Tensor, scores: Tensor) -> Tensor:
        (gradient,) = torch.autograd.grad(scores.sum(), samples, create_graph=True)
        return gradient.square().sum(1).mean() / 2

    def train(steps: int) -> None:
        for _ in range(steps):
            real = draw_points()
            g_step.zero_grad()
            made, compared = generator(torch.randn(BATCH, 6)), real.detach()
            softplus(judge(compared) - judge(made)).mean().backward()
            g_step.step()
            d_step.zero_grad()
            real.requires_grad_(True)
            fake = generator(torch.randn(BATCH, 6)).detach().requires_grad_(True)
            on_real, on_fake = judge(real), judge(fake)
            penalties = penalty(real, on_real) + penalty(fake, on_fake)
            (softplus(on_fake - on_real).mean() + penalties).backward()
            d_step.step()

    return Structure([generator, judge], generator, judge, g_step, d_step, train)


def energy(autoencodes: bool) -> Callable[[], Structure]:
    """EBGAN: real samples have low energies; D may be an autoencoder whose error is the energy."""

    def build() -> Structure:
        generator, judge = mlp(6, 2), mlp(2, 2 if autoencodes else 1)
        g_step, d_step = adam(generator), adam(judge)

        def score(points: Tensor) -> Tensor:
            output = judge(points)
            return (output - points).square().mean() if autoencodes else softplus(output).mean()

        def train(steps: int) -> None:
            for _ in range(steps):
                g_step.zero_grad()
                made = generator(torch.randn(BATCH, 6))
                score(made).backward()
                g_step.step()
                d_step.zero_grad()
                (score(draw_points()) + (1 - score(made.detach())).relu()).backward()
                d_step.step()

        options = {"scores": "energy"}
        return Structure([generator, judge], generator, judge, g_step, d_step, train, options)

    return build


class WithTime(nn.Module):
    """A discriminator of noisy points and their timesteps."""

    def __init__(self) -> None:
        """Create the layers."""
        super().__init__()
        self.layers = mlp(3, 1)

    def forward(self, points: Tensor, times: Tensor) -> Tensor:
        """Scores ``(B, 1)``."""
        return self.layers(torch.cat([points, times[:, None]], 1))


def distillation() -> Structure:
    """Few-step distillation: D scores samples to which noise of a random timestep was added."""
    generator, judge = mlp(6, 2), WithTime()
    g_step, d_step = adam(generator), adam(judge)

    def diffuse(points: Tensor) -> tuple[Tensor, Tensor]:
        times = torch.rand(len(points))
        return points + times[:, None] * torch.randn_like(points), times

    def train(steps: int) -> None:
        for _ in range(steps):
            made = generator(torch.randn(BATCH, 6))
            d_step.zero_grad()
            on_real, on_fake = judge(*diffuse(draw_points())), judge(*diffuse(made.detach()))
            (softplus(-on_real).mean() + softplus(on_fake).mean()).backward()
            d_step.step()
            g_step.zero_grad()
            softplus(-judge(*diffuse(made))).mean().backward()
            g_step.step()

    return Structure([generator, judge], generator, judge, g_step, d_step, train)


class Recurrent(nn.Module):
    """A recurrent network from sequences to sequences, or to one number."""

    def __init__(self, inputs: int, outputs: int, is_last_only: bool = False) -> None:
        """Create the layers."""
        super().__init__()
        self.recurrent = nn.GRU(inputs, 16, batch_first=True)
        self.out, self.is_last_only = nn.Linear(16, outputs), is_last_only

    def forward(self, sequences: Tensor) -> Tensor:
        """``(B, T, inputs)`` to ``(B, T, outputs)``, or to ``(B, outputs)``."""
        states, _ = self.recurrent(sequences)
        return self.out(states[:, -1] if self.is_last_only else states)


def gumbel_text() -> Structure:
    """Text: the loop draws one-hot words from the generator's logits by Gumbel softmax."""
    generator, judge = Recurrent(4, 6), Recurrent(6, 1, is_last_only=True)
    g_step, d_step = adam(generator), adam(judge)

    def train(steps: int) -> None:
        for _ in range(steps):
            real = one_hot((torch.randint(6, (BATCH, 1)) + torch.arange(5)) % 6, 6).float()
            made = gumbel_softmax(generator(torch.randn(BATCH, 5, 4)), tau=1.0, hard=True)
            d_step.zero_grad()
            on_real, on_fake = judge(real), judge(made.detach())
            (softplus(-on_real).mean() + softplus(on_fake).mean()).backward()
            d_step.step()
            g_step.zero_grad()
            softplus(-judge(made)).mean().backward()
            g_step.step()

    return Structure([generator, judge], generator, judge, g_step, d_step, train)


def tabular() -> Structure:
    """CTGAN: activations by column and a concatenated condition stand between the networks."""
    generator, judge = mlp(6, 4), mlp(6, 1)
    g_step, d_step = adam(generator), adam(judge)

    def activate(raw: Tensor) -> Tensor:
        return torch.cat([raw[:, :1].tanh(), gumbel_softmax(raw[:, 1:], tau=0.2)], 1)

    def train(steps: int) -> None:
        for _ in range(steps):
            kind = torch.randint(3, (BATCH,))
            real = torch.cat([0.3 * torch.randn(BATCH, 1), one_hot(kind, 3).float()], 1)
            wanted = one_hot(kind % 2, 2).float()
            made = activate(generator(torch.cat([torch.randn(BATCH, 4), wanted], 1)))
            on_fake = judge(torch.cat([made, wanted], 1))
            on_real = judge(torch.cat([real, wanted], 1))
            d_step.zero_grad()
            (on_fake.mean() - on_real.mean()).backward()
            d_step.step()
            made = activate(generator(torch.cat([torch.randn(BATCH, 4), wanted], 1)))
            g_step.zero_grad()
            (-judge(torch.cat([made, wanted], 1)).mean()).backward()
            g_step.step()

    return Structure([generator, judge], generator, judge, g_step, d_step, train)


STRUCTURES: dict[str, Callable[[], Structure]] = {
    **FIRST,
    "VQGAN": vqgan,
    "AAE": adversarial_autoencoder,
    "ACGAN": acgan,
    "InfoGAN": infogan,
    "StyleGAN2": style_gan,
    "R3GAN": relativistic,
    "EBGAN": energy(autoencodes=True),
    "energies": energy(autoencodes=False),
    "distillation": distillation,
    "Gumbel text": gumbel_text,
    "CTGAN": tabular,
}


def build(name: str) -> Structure:
    """A new structure; its initial weights have the same bits at each call."""
    torch.manual_seed(0)
    random.seed(0)
    return STRUCTURES[name]()
