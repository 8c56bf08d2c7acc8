"""The derivative of the loss as a function of D's output: it identifies the objective."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import PositiveInt
from torch import Tensor

from gandiag.monitoring.snapshot import Snapshot


@dataclass(frozen=True)
class Objective:
    """Pairs of D's raw output and the derivative of the loss there.

    The pairs are spread evenly over the outputs of a batch, in ascending order. The derivative is
    the gradient at one output times the number of outputs, as for a loss that is a mean. A negative
    derivative means that the optimizer raises the output. The vectors of outputs and gradients have
    equal lengths; entries that a small batch lacks are NaN.
    """

    # Pairs in each evaluation; a curve of two parameters needs few.
    pairs: PositiveInt = 16

    uses: ClassVar[frozenset[str]] = frozenset({"loop_trace"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the pairs of the stepping network's loss; none for gandiag's own loop."""
        trace = snapshot.loop_trace
        if trace is None:
            return {}
        numbers: dict[str, float | Tensor] = {}
        for origin, output, gradient in (
            ("real", trace.real_output, trace.real_gradient),
            ("fake", trace.fake_output, trace.fake_gradient),
        ):
            if output is not None and gradient is not None:
                outputs, gradients = self._select_pairs(output, gradient)
                numbers[f"outputs_{origin}/{snapshot.network_name}"] = outputs
                numbers[f"gradients_{origin}/{snapshot.network_name}"] = gradients
        return numbers

    def _select_pairs(self, output: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Two vectors ``(pairs,)``: outputs in ascending order, and the gradients there."""
        outputs, order = output.flatten().float().sort()
        gradients = gradient.flatten().float()[order]
        count = min(self.pairs, len(outputs))
        chosen = torch.linspace(0, len(outputs) - 1, count, device=outputs.device).long()
        padding = outputs.new_full((self.pairs - count,), torch.nan)
        return torch.cat([outputs[chosen], padding]), torch.cat([gradients[chosen], padding])
