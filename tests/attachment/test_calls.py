"""Known answers: which calls of a discriminator step are on real and which on generated samples."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from gandiag.attachment.calls import (
    NO_STEP,
    RECENT_BATCHES,
    DiscriminatorCall,
    FakeRegistry,
    split_real_fake,
)

REAL, FAKE, MIX = 1.0, 2.0, 3.0


def make_call(
    value: float, signs: tuple[float, ...] | None = None, **known: Any
) -> DiscriminatorCall:
    """A call on four samples of one value, with gradients of these signs at its outputs."""
    samples = torch.full((4, 2), value)
    defaults: dict[str, Any] = {
        "is_fake": None,
        "needs_input_gradient": False,
        "to_generator": False,
        "is_only_input": True,
        "discriminator_steps": 0,
        "output_gradient": None if signs is None else torch.tensor(signs)[:, None] / 4,
    }
    return DiscriminatorCall(
        samples, samples[:, :1], lambda: samples[:, :1] + 10, **(defaults | known)
    )


def values(samples: Tensor | None) -> set[float]:
    """The values that occur in the samples."""
    assert samples is not None
    return set(samples.flatten().tolist())


@pytest.mark.parametrize(
    "calls",
    [
        [make_call(REAL), make_call(FAKE, is_fake=True)],
        # A gradient penalty with detached fakes, and one whose fakes were not detached.
        [
            make_call(MIX, needs_input_gradient=True),
            make_call(FAKE, is_fake=True),
            make_call(REAL),
        ],
        [make_call(MIX, to_generator=True), make_call(FAKE, is_fake=True), make_call(REAL)],
        # The fakes are copies that a gradient leads through.
        [make_call(REAL), make_call(FAKE, to_generator=True)],
        # An R1 penalty: the call on real samples has a gradient at the input, too.
        [make_call(REAL, needs_input_gradient=True), make_call(FAKE, is_fake=True)],
        # The user's label decides between two calls of unknown samples.
        [make_call(MIX), make_call(REAL, is_fake=False), make_call(FAKE, is_fake=True)],
    ],
)
def test_calls_are_split_by_origin(calls: list[DiscriminatorCall]) -> None:
    """Memory, labels and the graph identify the calls; interpolates of penalties are left out."""
    step = split_real_fake(calls)
    assert (values(step.real), values(step.fake)) == ({REAL}, {FAKE})
    assert step.has_known_split
    assert not step.has_mixed_batch
    assert step.score_real is not None
    assert values(step.score_real()) == {REAL + 10}


def test_signs_decide_between_unknown_calls() -> None:
    """Without known fakes, the samples whose scores a descent step raises are the real ones."""
    calls = [make_call(FAKE, (1, 1, 1, 1)), make_call(REAL, (-1, -1, -1, -1))]
    step = split_real_fake(calls)
    assert (values(step.real), values(step.fake)) == ({REAL}, {FAKE})
    assert not step.has_known_split


def test_mixed_batch_is_split_by_sample() -> None:
    """A batch of both is split by sample; its gradients are scaled to those of two own means."""
    step = split_real_fake([make_call(REAL, (-1, -1, 1, 1))])
    assert step.has_mixed_batch
    assert step.real_gradient is not None
    assert step.fake_gradient is not None
    # The loss is the mean over four samples, with a derivative of 1 by its own output for each; as
    # the sum of two means over halves it is 1/2 for each.
    assert values(step.real_gradient) == {-0.5}
    assert values(step.fake_gradient) == {0.5}


def test_accumulated_calls_are_joined() -> None:
    """Several calls before one step are joined, and the gradients are those of the joined batch."""
    calls = [make_call(REAL, (-1,) * 4), make_call(FAKE, (1,) * 4, is_fake=True)] * 2
    step = split_real_fake(calls)
    assert step.real is not None
    assert step.real_gradient is not None
    assert step.real.shape == (8, 2)
    assert values(step.real_gradient) == {-2.0}


def test_unknown_calls_give_no_step() -> None:
    """Calls without gradients and without known fakes give no step."""
    assert split_real_fake([make_call(REAL), make_call(FAKE)]) is NO_STEP


def test_registry_recognises_views_and_labels() -> None:
    """Views of a generated batch are fakes, copies are unknown, and a label decides first."""
    registry = FakeRegistry()
    batch = torch.randn(4, 2)
    registry.fakes.append(batch)
    assert registry.is_fake(batch[1:].view(-1)) is True
    assert registry.is_fake(batch.clone()) is None
    registry.label(real=batch, fake=None)
    assert registry.is_fake(batch) is False
    for _ in range(RECENT_BATCHES):
        registry.fakes.append(torch.randn(4, 2))
    registry.label(real=None, fake=(copy := batch.clone()))
    assert registry.is_fake(copy) is True


@pytest.mark.parametrize("has_generated", [True, False])
def test_samples_are_selected_among_inputs(has_generated: bool) -> None:
    """The samples are the input shaped as generated samples, else the first floating-point one."""
    registry = FakeRegistry()
    labels, condition, samples = torch.arange(4), torch.randn(4, 3), torch.randn(4, 2)
    if has_generated:
        registry.fakes.append(torch.randn(4, 2))
    selected = registry.select_samples((labels, condition), {"samples": samples})
    assert selected is (samples if has_generated else condition)
