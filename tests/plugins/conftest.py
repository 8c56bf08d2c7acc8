"""A complete snapshot of a training step, for the laws of probes and detectors."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gandiag.models.gan import GAN
from gandiag.monitoring.forward_pass import ForwardPass
from gandiag.monitoring.reference import Reference
from gandiag.monitoring.snapshot import Call, LoopTrace, NetworkInputs, NetworkName, Snapshot


@pytest.fixture
def make_snapshot(
    build_noisy_gan: Callable[[], GAN], ring_reference: Reference, normal: Callable[..., Tensor]
) -> Callable[..., Snapshot]:
    """Make a snapshot with every field, of networks with BatchNorm, dropout and gradients."""

    def make(network_name: NetworkName, digits: bool = False) -> Snapshot:
        gan = build_noisy_gan()
        latents, real = normal((64, 4)), normal((64, 2))
        fake = gan.generator(latents)
        scores = gan.discriminator(fake)
        fake.retain_grad()
        scores.retain_grad()
        loss = gan.objective.generator(scores)
        loss.backward()  # type: ignore[no-untyped-call]
        inputs = NetworkInputs(
            real=normal((8, 2)), real_conditions=(normal((8,)),), fake_conditions=(normal((8,)),),
            generator_inputs=(normal((8, 2)),), generated=normal((8, 2)),
        )  # fmt: skip
        return Snapshot(
            step=100,
            network_name=network_name,
            generator=gan.generator,
            discriminator=gan.discriminator,
            real=real,
            fake=fake.detach(),
            real_scores=gan.discriminator(real).detach(),
            fake_scores=scores.detach(),
            real_pass=ForwardPass(gan.discriminator, lambda: gan.discriminator(real)),
            score_fake=lambda: gan.discriminator(fake.detach()),
            score_gradient=scores.grad,
            input_gradient=fake.grad,
            probability=torch.sigmoid,
            loss=loss.detach(),
            recent=normal((512, 1, 28, 28)) if digits else normal((512, 2)),
            sampled={"training": normal((64, 2)), "evaluation": normal((64, 2))},
            fake_stats=ring_reference.compute_fake_stats(normal((512, 2))),
            latents=(Call((latents,), {}),),
            fixed_pass=ForwardPass(gan.generator, lambda: gan.generator(latents)),
            fixed=fake.detach(),
            fixed_before=normal((64, 2)),
            fixed_steps=100,
            reference=ring_reference,
            weights=normal((9,)),
            weights_before=normal((9,), seed=1),
            weights_steps=10,
            loop_trace=LoopTrace(
                scores.detach(), normal((64,)), scores.detach(), normal((64,)),
                leftover_norm=normal(()),
                largest_weight=normal(()), largest_weight_before=normal(()), inputs=inputs,
            ),
        )  # fmt: skip

    return make
