"""Tests of ``gandiag.examine`` on the user's own networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import gandiag
from gandiag.examination.finding import Finding
from gandiag.examination.game_state import GameState
from gandiag.models.losses import NON_SATURATING
from gandiag.plugins.errors import BadInput
from tests.examination.conftest import QUICK


def build_networks() -> tuple[nn.Module, nn.Module]:
    """Return networks that gandiag has not built: latents are images, scores are a column."""
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Flatten(), nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
    return generator, nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))


def test_own_networks_are_examined(normal: Callable[..., Tensor]) -> None:
    """Any two networks can be examined, by all instruments in the given order."""
    generator, discriminator = build_networks()
    found = gandiag.examine(
        generator, discriminator, normal((100, 2)),
        latents=(3, 1, 1), earlier=build_networks(), instruments=QUICK,
    )  # fmt: skip
    assert [finding.instrument for finding in found] == list(QUICK)
    assert found[0].measures
    assert found[3].summary == "No path: both checkpoints have the same weights."


def test_probabilities_are_logits(normal: Callable[..., Tensor]) -> None:
    """A discriminator with a sigmoid at its end gives the same numbers as without it."""
    generator, discriminator = build_networks()
    real, instruments = normal((100, 2)), {"jacobian": QUICK["jacobian"]}
    (logits,) = gandiag.examine(
        generator, discriminator, real, latents=(3,), instruments=instruments
    )
    (probabilities,) = gandiag.examine(
        generator,
        nn.Sequential(discriminator, nn.Sigmoid()),
        real,
        latents=lambda count: torch.randn(count, 3),
        scores="probabilities",
        instruments=instruments,
    )
    for one, other in zip(logits.measures, probabilities.measures, strict=True):
        assert one.value == pytest.approx(other.value, rel=1e-6, abs=1e-9)


def test_own_penalty_counts(normal: Callable[..., Tensor]) -> None:
    """A penalty of the user's own is added to the discriminator's loss."""
    generator, discriminator = build_networks()

    def weight_decay(network: Any, real: Tensor, fake: Tensor) -> Tensor:
        return 5000.0 * sum(w.square().sum() for w in network.parameters())  # type: ignore[return-value]

    found = gandiag.examine(
        generator, discriminator, normal((100, 2)), latents=3,
        penalty=weight_decay, instruments={"jacobian": {"samples": 32, "draws": 1}},
    )  # fmt: skip
    assert found[0]["modulus"].value == pytest.approx(
        10_000, rel=1e-3
    )  # second derivative of 5000 w^2


@dataclass(frozen=True)
class Broken:
    """An instrument that fails."""

    def examine(self, state: GameState, progress: Callable[[float], None]) -> Finding:
        """Raise an exception."""
        raise RuntimeError("derivative for\n  something is not implemented")


def test_failing_instrument_has_a_finding(normal: Callable[..., Tensor]) -> None:
    """An instrument that fails reports the exception, and the next instrument runs."""
    instruments = {"broken": Broken(), "jacobian": QUICK["jacobian"]}
    first, second = gandiag.examine(
        *build_networks(), normal((50, 2)), latents=3, instruments=instruments
    )
    expected = "Not measured: RuntimeError: derivative for something is not implemented."
    assert first.summary == expected
    assert second.measures


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"objective": "hindge"}, 'objective: no objective "hindge"; nearest is "hinge"'),
        ({"scores": "logit"}, 'scores: no type of scores "logit"; nearest is "logits"'),
        ({"instruments": ("jacobean",)}, 'instruments: no instrument "jacobean"; nearest is'),
        ({"instruments": {"jacobian": {"cont": 3}}}, "instruments: jacobian.cont: unknown option"),
        ({"instruments": {"jacobian": 3}}, "instruments: jacobian: name one of its options"),
        ({"real": torch.zeros(4, 2)}, "real: 4 samples are too few to hold some of them out"),
    ],
)
def test_mistakes_are_one_line(changed: dict[str, Any], message: str) -> None:
    """Each mistake gives one line with the argument's name and the nearest right name."""
    given = {"real": torch.zeros(50, 2), "latents": 3, **changed}
    with pytest.raises(BadInput) as error:
        gandiag.examine(*build_networks(), **given)
    assert str(error.value).startswith(message)


def test_frozen_network_is_named() -> None:
    """A network without trainable weights cannot be examined, and the finding names it."""
    generator, discriminator = build_networks()
    discriminator.requires_grad_(False)
    (found,) = gandiag.examine(
        generator, discriminator, torch.randn(50, 2), latents=3, instruments=("jacobian",)
    )
    assert "the discriminator has no weights that require a gradient" in found.summary


def test_own_objective(normal: Callable[..., Tensor]) -> None:
    """An objective is a name or the user's own functions, with the same numbers."""
    networks, real, instruments = build_networks(), normal((50, 2)), {"jacobian": QUICK["jacobian"]}
    named, given = (
        gandiag.examine(*networks, real, latents=3, objective=objective, instruments=instruments)
        for objective in ("non_saturating", NON_SATURATING)
    )
    assert named == given
