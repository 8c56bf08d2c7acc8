"""A forward pass that is made once in a turn, whoever asks, and what its activations say."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from gandiag.monitoring.side_effects import without_side_effects

UNBOUNDED = (nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Softplus)
BOUNDED = (nn.Tanh, nn.Sigmoid)
SATURATED = 0.98661  # tanh(2.5), where its slope has fallen below 0.03
STILL = 1e-6  # of the largest output: variation that float32 cannot tell from none


class Activation(NamedTuple):
    """What an activation layer gave, shares in [0, 1], 0-dim.

    Attributes:
        dead: of its units, those whose output does not vary over the batch.
        saturated: of its outputs, those where the slope is below 3 % of its maximum; None for a
            layer without bounds.
    """

    dead: Tensor
    saturated: Tensor | None


class ForwardPass:
    """Leaves no trace in the network, and is made when somebody first asks.

    Args:
        network: what is asked.
        calls: of the network, each giving ``(n, ...)``.
    """

    def __init__(self, network: nn.Module, *calls: Callable[[], Tensor]) -> None:
        """Ask nothing yet."""
        self._network, self._calls = network, calls
        self._found: list[Activation] | None = None

    def watch(self) -> None:
        """Look at the activation layers too, for somebody will ask for them."""
        self._found = []

    @property
    def activations(self) -> Sequence[Activation]:
        """What the activation layers gave in the first call, in the order of its course.

        Where nobody said so before, the network is asked once more.
        """
        if self._found is None:
            self.__dict__.pop("output", None)
            self._found = []
        self.output  # noqa: B018  # which looks at them
        return self._found

    @functools.cached_property
    def output(self) -> Tensor:
        """What the calls gave, joined, ``(n, ...)``, detached."""
        with without_side_effects(self._network):
            hooks = [] if self._found is None else self._hooks(self._found)
            try:
                outputs = [self._calls[0]()]
            finally:
                for hook in hooks:
                    hook.remove()
            outputs += [call() for call in self._calls[1:]]
        return (torch.cat(outputs) if len(outputs) > 1 else outputs[0]).detach()

    def _hooks(self, found: list[Activation]) -> Sequence[RemovableHandle]:
        def look(module: nn.Module, _: object, output: Tensor) -> None:
            found.append(_activation(module, output))

        found.clear()
        kinds = (*UNBOUNDED, *BOUNDED)
        layers = [module for module in self._network.modules() if isinstance(module, kinds)]
        return [layer.register_forward_hook(look) for layer in layers]


def _activation(layer: nn.Module, output: Tensor) -> Activation:
    flat = output.detach().flatten(1).float()
    low, high = flat.amin(0), flat.amax(0)  # a quarter of aminmax's time, a tenth of std's
    largest = torch.maximum(-low.min(), high.max())
    dead = (high - low <= STILL * largest).float().mean()
    if not isinstance(layer, BOUNDED):
        return Activation(dead, None)
    level = flat if isinstance(layer, nn.Tanh) else 2 * flat - 1
    return Activation(dead, (level.abs() > SATURATED).float().mean())
