"""Settings of the training: steps, batches, optimizers, and noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Frozen(BaseModel):
    """Immutable settings; an unknown key is an error, and so is an infinite number."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _reject_boolean(value: Any) -> Any:
    if isinstance(value, bool):  # YAML reads ``steps: yes`` as True, which pydantic takes for 1
        raise ValueError("should be a number, not on or off")
    return value


Count = Annotated[int, Field(ge=1), BeforeValidator(_reject_boolean)]
# torch.Generator.manual_seed takes signed 64-bit integers.
Seed = Annotated[int, Field(ge=0, lt=2**63), BeforeValidator(_reject_boolean)]
Size = Annotated[float, Field(gt=0.0), BeforeValidator(_reject_boolean)]
Share = Annotated[float, Field(gt=0.0, le=1.0), BeforeValidator(_reject_boolean)]
# Decay of a running mean: the share of the old mean that one step keeps.
Decay = Annotated[float, Field(ge=0.0, lt=1.0), BeforeValidator(_reject_boolean)]


class Adam(Frozen):
    """Adam (Kingma & Ba 2015)."""

    name: Literal["adam"] = "adam"
    # Learning rate and betas are those of DCGAN (Radford et al. 2016, section 4).
    lr: Size = 2e-4
    betas: tuple[Decay, Decay] = (0.5, 0.999)
    eps: Size = 1e-8


class SGD(Frozen):
    """Stochastic gradient descent."""

    name: Literal["sgd"] = "sgd"
    lr: Size = 0.01
    momentum: Decay = 0.0


class RMSprop(Frozen):
    """RMSprop, the optimizer of the clipped Wasserstein critic (Arjovsky et al. 2017, alg. 1)."""

    name: Literal["rmsprop"] = "rmsprop"
    lr: Size = 5e-5
    alpha: Decay = 0.99
    eps: Size = 1e-8


def _add_optimizer_name(value: Any) -> Any:
    """Complete ``optimizer: sgd`` to a mapping, and ``optimizer: {lr: 1e-3}`` to one of Adam."""
    if isinstance(value, str):
        return {"name": value}
    return {"name": "adam", **value} if isinstance(value, Mapping) else value


Optimizer = Annotated[
    Adam | SGD | RMSprop, Field(discriminator="name"), BeforeValidator(_add_optimizer_name)
]


class NetworkTraining(Frozen):
    """Training of one network."""

    steps: Count = 1  # optimizer steps of this network in each iteration of the loop
    optimizer: Optimizer = Adam()


class InstanceNoise(Frozen):
    """Gaussian noise on all inputs of D, falling linearly to 0 (Sønderby et al. 2017).

    It makes the distributions of real and generated samples overlap, so that D cannot separate them
    perfectly.
    """

    # Standard deviation at the first step, relative to that of the real data; 0 for no noise.
    sd: Annotated[float, Field(ge=0.0), BeforeValidator(_reject_boolean)] = 0.0
    # Share of the run's steps after which the noise is 0.
    until: Share = 1.0


class Training(Frozen):
    """Length and method of the training."""

    steps: Count = 2000  # generator steps of the whole run
    batch_size: Annotated[Count, Field(ge=2)] = 64
    generator: NetworkTraining = NetworkTraining()
    discriminator: NetworkTraining = NetworkTraining()
    instance_noise: InstanceNoise = InstanceNoise()
    # Decay of a running average of G's weights, from which samples are then evaluated; 0 for none.
    averaging: Decay = 0.0
    # Share of the steps after which both learning rates fall linearly to 0; 1 for constant rates.
    decay_from: Share = 1.0
