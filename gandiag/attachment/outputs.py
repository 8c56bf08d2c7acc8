"""What the discriminator returns, and which part of it are the scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

#: Whose scores they are, where one call of D takes real and generated samples as two inputs.
Role = Literal["real", "fake"]
#: The scores of one call by role; the role None where all of them belong to the same samples.
ScoreHeads: TypeAlias = "Mapping[Role | None, tuple[Tensor, ...]]"
#: From the output of a call of D to its scores.
ScoreSelection: TypeAlias = Callable[[Any], ScoreHeads]


def select_only_tensor(output: Any) -> ScoreHeads:
    """The discriminator's output, if it is a tensor or contains a single one beside other values.

    Raises:
        TypeError: the output has several parts; the message says how to select one.
    """
    if isinstance(output, Tensor):
        return {None: (output,)}
    # Many discriminators return their scores and a list of feature maps.
    parts = output if isinstance(output, (tuple, list)) else ()
    tensors = [part for part in parts if isinstance(part, Tensor)]
    if len(tensors) == 1:
        return {None: (tensors[0],)}
    raise TypeError(
        f"the discriminator returns {_describe(output)}; pass attach a function that "
        f"selects the scores, such as {_suggest(output)}"
    )


def select_scores(select: Callable[[Any], Any], output: Any) -> ScoreHeads:
    """The scores that the user's function selects.

    Args:
        select: returns one tensor, a sequence of tensors (several heads or scales), or a mapping
            from "real" and "fake" to one of these.
        output: what the discriminator returned.

    Raises:
        TypeError: the function raises, or returns something else; the message shows the output.
    """
    try:
        selected = select(output)
    except Exception as error:
        reason = f"raises {type(error).__name__}: {error}"
    else:
        parts = selected if isinstance(selected, Mapping) else {None: selected}
        heads = {role: _list_tensors(part) for role, part in parts.items()}
        if all(heads.values()) and set(heads) in ({None}, {"real", "fake"}):
            return heads
        reason = f"returns {_describe(selected)}, not a tensor"
    raise TypeError(
        f"attach: select {reason}; the discriminator returns {_describe(output)}, of which "
        f"{_suggest(output)} selects a tensor"
    )


def join_heads(heads: Sequence[Tensor]) -> Tensor:
    """The scores of all heads as one tensor: one head as it is, several as ``(B, n)``."""
    if len(heads) == 1:
        return heads[0]
    return torch.cat([head.reshape(len(head), -1) for head in heads], 1)


def is_reconstruction(output: Tensor, samples: Tensor, is_energy: bool) -> bool:
    """Whether D is an autoencoder, which returns its input again.

    A map of scores may have the shape of the input, too, but has one channel.

    Args:
        output: what D returns, ``(B, *shape)``.
        samples: what D gets.
        is_energy: whether the user has stated that D returns energies.
    """
    is_like = output.shape == samples.shape and output[0].numel() > 1
    return is_like and (is_energy or min(output.shape[1:]) > 1)


def reconstruction_energy(residual: Tensor) -> Tensor:
    """Mean squared error of each sample, ``(B, 1)``: the energy of EBGAN (Zhao et al. 2017)."""
    return residual.flatten(1).square().mean(1, keepdim=True)


def energy_gradient(residual: Tensor, gradient: Tensor) -> Tensor:
    """Gradient of the loss at the energies, from that at the autoencoder's output, ``(B, 1)``.

    The loss depends on the output by the energy alone: dL/doutput = dL/dE * 2 residual / n, for n
    numbers in a sample. A product with the residual gives dL/dE. An absolute error, as in BEGAN,
    gives the same sign.
    """
    errors, gradients = residual.flatten(1), gradient.detach().flatten(1)
    squares = errors.square().sum(1, keepdim=True).clamp(min=1e-12)
    return (errors * gradients).sum(1, keepdim=True) * errors.shape[1] / (2 * squares)


def _list_tensors(selected: Any) -> tuple[Tensor, ...]:
    """A tensor, or a sequence of nothing but tensors, as a tuple; else an empty one."""
    several = selected if isinstance(selected, (tuple, list)) else (selected,)
    return tuple(several) if all(isinstance(each, Tensor) for each in several) else ()


def _describe(output: Any) -> str:
    """What the discriminator returns, such as ``a dict with the keys 'scores', 'classes'``."""
    name = f"a {type(output).__name__}"
    if isinstance(output, Mapping):
        return f"{name} with the keys {', '.join(map(repr, output))}"
    return f"{name} of {len(output)}" if isinstance(output, (tuple, list)) else name


def _suggest(output: Any) -> str:
    """An option of `attach` that selects the scores of an output."""
    if isinstance(output, Mapping):
        tensors = [key for key, value in output.items() if isinstance(value, Tensor)]
        return f"select=lambda output: output[{(tensors or list(output) or ['scores'])[0]!r}]"
    if isinstance(output, (tuple, list)):
        lists = [part for part in output[:2] if isinstance(part, (tuple, list))]
        if len(lists) == 2 and all(part and _list_tensors(part) for part in lists):
            # As in HiFi-GAN: ``D(real, fake)`` returns the scores of both, a list for each.
            return 'select=lambda output: {"real": output[0], "fake": output[1]}'
        places = [place for place, value in enumerate(output) if isinstance(value, Tensor)]
        return f"select=lambda output: output[{(places or [0])[0]}]"
    return "select=lambda output: output.scores"
