"""Tests of the lint for left-over gradients on loops that compute gradients in unusual orders."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from gandiag.diagnosis.diagnosis import Diagnosis
from tests.diagnosis.lints.written_loops import (
    BATCH,
    LATENT,
    adam,
    fake_loss,
    layers,
    noise,
    real_loss,
    ring,
    usual_step,
    watch_loop,
)

Step = Callable[[nn.Module, nn.Module, Optimizer, Optimizer, int], None]


def train_discriminator(g: nn.Module, d: nn.Module, d_opt: Optimizer) -> None:
    """One correct discriminator step."""
    d_opt.zero_grad()
    (real_loss(d(ring())) + fake_loss(d(g(noise()).detach()))).backward()
    d_opt.step()


def adaptive_weight(g: nn.Module, d: nn.Module, g_opt: Optimizer, d_opt: Optimizer, _: int) -> None:
    """The weight of the adversarial loss is a ratio of gradients at G's last layer (VQGAN)."""
    fake = g(noise())
    other, adversarial = (fake.mean(0) - ring().mean(0)).abs().mean(), real_loss(d(fake))
    last = list(g.parameters())[-2]
    sizes = [
        torch.autograd.grad(loss, last, retain_graph=True)[0].norm()
        for loss in (other, adversarial)
    ]
    g_opt.zero_grad()
    (other + (sizes[0] / (sizes[1] + 1e-4)).detach() * adversarial).backward()
    g_opt.step()
    train_discriminator(g, d, d_opt)


def logged_gradients(
    g: nn.Module, d: nn.Module, g_opt: Optimizer, d_opt: Optimizer, _: int
) -> None:
    """Gradients of D and of G's loss are logged before and after each zero_grad."""
    point = ring().requires_grad_(True)
    torch.autograd.grad(d(point).sum(), point)
    torch.autograd.grad(real_loss(d(ring())), list(d.parameters()))
    usual_step(g, d, g_opt, d_opt)
    torch.autograd.grad(real_loss(d(g(noise()))), list(g.parameters()))


def losses_apart(g: nn.Module, d: nn.Module, g_opt: Optimizer, d_opt: Optimizer, _: int) -> None:
    """Each term has a backward pass of its own; those without D's scores come first."""
    d_opt.zero_grad()
    point = ring().requires_grad_(True)
    (gradient,) = torch.autograd.grad(d(point).sum(), point, create_graph=True)
    gradient.square().sum(1).mean().backward()
    fake_loss(d(g(noise()).detach())).backward()
    real_loss(d(ring())).backward()
    d_opt.step()
    g_opt.zero_grad()
    fake = g(noise())
    (fake.mean(0) - ring().mean(0)).abs().mean().backward(retain_graph=True)
    real_loss(d(fake)).backward()
    g_opt.step()


def generator_pass_first(
    g: nn.Module, d: nn.Module, g_opt: Optimizer, d_opt: Optimizer, _: int
) -> None:
    """G's backward pass, then D's after its zero_grad; both steps come last."""
    g_opt.zero_grad()
    fake = g(noise())
    real_loss(d(fake)).backward()
    d_opt.zero_grad()
    (real_loss(d(ring())) + fake_loss(d(fake.detach()))).backward()
    d_opt.step()
    g_opt.step()


def accumulated(g: nn.Module, d: nn.Module, g_opt: Optimizer, d_opt: Optimizer, index: int) -> None:
    """Both networks step at every third batch; D is frozen in G's passes (Accelerate)."""
    is_last = index % 3 == 2
    d.requires_grad_(True)
    ((real_loss(d(ring())) + fake_loss(d(g(noise()).detach()))) / 3).backward()
    if is_last:
        d_opt.step()
        d_opt.zero_grad()
    d.requires_grad_(False)
    (real_loss(d(g(noise()))) / 3).backward()
    if is_last:
        g_opt.step()
        g_opt.zero_grad()


def accumulated_by_discriminator(
    g: nn.Module, d: nn.Module, g_opt: Optimizer, d_opt: Optimizer, index: int
) -> None:
    """D steps at every third batch, G at each one; D is frozen in G's passes."""
    d.requires_grad_(True)
    ((real_loss(d(ring())) + fake_loss(d(g(noise()).detach()))) / 3).backward()
    if index % 3 == 2:
        d_opt.step()
        d_opt.zero_grad()
    d.requires_grad_(False)
    g_opt.zero_grad()
    real_loss(d(g(noise()))).backward()
    g_opt.step()


def own_pass_only(g: nn.Module, d: nn.Module, g_opt: Optimizer, d_opt: Optimizer, _: int) -> None:
    """Each backward pass is restricted to the parameters of the network that steps."""
    (real_loss(d(ring())) + fake_loss(d(g(noise())))).backward(inputs=list(d.parameters()))
    d_opt.step()
    d_opt.zero_grad()
    real_loss(d(g(noise()))).backward(inputs=list(g.parameters()))
    g_opt.step()
    g_opt.zero_grad()


def relativistic(g: nn.Module, d: nn.Module, g_opt: Optimizer, d_opt: Optimizer, _: int) -> None:
    """Both losses compare D's scores of real and generated samples (Jolicoeur-Martineau 2019)."""
    d_opt.zero_grad()
    real_loss(d(ring()) - d(g(noise()).detach())).backward()
    d_opt.step()
    g_opt.zero_grad()
    real_loss(d(g(noise())) - d(ring())).backward()
    g_opt.step()


CORRECT: dict[str, Step] = {
    step.__name__: step
    for step in (
        adaptive_weight,
        logged_gradients,
        losses_apart,
        generator_pass_first,
        accumulated,
        accumulated_by_discriminator,
        own_pass_only,
        relativistic,
    )
}


def cleared_too_early(
    g: nn.Module, d: nn.Module, g_opt: Optimizer, d_opt: Optimizer, _: int
) -> None:
    """D's gradients are cleared after its own step, before G's backward pass adds to them."""
    (real_loss(d(ring())) + fake_loss(d(g(noise()).detach()))).backward()
    d_opt.step()
    d_opt.zero_grad()
    g_opt.zero_grad()
    real_loss(d(g(noise()))).backward()
    g_opt.step()


def never_cleared_by_critic(
    g: nn.Module, d: nn.Module, g_opt: Optimizer, d_opt: Optimizer, _: int
) -> None:
    """D steps three times for each step of G, and is never cleared."""
    for _ in range(3):
        (real_loss(d(ring())) + fake_loss(d(g(noise()).detach()))).backward()
        d_opt.step()
    g_opt.zero_grad()
    real_loss(d(g(noise()))).backward()
    g_opt.step()


def generator_cleared_too_early(
    g: nn.Module, d: nn.Module, g_opt: Optimizer, d_opt: Optimizer, _: int
) -> None:
    """G is cleared after its step; the samples in D's loss are not detached."""
    d_opt.zero_grad()
    (real_loss(d(ring())) + fake_loss(d(g(noise())))).backward()
    d_opt.step()
    real_loss(d(g(noise()))).backward()
    g_opt.step()
    g_opt.zero_grad()


def logged_and_not_cleared(
    g: nn.Module, d: nn.Module, g_opt: Optimizer, d_opt: Optimizer, _: int
) -> None:
    """D is never cleared; a gradient is logged first."""
    torch.autograd.grad(real_loss(d(ring())), list(d.parameters()))
    cleared = d_opt.zero_grad
    d_opt.zero_grad = lambda *_, **__: None  # type: ignore[method-assign]
    usual_step(g, d, g_opt, d_opt)
    d_opt.zero_grad = cleared  # type: ignore[method-assign]


def discriminator_polluted_between_its_steps(
    g: nn.Module, d: nn.Module, g_opt: Optimizer, d_opt: Optimizer, index: int
) -> None:
    """D steps at every second batch and is never cleared; G's passes add to its gradients."""
    if index % 2 == 0:
        (real_loss(d(ring())) + fake_loss(d(g(noise()).detach()))).backward()
        d_opt.step()
    g_opt.zero_grad()
    real_loss(d(g(noise()))).backward()
    g_opt.step()


WITH_BUG: dict[str, tuple[Step, str]] = {
    step.__name__: (step, network)
    for step, network in (
        (cleared_too_early, "discriminator"),
        (never_cleared_by_critic, "discriminator"),
        (generator_cleared_too_early, "generator"),
        (logged_and_not_cleared, "discriminator"),
        (discriminator_polluted_between_its_steps, "discriminator"),
    )
}


def find_leftover(step: Step, every: int) -> Diagnosis:
    """The lint's diagnosis of a loop, with an evaluation at every `every`-th step."""
    torch.manual_seed(0)
    g, d = layers(LATENT, 32, 2), layers(2, 32, 32, 1)
    optimizers = adam(g), adam(d)
    probes = {"loop": {"every": every}, "diversity": False, "units": False}
    watch = watch_loop(
        g, d, *optimizers, lambda index: step(g, d, *optimizers, index), probes=probes
    )
    return next(d for d in watch.diagnose() if d.condition == "leftover_gradients")


@pytest.mark.parametrize("every", [1, 7, 20])
@pytest.mark.parametrize("name", CORRECT)
def test_correct_order_is_accepted(name: str, every: int) -> None:
    """A gradient that no optimizer uses is not left over, whatever the cadence."""
    found = find_leftover(CORRECT[name], every)
    assert found.status != "present", found


@pytest.mark.parametrize("every", [1, 7, 20])
@pytest.mark.parametrize("name", WITH_BUG)
def test_leftover_is_found(name: str, every: int) -> None:
    """Gradients that an optimizer uses and that were there before its own passes are found."""
    step, network = WITH_BUG[name]
    found = find_leftover(step, every)
    assert (found.status, found.kind) == ("present", network), found


class SharedHead(nn.Module):
    """A discriminator of which one head is trained elsewhere."""

    def __init__(self) -> None:
        """Build the parts."""
        super().__init__()
        self.body, self.other = layers(2, 32, 1), layers(2, 32, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, 2) -> (B, 2)``."""
        return torch.cat([self.body(x), self.other(x)], 1)


def test_weights_of_no_optimizer_do_not_count() -> None:
    """Gradients grow without end at weights that the acting optimizer does not step."""
    torch.manual_seed(0)
    g, d = layers(LATENT, 32, 2), SharedHead()
    g_opt, d_opt = adam(g), Adam(d.body.parameters(), lr=1e-3)
    watch = watch_loop(g, d, g_opt, d_opt, lambda _: usual_step(g, d, g_opt, d_opt))
    found = next(d for d in watch.diagnose() if d.condition == "leftover_gradients")
    assert found.status == "absent", found


def test_two_generators_may_share_a_discriminator() -> None:
    """The passes of another generator add to D's gradients, which are cleared before D's own."""
    torch.manual_seed(0)
    g, other, d = layers(LATENT, 32, 2), layers(LATENT, 16, 2), layers(2, 32, 1)
    g_opt, other_opt, d_opt = adam(g), adam(other), adam(d)

    def step(_: int) -> None:
        for network, optimizer in ((g, g_opt), (other, other_opt)):
            optimizer.zero_grad()
            real_loss(d(network(noise()))).backward()
            optimizer.step()
        d_opt.zero_grad()
        fakes = torch.cat([g(noise()), other(noise())]).detach()[torch.randperm(2 * BATCH)]
        (real_loss(d(ring())) + fake_loss(d(fakes))).backward()
        d_opt.step()

    watch = watch_loop(g, d, g_opt, d_opt, step)
    found = next(d for d in watch.diagnose() if d.condition == "leftover_gradients")
    assert found.status == "absent", found
