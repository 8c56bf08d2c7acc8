"""The convolutional GAN."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gandiag.models.variants.dcgan import DCGAN
from gandiag.plugins.errors import BadInput


@pytest.mark.parametrize("shape", [(2,), (1, 30, 28), (1, 28, 30)])
def test_other_shapes_are_rejected(shape: tuple[int, ...]) -> None:
    """Points, and images with sides that are not divisible by 4, are rejected."""
    with pytest.raises(BadInput, match="needs images with sides divisible by 4"):
        DCGAN().build(shape)


def test_initial_weights_are_the_published_ones() -> None:
    """Weights begin at N(0, 0.02^2), and those of BatchNorm at N(1, 0.02^2) (Radford 2016)."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        gan = DCGAN(batch_norm=True).build((1, 28, 28))
    for module in (*gan.generator.modules(), *gan.discriminator.modules()):
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            count = module.weight.numel()
            tolerance = 5 * 0.02 / (2 * count) ** 0.5  # 5 standard errors of a standard deviation
            assert float(module.weight.detach().std()) == pytest.approx(0.02, abs=tolerance)
            assert module.bias is None or not module.bias.any()
        if isinstance(module, nn.BatchNorm2d):
            assert float(module.weight.detach().mean()) == pytest.approx(1, abs=0.02)


def test_batch_norm_has_its_places() -> None:
    """G has BatchNorm twice; D has it only by option, and never after its first layer."""

    def norms(network: nn.Module) -> list[str]:
        return [name for name, m in network.named_modules() if isinstance(m, nn.BatchNorm2d)]

    plain, normed = DCGAN().build((1, 28, 28)), DCGAN(batch_norm=True).build((1, 28, 28))
    assert len(norms(plain.generator)) == 2
    assert norms(plain.discriminator) == []
    assert norms(normed.discriminator) == ["body.3"]


def test_images_are_bounded(normal: Callable[..., Tensor]) -> None:
    """Images are in [-1, 1] even for huge latents."""
    assert DCGAN(width=4).build((3, 32, 32)).generator(1e3 * normal((4, 64))).abs().max() <= 1
