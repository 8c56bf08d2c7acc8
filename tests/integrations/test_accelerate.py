from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState
from torch import nn
from torch.optim import Adam, Optimizer
from torch.utils.data import DataLoader, TensorDataset

import gandiag
from gandiag.attachment.unwrap import inner_optimizer
from gandiag.attachment.watch_handle import Attachment
from tests.attachment import loops
from tests.attachment.loops import BATCH, LATENT, targets

STEPS = 40


@pytest.fixture(autouse=True)
def _fresh_accelerate() -> None:
    """Accelerate keeps the settings of the first Accelerator for the process."""
    for state in (AcceleratorState, GradientState, PartialState):
        state._shared_state.clear()


def train(
    watched: bool, accumulate: int = 1, precision: str = "no"
) -> tuple[list[nn.Module], Attachment | None, list[Optimizer]]:
    """Accelerate's own way: prepare all, accumulate, backward through the accelerator."""
    accelerator = Accelerator(
        cpu=True, gradient_accumulation_steps=accumulate, mixed_precision=precision
    )
    torch.manual_seed(0)
    g, d = loops.Generator(), loops.Discriminator()
    samples = torch.cat([images for images, _ in loops.reals(STEPS * accumulate)])
    g, d, g_step, d_step, batches = accelerator.prepare(
        g,
        d,
        Adam(g.parameters(), 2e-4),
        Adam(d.parameters(), 2e-4),
        DataLoader(TensorDataset(samples), batch_size=BATCH),
    )
    probes = {name: {"every": 5} for name in ("gradient", "confidence", "learning_signal", "units")}
    watch = (
        gandiag.attach(g, d, g_step, d_step, scores="logits", probes=probes) if watched else None
    )
    loss = nn.functional.binary_cross_entropy_with_logits
    torch.manual_seed(1)
    for (real,) in batches:
        with accelerator.accumulate(g, d):
            fake = g(torch.randn(BATCH, LATENT))
            on_real, on_fake = d(real), d(fake.detach())
            real_loss = loss(on_real, targets(on_real, 1.0))
            accelerator.backward(real_loss + loss(on_fake, targets(on_fake, 0.0)))
            d_step.step()
            d_step.zero_grad()
            scores = d(fake)
            accelerator.backward(loss(scores, targets(scores, 1.0)))
            g_step.step()
            g_step.zero_grad()
    return [g, d], watch, [g_step, d_step]


@pytest.mark.parametrize(("accumulate", "precision"), [(1, "no"), (2, "no"), (1, "bf16")])
def test_prepared_loop_is_watched(accumulate: int, precision: str) -> None:
    """What `prepare` returns can be attached to: every real step is seen, no bit is changed."""
    alone, *_ = train(False, accumulate, precision)
    watched, watch, _ = train(True, accumulate, precision)
    for ours, theirs in zip(watched, alone, strict=True):
        pairs = zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)
    assert watch is not None
    assert watch.step == STEPS
    looks = list(range(0, STEPS, 5))
    for signal in ("gradient/norm/generator", "learning_signal/score_gradient/generator"):
        assert watch.record[signal].steps.tolist() == looks
    for signal in ("gradient/norm/discriminator", "confidence/gap/discriminator"):
        assert watch.record[signal].steps.tolist() == looks


def test_detaching_reaches_what_is_wrapped() -> None:
    """The hooks hang on the optimizers inside, and are taken from there."""
    networks, watch, wrappers = train(True)
    inner = [inner_optimizer(wrapper) for wrapper in wrappers]
    assert all(type(optimizer) is Adam for optimizer in inner)
    assert all(optimizer._optimizer_step_pre_hooks for optimizer in inner)
    assert watch is not None
    watch.detach()
    assert not any(optimizer._optimizer_step_pre_hooks for optimizer in inner)
    assert not any(network._forward_hooks for network in networks)


def test_frameworks_stay_unloaded() -> None:
    """Attaching loads neither Accelerate nor Lightning."""
    code = (
        "import gandiag, gandiag.attachment.attach, sys\n"
        "assert not {'accelerate', 'lightning', 'pytorch_lightning'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
