"""Displacement between two evaluations: of samples at fixed latents, and of the weights."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from gandiag.monitoring.forward_pass import ForwardPass
from gandiag.monitoring.snapshot import Call, NetworkName, Snapshot, first_tensor

# Number of fixed latents: a sample grid of 8 x 8 images.
FIXED_LATENTS = 64
# Fixed latents at which the displacement is measured. All 64 would cost a DCGAN's loop 0.2 % more.
DISPLACEMENT_LATENTS = 32
# Generator steps over which the displacement is measured, at least. Samples move back and forth,
# so the displacement per step is larger over shorter times.
DISPLACEMENT_STEPS = 100
# Weights of a network whose displacement stands for that of all; spread evenly over the network.
WEIGHT_SAMPLE_SIZE = 4096


class FixedLatents:
    """The first inputs with which the loop called its generator, kept as the fixed latents.

    So gandiag draws no random numbers, and conditional generators get labels of the right form.

    Attributes:
        calls: the arguments of the generator's calls with these inputs.
        count: number of samples that these calls generate, at most `FIXED_LATENTS`.
        to_samples: from what the generator returns to its samples ``(B, *shape)``.
    """

    def __init__(self) -> None:
        """Start without latents."""
        self.to_samples: Callable[[Any], Tensor] = first_tensor
        self.calls: list[Call] = []
        self.count = 0
        self._displacement_calls: list[Call] = []
        self._outputs: deque[tuple[int, Tensor]] = deque()  # (step, output), oldest first

    def add(self, batch: int, call: Call) -> None:
        """Keep the inputs of a call that generated `batch` samples, as far as more are needed."""
        missing = FIXED_LATENTS - self.count
        self.calls.append(_truncate_call(call, batch, missing))
        if self.count < DISPLACEMENT_LATENTS:
            self._displacement_calls.append(
                _truncate_call(call, batch, DISPLACEMENT_LATENTS - self.count)
            )
        self.count += min(batch, missing)

    def generate_samples(self, generator: nn.Module) -> Tensor:
        """Generate the fixed samples ``(count, *shape)``, in the generator's current mode."""
        return self._forward_pass(generator, self.calls).output[:FIXED_LATENTS]

    def build_forward_pass(self, generator: nn.Module) -> ForwardPass:
        """A forward pass at the first `DISPLACEMENT_LATENTS` latents, ``(n, *shape)``.

        There are more samples if the inputs of a call could not be truncated.
        """
        return self._forward_pass(generator, self._displacement_calls)

    def update_displacement(self, step: int, output: Tensor) -> dict[str, Any]:
        """Store the output at the fixed latents, and find the output to compare it with.

        Args:
            step: generator steps completed.
            output: ``(n, *shape)`` output of `build_forward_pass`.

        Returns:
            The snapshot's fields ``fixed`` and, once there is an output that is at least
            `DISPLACEMENT_STEPS` old, ``fixed_before`` and ``fixed_steps``.
        """
        fixed = output[:DISPLACEMENT_LATENTS]
        self._outputs.append((step, fixed))
        # The first output stays the newest of those that are old enough.
        while len(self._outputs) > 1 and self._outputs[1][0] <= step - DISPLACEMENT_STEPS:
            self._outputs.popleft()
        earlier_step, earlier_output = self._outputs[0]
        if earlier_step > step - DISPLACEMENT_STEPS:
            return {"fixed": fixed}
        return {
            "fixed": fixed,
            "fixed_before": earlier_output,
            "fixed_steps": step - earlier_step,
        }

    def state(self) -> dict[str, Any]:
        """All that decides the further displacements, for `load_state`."""
        return {
            "calls": self.calls,
            "displacement_calls": self._displacement_calls,
            "count": self.count,
            "outputs": list(self._outputs),
        }

    def load_state(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go on with the latents that gave this `state`."""
        self.calls = [_move_call(Call(*call), device) for call in state["calls"]]
        calls = state["displacement_calls"]
        self._displacement_calls = [_move_call(Call(*call), device) for call in calls]
        self.count = state["count"]
        self._outputs = deque((step, output.to(device)) for step, output in state["outputs"])

    def _forward_pass(self, generator: nn.Module, calls: Iterable[Call]) -> ForwardPass:
        return ForwardPass(generator, *(partial(self._generate, generator, call) for call in calls))

    def _generate(self, generator: nn.Module, call: Call) -> Tensor:
        return self.to_samples(getattr(generator, call.method)(*call.args, **call.kwargs))


class WeightSample:
    """A sample of each network's weights at its last evaluation."""

    def __init__(self) -> None:
        """Start without weights."""
        self._last: dict[NetworkName, tuple[int, Tensor]] = {}

    def update_displacement(self, snapshot: Snapshot) -> dict[str, Any]:
        """Store a sample of the stepping network's weights, and find the sample before.

        Returns:
            The snapshot's fields ``weights``, ``weights_before`` and ``weights_steps``; no fields
            for a network without trainable weights.
        """
        weights, name = _sample_weights(snapshot.parameters.values()), snapshot.network_name
        if weights is None:
            return {}
        last_step, before = self._last.get(name, (snapshot.step, None))
        self._last[name] = snapshot.step, weights
        return {
            "weights": weights,
            "weights_before": before,
            "weights_steps": snapshot.step - last_step,
        }

    def state(self) -> dict[str, Any]:
        """The samples of the weights, for `load_state`."""
        return {name: list(entry) for name, entry in self._last.items()}

    def load_state(self, state: Mapping[NetworkName, Any], device: torch.device) -> None:
        """Go on with the samples that gave this `state`."""
        self._last = {name: (step, old.to(device)) for name, (step, old) in state.items()}


def _move_call(call: Call, device: torch.device) -> Call:
    def move(value: Any) -> Any:
        return value.to(device) if isinstance(value, Tensor) else value

    kwargs = {key: move(value) for key, value in call.kwargs.items()}
    return Call(tuple(map(move, call.args)), kwargs, call.method)


def _sample_weights(parameters: Iterable[nn.Parameter]) -> Tensor | None:
    """About `WEIGHT_SAMPLE_SIZE` weights ``(n,)``, every n-th of all trainable ones, or None."""
    weights = [p.detach() for p in parameters if p.requires_grad]
    stride = max(1, sum(p.numel() for p in weights) // WEIGHT_SAMPLE_SIZE)
    parts = [p.reshape(-1)[::stride].float() for p in weights]
    return torch.cat(parts) if parts else None


def _truncate_call(call: Call, batch: int, count: int) -> Call:
    """The arguments for the first `count` samples of a batch."""
    args = tuple(_truncate(value, batch, count) for value in call.args)
    kwargs = {key: _truncate(value, batch, count) for key, value in call.kwargs.items()}
    return Call(args, kwargs, call.method)


def _truncate(value: Any, batch: int, count: int) -> Any:
    """The first rows of a tensor with one row per sample; any other value as it is."""
    if isinstance(value, Tensor):
        return value[:count].detach().clone() if value.ndim and len(value) == batch else value
    return value
