"""Several networks: which generator is judged with which discriminator, and by which optimizers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from torch import nn
from torch.optim import LBFGS, Optimizer

from gandiag.attachment.unwrap import inner_network, inner_optimizer
from gandiag.monitoring.snapshot import NetworkName
from gandiag.plugins.errors import BadInput, suggest_nearest

#: One network, or several: by name, or in an order.
Networks: TypeAlias = "nn.Module | Mapping[str, nn.Module] | Sequence[nn.Module]"
Optimizers: TypeAlias = "Optimizer | Sequence[Optimizer]"


class Pair(NamedTuple):
    """One generator and the discriminator that scores its samples.

    Attributes:
        generator: without the wrappers of frameworks.
        discriminator: likewise.
        optimizers: by network, the optimizers that step it, in the order of their steps.
    """

    generator: nn.Module
    discriminator: nn.Module
    optimizers: Mapping[NetworkName, Sequence[Optimizer]]


def list_pairs(
    generator: Networks,
    discriminator: Networks,
    generator_optimizer: Optimizers,
    discriminator_optimizer: Optimizers,
) -> dict[str, Pair]:
    """The pairs by name; one pair of two single networks has an empty name.

    A single network is paired with each of the others. Several generators are paired with several
    discriminators of the same names, or of the same places in a list.

    Raises:
        BadInput: the names differ, or an optimizer does not fit.
    """
    generators, discriminators = _name_networks(generator), _name_networks(discriminator)
    if len(generators) == 1:
        # The name of a single network says nothing where there are several of the other.
        generators = dict.fromkeys(discriminators, *generators.values())
    elif len(discriminators) == 1:
        discriminators = dict.fromkeys(generators, *discriminators.values())
    if generators.keys() != discriminators.keys() or not generators:
        problem = (
            f"the generators are {', '.join(generators) or 'none'}, the discriminators "
            f"{', '.join(discriminators) or 'none'}; give a generator and the discriminator of "
            "its samples the same name"
        )
        raise BadInput("attach", problem)
    optimizers: dict[NetworkName, Sequence[Optimizer]] = {
        "generator": _unwrap_optimizers(generator_optimizer),
        "discriminator": _unwrap_optimizers(discriminator_optimizer),
    }
    pairs = {}
    for name, own_generator in generators.items():
        networks: dict[NetworkName, nn.Module] = {
            "generator": own_generator,
            "discriminator": discriminators[name],
        }
        own = {each: _select_optimizers(each, networks, optimizers[each]) for each in networks}
        pairs[name] = Pair(networks["generator"], networks["discriminator"], own)
    return pairs


def choose_option(option: Any, pair: str, pairs: Mapping[str, Pair], argument: str) -> Any:
    """The value of an option for a pair: a mapping from names of pairs has one for each of them.

    Raises:
        BadInput: the mapping has another name than those of the pairs.
    """
    if not pair or not isinstance(option, Mapping):
        return option
    for name in option:
        if name not in pairs:
            raise BadInput(f"attach: {argument}[{name!r}]", suggest_nearest(str(name), pairs))
    return option.get(pair)


def _name_networks(networks: Networks) -> dict[str, nn.Module]:
    if isinstance(networks, (Mapping, nn.ModuleDict)):
        named = {str(name): network for name, network in networks.items()}
    elif isinstance(networks, (Sequence, nn.ModuleList)):
        named = {str(place): network for place, network in enumerate(networks)}
    else:
        named = {"": networks}
    for name in named:
        if Path(name).name != name and len(named) > 1:  # the name is that of a folder
            raise BadInput(f"attach: {name!r}", "a name of a network has no path in it")
    # The hooks are registered on the inner networks and optimizers: the wrappers call these.
    return {name: inner_network(network) for name, network in named.items()}


def _unwrap_optimizers(optimizers: Optimizers) -> Sequence[Optimizer]:
    """One or several optimizers as a tuple, without the wrappers of frameworks."""
    several = (optimizers,) if isinstance(optimizers, Optimizer) else tuple(optimizers)
    return tuple(inner_optimizer(optimizer) for optimizer in several)


def _select_optimizers(
    name: NetworkName, networks: Mapping[NetworkName, nn.Module], optimizers: Sequence[Optimizer]
) -> Sequence[Optimizer]:
    """Those of the optimizers that step a network of a pair.

    They may step other networks, too, such as a second discriminator or an encoder, but not the
    other network of the pair.

    Raises:
        BadInput: there is none, or one of them cannot be monitored.
    """
    place = f"attach: {name}_optimizer"
    # Compared by identity: tensors compare element by element.
    weights = {each: set(map(id, network.parameters())) for each, network in networks.items()}
    own = [optimizer for optimizer in optimizers if _list_stepped(optimizer) & weights[name]]
    if not own:
        problem = f"has no parameter of the {name}; are the two optimizers swapped?"
        raise BadInput(place, problem)
    if any(isinstance(optimizer, LBFGS) for optimizer in own):
        problem = "LBFGS computes several gradients in one step, so no single one can be measured"
        raise BadInput(place, problem)
    for other in weights.keys() - {name}:
        if any(_list_stepped(optimizer) & (weights[other] - weights[name]) for optimizer in own):
            # One optimizer for both networks steps them with the gradients of both losses.
            problem = f"also steps parameters of the {other}; use one optimizer for each of the two"
            raise BadInput(place, problem)
    return own


def _list_stepped(optimizer: Optimizer) -> set[int]:
    return {id(weight) for group in optimizer.param_groups for weight in group["params"]}
