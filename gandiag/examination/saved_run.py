"""A saved run's players at a checkpoint, as a subject to be examined."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from gandiag.datasets.data import Data
from gandiag.examination.game_state import DescentSettings, GameState
from gandiag.models.gan import GAN
from gandiag.monitoring.environment import pick_device
from gandiag.plugins import registry as plugins
from gandiag.plugins.errors import BadInput
from gandiag.scenario.schema import Scenario
from gandiag.scenario.shipped import SCENARIO_FILE
from gandiag.scenario.training_settings import SGD
from gandiag.training.batches import compute_noise_factor
from gandiag.training.checkpoints import (
    CHECKPOINTS,
    find_checkpoint,
    list_checkpoints,
    restore_networks,
)
from gandiag.training.optimizers import compute_learning_rate_factor


def load_game_state(
    path: Path, at: int | None = None, since: int | None = None
) -> tuple[GameState, int]:
    """Open a run at a checkpoint; the data are loaded and the networks made as its scenario says.

    Args:
        path: the run's folder, or one of its checkpoints.
        at: generator step of the checkpoint; the newest one if None.
        since: of an earlier one, for what compares two; the oldest if None.

    Returns:
        What is to be examined, and the step that it stands at.

    Raises:
        BadInput: there is no run, no checkpoint of that step, or it does not fit the scenario.
    """
    folder, at = _split_checkpoint_path(path, at)
    if not (folder / SCENARIO_FILE).is_file():
        raise BadInput(str(path), f"no run here: {SCENARIO_FILE} is missing")
    step, file = find_checkpoint(folder, at)
    before, earlier = (
        list_checkpoints(folder)[0] if since is None else find_checkpoint(folder, since)
    )
    if since is not None and before >= step:
        raise BadInput(f"--since {since}", f"is not before the step that is examined, {step}")
    scenario = Scenario.load(folder / SCENARIO_FILE)
    device = pick_device(scenario.device)
    dataset, variant = scenario.data, scenario.variant
    place = str(folder / SCENARIO_FILE)
    data: Data = plugins.build("datasets", dataset.name, dataset.options, f"{place}: data").load()
    making = plugins.build("variants", variant.name, variant.options, f"{place}: variant")
    with torch.random.fork_rng([]):  # first weights, which the checkpoint replaces
        gan, other = (
            _restore_at(making.build(data.shape), each, device) for each in (file, earlier)
        )
    subject = GameState(
        gan=gan,
        real=data.train.to(device),
        held_out=data.held_out.to(device),
        latents=lambda count: torch.randn(count, gan.latent_size),
        labels=_move_labels(data.labels, device),
        held_out_labels=_move_labels(data.held_out_labels, device),
        earlier=other if before < step else None,
        noise=_noise_at(scenario, data, step),
        descent=_descent_at(scenario, step),
    )
    return subject, step


def _split_checkpoint_path(path: Path, at: int | None) -> tuple[Path, int | None]:
    """The run's folder, where a checkpoint of it was named instead."""
    if path.parent.name == CHECKPOINTS and path.is_file() and at is None:
        number = path.stem.removeprefix("step-")
        if not number.isdigit():
            raise BadInput(str(path), "a checkpoint is called step-NUMBER.safetensors")
        return path.parent.parent, int(number)
    return path, at


def _restore_at(gan: GAN, file: Path, device: torch.device) -> GAN:
    restore_networks(gan, file)
    gan.generator.to(device)
    gan.discriminator.to(device)
    return gan


def _move_labels(labels: Tensor | None, device: torch.device) -> Tensor | None:
    return None if labels is None else labels.to(device)


def _noise_at(scenario: Scenario, data: Data, step: int) -> float:
    noise = scenario.training.instance_noise
    left = compute_noise_factor(noise, step, scenario.training.steps)
    return noise.sd * left * float(data.train.std()) if noise.sd else 0.0


def _descent_at(scenario: Scenario, step: int) -> DescentSettings | None:
    """How the players step, where both do it by plain gradient descent."""
    training = scenario.training
    players = training.generator, training.discriminator
    if not all(isinstance(p.optimizer, SGD) and not p.optimizer.momentum for p in players):
        return None
    left = compute_learning_rate_factor(training, min(step, training.steps - 1))
    generator, discriminator = players
    return DescentSettings(
        generator.optimizer.lr * left,
        discriminator.optimizer.lr * left,
        generator.steps,
        discriminator.steps,
    )
