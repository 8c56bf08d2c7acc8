"""Similarities of minibatch discrimination against the plain formula."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gandiag.models.similarity import sum_similarities

Normal = Callable[..., Tensor]


def sum_plainly(rows: Tensor) -> Tensor:
    """Return the formula of Salimans et al. 2016, section 3.2, as one broadcast."""
    return torch.exp(-(rows[:, None] - rows[None]).abs().sum(-1)).sum(1) - 1


# The last shape has more pairs than one block of the fast form holds.
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 3, 1), (64, 32, 16), (33, 7, 5), (400, 3, 2)])
def test_values_and_gradients_equal_the_formula(shape: tuple[int, ...], normal: Normal) -> None:
    """Values and gradients differ from the formula's by less than 1e-6 of their largest value."""
    rows, weights = 0.3 * normal(shape), normal(shape[:2])
    results = []
    for function in (sum_similarities, sum_plainly):
        leaf = rows.clone().requires_grad_()
        value = function(leaf)
        (gradient,) = torch.autograd.grad((value * weights).sum(), leaf)
        results.append((value.detach(), gradient))
    for fast, plain in zip(*results, strict=True):
        assert (fast - plain).abs().max() <= 1e-6 * max(1.0, float(plain.abs().max()))


def test_equal_samples_have_no_gradient(normal: Normal) -> None:
    """A collapsed batch has gradient 0 in both forms: the derivative of |x| at 0 is 0."""
    rows = normal((1, 4, 3)).repeat(9, 1, 1).requires_grad_()
    (gradient,) = torch.autograd.grad((sum_similarities(rows) * normal((9, 4))).sum(), rows)
    assert torch.equal(gradient, torch.zeros_like(gradient))


def test_first_and_second_derivatives(normal: Normal) -> None:
    """Both derivatives equal finite differences in double precision."""
    rows = normal((6, 3, 2)).double().requires_grad_()
    assert torch.autograd.gradcheck(sum_similarities, rows)
    assert torch.autograd.gradgradcheck(sum_similarities, rows)


def test_no_gradient_keeps_nothing(normal: Normal) -> None:
    """Without a gradient the values are equal, bit for bit."""
    rows = normal((20, 4, 3))
    with torch.no_grad():
        expected = sum_similarities(rows)
    assert torch.equal(sum_similarities(rows.requires_grad_()), expected)
