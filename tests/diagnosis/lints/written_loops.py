"""Loops written out in full, each with one bug or none, for lints about inputs and parameters."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.functional import one_hot, relu
from torch.optim import SGD, Adam, Optimizer

import gandiag
from gandiag.attachment.watch_handle import Attachment

BATCH, LATENT, STEPS = 32, 4, 160
EVERY = {name: {"every": 20} for name in ("loop", "inputs", "update", "diversity", "objective")}
Run = Callable[[], Attachment]


def ring(count: int = BATCH) -> Tensor:
    """Points of eight Gaussians on the unit circle."""
    angles = torch.randint(8, (count,)) * (math.pi / 4)
    return torch.stack([angles.cos(), angles.sin()], 1) + 0.05 * torch.randn(count, 2)


def layers(*sizes: int, last: nn.Module | None = None) -> nn.Sequential:
    """Linear layers with leaky units between them."""
    found: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        found += [nn.Linear(before, after), nn.LeakyReLU(0.2)]
    return nn.Sequential(*found[:-1], *([last] if last is not None else []))


def real_loss(scores: Tensor) -> Tensor:
    """Cross-entropy of scores that shall be real."""
    return bce(scores, torch.ones_like(scores))


def fake_loss(scores: Tensor) -> Tensor:
    """Cross-entropy of scores that shall be generated."""
    return bce(scores, torch.zeros_like(scores))


def noise(count: int = BATCH) -> Tensor:
    """Latents."""
    return torch.randn(count, LATENT)


def watch_loop(
    g: nn.Module, d: nn.Module, g_opt: Any, d_opt: Any, step: Callable[[int], None], **options: Any
) -> Attachment:
    """Attach, and run `step` for a number of steps."""
    options = {"scores": "logits", "probes": EVERY, **options}
    with gandiag.attach(g, d, g_opt, d_opt, **options) as watch:
        for index in range(STEPS):
            step(index)
    return watch


def usual_step(
    g: nn.Module,
    d: nn.Module,
    g_opt: Optimizer,
    d_opt: Optimizer,
    real: Callable[[], Tensor] = ring,
) -> None:
    """One correct step of each network."""
    d_opt.zero_grad()
    (real_loss(d(real())) + fake_loss(d(g(noise()).detach()))).backward()
    d_opt.step()
    g_opt.zero_grad()
    real_loss(d(g(noise()))).backward()
    g_opt.step()


def adam(network: nn.Module) -> Adam:
    """Adam with the usual momentum of GANs."""
    return Adam(network.parameters(), lr=1e-3, betas=(0.5, 0.999))


class TwoHeads(nn.Module):
    """A discriminator with a body and two heads whose scores are added."""

    def __init__(self) -> None:
        """Build the parts."""
        super().__init__()
        self.body, self.one, self.two = layers(2, 32, 32), layers(32, 1), layers(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 2) -> (B, 1)``."""
        hidden = relu(self.body(x))
        scores: Tensor = self.one(hidden) + self.two(hidden)
        return scores


def parts(forgotten: str) -> Run:
    """A network of which a part is in no optimizer: a head, G's first layer, or no part."""

    def run() -> Attachment:
        g, d = layers(LATENT, 32, 2), TwoHeads()
        left_out = {"head": d.two, "first layer": g[0]}.get(forgotten)
        skipped = set() if left_out is None else set(left_out.parameters())
        g_opt, d_opt = (
            Adam([p for p in network.parameters() if p not in skipped], lr=1e-3)
            for network in (g, d)
        )
        return watch_loop(g, d, g_opt, d_opt, lambda _: usual_step(g, d, g_opt, d_opt))

    return run


def late_layer() -> Attachment:
    """The last layer of D was added after the optimizer had been created."""
    g, d = layers(LATENT, 32, 2), layers(2, 32, 32)
    g_opt, d_opt = adam(g), adam(d)
    d.extend([nn.LeakyReLU(0.2), nn.Linear(32, 1)])
    return watch_loop(g, d, g_opt, d_opt, lambda _: usual_step(g, d, g_opt, d_opt))


def other_optimizer(group: bool) -> Run:
    """A head is stepped by an optimizer that attach does not know, or joins one later."""

    def run() -> Attachment:
        g, d = layers(LATENT, 32, 2), TwoHeads()
        g_opt = adam(g)
        d_opt = Adam([*d.body.parameters(), *d.one.parameters()], lr=1e-3)
        other = SGD(d.two.parameters(), lr=1e-2)

        def step(index: int) -> None:
            if group and index == 0:
                d_opt.add_param_group({"params": list(d.two.parameters())})
            usual_step(g, d, g_opt, d_opt)
            if not group:
                other.step()

        return watch_loop(g, d, g_opt, d_opt, step)

    return run


def frozen_body() -> Attachment:
    """D's body is frozen on purpose, and a layer that the loss does not use has no gradient."""
    g, d = layers(LATENT, 32, 2), TwoHeads()
    d.body.requires_grad_(False)
    d.unused = nn.Linear(3, 3)
    g_opt = adam(g)
    d_opt = Adam([*d.one.parameters(), *d.two.parameters()], lr=1e-3)
    return watch_loop(g, d, g_opt, d_opt, lambda _: usual_step(g, d, g_opt, d_opt))


def left_frozen(when: str) -> Run:
    """D's gradients are missing at its step: from the first, from the second on, cleared, never."""

    def run() -> Attachment:
        g, d = layers(LATENT, 32, 2), layers(2, 32, 32, 1)
        g_opt, d_opt = adam(g), adam(d)
        if when == "first":
            d.requires_grad_(False)

        def step(_: int) -> None:
            if when == "never":
                d.requires_grad_(True)
            d_opt.zero_grad()
            (real_loss(d(ring())) + fake_loss(d(g(noise())))).backward()
            if when == "cleared":
                d_opt.zero_grad()
            d_opt.step()
            if when != "cleared":
                d.requires_grad_(False)
            g_opt.zero_grad()
            real_loss(d(g(noise()))).backward()
            g_opt.step()

        return watch_loop(g, d, g_opt, d_opt, step)

    return run


def second_loss(cut: str) -> Run:
    """G has a second loss; its adversarial term is cut off in one of several ways, or not."""

    def run() -> Attachment:
        g, d = layers(LATENT, 32, 2), layers(2, 32, 32, 1)
        g_opt, d_opt = adam(g), adam(d)

        def step(index: int) -> None:
            d.requires_grad_(True)
            d_opt.zero_grad()
            (real_loss(d(ring())) + fake_loss(d(g(noise()).detach()))).backward()
            d_opt.step()
            d.requires_grad_(cut != "frozen D")
            g_opt.zero_grad()
            fake = g(noise())
            loss = (fake.mean(0) - ring().mean(0)).abs().mean()
            if cut in ("detached", "frozen D"):
                loss = loss + real_loss(d(fake.detach()))
            elif cut == "copied":
                loss = loss + real_loss(d(fake.detach().clone()))
            elif cut == "no_grad":
                with torch.no_grad():
                    other = g(noise())
                loss = loss + real_loss(d(other))
            elif cut == "warm-up" and index < STEPS // 2:
                with torch.no_grad():
                    d(fake)  # for a log
            else:
                loss = loss + real_loss(d(fake))
            loss.backward()
            g_opt.step()
            if cut == "two steps":
                g_opt.zero_grad()
                (g(noise()).mean(0) - ring().mean(0)).abs().mean().backward()
                g_opt.step()

        return watch_loop(g, d, g_opt, d_opt, step)

    return run


def penalty(kind: str, graph: bool, is_used: bool = True, start: bool = False) -> Run:
    """A gradient penalty at interpolates, at real samples, or near them, with or without graph.

    Args:
        kind: the place of the penalty.
        graph: whether the gradient has a graph.
        is_used: whether it is in the loss, not only in a log.
        start: whether the loss is summed up from the number 0.
    """

    def run() -> Attachment:
        g, d = layers(LATENT, 32, 2), layers(2, 32, 32, 1)
        g_opt, d_opt = adam(g), adam(d)

        def step(_: int) -> None:
            real, fake = ring(), g(noise()).detach()
            mix = torch.rand(BATCH, 1)
            places = {"between": mix * real + (1 - mix) * fake, "real": real, "near": real + mix}
            place = places[kind].clone().requires_grad_(True)
            (gradient,) = torch.autograd.grad(d(place).sum(), place, create_graph=graph)
            term = 0.1 * gradient.norm(dim=1).square().mean()
            d_opt.zero_grad()
            terms = [real_loss(d(real)), fake_loss(d(fake))]
            loss = sum(terms) if start else terms[0] + terms[1]
            ((loss + term) if is_used else loss).backward()
            d_opt.step()
            g_opt.zero_grad()
            real_loss(d(g(noise()))).backward()
            g_opt.step()

        return watch_loop(g, d, g_opt, d_opt, step)

    return run


class Conditional(nn.Module):
    """Layers that receive one-hot labels beside their input."""

    def __init__(self, size: int, out: int) -> None:
        """Build the layers."""
        super().__init__()
        self.layers = layers(size + 8, 32, out)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Labels are integers ``(B,)`` or one-hot vectors ``(B, 8)``."""
        hot = labels if labels.ndim > 1 else one_hot(labels, 8)
        result: Tensor = self.layers(torch.cat([x, hot], 1))
        return result


def labelled(draw: Callable[[int], Tensor], hot: bool = False, real: str = "all") -> Run:
    """A conditional loop; `draw` gives the labels of generated samples at a step.

    Args:
        draw: gives the labels ``(B,)``.
        hot: whether labels are passed as one-hot vectors.
        real: the labels of real samples: all, one, or one for each batch.
    """

    def run() -> Attachment:
        g, d = Conditional(LATENT, 2), Conditional(2, 1)
        g_opt, d_opt = adam(g), adam(d)

        def encode(labels: Tensor) -> Tensor:
            return one_hot(labels, 8).float() if hot else labels

        def step(index: int) -> None:
            labels = torch.randint(8, (BATCH,))
            if real != "all":
                labels = torch.full((BATCH,), index % 8 if real == "each batch" else 6)
            angles = labels * (math.pi / 4)
            points = torch.stack([angles.cos(), angles.sin()], 1) + 0.05 * torch.randn(BATCH, 2)
            wanted = encode(draw(index))
            d_opt.zero_grad()
            on_real = real_loss(d(points, encode(labels)))
            (on_real + fake_loss(d(g(noise(), wanted).detach(), labels=wanted))).backward()
            d_opt.step()
            g_opt.zero_grad()
            real_loss(d(g(noise(), labels=wanted), wanted)).backward()
            g_opt.step()

        return watch_loop(g, d, g_opt, d_opt, step)

    return run


def drawn(order: str, count: int = 1500) -> Run:
    """Real batches come from a data set of `count` points in some order."""

    def run() -> Attachment:
        g, d = layers(LATENT, 32, 2), layers(2, 32, 32, 1)
        g_opt, d_opt = adam(g), adam(d)
        data = ring(count)
        keys = {"by class": torch.atan2(data[:, 1], data[:, 0]), "by coordinate": data[:, 0]}
        index = keys[order].argsort() if order in keys else torch.randperm(count)
        place = 0

        def real() -> Tensor:
            nonlocal place, index
            if order == "rare class":  # its share of a batch varies as chance has it
                labels = (torch.rand(BATCH, 1) < 0.02).float()
                return torch.cat([labels * 5, labels], 1) + 0.05 * torch.randn(BATCH, 2)
            if place + BATCH > count:
                place = 0
                index = torch.randperm(count) if order == "shuffled" else index
            place += BATCH
            return data[index[place - BATCH : place]]

        return watch_loop(g, d, g_opt, d_opt, lambda _: usual_step(g, d, g_opt, d_opt, real))

    return run


def latents(kind: str) -> Run:
    """Latents are one vector for the whole batch, with or without other noise, or differ."""

    def run() -> Attachment:
        noisy = [nn.Dropout(0.3)] if kind == "dropout" else []
        g = nn.Sequential(nn.Linear(LATENT, 32), *noisy, nn.LeakyReLU(0.2), nn.Linear(32, 2))
        d = layers(2, 32, 32, 1)
        g_opt, d_opt = adam(g), adam(d)
        fixed = noise()

        def draw() -> Tensor:
            if kind == "fixed":
                return fixed[:1].repeat(BATCH, 1)
            return noise(1).expand(BATCH, LATENT)

        def step(_: int) -> None:
            d_opt.zero_grad()
            (real_loss(d(ring())) + fake_loss(d(g(draw()).detach()))).backward()
            d_opt.step()
            g_opt.zero_grad()
            real_loss(d(g(draw()))).backward()
            g_opt.step()

        return watch_loop(g, d, g_opt, d_opt, step)

    return run


def all_labels(_: int) -> Tensor:
    """Labels drawn at random."""
    return torch.randint(8, (BATCH,))


def one_label(_: int) -> Tensor:
    """The same label for all samples."""
    return torch.full((BATCH,), 6)


#: Loops with one bug each: (run, lint, failure type).
WITH_BUG: dict[str, tuple[Run, str, str]] = {
    "head in no optimizer": (parts("head"), "unoptimised_parameters", "discriminator"),
    "first layer in no optimizer": (parts("first layer"), "unoptimised_parameters", "generator"),
    "late layer": (late_layer, "unoptimised_parameters", "discriminator"),
    "frozen from the first step": (left_frozen("first"), "idle_network", "frozen"),
    "frozen from the second step": (left_frozen("second"), "idle_network", "frozen"),
    "cleared before the step": (left_frozen("cleared"), "idle_network", "frozen"),
    "detached": (second_loss("detached"), "detached_samples", "no_gradient"),
    "detached, D frozen": (second_loss("frozen D"), "detached_samples", "no_gradient"),
    "copied": (second_loss("copied"), "detached_samples", "no_gradient"),
    "without gradients": (second_loss("no_grad"), "detached_samples", "no_gradient"),
    "penalty between": (penalty("between", False), "ungraphed_penalty", "constant_penalty"),
    "penalty at real": (penalty("real", False), "ungraphed_penalty", "constant_penalty"),
    "penalty near real": (
        penalty("near", False, start=True),
        "ungraphed_penalty",
        "constant_penalty",
    ),
    "one label": (labelled(one_label), "constant_condition", "one_condition"),
    "label 0": (
        labelled(lambda _: torch.zeros(BATCH, dtype=torch.long)),
        "constant_condition",
        "one_condition",
    ),
    "one label, one-hot": (labelled(one_label, True), "constant_condition", "one_condition"),
    "sorted by class": (drawn("by class"), "ordered_batches", "ordered"),
    "sorted by coordinate": (drawn("by coordinate"), "ordered_batches", "ordered"),
    "one class a batch": (labelled(all_labels, real="each batch"), "ordered_batches", "ordered"),
    "one latent a batch": (latents("expanded"), "repeated_latents", "one_latent"),
    "the same latent": (latents("fixed"), "repeated_latents", "one_latent"),
}

#: Correct loops.
CORRECT: dict[str, Run] = {
    "all optimised": parts(""),
    "other optimizer": other_optimizer(group=False),
    "later group": other_optimizer(group=True),
    "frozen body": frozen_body,
    "frozen in G's step": left_frozen("never"),
    "second loss": second_loss(""),
    "warm-up": second_loss("warm-up"),
    "two steps": second_loss("two steps"),
    "penalty with graph": penalty("between", True),
    "gradient in a log": penalty("real", False, is_used=False),
    "labels": labelled(all_labels),
    "labels, one-hot": labelled(all_labels, True),
    "a label a batch": labelled(lambda index: torch.full((BATCH,), index // 20 % 8)),
    "one class of data": labelled(one_label, real="one"),
    "data shuffled": drawn("shuffled"),
    "data in one random order": drawn("once"),
    "small data set": drawn("shuffled", 700),
    "rare class": drawn("rare class"),
    "latents with dropout": latents("dropout"),
    "gradient in a log, summed": penalty("between", False, is_used=False, start=True),
}
