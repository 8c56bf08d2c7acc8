"""One small training loop in many correct forms, and in many forms with one bug each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adam, Optimizer, RMSprop

import gandiag
from gandiag.attachment.watch_handle import Attachment
from gandiag.models.scores import ScoreType

BATCH, LATENT = 64, 4
Loss = Callable[[Tensor], Tensor]


def ring(stream: torch.Generator) -> Tensor:
    """A batch of points of eight Gaussians on a circle."""
    angles = torch.randint(8, (BATCH,), generator=stream) * (math.pi / 4)
    points = 2 * torch.stack([angles.cos(), angles.sin()], 1)
    return points + 0.1 * torch.randn(BATCH, 2, generator=stream)


def cross_entropy(target: float) -> Loss:
    """Binary cross-entropy on logits."""
    return lambda s: functional.binary_cross_entropy_with_logits(s, torch.full_like(s, target))


def on_probabilities(target: float) -> Loss:
    """Binary cross-entropy on probabilities."""
    return lambda p: functional.binary_cross_entropy(p, torch.full_like(p, target))


def squares(target: float) -> Loss:
    """Least squares."""
    return lambda s: (s - target).square().mean()


def raise_scores(s: Tensor) -> Tensor:
    """A critic's loss that raises the scores."""
    return -s.mean()


def lower_scores(s: Tensor) -> Tensor:
    """A critic's loss that lowers the scores."""
    return s.mean()


def minimax(s: Tensor) -> Tensor:
    """log(1 - D(G(z))) on logits."""
    return -functional.softplus(s).mean()


def hinge_real(s: Tensor) -> Tensor:
    """max(0, 1 - s)."""
    return functional.relu(1 - s).mean()


def hinge_fake(s: Tensor) -> Tensor:
    """max(0, 1 + s)."""
    return functional.relu(1 + s).mean()


def negated(loss: Loss) -> Loss:
    """The loss with the reverse sign, for an optimizer that maximises."""
    return lambda s: -loss(s)


@dataclass(frozen=True)
class Loop:
    """Options of the loop; the loop with the default options is correct."""

    real: Loss = field(default=cross_entropy(1.0))
    fake: Loss = field(default=cross_entropy(0.0))
    generator: Loss = field(default=cross_entropy(1.0))
    scores: ScoreType = "logits"
    sigmoids: int = 0  # Number of sigmoids at D's end.
    sigmoid_layer: bool = True  # The sigmoids are layers, or calls in forward.
    norm: bool = False  # Both networks have BatchNorm, and D has dropout.
    normalised: bool = False  # D is spectrally normalised.
    together: bool = False  # Real and generated samples are in one call of D.
    clip: str = ""  # after (the step), first (of D's step), before (between backward and step)
    bound: float = 0.1  # The bound of clipping.
    penalty: str = ""  # gp, r1, or lazy (R1 at every 16th step)
    clear_d: bool = True  # zero_grad is called before D's backward pass.
    clear_g: bool = True  # zero_grad is called before G's backward pass.
    detach: bool = True  # The samples are detached in D's step.
    detach_g: bool = False  # The samples are detached in G's step.
    both_first: bool = False  # Both backward passes come before both steps.
    step_d: bool = True
    step_g: bool = True
    evaluating: str = ""  # This network stays in evaluation mode.
    maximise: bool = False  # G's optimizer maximises.
    rate: float = 1e-3
    rate_g: float | None = None
    optimizer: type[Optimizer] = Adam
    autocast: bool = False
    fused: bool = False
    scale: float = 1.0  # Factor of the data.
    bounded: bool = False  # G ends in a hyperbolic tangent.


class Scorer(nn.Module):
    """A discriminator of points in the plane."""

    def __init__(self, loop: Loop) -> None:
        """Build the layers."""
        super().__init__()
        wrap = nn.utils.parametrizations.spectral_norm if loop.normalised else lambda layer: layer
        norm = [nn.BatchNorm1d(64), nn.Dropout(0.1)] if loop.norm else []
        layers: list[nn.Module] = [wrap(nn.Linear(2, 64)), *norm, nn.LeakyReLU(0.2)]
        layers += [wrap(nn.Linear(64, 64)), nn.LeakyReLU(0.2), wrap(nn.Linear(64, 1))]
        if loop.sigmoid_layer:
            layers += [nn.Sigmoid() for _ in range(loop.sigmoids)]
        self.layers = nn.Sequential(*layers)
        self.calls = 0 if loop.sigmoid_layer else loop.sigmoids

    def forward(self, points: Tensor) -> Tensor:
        """``(B, 2) -> (B, 1)``."""
        scores: Tensor = self.layers(points)
        for _ in range(self.calls):
            scores = torch.sigmoid(scores)
        return scores


def build_networks(loop: Loop) -> tuple[nn.Module, nn.Module]:
    """New networks with the same weights each time."""
    torch.manual_seed(0)
    norm = [nn.BatchNorm1d(64)] if loop.norm else []
    last = [nn.Tanh()] if loop.bounded else []
    generator = nn.Sequential(nn.Linear(LATENT, 64), *norm, nn.ReLU(), nn.Linear(64, 2), *last)
    return generator, Scorer(loop)


def gradient_penalty(d: nn.Module, points: Tensor, target: float) -> Tensor:
    """Squared difference of D's gradient norm from `target`."""
    points = points.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(d(points).sum(), points, create_graph=True)
    return (gradient.norm(dim=1) - target).square().mean()


def train(loop: Loop, steps: int = 220) -> Attachment:
    """Train with gandiag attached, and return the attachment."""
    g, d = build_networks(loop)
    build, fused = loop.optimizer, {"fused": True} if loop.fused else {}
    d_step = build(d.parameters(), lr=loop.rate, **fused)  # type: ignore[call-arg]
    rate_g = loop.rate if loop.rate_g is None else loop.rate_g
    more = {**fused, **({"maximize": True} if loop.maximise else {})}
    g_step = build(g.parameters(), lr=rate_g, **more)  # type: ignore[call-arg]
    every = {name: {"every": 10} for name in ("objective", "loop", "update", "diversity")}
    with gandiag.attach(g, d, g_step, d_step, scores=loop.scores, probes=every) as watch:
        _run_loop(loop, steps, g, d, g_step, d_step)
    return watch


def _run_loop(  # noqa: C901  # one branch for each bug
    loop: Loop, steps: int, g: nn.Module, d: nn.Module, g_step: Optimizer, d_step: Optimizer
) -> None:
    stream = torch.Generator().manual_seed(1)
    if loop.evaluating:
        (g if loop.evaluating == "generator" else d).eval()
    for index in range(steps):
        if loop.clip == "first":
            clip(d, loop.bound)
        fake = g(torch.randn(BATCH, LATENT, generator=stream))
        loss = d_loss(loop, d, loop.scale * ring(stream), fake, index)
        if loop.clear_d:
            d_step.zero_grad()
        loss.backward(retain_graph=loop.both_first or not loop.detach)
        if loop.clip == "before":
            clip(d, loop.bound)
        if not loop.both_first and loop.step_d:
            d_step.step()
        if loop.clip == "after":
            clip(d, loop.bound)
        samples = g(torch.randn(BATCH, LATENT, generator=stream))
        g_loss = loop.generator(d(samples.detach() if loop.detach_g else samples))
        if loop.clear_g:
            g_step.zero_grad()
        g_loss.backward()
        if loop.both_first:
            d_step.step()
        if loop.step_g:
            g_step.step()


def d_loss(loop: Loop, d: nn.Module, real: Tensor, fake: Tensor, index: int) -> Tensor:
    """The discriminator's loss."""
    samples = fake.detach() if loop.detach else fake
    if loop.together:
        scores = d(torch.cat([real, samples]))
        loss = (loop.real(scores[:BATCH]) + loop.fake(scores[BATCH:])) / 2
    else:
        loss = loop.real(d(real)) + loop.fake(d(samples))
    if loop.penalty == "gp":
        mix = torch.rand(BATCH, 1, generator=torch.Generator().manual_seed(index))
        loss = loss + gradient_penalty(d, mix * real + (1 - mix) * fake, 1.0)
    elif loop.penalty == "r1" or (loop.penalty == "lazy" and index % 16 == 15):
        loss = loss + 0.1 * gradient_penalty(d, real, 0.0)
    return loss


def clip(network: nn.Module, bound: float) -> None:
    """Clip the weights."""
    for parameter in network.parameters():
        parameter.data.clamp_(-bound, bound)


CRITIC = {"real": raise_scores, "fake": lower_scores, "generator": raise_scores, "scores": "critic"}
HINGE = {"real": hinge_real, "fake": hinge_fake, "generator": raise_scores, "scores": "critic"}
SQUARES = {"real": squares(1.0), "fake": squares(0.0), "generator": squares(1.0)}
ON_PROBABILITIES = {
    "real": on_probabilities(1.0),
    "fake": on_probabilities(0.0),
    "generator": on_probabilities(1.0),
    "scores": "probabilities",
    "sigmoids": 1,
}

#: Correct loops, with the objectives of G and D that they use.
CORRECT: dict[str, tuple[Loop, str, str]] = {
    "plain": (Loop(), "non_saturating", "cross_entropy"),
    "minimax": (Loop(generator=minimax), "minimax", "cross_entropy"),
    "smoothed": (Loop(real=cross_entropy(0.9)), "non_saturating", "cross_entropy"),
    "probabilities": (Loop(**ON_PROBABILITIES), "non_saturating", "cross_entropy"),  # type: ignore[arg-type]
    "squares": (Loop(**SQUARES), "least_squares", "least_squares"),  # type: ignore[arg-type]
    "hinge": (Loop(**HINGE), "critic", "hinge"),  # type: ignore[arg-type]
    "hinge, given as logits": (
        Loop(**{**HINGE, "scores": "logits", "normalised": True}),  # type: ignore[arg-type]
        "critic",
        "hinge",
    ),
    "critic, penalty": (Loop(**CRITIC, penalty="gp"), "critic", "constant"),  # type: ignore[arg-type]
    "critic, clipped": (Loop(**CRITIC, clip="after"), "critic", "constant"),  # type: ignore[arg-type]
    "critic, authors' order": (
        Loop(
            **CRITIC,  # type: ignore[arg-type]
            clip="first",
            optimizer=RMSprop,
            rate=5e-5,
            bound=0.01,
        ),
        "critic",
        "constant",
    ),
    "critic, spectral": (Loop(**CRITIC, normalised=True), "critic", "constant"),  # type: ignore[arg-type]
    "lazy penalty": (Loop(penalty="lazy"), "non_saturating", "cross_entropy"),
    "norms": (Loop(norm=True), "non_saturating", "cross_entropy"),
    "together": (Loop(together=True), "non_saturating", "cross_entropy"),
    "maximised": (
        Loop(generator=negated(cross_entropy(1.0)), maximise=True),
        "non_saturating",
        "cross_entropy",
    ),
    "descent": (Loop(optimizer=SGD, rate=0.05), "non_saturating", "cross_entropy"),
    "fused": (Loop(fused=True), "non_saturating", "cross_entropy"),
    "samples not detached": (Loop(detach=False), "non_saturating", "cross_entropy"),
    "bounded": (Loop(scale=0.4, bounded=True), "non_saturating", "cross_entropy"),
}

#: Loops with one bug each: (loop, lint, failure type).
WITH_BUG: dict[str, tuple[Loop, str, str]] = {
    "reversed sign": (
        Loop(generator=negated(cross_entropy(1.0))),
        "generator_ascends",
        "same_direction",
    ),
    "target of generated samples": (
        Loop(generator=cross_entropy(0.0)),
        "generator_ascends",
        "same_direction",
    ),
    "reversed critic": (
        Loop(**{**CRITIC, "generator": lower_scores}, penalty="gp"),  # type: ignore[arg-type]
        "generator_ascends",
        "same_direction",
    ),
    "maximised by mistake": (Loop(maximise=True), "generator_ascends", "same_direction"),
    "probabilities as logits": (Loop(sigmoids=1), "double_sigmoid", "probabilities_as_logits"),
    "probabilities as logits, given as probabilities": (
        Loop(sigmoids=1, scores="probabilities", sigmoid_layer=False),
        "double_sigmoid",
        "probabilities_as_logits",
    ),
    "two sigmoids": (
        Loop(**{**ON_PROBABILITIES, "sigmoids": 2}),  # type: ignore[arg-type]
        "double_sigmoid",
        "two_sigmoids",
    ),
    "given as logits": (
        Loop(**{**ON_PROBABILITIES, "scores": "logits"}),  # type: ignore[arg-type]
        "misread_scores",
        "not_logits",
    ),
    "given as probabilities": (Loop(scores="probabilities"), "misread_scores", "not_probabilities"),
    "no bound": (Loop(**CRITIC), "unbounded_critic", "no_bound"),  # type: ignore[arg-type]
    "clip before step": (
        Loop(**CRITIC, clip="before"),  # type: ignore[arg-type]
        "misplaced_clipping",
        "before_step",
    ),
    "clip too narrow": (
        Loop(**CRITIC, clip="after", bound=0.01, rate=0.1, rate_g=1e-3),  # type: ignore[arg-type]
        "saturated_clipping",
        "saturated",
    ),
    "mixed batch": (Loop(together=True, norm=True), "mixed_batch_norm", "disagreeing"),
    "D not cleared": (Loop(clear_d=False), "leftover_gradients", "discriminator"),
    "G not cleared": (Loop(detach=False, clear_g=False), "leftover_gradients", "generator"),
    "both passes first": (Loop(both_first=True), "leftover_gradients", "overlaid"),
    "D never stepped": (Loop(step_d=False), "idle_network", "never_stepped"),
    "G never stepped": (Loop(step_g=False), "idle_network", "never_stepped"),
    "samples detached": (Loop(detach_g=True), "idle_network", "no_gradient"),
    "learning rate 0": (Loop(rate_g=0.0), "idle_network", "never_moves"),
    "G in eval mode": (Loop(norm=True, evaluating="generator"), "evaluation_mode", "generator"),
    "tanh beside 0 to 255": (Loop(scale=100.0, bounded=True), "unscaled_data", "out_of_reach"),
    "D in eval mode": (
        Loop(norm=True, evaluating="discriminator"),
        "evaluation_mode",
        "discriminator",
    ),
}
