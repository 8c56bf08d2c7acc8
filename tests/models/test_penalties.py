"""The penalties: closed forms on linear discriminators."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gandiag.models.networks import PackedDiscriminator, Scorer
from gandiag.models.penalties import build_gradient_penalty, build_r1_penalty, build_weight_clipper

Normal = Callable[..., Tensor]


def linear(*weights: float) -> Scorer:
    """``D(x) = w . x``."""
    layer = nn.Linear(len(weights), 1, bias=False)
    layer.weight.data = torch.tensor([weights], dtype=torch.float32)
    return Scorer(layer)


def test_gradient_penalty_is_tf_gans(normal: Normal) -> None:
    """For D(x) = sum of 2 x in 4-d, the gradient has norm 4 and the penalty is (4 - 1)^2 = 9."""
    penalty = build_gradient_penalty(1.0)
    assert penalty(linear(2, 2, 2, 2), normal((8, 4)), normal((8, 4), seed=1)).item() == 9.0


def test_unit_gradient_has_no_penalty(normal: Normal) -> None:
    """For a gradient of norm 1, the gradient penalty is 0 for any weight."""
    assert (
        build_gradient_penalty(10)(linear(0.6, 0.8), normal((9, 2)), normal((9, 2))).item() < 1e-11
    )


def test_penalty_scales_with_weight(normal: Normal) -> None:
    """Penalties are proportional to their weights."""
    critic, real, fake = linear(3.0, 0.0), normal((5, 2)), normal((5, 2), seed=1)
    assert build_gradient_penalty(10)(critic, real, fake).item() == pytest.approx(10 * 4)
    assert _r1(4)(critic, real, fake).item() == pytest.approx(4 / 2 * 9)


def test_penalty_is_taken_between_real_and_fake(normal: Normal) -> None:
    """The points of the gradient penalty lie on the lines between real and fake samples."""
    seen: list[Tensor] = []

    class Spy(nn.Module):
        def forward(self, samples: Tensor) -> Tensor:
            seen.append(samples.detach())
            return samples.sum(1)

    real, fake = normal((50, 3)), normal((50, 3), seed=1)
    build_gradient_penalty(1)(Spy(), real, fake)
    share = (seen[0] - fake) / (real - fake)
    torch.testing.assert_close(share, share[:, :1].expand(-1, 3), atol=1e-3, rtol=1e-3)
    assert share.min() > -1e-3
    assert share.max() < 1 + 1e-3
    assert share.std() > 0.2


def test_small_real_batch_is_enough(normal: Normal) -> None:
    """With fewer real than fake samples, as in a small data set, only full pairs are used."""
    penalty = build_gradient_penalty(1.0)
    assert penalty(linear(2, 2, 2, 2), normal((3, 4)), normal((8, 4), seed=1)).item() == 9.0


def test_r1_is_squared_weight(normal: Normal) -> None:
    """For a linear D, the R1 penalty is gamma / 2 |w|^2 and its gradient is gamma w."""
    critic = linear(3.0, 4.0)
    loss = _r1(0.5)(critic, normal((6, 2)), normal((6, 2)))
    assert loss.item() == pytest.approx(0.25 * 25)
    loss.backward()
    (weight,) = critic.parameters()
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, torch.tensor([[1.5, 2.0]]))


def test_r1_uses_real_samples() -> None:
    """For D(x) = x^2, the gradient is 2 x at the real samples; fake samples have no effect."""

    class Square(nn.Module):
        def forward(self, samples: Tensor) -> Tensor:
            return samples.square().sum(1)

    real = torch.tensor([[1.0], [3.0]])
    loss = _r1(2.0)(Square(), real, torch.full((2, 1), 1e6))
    assert loss.item() == pytest.approx((4 + 36) / 2)


def test_no_weight_no_penalty() -> None:
    """For a gamma of 0, there is no penalty function."""
    assert build_r1_penalty(0.0) is None


def test_penalty_leaves_samples(normal: Normal) -> None:
    """A penalty leaves its batches without requires_grad and without gradients."""
    real, fake = normal((4, 2)), normal((4, 2), seed=1)
    for penalty in (build_gradient_penalty(1), _r1(1)):
        penalty(linear(1.0, 1.0), real, fake).backward()
        assert not real.requires_grad
        assert real.grad is None


def test_clipping_bounds_all_weights() -> None:
    """Parameters beyond the bound are set to it, and all others are unchanged."""
    critic = linear(-3.0, 0.005, 3.0)
    build_weight_clipper(0.01)(critic)
    (weight,) = critic.parameters()
    torch.testing.assert_close(weight.detach(), torch.tensor([[-0.01, 0.005, 0.01]]))
    assert weight.requires_grad


def _r1(gamma: float) -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    penalty = build_r1_penalty(gamma)
    assert penalty is not None
    return penalty


class PackDiscriminator(nn.Module):
    """Discriminator of packs of two points: the dot product with a known vector."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.packed = PackedDiscriminator(_Dot(weights), 2)

    def forward(self, samples: Tensor) -> Tensor:
        """``(B, 2) -> (B // 2,)``."""
        scores: Tensor = self.packed(samples)
        return scores


class _Dot(nn.Module):
    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = weights

    def forward(self, packs: Tensor) -> Tensor:
        return packs @ self.weights


@pytest.mark.parametrize("batch", [2, 4, 7])
def test_gradient_is_that_of_a_pack(batch: int, normal: Normal) -> None:
    """The score of a pack has one gradient, at all samples of the pack: w for w . pack.

    Samples that are left over, such as the seventh, have no effect.
    """
    critic = PackDiscriminator(torch.tensor([1.0, 2.0, 2.0, 4.0]))  # |w| = 5
    real, fake = normal((batch, 2)), normal((batch, 2), seed=1)
    assert _r1(2.0)(critic, real, fake).item() == pytest.approx(25)
    penalty = build_gradient_penalty(1.0)
    assert penalty is not None
    assert penalty(critic, real, fake).item() == pytest.approx(16)
