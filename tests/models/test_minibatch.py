"""The batch layers; tests of the similarities are in variants/test_minibatch_discrimination."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gandiag.models.gan import GAN
from gandiag.models.minibatch import MinibatchDeviation, build_batch_layer
from gandiag.models.variants.minibatch_discrimination import MinibatchDiscrimination
from gandiag.models.variants.vanilla import Vanilla

Normal = Callable[..., Tensor]


def test_constant_batch_has_no_deviation() -> None:
    """For one repeated sample, the added feature is sqrt(1e-8) and its gradient is finite."""
    features = torch.tensor([[0.5, -1.0, 2.0]]).repeat(9, 1).requires_grad_()
    added = MinibatchDeviation()(features)[:, 3]
    torch.testing.assert_close(added, torch.full((9,), 1e-4))
    added.sum().backward()
    assert features.grad is not None
    assert features.grad.isfinite().all()


def test_deviation_is_mean_over_features(normal: Normal) -> None:
    """The added feature is the mean standard deviation of the features, equal in the batch."""
    features = normal((50, 4)) * torch.tensor([1.0, 2.0, 3.0, 4.0])
    wide = MinibatchDeviation()(features)
    assert torch.equal(wide[:, :4], features)
    torch.testing.assert_close(wide[:, 4], features.std(0, correction=0).mean().expand(50))


def test_one_sample_has_no_deviation() -> None:
    """In a batch of one sample, the added feature is sqrt(1e-8)."""
    torch.testing.assert_close(MinibatchDeviation()(torch.ones(1, 2))[:, 2], torch.tensor([1e-4]))


@pytest.mark.parametrize(("name", "extra"), [("none", 0), ("stddev", 1), ("discrimination", 16)])
def test_added_features_are_counted(name: str, extra: int, normal: Normal) -> None:
    """A layer adds the number of features that `build_batch_layer` returns."""
    layer, count = build_batch_layer(name, 5)  # type: ignore[arg-type]
    assert count == extra
    assert (layer(normal((3, 5))) if layer else normal((3, 5))).shape == (3, 5 + extra)


def test_option_equals_the_variant() -> None:
    """Vanilla with `minibatch: discrimination` is bit-identical to the averaged variant."""

    def build_seeded(variant: Vanilla | MinibatchDiscrimination) -> GAN:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return variant.build((2,))

    option, variant = (
        build_seeded(Vanilla(minibatch="discrimination")),
        build_seeded(MinibatchDiscrimination(average=True)),
    )
    for network in ("generator", "discriminator"):
        one, other = getattr(option, network).state_dict(), getattr(variant, network).state_dict()
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
