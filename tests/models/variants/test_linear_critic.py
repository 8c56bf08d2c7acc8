"""The linear critic: no sigmoid, and exactly one bound on its gradient."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gandiag.models.variants.linear_critic import LinearCritic


def test_scores_have_no_probability() -> None:
    """The scores of a critic have no P(real)."""
    assert LinearCritic().build((2,)).objective.probability is None


def test_one_bound_at_a_time() -> None:
    """The gradient is bounded either by the penalty or by clipping."""
    penalised, clipped = LinearCritic().build((2,)), LinearCritic("clip").build((2,))
    assert penalised.penalty is not None
    assert penalised.constrain is None
    assert clipped.penalty is None
    assert clipped.constrain is not None


def test_clipping_bounds_weights() -> None:
    """After clipping, no weight of the critic exceeds the bound."""
    gan = LinearCritic("clip", bound=0.02).build((2,))
    assert gan.constrain is not None
    gan.constrain(gan.discriminator)
    largest = max(float(p.detach().abs().max()) for p in gan.discriminator.parameters())
    assert largest == torch.tensor(0.02).item()


def test_generator_derivative_is_constant(normal: Callable[..., Tensor]) -> None:
    """For scores of any size, the derivatives of the generator's loss sum to -1."""
    scores = (1000 * normal((32,))).requires_grad_()
    LinearCritic().build((2,)).objective.generator(scores).backward()
    assert scores.grad is not None
    torch.testing.assert_close(scores.grad, torch.full((32,), -1 / 32))
