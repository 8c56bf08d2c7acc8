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
from tests.attachment.loops import BATCH_SIZE, LATENT_SIZE, constant_like

STEPS = 40


@pytest.fixture(autouse=True)
def _fresh_accelerate() -> None:
    """Accelerate keeps the settings of a process's first Accelerator; each test needs its own."""
    for state in (AcceleratorState, GradientState, PartialState):
        state._shared_state.clear()


def train(
    watched: bool, accumulate: int = 1, precision: str = "no"
) -> tuple[list[nn.Module], Attachment | None, list[Optimizer]]:
    """Train as Accelerate documents: prepare, accumulate, and backward through the accelerator."""
    accelerator = Accelerator(
        cpu=True, gradient_accumulation_steps=accumulate, mixed_precision=precision
    )
    torch.manual_seed(0)
    g, d = loops.Generator(), loops.Discriminator()
    samples = torch.cat([images for images, _ in loops.generate_real_batches(STEPS * accumulate)])
    g, d, g_step, d_step, batches = accelerator.prepare(
        g,
        d,
        Adam(g.parameters(), 2e-4),
        Adam(d.parameters(), 2e-4),
        DataLoader(TensorDataset(samples), batch_size=BATCH_SIZE),
    )
    probes = {name: {"every": 5} for name in ("gradient", "confidence", "learning_signal", "units")}
    watch = (
        gandiag.attach(g, d, g_step, d_step, scores="logits", probes=probes) if watched else None
    )
    loss = nn.functional.binary_cross_entropy_with_logits
    torch.manual_seed(1)
    for (real,) in batches:
        with accelerator.accumulate(g, d):
            fake = g(torch.randn(BATCH_SIZE, LATENT_SIZE))
            on_real, on_fake = d(real), d(fake.detach())
            real_loss = loss(on_real, constant_like(on_real, 1.0))
            accelerator.backward(real_loss + loss(on_fake, constant_like(on_fake, 0.0)))
            d_step.step()
            d_step.zero_grad()
            scores = d(fake)
            accelerator.backward(loss(scores, constant_like(scores, 1.0)))
            g_step.step()
            g_step.zero_grad()
    return [g, d], watch, [g_step, d_step]


@pytest.mark.parametrize(("accumulate", "precision"), [(1, "no"), (2, "no"), (1, "bf16")])
def test_prepared_loop_is_measured(accumulate: int, precision: str) -> None:
    """`attach` accepts what `prepare` returns: it counts every step and changes no bit."""
    unwatched, *_ = train(False, accumulate, precision)
    watched, watch, _ = train(True, accumulate, precision)
    for one, other in zip(watched, unwatched, strict=True):
        pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)
    assert watch is not None
    assert watch.step == STEPS
    evaluated = list(range(0, STEPS, 5))
    for signal in ("gradient/norm/generator", "learning_signal/score_gradient/generator"):
        assert watch.record[signal].steps.tolist() == evaluated
    for signal in ("gradient/norm/discriminator", "confidence/gap/discriminator"):
        assert watch.record[signal].steps.tolist() == evaluated


def test_detaching_reaches_wrapped_optimizers() -> None:
    """The hooks are registered on the inner optimizers, and removed from them."""
    networks, watch, wrappers = train(True)
    inner = [inner_optimizer(wrapper) for wrapper in wrappers]
    assert all(type(optimizer) is Adam for optimizer in inner)
    assert all(optimizer._optimizer_step_pre_hooks for optimizer in inner)
    assert watch is not None
    watch.detach()
    assert not any(optimizer._optimizer_step_pre_hooks for optimizer in inner)
    assert not any(network._forward_hooks for network in networks)


def test_frameworks_are_not_imported() -> None:
    """`attach` imports neither Accelerate nor Lightning."""
    code = (
        "import gandiag, gandiag.attachment.attach, sys\n"
        "assert not {'accelerate', 'lightning', 'pytorch_lightning'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
