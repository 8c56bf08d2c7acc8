from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import gumbel_softmax
from torch.optim import Adam

import gandiag
from gandiag.plugins.errors import BadInput

pytestmark = pytest.mark.filterwarnings("ignore:gandiag")


class Residual(nn.Module):
    """A layer of the generator of CTGAN: its output is concatenated with its input."""

    def __init__(self, size: int) -> None:
        """Create the layers."""
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(size, 8), nn.BatchNorm1d(8), nn.ReLU())

    def forward(self, values: Tensor) -> Tensor:
        """``(B, size)`` to ``(B, size + 8)``."""
        return torch.cat([self.layers(values), values], 1)


class Generator(nn.Sequential):
    """A generator that only `fit` knows."""


class Discriminator(nn.Sequential):
    """A discriminator of packs of samples, as that of CTGAN."""

    def forward(self, rows: Tensor) -> Tensor:
        """``(B, 4)`` to scores of pairs of rows, ``(B / 2, 1)``."""
        return super().forward(rows.view(-1, 8))


def fit(table: Tensor, steps: int) -> list[Tensor]:
    """Train networks of its own on a table; return their weights."""
    generator = Generator(Residual(6), nn.Linear(14, 4))
    discriminator = Discriminator(nn.Linear(8, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
    g_step, d_step = Adam(generator.parameters(), 2e-4), Adam(discriminator.parameters(), 2e-4)

    def draw() -> Tensor:
        raw = generator(torch.randn(32, 6))
        return torch.cat([raw[:, :1].tanh(), gumbel_softmax(raw[:, 1:], tau=0.2)], 1)

    for _ in range(steps):
        real = table[torch.randint(len(table), (32,))]
        d_step.zero_grad()
        (discriminator(draw()).mean() - discriminator(real).mean()).backward()
        d_step.step()
        g_step.zero_grad()
        (-discriminator(draw()).mean()).backward()
        g_step.step()
    return [*generator.state_dict().values(), *discriminator.state_dict().values()]


def test_networks_inside_a_function_are_watched() -> None:
    """Networks that a function creates are found, measured and trained to the same bits."""
    table = torch.randn(200, 4)
    torch.manual_seed(0)
    expected = fit(table, 60)
    torch.manual_seed(0)
    with gandiag.watching(folder=None, probes={"loss": {"every": 5}}) as waiting:
        found = fit(table, 60)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    assert waiting.watch is not None
    assert 58 <= waiting.watch.step <= 60
    assert "confidence/auc/discriminator" in waiting.watch.record.signals
    assert "sees something else" in str(waiting.watch.record.facts)
    assert not waiting.watch._hooks.is_attached


def test_what_is_not_found_is_said(recwarn: pytest.WarningsRecorder) -> None:
    """Without such networks, one warning names the classes that were called; nothing else."""
    with pytest.raises(BadInput, match="the keys generator and discriminator"):
        gandiag.watching(select={"generator": "G"})
    with gandiag.watching(select={"generator": "G", "discriminator": "D"}) as waiting:
        fit(torch.randn(40, 4), 2)
    assert waiting.watch is None
    texts = [str(each.message) for each in recwarn]
    assert any("Discriminator, Generator" in text for text in texts), texts
    assert not nn.modules.module._global_forward_hooks


def test_a_failing_choice_ends_no_training(recwarn: pytest.WarningsRecorder) -> None:
    """A function of the user's that raises gives one warning; the training goes on."""

    def choose(module: nn.Module) -> bool:
        raise RuntimeError("wrong")

    with gandiag.watching(select={"generator": choose, "discriminator": choose}) as waiting:
        assert fit(torch.randn(40, 4), 2)
    assert waiting.watch is None
    assert any("wrong" in str(each.message) for each in recwarn)
