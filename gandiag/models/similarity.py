"""The similarities of minibatch discrimination, computed a few kernels at a time.

The plain formula holds a tensor of ``B * B * kernels * dimensions`` numbers, and several passes
over main memory write and read that tensor. Here each pass covers the pairs of a few kernels, which
stay in the processor's cache, and only ``exp(-distance)`` is kept for the backward pass.
`gandiag bench layers` measures the difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

# Numbers in one block of pairs: 512 KB in float32. Three such blocks are in use at a time, which is
# about the second-level cache of a core; blocks half or twice that size are slower.
_BLOCK = 1 << 17


def sum_similarities(rows: Tensor) -> Tensor:
    """Return ``o_ib = sum over j != i of exp(-||M_ib - M_jb||_1)``, shape ``(B, kernels)``.

    Args:
        rows: M, ``(B, kernels, dimensions)``, of any real floating dtype.

    The result can be differentiated twice, as a gradient penalty requires. Memory grows with
    ``B^2 * kernels`` where a gradient is needed, and with ``B^2`` where none is.
    """
    sums: Tensor = _SumSimilarities.apply(rows.permute(1, 2, 0).contiguous())
    return (sums - 1).T  # the sum over j = i is exp(0) = 1


class _SumSimilarities(torch.autograd.Function):
    """Map M as ``(kernels, dimensions, B)`` to sums over all j, ``(kernels, B)``."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        kernels, _, batch = rows.shape
        sums = rows.new_empty(kernels, batch)
        kept = rows.new_empty(kernels, batch, batch) if ctx.needs_input_grad[0] else None
        for part in _split_kernels(rows):
            distances = _sum_distances(rows[part], None if kept is None else kept[part])
            torch.sum(distances.neg_().exp_(), -1, out=sums[part])
        ctx.save_for_backward(rows, kept)
        return sums

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        rows, similarities = ctx.saved_tensors
        gradient: Tensor = _Gradient.apply(rows, similarities, grad.contiguous())
        return gradient


class _Gradient(torch.autograd.Function):
    """The gradient of the sums: ``-sum over j of (g_i + g_j) e_ij sign(m_id - m_jd)``.

    ``e`` are the similarities of the pairs, and ``g`` the gradient with respect to the sums, whose
    pair (i, j) is counted for both of its samples.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, similarities: Tensor, grad: Tensor) -> Tensor:
        ctx.save_for_backward(rows, similarities, grad)
        result = torch.empty_like(rows)
        for part in _split_kernels(rows):
            weights = (grad[part, :, None] + grad[part, None]).mul_(similarities[part])
            _sum_signs(weights, rows[part], result[part])
        return result

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None, Tensor]:
        """Return the gradients with respect to M and g.

        With ``r_ij = sum over d of (v_id - v_jd) sign(m_id - m_jd)`` for the incoming gradient v,
        they are ``sum over j of (g_i + g_j) e_ij r_ij sign(m_id - m_jd)`` and
        ``-sum over j of e_ij r_ij``; signs are constant almost everywhere.
        """
        rows, similarities, grad = ctx.saved_tensors
        for_rows, for_grad = torch.empty_like(rows), torch.empty_like(grad)
        for part in _split_kernels(rows):
            products = torch.zeros_like(similarities[part])
            for m, v in zip(rows[part].unbind(1), outer[part].unbind(1), strict=True):
                signs = (m[:, :, None] - m[:, None]).sign_()
                products += signs.mul_(v[:, :, None] - v[:, None])
            products *= similarities[part]
            for_grad[part] = -products.sum(-1)
            _sum_signs(
                (grad[part, :, None] + grad[part, None]) * products, rows[part], for_rows[part]
            )
        return -for_rows, None, for_grad


def _split_kernels(rows: Tensor) -> Iterator[slice]:
    """Yield slices of kernels whose pairs of samples fill one block."""
    count = max(1, _BLOCK // rows.shape[2] ** 2)
    yield from (slice(start, start + count) for start in range(0, len(rows), count))


def _sum_distances(rows: Tensor, out: Tensor | None) -> Tensor:
    """Return ``||M_i - M_j||_1`` for ``(K, D, B)`` rows: ``(K, B, B)``, written to `out`."""
    kernels, dimensions, batch = rows.shape
    total = rows.new_empty(kernels, batch, batch) if out is None else out
    torch.sub(rows[:, 0, :, None], rows[:, 0, None], out=total).abs_()
    difference = torch.empty_like(total)
    for d in range(1, dimensions):
        torch.sub(rows[:, d, :, None], rows[:, d, None], out=difference)
        total += difference.abs_()
    return total


def _sum_signs(weights: Tensor, rows: Tensor, out: Tensor) -> None:
    """Write ``-sum over j of w_ij sign(m_id - m_jd)``, ``(K, D, B)``, to `out`.

    Signs are computed again: storing them would cost `dimensions` times the memory of the
    similarities, and reading them back takes longer than a subtraction.
    """
    signs = torch.empty_like(weights)
    for d in range(rows.shape[1]):
        torch.sub(rows[:, d, None], rows[:, d, :, None], out=signs)  # (j - i): the minus is here
        torch.sum(signs.sign_().mul_(weights), -1, out=out[:, d])
