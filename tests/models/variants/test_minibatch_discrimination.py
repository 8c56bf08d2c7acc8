"""Minibatch discrimination (Salimans et al. 2016, section 3.2)."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gandiag.models.minibatch import MinibatchSimilarity
from gandiag.models.variants.minibatch_discrimination import MinibatchDiscrimination

Normal = Callable[..., Tensor]


def eye(kernels: int, dimensions: int) -> MinibatchSimilarity:
    """Return a layer whose tensor T is the identity: it compares the features themselves."""
    layer = MinibatchSimilarity(kernels * dimensions, kernels, dimensions)
    nn.init.eye_(layer.project.weight)
    return layer


def test_identical_batch_has_full_similarity() -> None:
    """For a batch of one repeated sample, every similarity is exactly B - 1."""
    features = torch.tensor([[0.5, -1.0, 2.0, 3.0, 0.0, 8.0]]).repeat(9, 1)
    assert torch.equal(eye(3, 2).compute_similarities(features), torch.full((9, 3), 8.0))


def test_distant_samples_have_no_similarity() -> None:
    """For samples far apart, every similarity is exactly 0."""
    features = 1000 * torch.arange(5.0)[:, None].repeat(1, 6)
    assert torch.equal(eye(3, 2).compute_similarities(features), torch.zeros(5, 3))


def test_one_sample_has_no_others() -> None:
    """In a batch of one sample, the similarities are 0, averaged or not."""
    for average in (False, True):
        layer = MinibatchSimilarity(6, 3, 2, average)
        assert torch.equal(layer(torch.ones(1, 6))[:, 6:], torch.zeros(1, 3))


def test_similarities_equal_a_loop(normal: Normal) -> None:
    """The similarities equal those of a plain loop over samples, others and kernels."""
    layer, features = MinibatchSimilarity(7, 4, 3), normal((6, 7))
    rows = layer.project(features).detach().reshape(6, 4, 3).tolist()
    expected = [
        [
            sum(
                math.exp(-sum(abs(p - q) for p, q in zip(rows[i][b], rows[j][b], strict=True)))
                for j in range(6)
                if j != i
            )
            for b in range(4)
        ]
        for i in range(6)
    ]
    torch.testing.assert_close(layer.compute_similarities(features), torch.tensor(expected))


def test_features_pass_through(normal: Normal) -> None:
    """The output has the unchanged features first, and then the similarities."""
    layer, features = eye(3, 2), normal((5, 6))
    wide = layer(features)
    assert torch.equal(wide[:, :6], features)
    assert torch.equal(wide[:, 6:], layer.compute_similarities(features))


def test_average_divides_by_others(normal: Normal) -> None:
    """Averaged similarities are the sums divided by B - 1."""
    layer, features = eye(3, 2), 0.1 * normal((5, 6))
    sums = layer(features)[:, 6:]
    layer.average = True
    torch.testing.assert_close(layer(features)[:, 6:], sums / 4)


def test_order_of_batch_is_irrelevant(normal: Normal) -> None:
    """Shuffled samples have the similarities in the same shuffled order."""
    layer, features, order = eye(3, 2), normal((5, 6)), torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(layer(features[order]), layer(features)[order])


def test_score_depends_on_the_batch(normal: Normal) -> None:
    """A sample's score depends on the other samples, and its gradient reaches all of them."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        gan = MinibatchDiscrimination(width=16).build((2,))
    sample, others = normal((1, 2)), normal((7, 2), seed=1).requires_grad_()
    alone = gan.discriminator(sample.repeat(8, 1))[0]
    among = gan.discriminator(torch.cat([sample, others]))[0]
    assert alone.item() != pytest.approx(among.item(), abs=1e-4)
    among.backward()
    assert others.grad is not None
    assert (others.grad.norm(dim=1) > 0).all()


def test_layer_has_published_sizes() -> None:
    """Vectors of five entries are compared, and the last layer takes all similarities."""
    variant = MinibatchDiscrimination()
    layers = [m for m in variant.build((2,)).discriminator.modules() if isinstance(m, nn.Linear)]
    assert layers[-1].in_features == variant.width + variant.kernels
    assert layers[-2].out_features == 5 * variant.kernels
