"""What a probe sees: one player's turn, after its backward pass and before its step."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from gandiag.monitoring.forward_pass import ForwardPass
from gandiag.monitoring.reference import Reference
from gandiag.monitoring.sample_metrics import FakeStats

Player = Literal["generator", "discriminator"]


class Call(NamedTuple):
    """What a network was called with."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def first_tensor(output: Any) -> Tensor:
    """A network's output, or its first part where it gives several.

    Raises:
        TypeError: there is no tensor in it.
    """
    if isinstance(output, Tensor):
        return output
    parts = output.values() if isinstance(output, Mapping) else output
    if isinstance(parts, Iterable):
        for part in parts:
            if isinstance(part, Tensor):
                return part
    raise TypeError(f"no tensor in an output of type {type(output).__name__}")


@dataclass(frozen=True, slots=True)
class LoopTrace:
    """How a loop went about a turn: what it may get wrong where it is somebody's own.

    Attributes:
        real_output: what D said to the real batch of its turn, raw, ``(B, ...)``.
        real_slope: dL_D/d`real_output` as D's optimizer descends it, times the number of outputs.
        fake_output: the same for the fakes of this turn.
        fake_slope: dL/d`fake_output` of the acting player's loss, likewise.
        certain: whether real and fake were told apart by memory or by the user, not by the slopes.
        mixed: whether one call of D held real and fake samples.
        penalised: whether the loop has asked for D's slope at its input by now, as penalties do.
        leftover: norm of the acting player's gradients before the first backward pass of its turn,
            0-dim; None where no backward pass was seen.
        overlaid: whether the other player's backward pass added to these gradients between this
            player's own and its step.
        largest: largest absolute weight of D now, 0-dim.
        largest_before: the same at the forward pass of D's turn.
        steps: optimizer steps of the acting player so far.
    """

    real_output: Tensor | None = None
    real_gradient: Tensor | None = None
    fake_output: Tensor | None = None
    fake_gradient: Tensor | None = None
    certain: bool = False
    mixed: bool = False
    has_gradient_penalty: bool = False
    leftover_norm: Tensor | None = None
    has_foreign_gradients: bool = False
    largest_weight: Tensor | None = None
    largest_weight_before: Tensor | None = None
    steps: int = 0


@dataclass(frozen=True)
class Snapshot:
    """One player's turn: its gradients are fresh, its weights not yet stepped. Read only.

    A field is None where the loop cannot tell it. Every tensor is detached and stays on its device.

    Attributes:
        step: generator updates completed when the turn began.
        player: whose turn it is. Only this player's ``.grad`` is its own: the generator's backward
            pass adds to the discriminator's too.
        generator: the network that makes samples.
        judged: the network whose samples `recent` and `fixed` are: a running average of the
            generator where the loop keeps one; None for the generator itself.
        discriminator: the network that scores them.
        real: the real batch that the discriminator saw last, ``(B, *shape)``, here and below
            without instance noise.
        fake: discriminator's turn: the fakes it scored; generator's turn: the fakes it is judged
            by, ``(B, *shape)``.
        real_scores: discriminator's output on `real` in its last turn, ``(B, ...)``.
        fake_scores: discriminator's output on `fake` in this turn, ``(B, ...)``.
        real_pass: scores the real batch of the discriminator's last turn again, with its weights
            as they are now.
        score_fake: the same for the fakes of that turn; to be called within
            `gandiag.monitoring.side_effects`.
        score_gradient: generator's turn: dL_G/dscores, shaped as `fake_scores`.
        input_gradient: generator's turn: dL_G/dfake, shaped as `fake`.
        probability: scores -> P(real), or None for a critic.
        loss: what the player minimises in this turn, 0-dim.
        recent: the newest fakes that the loop itself made, or the averaged generator from the same
            latents, ``(n, *shape)``, newest last.
        placed: the newest of them among the real samples, as many as the reference asks for; None
            while there are fewer.
        latents: calls of the generator that make the run's fixed samples; empty at first.
        fixed_pass: makes the first of them, with its weights as they are now.
        fixed: the output of `evaluated_generator` at the first fixed latents, ``(k, *shape)``.
        fixed_before: the same at the newest look that is 100 steps old or older, None before.
        fixed_steps: generator steps between the two.
        reference: what the real data say about themselves.
        gradient_scale: what ``.grad`` is multiplied with where a scaler leaves unscaling to the
            optimizer's step (fused optimizers under `torch.amp.GradScaler`); 1 else.
        weights: a sample of the acting player's weights, ``(n,)``.
        weights_before: the same at the probes' last look at them, None before.
        weights_steps: generator steps between the two.
        conduct: how the loop went about this turn, where it is somebody's own.
    """

    step: int
    player: Player
    generator: nn.Module
    discriminator: nn.Module
    evaluated_generator: nn.Module | None = None
    real: Tensor | None = None
    fake: Tensor | None = None
    real_scores: Tensor | None = None
    fake_scores: Tensor | None = None
    real_pass: ForwardPass | None = None
    score_fake: Callable[[], Tensor] | None = None
    score_gradient: Tensor | None = None
    input_gradient: Tensor | None = None
    probability: Callable[[Tensor], Tensor] | None = None
    loss: Tensor | None = None
    recent: Tensor | None = None
    fake_stats: FakeStats | None = None
    latents: tuple[Call, ...] = ()
    fixed_pass: ForwardPass | None = None
    fixed: Tensor | None = None
    fixed_before: Tensor | None = None
    fixed_steps: int = 0
    reference: Reference | None = None
    gradient_scale: float | Tensor = 1.0
    weights: Tensor | None = None
    weights_before: Tensor | None = None
    weights_steps: int = 0
    loop_trace: LoopTrace | None = None

    @property
    def network(self) -> nn.Module:
        """The acting player's network."""
        return self.generator if self.player == "generator" else self.discriminator

    @functools.cached_property
    def parameters(self) -> Mapping[str, nn.Parameter]:
        """The acting player's, by name; to walk through a network takes 20 us and more."""
        return dict(self.network.named_parameters())

    @functools.cached_property
    def gradient_norms(self) -> Mapping[str, Tensor]:
        """Euclidean norms of the parameters' ``.grad``, 0-dim, as they are, of those that have one.

        Computed when first asked for, by one kernel for all tensors.
        """
        graded = {n: p.grad for n, p in self.parameters.items() if p.grad is not None}
        if not graded:
            return {}
        with torch.no_grad():
            return dict(zip(graded, torch._foreach_norm(list(graded.values())), strict=True))
