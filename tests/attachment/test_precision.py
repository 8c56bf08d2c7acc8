"""Mixed precision, compiled networks, several optimizers: watched as if they were not there."""

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
class Scaled:
    """A game under autocast and a gradient scaler, or plainly, step for step the same."""

    make: Maker
    scale: float | None = None
    bfloat: bool = False

    def __post_init__(self) -> None:
        """Make networks, optimizers and scaler."""
        torch.manual_seed(0)
        self.g, self.d = loops.Generator(), loops.Discriminator()
        self.g_step, self.d_step = self.make(self.g.parameters()), self.make(self.d.parameters())
        enabled = self.scale is not None
        self.scaler = torch.amp.GradScaler("cpu", init_scale=self.scale or 1.0, enabled=enabled)

    def play(self, steps: int) -> None:
        """PyTorch's recipe for one scaler and two optimizers."""
        for real, _ in loops.reals(steps):
            fake = self.g(torch.randn(loops.BATCH, loops.LATENT))
            self.d_step.zero_grad()
            loss = self.loss(real, 1.0) + self.loss(fake.detach(), 0.0)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.d_step)
            self.g_step.zero_grad()
            self.scaler.scale(self.loss(fake, 1.0)).backward()
            self.scaler.step(self.g_step)
            self.scaler.update()

    def loss(self, samples: Tensor, target: float) -> Tensor:
        """D under autocast, the loss in float32."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat):
            scores = self.d(samples)
        scores = scores.float()
        return binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))

    def attach(self) -> Attachment:
        """Watch it closely."""
        return gandiag.attach(
            self.g, self.d, self.g_step, self.d_step, scores="logits", probes=EVERY
        )

    def weights(self) -> list[Tensor]:
        """All that is trained or kept."""
        return [*self.g.state_dict().values(), *self.d.state_dict().values()]


def plain(parameters: object) -> Optimizer:
    """Adam, which the scaler unscales for."""
    return Adam(parameters, lr=2e-4, foreach=False)  # type: ignore[arg-type]


def fused(parameters: object) -> Optimizer:
    """Adam that unscales within its step."""
    return Adam(parameters, lr=2e-4, fused=True)  # type: ignore[arg-type]


def turn(d: nn.Module, optimizers: list[Optimizer], wanted: list[tuple[Tensor, float]]) -> None:
    """One player's turn: clear, a backward pass for each batch with its target, step."""
    for optimizer in optimizers:
        optimizer.zero_grad()
    for batch, target in wanted:
        scores = d(batch)
        binary_cross_entropy_with_logits(scores, torch.full_like(scores, target)).backward()
    for optimizer in optimizers:
        optimizer.step()


@pytest.mark.parametrize("make", [plain, fused])
def test_scaler_and_autocast_keep_their_bits(make: Maker) -> None:
    """500 watched steps with autocast and a scaler are 500 unwatched ones."""
    alone, watched = (Scaled(make, scale=1024.0, bfloat=True) for _ in range(2))
    torch.manual_seed(1)
    alone.play(500)
    torch.manual_seed(1)
    with gandiag.attach(
        watched.g, watched.d, watched.g_step, watched.d_step, scores="logits"
    ) as watch:
        watched.play(500)
    assert all(torch.equal(a, b) for a, b in zip(alone.weights(), watched.weights(), strict=True))
    found = {d.condition: d.status for d in watch.diagnose() if d.about == "loop"}
    assert "present" not in found.values()


@pytest.mark.parametrize("make", [plain, fused])
def test_scale_is_taken_out(make: Maker) -> None:
    """With a scaler, each slope and gradient norm reads as without it: powers of two are exact."""
    records = []
    for scale in (None, 4096.0):
        game = Scaled(make, scale=scale)
        torch.manual_seed(1)
        with game.attach() as watch:
            game.play(5)
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


def test_several_optimizers_a_player() -> None:
    """Two optimizers for each network, each for half of it: same bits, one turn a step."""

    def play(attach: bool) -> tuple[list[Tensor], Attachment | None]:
        torch.manual_seed(0)
        g, d = loops.Generator(), loops.Discriminator()
        halves: list[list[Optimizer]] = []
        for network in (g, d):
            parameters = list(network.parameters())
            middle = len(parameters) // 2
            halves.append([Adam(parameters[:middle], 2e-4), SGD(parameters[middle:], 0.01)])
        watch = gandiag.attach(g, d, *halves, scores="logits", probes=EVERY) if attach else None
        torch.manual_seed(1)
        for real, _ in loops.reals(30):
            fake = g(torch.randn(loops.BATCH, loops.LATENT))
            turn(d, halves[1], [(real, 1.0), (fake.detach(), 0.0)])
            turn(d, halves[0], [(fake, 1.0)])
        return [*g.state_dict().values(), *d.state_dict().values()], watch

    alone, _ = play(attach=False)
    watched, watch = play(attach=True)
    assert all(torch.equal(a, b) for a, b in zip(alone, watched, strict=True))
    assert watch is not None
    assert watch.step == 30
    assert watch.record["loop/steps/discriminator"].last == 30


@pytest.mark.parametrize("given", ["compiled", "original"])
def test_compiled_networks(given: str) -> None:
    """`torch.compile`d networks are watched, whichever of the two attach is given; same bits."""

    def play(attach: bool) -> tuple[list[Tensor], Attachment | None]:
        torch.manual_seed(0)
        torch._dynamo.reset()
        originals = loops.Generator(), loops.Discriminator()
        compiled = [torch.compile(network, backend="aot_eager") for network in originals]
        steps: list[Optimizer] = [Adam(n.parameters(), 2e-4) for n in originals]
        g, d = compiled
        shown = compiled if given == "compiled" else originals
        watch = gandiag.attach(*shown, *steps, scores="logits", probes=EVERY) if attach else None
        torch.manual_seed(1)
        for real, _ in loops.reals(12):
            fake = g(torch.randn(loops.BATCH, loops.LATENT))
            turn(d, [steps[1]], [(real, 1.0), (fake.detach(), 0.0)])
            turn(d, [steps[0]], [(fake, 1.0)])
        return [*originals[0].state_dict().values(), *originals[1].state_dict().values()], watch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch's own, while it compiles
        warnings.simplefilter("ignore", UserWarning)
        alone, _ = play(attach=False)
        watched, watch = play(attach=True)
    assert all(torch.equal(a, b) for a, b in zip(alone, watched, strict=True))
    assert watch is not None
    assert watch.step == 12
    assert len(watch.record["objective/gradients_real/discriminator"].steps) == 12
    assert len(watch.record["learning_signal/score_gradient/generator"].steps) == 12


def test_linear_layers_alone() -> None:
    """Networks of bare layers, without a module around them, are watched too."""
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
