"""A forward pass that is computed on first use and shared by all probes of a snapshot."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from gandiag.monitoring.side_effects import without_side_effects

UNBOUNDED_ACTIVATIONS = (
    *(nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.ELU),
    *(nn.SELU, nn.GELU, nn.SiLU, nn.Softplus),
)
BOUNDED_ACTIVATIONS = (nn.Tanh, nn.Sigmoid)
# tanh(2.5): beyond this output the derivative 1 - tanh² is below 0.03 of its maximum.
SATURATED_LEVEL = 0.98661
# Relative to a layer's largest output: float32 cannot tell smaller variation from rounding.
CONSTANT_TOLERANCE = 1e-6


class Activation(NamedTuple):
    """Statistics of one activation layer's output, 0-dim tensors in [0, 1].

    Attributes:
        dead: share of its units whose output does not vary over the batch.
        saturated: share of its outputs where the derivative is below 3 % of its maximum; None for
            an unbounded activation.
    """

    dead: Tensor
    saturated: Tensor | None


class ForwardPass:
    """A forward pass without side effects that is computed when it is first needed.

    Args:
        network: the network whose buffers are restored and whose activations are recorded.
        calls: functions that call the network and return ``(n, ...)`` each.
    """

    def __init__(self, network: nn.Module, *calls: Callable[[], Tensor]) -> None:
        """Store the calls; nothing is computed yet."""
        self._network, self._calls = network, calls
        self._activations: list[Activation] | None = None

    def record_activations(self) -> None:
        """Record the activation layers too when the pass is computed, as a probe will need them."""
        self._activations = []

    @property
    def activations(self) -> Sequence[Activation]:
        """Statistics of the activation layers in the first call, in the order of execution.

        Without `record_activations` before, this computes the forward pass a second time.
        """
        if self._activations is None:
            self.__dict__.pop("output", None)
            self._activations = []
        self.output  # noqa: B018  # computing the output fills the list
        return self._activations

    @functools.cached_property
    def output(self) -> Tensor:
        """Outputs of all calls, concatenated, ``(n, ...)``, detached."""
        with without_side_effects(self._network):
            hooks = [] if self._activations is None else self._register_hooks(self._activations)
            try:
                outputs = [self._calls[0]()]
            finally:  # a network must never keep a hook, whatever its forward pass raises
                for hook in hooks:
                    hook.remove()
            outputs += [call() for call in self._calls[1:]]
        return (torch.cat(outputs) if len(outputs) > 1 else outputs[0]).detach()

    def _register_hooks(self, activations: list[Activation]) -> Sequence[RemovableHandle]:
        """Make each activation layer append its statistics to `activations`."""

        def record(module: nn.Module, _: object, output: Tensor) -> None:
            activations.append(_summarise_activation(module, output))

        activations.clear()
        types = (*UNBOUNDED_ACTIVATIONS, *BOUNDED_ACTIVATIONS)
        layers = [module for module in self._network.modules() if isinstance(module, types)]
        return [layer.register_forward_hook(record) for layer in layers]


def _summarise_activation(layer: nn.Module, output: Tensor) -> Activation:
    flat = output.detach().flatten(1).float()
    low, high = flat.amin(0), flat.amax(0)  # a quarter of aminmax's time, a tenth of std's
    max_abs = torch.maximum(-low.min(), high.max())
    dead = (high - low <= CONSTANT_TOLERANCE * max_abs).float().mean()
    if not isinstance(layer, BOUNDED_ACTIVATIONS):
        return Activation(dead, None)
    # sigmoid(x) = (1 + tanh(x / 2)) / 2: scaled to [-1, 1], both have the same saturated level.
    level = flat if isinstance(layer, nn.Tanh) else 2 * flat - 1
    return Activation(dead, (level.abs() > SATURATED_LEVEL).float().mean())
