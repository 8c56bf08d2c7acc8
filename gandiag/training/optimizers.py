"""Optimizers of the two networks, and the schedule of their learning rates."""

from __future__ import annotations

import torch
from torch import nn

from gandiag.scenario.training_settings import Optimizer, Training

_OPTIMIZER_CLASSES = {
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
}


def build_optimizer(network: nn.Module, settings: Optimizer) -> torch.optim.Optimizer:
    """Return a PyTorch optimizer for all parameters of `network`."""
    # The settings have the names of torch's own arguments, so they pass unchanged.
    options = settings.model_dump(exclude={"name"})
    optimizer: torch.optim.Optimizer = _OPTIMIZER_CLASSES[settings.name](
        network.parameters(), **options
    )
    return optimizer


def compute_learning_rate_factor(training: Training, step: int) -> float:
    """Return the factor, in (0, 1], of both learning rates at a generator step.

    The factor is 1 until ``decay_from * steps`` and then falls linearly. It reaches 0 only after
    the last step: a step with a learning rate of 0 would change nothing.
    """
    decay_start = training.decay_from * training.steps
    if step < decay_start:
        return 1.0
    return (training.steps - step) / (training.steps - decay_start)
