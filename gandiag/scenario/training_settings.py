"""How the game is played: steps, batches and optimizers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Frozen(BaseModel):
    """Settings that cannot be changed, with no key but the known ones."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _no_switch(value: Any) -> Any:
    if isinstance(value, bool):  # else ``steps: yes`` would be one step
        raise ValueError("should be a number, not a switch")
    return value


Count = Annotated[int, Field(ge=1), BeforeValidator(_no_switch)]
Seed = Annotated[int, Field(ge=0, lt=2**63), BeforeValidator(_no_switch)]  # what torch takes
Size = Annotated[float, Field(gt=0.0), BeforeValidator(_no_switch)]
Share = Annotated[float, Field(gt=0.0, le=1.0), BeforeValidator(_no_switch)]
Decay = Annotated[float, Field(ge=0.0, lt=1.0), BeforeValidator(_no_switch)]  # of a running mean


class Adam(Frozen):
    """Adam (Kingma & Ba 2015)."""

    name: Literal["adam"] = "adam"
    lr: Size = 2e-4  # with betas (0.5, 0.999): Radford et al. 2016, section 4
    betas: tuple[Decay, Decay] = (0.5, 0.999)
    eps: Size = 1e-8


class SGD(Frozen):
    """Stochastic gradient descent."""

    name: Literal["sgd"] = "sgd"
    lr: Size = 0.01
    momentum: Decay = 0.0


class RMSprop(Frozen):
    """RMSprop, as used for clipped critics (Arjovsky et al. 2017, algorithm 1)."""

    name: Literal["rmsprop"] = "rmsprop"
    lr: Size = 5e-5
    alpha: Decay = 0.99
    eps: Size = 1e-8


def _named(value: Any) -> Any:
    """``optimizer: sgd`` is one; ``optimizer: {lr: 1e-3}`` is Adam."""
    if isinstance(value, str):
        return {"name": value}
    return {"name": "adam", **value} if isinstance(value, Mapping) else value


Optimizer = Annotated[Adam | SGD | RMSprop, Field(discriminator="name"), BeforeValidator(_named)]


class NetworkTraining(Frozen):
    """How one player learns."""

    steps: Count = 1  # updates of this player an iteration
    optimizer: Optimizer = Adam()


class InstanceNoise(Frozen):
    """Noise on all that the discriminator sees, fading out (Sønderby et al. 2017)."""

    sd: Annotated[float, Field(ge=0.0), BeforeValidator(_no_switch)] = 0.0  # at first, over the
    # real data's own standard deviation; 0 is none
    until: Share = 1.0  # share of the run's steps after which it has gone, linearly


class Training(Frozen):
    """How long and how the game is played."""

    steps: Count = 2000  # generator updates in all
    batch_size: Annotated[Count, Field(ge=2)] = 64
    generator: NetworkTraining = NetworkTraining()
    discriminator: NetworkTraining = NetworkTraining()
    instance_noise: InstanceNoise = InstanceNoise()
    averaging: Decay = 0.0  # decay of G's running average, which is judged in its place; 0: none
    decay_from: Share = 1.0  # share of the steps after which both rates fall linearly to 0
