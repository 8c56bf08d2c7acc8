"""Tests of the lint for ranges of values: each bug is found, and usual ranges are accepted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from gandiag.diagnosis.diagnosis import Diagnosis
from tests.diagnosis.lints.written_loops import (
    BATCH,
    LATENT,
    adam,
    fake_loss,
    layers,
    noise,
    real_loss,
    watch_loop,
)

Change = Callable[[Tensor], Tensor]
PIXELS = 16


def images(count: int = BATCH) -> Tensor:
    """Images in [-1, 1]: a bright bar on a black ground, with grey edges."""
    at = torch.randint(PIXELS - 4, (count, 1)) + torch.arange(4)
    bars = torch.tensor([0.0, 1.0, 1.0, 0.2]).expand(count, 4)
    return torch.full((count, PIXELS), -1.0).scatter(1, at, bars)


def keep(x: Tensor) -> Tensor:
    """The samples as they are."""
    return x


def halve(x: Tensor) -> Tensor:
    """From [-1, 1] to [0, 1]."""
    return (x + 1) / 2


class Functional(nn.Module):
    """A generator that calls the hyperbolic tangent as a function, and reshapes."""

    def __init__(self) -> None:
        """Build the layers."""
        super().__init__()
        self.layers = layers(LATENT, 32, PIXELS)

    def forward(self, z: Tensor) -> Tensor:
        """``(B, LATENT) -> (B, PIXELS)``."""
        return torch.tanh(self.layers(z)).view(len(z), 4, 4).flatten(1)


def find_unscaled(
    last: nn.Module | None, data: Change, fakes: Change = keep, both: Change = keep
) -> Diagnosis:
    """The lint's diagnosis of a loop.

    Args:
        last: last layer of the generator; None for a function in its forward pass.
        data: changes images in [-1, 1] to the real data.
        fakes: changes the samples before the discriminator scores them.
        both: changes samples and data before the discriminator scores them.
    """
    torch.manual_seed(0)
    g = Functional() if last is None else layers(LATENT, 32, PIXELS, last=last)
    d = layers(PIXELS, 32, 1)
    g_opt, d_opt = adam(g), adam(d)

    def step(_: int) -> None:
        d_opt.zero_grad()
        fake = fakes(g(noise())).detach()
        (real_loss(d(both(data(images())))) + fake_loss(d(both(fake)))).backward()
        d_opt.step()
        g_opt.zero_grad()
        real_loss(d(both(fakes(g(noise()))))).backward()
        g_opt.step()

    real = both(data(images(700)))
    watch = watch_loop(g, d, g_opt, d_opt, step, real=real)
    return next(d for d in watch.diagnose() if d.condition == "unscaled_data")


def scale(x: Tensor, factor: float, shift: float = 0.0) -> Tensor:
    """The samples times a factor, plus a shift."""
    return factor * x + shift


WITH_BUG: dict[str, tuple[Callable[[], Diagnosis], str]] = {
    "0 to 1 beside tanh": (partial(find_unscaled, nn.Tanh(), halve), "half_range"),
    "0 to 1 beside a function": (partial(find_unscaled, None, halve), "half_range"),
    "standardised beside tanh": (
        partial(find_unscaled, nn.Tanh(), partial(scale, factor=1.6, shift=1.2)),
        "out_of_reach",
    ),
    "0 to 255 beside tanh": (
        partial(find_unscaled, nn.Tanh(), partial(scale, factor=127.5, shift=127.5)),
        "out_of_reach",
    ),
    "-1 to 1 beside sigmoid": (partial(find_unscaled, nn.Sigmoid(), keep), "out_of_reach"),
    "samples for a display": (
        partial(find_unscaled, nn.Tanh(), keep, halve),
        "changed_range",
    ),
    "samples cut off": (partial(find_unscaled, nn.Tanh(), keep, relu), "changed_range"),
    "samples of 0 to 255": (
        partial(find_unscaled, nn.Tanh(), keep, partial(scale, factor=127.5, shift=127.5)),
        "changed_range",
    ),
}
CORRECT: dict[str, Callable[[], Diagnosis]] = {
    "-1 to 1 beside tanh": partial(find_unscaled, nn.Tanh(), keep),
    "0 to 1 beside sigmoid": partial(find_unscaled, nn.Sigmoid(), halve),
    "unbounded beside any data": partial(
        find_unscaled, nn.Identity(), partial(scale, factor=1.6, shift=1.2)
    ),
    "both mapped": partial(find_unscaled, nn.Tanh(), keep, both=halve),
    "samples mapped to the data": partial(find_unscaled, nn.Tanh(), halve, halve),
    "a narrow range": partial(find_unscaled, nn.Tanh(), partial(scale, factor=0.4)),
    "some overshoot": partial(find_unscaled, nn.Tanh(), partial(scale, factor=1.05)),
    "noise on both": partial(
        find_unscaled, nn.Tanh(), keep, both=lambda x: x + 0.3 * torch.randn_like(x)
    ),
    "brightness of both": partial(
        find_unscaled, nn.Tanh(), keep, both=lambda x: x + torch.rand(len(x), 1) - 0.5
    ),
}


@pytest.mark.parametrize("name", WITH_BUG)
def test_wrong_range_is_found(name: str, unraised_warnings: list[str]) -> None:
    """Data out of the generator's reach, and samples changed before D, are found."""
    find, kind = WITH_BUG[name]
    found = find()
    unraised_warnings.clear()  # some loops change the samples, which is said
    assert (found.status, found.kind) == ("present", kind), found


@pytest.mark.parametrize("name", CORRECT)
def test_usual_range_is_accepted(name: str, unraised_warnings: list[str]) -> None:
    """No bug is found where the discriminator gets both batches in ranges that can agree."""
    found = CORRECT[name]()
    unraised_warnings.clear()
    assert found.status == "absent", found
