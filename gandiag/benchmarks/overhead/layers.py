"""Forward and backward pass of minibatch discrimination in three forms."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from gandiag.benchmarks.overhead.measure import ALTERNATION, Comparison, Loop, Train
from gandiag.models.similarity import sum_similarities

# Batch, kernels and dimensions: an early example of other libraries, the sizes of Salimans et al.
# 2016, and these sizes with a batch that large GANs use.
SIZES = ((64, 32, 16), (128, 100, 5), (256, 100, 5))
# One alternation: the largest broadcast takes half a second a step.
STEPS = ALTERNATION


def sum_broadcast(rows: Tensor) -> Tensor:
    """Return the sums by one broadcast over all pairs, kernels and dimensions."""
    return torch.exp(-(rows[:, None] - rows[None]).abs().sum(-1)).sum(1) - 1


def sum_with_cdist(rows: Tensor) -> Tensor:
    """Return the sums by `torch.cdist`, which cannot be differentiated twice."""
    kernels_first = rows.transpose(0, 1).contiguous()
    return (torch.exp(-torch.cdist(kernels_first, kernels_first, p=1)).sum(-1) - 1).T


FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "gandiag": sum_similarities,
    "broadcast": sum_broadcast,
    "torch.cdist": sum_with_cdist,
}


def build_layer_comparisons(rounds: int) -> list[Comparison]:
    """Return one comparison for each of `SIZES`, with gandiag's form as the base."""
    loops = {name: functools.partial(_enter_loop, form) for name, form in FORMS.items()}
    return [_compare_forms(size, loops, rounds) for size in SIZES]


def _compare_forms(
    size: tuple[int, int, int], loops: Mapping[str, Loop], rounds: int
) -> Comparison:
    name = "minibatch discrimination, batch {}, {} kernels of {} dimensions".format(*size)
    # A standard deviation of 0.3 gives similarities between 0 and 1: no number is denormal.
    build = functools.partial(_draw_rows, size)
    return Comparison(name, "forward and backward", "gandiag", build, loops, rounds)


def _draw_rows(size: tuple[int, int, int]) -> Tensor:
    return (0.3 * torch.randn(size)).requires_grad_()


@contextmanager
def _enter_loop(form: Callable[[Tensor], Tensor], rows: Tensor) -> Iterator[Train]:
    def train(steps: int) -> None:
        for _ in range(steps):
            rows.grad = None
            torch.autograd.backward(form(rows).sum())

    train(2)  # The first pass allocates the memory that later passes take again.
    yield train
