"""Mixed precision, compiled networks and several optimizers give the same measurements."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim import SGD, Adam, Optimizer

import gandiag
from gandiag.attachment.watch_handle import Attachment
from tests.attachment import loops

EVERY = {
    name: {"every": 1}
    for name in (
        "gradient",
        "confidence",
        "learning_signal",
        "objective",
        "loop",
        "update",
        "displacement",
    )
}
Maker = Callable[..., Optimizer]


@dataclass
class ScaledLoop:
    """A loop with or without autocast and a gradient scaler; the steps are otherwise the same."""

    make: Maker
    scale: float | None = None
    bfloat: bool = False

    def __post_init__(self) -> None:
        """Create networks, optimizers and scaler."""
        torch.manual_seed(0)
        self.g, self.d = loops.Generator(), loops.Discriminator()
        self.g_step, self.d_step = self.make(self.g.parameters()), self.make(self.d.parameters())
        enabled = self.scale is not None
        self.scaler = torch.amp.GradScaler("cpu", init_scale=self.scale or 1.0, enabled=enabled)

    def train(self, steps: int) -> None:
        """Train as in PyTorch's recipe for one scaler and two optimizers."""
        for real, _ in loops.generate_real_batches(steps):
            fake = self.g(torch.randn(loops.BATCH_SIZE, loops.LATENT_SIZE))
            self.d_step.zero_grad()
            loss = self.loss(real, 1.0) + self.loss(fake.detach(), 0.0)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.d_step)
            self.g_step.zero_grad()
            self.scaler.scale(self.loss(fake, 1.0)).backward()
            self.scaler.step(self.g_step)
            self.scaler.update()

    def loss(self, samples: Tensor, target: float) -> Tensor:
        """The loss in float32 of D's scores under autocast."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat):
            scores = self.d(samples)
        scores = scores.float()
        return binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))

    def attach(self) -> Attachment:
        """Attach gandiag with probes at every step."""
        return gandiag.attach(
            self.g, self.d, self.g_step, self.d_step, scores="logits", probes=EVERY
        )

    def weights(self) -> list[Tensor]:
        """Weights and buffers of both networks."""
        return [*self.g.state_dict().values(), *self.d.state_dict().values()]


def plain(parameters: object) -> Optimizer:
    """Adam: the scaler unscales the gradients before the step."""
    return Adam(parameters, lr=2e-4, foreach=False)  # type: ignore[arg-type]


def fused(parameters: object) -> Optimizer:
    """Fused Adam: the step itself unscales the gradients."""
    return Adam(parameters, lr=2e-4, fused=True)  # type: ignore[arg-type]


def take_step(
    d: nn.Module, optimizers: list[Optimizer], batches: list[tuple[Tensor, float]]
) -> None:
    """One step of a network: a backward pass for each batch and target, then its optimizers."""
    for optimizer in optimizers:
        optimizer.zero_grad()
    for batch, target in batches:
        scores = d(batch)
        binary_cross_entropy_with_logits(scores, torch.full_like(scores, target)).backward()
    for optimizer in optimizers:
        optimizer.step()


@pytest.mark.parametrize("make", [plain, fused])
def test_scaler_and_autocast_keep_their_bits(make: Maker) -> None:
    """With autocast and a scaler, 500 steps with gandiag give the same bits as without it."""
    unwatched, watched = (ScaledLoop(make, scale=1024.0, bfloat=True) for _ in range(2))
    torch.manual_seed(1)
    unwatched.train(500)
    torch.manual_seed(1)
    with gandiag.attach(
        watched.g, watched.d, watched.g_step, watched.d_step, scores="logits"
    ) as watch:
        watched.train(500)
    assert all(
        torch.equal(a, b) for a, b in zip(unwatched.weights(), watched.weights(), strict=True)
    )
    found = {d.condition: d.status for d in watch.diagnose() if d.about == "loop"}
    assert "present" not in found.values()


@pytest.mark.parametrize("make", [plain, fused])
def test_loss_scale_is_removed(make: Maker) -> None:
    """With a scaler, gradients are reported as without it; powers of two scale exactly."""
    records = []
    for scale in (None, 4096.0):
        loop = ScaledLoop(make, scale=scale)
        torch.manual_seed(1)
        with loop.attach() as watch:
            loop.train(5)
            records.append(watch.record)
    for name in (
        "learning_signal/score_gradient/generator",
        "objective/gradients_fake/generator",
        "objective/gradients_real/discriminator",
        "gradient/norm/generator",
        "gradient/norm/discriminator",
        "gradient/relative/generator",
        "gradient/backprop_gain/generator",
        "loop/leftover_gradient/discriminator",
    ):
        one, other = (record[name].values for record in records)
        torch.testing.assert_close(torch.tensor(other), torch.tensor(one), rtol=1e-4, atol=1e-9)


def test_several_optimizers_for_a_network() -> None:
    """Two optimizers for the halves of each network: same bits, and one step is counted as one."""

    def train(attach: bool) -> tuple[list[Tensor], Attachment | None]:
        torch.manual_seed(0)
        g, d = loops.Generator(), loops.Discriminator()
        halves: list[list[Optimizer]] = []
        for network in (g, d):
            parameters = list(network.parameters())
            middle = len(parameters) // 2
            halves.append([Adam(parameters[:middle], 2e-4), SGD(parameters[middle:], 0.01)])
        watch = gandiag.attach(g, d, *halves, scores="logits", probes=EVERY) if attach else None
        torch.manual_seed(1)
        for real, _ in loops.generate_real_batches(30):
            fake = g(torch.randn(loops.BATCH_SIZE, loops.LATENT_SIZE))
            take_step(d, halves[1], [(real, 1.0), (fake.detach(), 0.0)])
            take_step(d, halves[0], [(fake, 1.0)])
        return [*g.state_dict().values(), *d.state_dict().values()], watch

    unwatched, _ = train(attach=False)
    watched, watch = train(attach=True)
    assert all(torch.equal(a, b) for a, b in zip(unwatched, watched, strict=True))
    assert watch is not None
    assert watch.step == 30
    assert watch.record["loop/steps/discriminator"].last == 30


@pytest.mark.parametrize("given", ["compiled", "original"])
def test_compiled_networks(given: str) -> None:
    """Compiled networks keep their bits, whether attach gets the compiled or the original ones."""

    def train(attach: bool) -> tuple[list[Tensor], Attachment | None]:
        torch.manual_seed(0)
        torch._dynamo.reset()
        originals = loops.Generator(), loops.Discriminator()
        compiled = [torch.compile(network, backend="aot_eager") for network in originals]
        steps: list[Optimizer] = [Adam(n.parameters(), 2e-4) for n in originals]
        g, d = compiled
        shown = compiled if given == "compiled" else originals
        watch = gandiag.attach(*shown, *steps, scores="logits", probes=EVERY) if attach else None
        torch.manual_seed(1)
        for real, _ in loops.generate_real_batches(12):
            fake = g(torch.randn(loops.BATCH_SIZE, loops.LATENT_SIZE))
            take_step(d, [steps[1]], [(real, 1.0), (fake.detach(), 0.0)])
            take_step(d, [steps[0]], [(fake, 1.0)])
        return [*originals[0].state_dict().values(), *originals[1].state_dict().values()], watch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch's own
        warnings.simplefilter("ignore", UserWarning)
        unwatched, _ = train(attach=False)
        watched, watch = train(attach=True)
    assert all(torch.equal(a, b) for a, b in zip(unwatched, watched, strict=True))
    assert watch is not None
    assert watch.step == 12
    assert len(watch.record["objective/gradients_real/discriminator"].steps) == 12
    assert len(watch.record["learning_signal/score_gradient/generator"].steps) == 12


def test_single_layers_as_networks() -> None:
    """A network may be a single layer, without a module around it."""
    g, d = nn.Linear(4, 2), nn.Linear(2, 1)
    steps = SGD(g.parameters(), 0.01), SGD(d.parameters(), 0.01)
    with gandiag.attach(g, d, *steps, scores="critic", probes=EVERY) as watch:
        for _ in range(3):
            steps[1].zero_grad()
            (d(g(torch.randn(8, 4)).detach()).mean() - d(torch.randn(8, 2)).mean()).backward()
            steps[1].step()
            steps[0].zero_grad()
            (-d(g(torch.randn(8, 4))).mean()).backward()
            steps[0].step()
    assert watch.record[
        "learning_signal/score_gradient/generator"
    ].values.tolist() == pytest.approx([1.0] * 3)
