"""Laws of what D sees of its batch; those of the similarity stand with its variant."""

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
    """For a batch of one repeated sample the added feature is sqrt(1e-8), its slope finite."""
    features = torch.tensor([[0.5, -1.0, 2.0]]).repeat(9, 1).requires_grad_()
    added = MinibatchDeviation()(features)[:, 3]
    torch.testing.assert_close(added, torch.full((9,), 1e-4))
    added.sum().backward()
    assert features.grad is not None
    assert features.grad.isfinite().all()


def test_deviation_is_mean_over_features(normal: Normal) -> None:
    """The added feature is the mean of the features' standard deviations, the same for all."""
    features = normal((50, 4)) * torch.tensor([1.0, 2.0, 3.0, 4.0])
    wide = MinibatchDeviation()(features)
    assert torch.equal(wide[:, :4], features)
    torch.testing.assert_close(wide[:, 4], features.std(0, correction=0).mean().expand(50))


def test_one_sample_has_no_deviation() -> None:
    """Alone in its batch, a sample deviates from nothing."""
    torch.testing.assert_close(MinibatchDeviation()(torch.ones(1, 2))[:, 2], torch.tensor([1e-4]))


@pytest.mark.parametrize(("view", "extra"), [("none", 0), ("stddev", 1), ("discrimination", 16)])
def test_added_features_are_counted(view: str, extra: int, normal: Normal) -> None:
    """A layer adds as many features as it says."""
    layer, count = build_batch_layer(view, 5)  # type: ignore[arg-type]
    assert count == extra
    assert (layer(normal((3, 5))) if layer else normal((3, 5))).shape == (3, 5 + extra)


def test_option_is_the_variant() -> None:
    """Vanilla with `minibatch: discrimination` is the variant of that name, averaged, bitwise."""

    def made(variant: Vanilla | MinibatchDiscrimination) -> GAN:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return variant.build((2,))

    option, variant = (
        made(Vanilla(minibatch="discrimination")),
        made(MinibatchDiscrimination(average=True)),
    )
    for player in ("generator", "discriminator"):
        one, other = getattr(option, player).state_dict(), getattr(variant, player).state_dict()
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
