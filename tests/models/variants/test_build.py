"""All variants: the shapes of their networks, their seeds, and combinations of options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gandiag.models.gan import GAN
from gandiag.models.gan_options import GANOptions
from gandiag.plugins import registry as plugins
from gandiag.plugins.builtin import BUILT_IN
from gandiag.plugins.errors import BadInput
from gandiag.scenario.schema import Training
from gandiag.training.trainer import train

SHAPES = [(1, 28, 28), (3, 32, 32), (2,)]
VARIANTS = list(BUILT_IN["variants"])
WITH_GAN_OPTIONS = [
    name
    for name in VARIANTS
    if issubclass(plugins.load("variants", name), GANOptions)
    and hasattr(plugins.load("variants", name), "width")  # its networks can be made small
]
BATCH_LAYER = {"minibatch": "stddev"}  # an option of most variants
CONSTRAINTS = {"spectral_norm": True, "r1": 0.1, "gradient_penalty": 0.1, "clip": 0.5}
COMBINATIONS: list[dict[str, Any]] = [
    {"objective": "least_squares", "label_smoothing": 0.1, "pack": 2},
    {"objective": "hinge", **CONSTRAINTS},
    {"objective": "wasserstein", "pack": 3, **CONSTRAINTS},
]

every_variant = pytest.mark.parametrize("name", VARIANTS)
every_variant_and_shape = pytest.mark.parametrize(
    ("name", "shape"),
    [(name, shape) for name in VARIANTS for shape in SHAPES if name != "dcgan" or len(shape) == 3],
)


def build(name: str, shape: tuple[int, ...], seed: int = 0, **options: object) -> GAN:
    """Return a variant's GAN with initial weights from a seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        gan: GAN = plugins.build("variants", name, options).build(shape)
    return gan


def labels_for(gan: GAN, batch: int) -> tuple[Tensor, ...]:
    """Return one label for each sample as a 1-tuple; empty for a GAN without classes."""
    return (torch.arange(batch) % gan.classes,) if gan.classes else ()


@every_variant_and_shape
def test_shapes_fit(name: str, shape: tuple[int, ...], normal: Callable[..., Tensor]) -> None:
    """The generator returns samples of the shape, and the discriminator one finite score each."""
    gan = build(name, shape)
    labels = labels_for(gan, 6)
    fakes = gan.generator(normal((6, gan.latent_size)), *labels)
    assert fakes.shape == (6, *shape)
    scores = gan.discriminator(fakes, *labels)
    assert scores.shape == (6,)
    assert scores.isfinite().all()


@every_variant_and_shape
def test_seed_fixes_weights(name: str, shape: tuple[int, ...]) -> None:
    """The same seed gives the same weights, and another seed gives others."""
    first, again, other = (build(name, shape, seed) for seed in (0, 0, 1))
    for network in ("generator", "discriminator"):
        weights = [getattr(gan, network).state_dict() for gan in (first, again, other)]
        assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
        assert not all(torch.equal(weights[0][key], weights[2][key]) for key in weights[0])


@every_variant
def test_gradient_reaches_all_weights(name: str, normal: Callable[..., Tensor]) -> None:
    """At the initial weights, each loss has a gradient at every weight of its own network."""
    shape = (1, 8, 8) if name == "dcgan" else (2,)
    gan = build(name, shape)
    labels = labels_for(gan, 8)
    real, fake = normal((8, *shape)), gan.generator(normal((8, gan.latent_size)), *labels)
    gan.objective.generator(gan.discriminator(fake, *labels)).backward()
    gan.discriminator.zero_grad()
    fake_scores = gan.discriminator(fake.detach(), *labels)
    gan.objective.discriminator(gan.discriminator(real, *labels), fake_scores).backward()
    for network in (gan.generator, gan.discriminator):
        for key, weight in network.named_parameters():
            if not key.endswith("bias"):  # a critic's loss does not depend on a constant
                assert weight.grad is not None
                assert weight.grad.abs().sum() > 0


def small(name: str) -> dict[str, Any]:
    """Return options that make a variant's networks small."""
    return {"width": 4, "latent_size": 3, **({"classes": 8} if name == "conditional" else {})}


@pytest.mark.parametrize("name", WITH_GAN_OPTIONS)
@pytest.mark.parametrize("options", COMBINATIONS, ids=[o["objective"] for o in COMBINATIONS])
def test_options_can_be_combined(
    name: str, options: dict[str, Any], normal: Callable[..., Tensor]
) -> None:
    """A variant with `GANOptions` trains with several of them at once to finite weights.

    A batch of 10 leaves one sample over in packs of 3, and a batch of 2 is smaller than a pack.
    """
    shape = (1, 8, 8) if name == "dcgan" else (2,)
    batch_layer = {} if name == "minibatch_discrimination" else BATCH_LAYER
    gan = build(name, shape, **small(name), **batch_layer, **options)
    labels = torch.arange(40) % 8
    for size in (10, 2):
        plan = Training.model_validate({"steps": 2, "batch_size": size})
        assert train(gan, normal((40, *shape)), plan, 0, None, labels) == 2
    for network in (gan.generator, gan.discriminator):
        assert all(value.isfinite().all() for value in network.state_dict().values())


@pytest.mark.parametrize("name", WITH_GAN_OPTIONS)
def test_spectral_norm_is_one(name: str) -> None:
    """With spectral norm, each layer's largest singular value is 1 after power iterations."""
    shape = (1, 8, 8) if name == "dcgan" else (2,)
    critic = build(name, shape, **small(name), spectral_norm=True).discriminator
    layers = [m for m in critic.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    assert len(layers) >= 3
    for layer in layers:
        for _ in range(200):  # each access in training mode is one more power iteration
            weight = layer.weight
        largest = torch.linalg.matrix_norm(weight.detach().flatten(1), 2)
        assert float(largest) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("name", WITH_GAN_OPTIONS)
def test_packs_have_one_score(name: str, normal: Callable[..., Tensor]) -> None:
    """With packs of 3, 64 samples get 21 scores, and the generator has the same shapes."""
    shape = (1, 8, 8) if name == "dcgan" else (2,)
    plain, packed = (build(name, shape, **small(name), pack=pack) for pack in (1, 3))
    scores = packed.discriminator(normal((64, *shape)), *labels_for(packed, 64))
    assert scores.shape == (21,)
    for key, value in plain.generator.state_dict().items():
        assert value.shape == packed.generator.state_dict()[key].shape


def test_smoothing_needs_a_target() -> None:
    """Label smoothing for an objective without targets is rejected when the variant is built."""
    with pytest.raises(
        BadInput, match="label_smoothing needs a target for real samples, and hinge has"
    ):
        plugins.build("variants", "vanilla", {"objective": "hinge", "label_smoothing": 0.1}, "x")
