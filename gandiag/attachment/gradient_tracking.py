"""How a loop goes about its turns: what it leaves in the gradients, and what it does to them."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from gandiag.attachment.calls import DiscriminatorStep
from gandiag.monitoring.snapshot import LoopTrace, Player

FRAMES = 12  # up the stack from an optimizer's hook; torch's own scaler is 5 up, wrappers add some


class BackwardPass(NamedTuple):
    """What lay in the gradients when a backward pass came through D's output.

    `task` tells one pass from another: one pass may come through several of D's outputs. `left` is
    the gradients' norm by player, of those that no pass of the turn can have changed before.
    """

    task: int
    to_generator: bool
    fake: bool
    left: Mapping[Player, Tensor]
    version: int


class GradientTracker:
    """Collects what happens between two optimizer steps, for the turns that are looked at."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module) -> None:
        """Watch these two, without keeping them alive."""
        networks = {"generator": generator, "discriminator": discriminator}
        self._networks: dict[str, weakref.ref[nn.Module]] = {
            player: weakref.ref(network) for player, network in networks.items()
        }
        self._steps: dict[str, int] = dict.fromkeys(networks, 0)
        self._backwards: list[BackwardPass] = []
        self._parameters: dict[str, list[nn.Parameter]] = {}  # to list them takes 40 us
        self._largest: Tensor | None = None
        self._penalised = False

    def steps(self, player: Player) -> int:
        """Optimizer steps of a player so far."""
        return self._steps[player]

    def input_gradient_requested(self) -> None:
        """The loop asks for D's slope at its input."""
        self._penalised = True

    def before_discriminator_call(self) -> None:
        """D is called on samples that are not on their way to the generator."""
        if self._largest is None:
            self._largest = largest_weight(self._of("discriminator"))

    def on_backward(self, to_generator: bool, fake: bool) -> None:
        """A backward pass has reached D's output, and D's and G's gradients not yet."""
        if torch.is_grad_enabled():  # the pass itself is recorded: a penalty asks for a slope,
            self._penalised = True  # which adds to no gradient yet
        elif len(self._backwards) < 8:  # a turn of many small batches tells no more
            left = {player: _norm(self._of(player)) for player in self._unread(to_generator)}
            version = _version(self._of("discriminator"))
            task = torch._C._current_graph_task_id()
            self._backwards.append(BackwardPass(task, to_generator, fake, left, version))

    def trace(
        self, player: Player, turn: DiscriminatorStep, fake: OutputGradient, sign: float | Tensor
    ) -> LoopTrace:
        """What is known of the turn that ends with this step.

        Args:
            player: whose step it is.
            turn: the discriminator's newest turn.
            fake: raw outputs and slopes of the fakes of this turn.
            sign: what slopes are multiplied with: -1 for an optimizer that ascends, and the inverse
                of a loss scale.
        """
        own = player == "discriminator"
        left = (seen.left[player] for seen in self._backwards if player in seen.left)
        return LoopTrace(
            real_output=turn.real_output if own else None,
            real_gradient=_scaled(turn.real_gradient, sign) if own else None,
            fake_output=fake.output,
            fake_gradient=_scaled(fake.gradient, sign),
            certain=turn.certain,
            mixed=turn.mixed,
            has_gradient_penalty=self._penalised,
            leftover_norm=next(left, None),
            has_foreign_gradients=own and self._has_foreign_gradients(),
            largest_weight=largest_weight(self._of("discriminator")),
            largest_weight_before=self._largest if own else None,
            steps=self._steps[player],
        )

    def count(self, player: Player) -> None:
        """A player's optimizer is about to step, and nothing was collected for its turn."""
        self._steps[player] += 1

    def stepped(self, player: Player) -> None:
        """A player's optimizer is about to step; its turn is over."""
        self.count(player)
        self.clear()

    def clear(self) -> None:
        """Let go of every tensor."""
        self._backwards.clear()
        self._parameters.clear()
        self._largest = None

    def _unread(self, to_generator: bool) -> Iterator[Player]:
        """Players whose gradients a pass may be the first to change: any pass changes D's."""
        if not self._backwards:
            yield "discriminator"
        if to_generator and not any(seen.to_generator for seen in self._backwards):
            yield "generator"

    def _has_foreign_gradients(self) -> bool:
        """Whether G's backward pass came after D's own, and D's gradients have changed since.

        D's own pass, or passes, have come through scores of real samples and of fakes by then.
        """
        for later in self._backwards:
            before = [seen for seen in self._backwards if seen.task < later.task]
            judged = any(seen.fake for seen in before) and any(not seen.fake for seen in before)
            if later.to_generator and judged:
                return _version(self._of("discriminator")) > later.version
        return False

    def _of(self, player: Player) -> Sequence[nn.Parameter]:
        """A player's parameters."""
        if player not in self._parameters:
            network = self._networks[player]()
            assert network is not None  # its own forward or backward pass is going on
            self._parameters[player] = list(network.parameters())
        return self._parameters[player]


class OutputGradient(NamedTuple):
    """What D said to some samples, raw, and the slope of a loss there."""

    output: Tensor | None
    gradient: Tensor | None


def largest_weight(parameters: Sequence[nn.Parameter]) -> Tensor | None:
    """Largest absolute entry of the weight tensors among them, 0-dim; None without any."""
    weights = [p.detach() for p in parameters if p.ndim > 1 and p.numel()]
    if not weights:
        return None
    ends = [end for w in weights for end in torch.aminmax(w)]  # a tenth of the infinity norm's time
    return torch.stack(ends).abs().max()


def backward_scale(optimizer: Optimizer) -> tuple[float | Tensor, float | Tensor]:
    """What a gradient scaler multiplied the loss with, and what is still in ``.grad``.

    To be called from a hook of the optimizer's step. `torch.amp.GradScaler` calls that step itself,
    so it is found up the stack; nobody has to name it.
    """
    scaler = _calling_scaler()
    scale = getattr(scaler, "_scale", None)  # a disabled one has none
    if scale is None:
        return 1.0, 1.0
    left = getattr(optimizer, "grad_scale", None)
    return scale, 1.0 if left is None else left


def direction(optimizer: Optimizer) -> float:
    """-1 for an optimizer that climbs, 1 for one that descends."""
    return -1.0 if optimizer.param_groups[0].get("maximize") else 1.0


def _calling_scaler() -> GradScaler | None:
    """The scaler whose ``step`` is being run; other frames' locals are left alone."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(FRAMES):
        if frame is None:
            return None
        if frame.f_code is GradScaler.step.__code__:
            scaler = frame.f_locals["self"]
            return scaler if isinstance(scaler, GradScaler) else None
        frame = frame.f_back
    return None


def _norm(parameters: Sequence[nn.Parameter]) -> Tensor:
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return torch.zeros(())
    whole: Tensor = torch.stack(torch._foreach_norm(gradients)).norm()
    return whole


def _version(parameters: Sequence[nn.Parameter]) -> int:
    """How often the first gradient was changed in place: adding to it counts, setting it not."""
    return next((p.grad._version for p in parameters if p.grad is not None), 0)


def _scaled(slope: Tensor | None, sign: float | Tensor) -> Tensor | None:
    return None if slope is None else slope * sign
