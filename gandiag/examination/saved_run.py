"""Loads the networks of a saved run at a checkpoint, for the instruments."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from gandiag.datasets.data import Data, load_data
from gandiag.examination.game_state import DescentSettings, GameState
from gandiag.models.gan import GAN, build_gan
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
    """Load the networks of a run at a checkpoint, and the data of its scenario.

    Args:
        path: folder of the run, or one of its checkpoints.
        at: generator step of the checkpoint; the newest checkpoint if None.
        since: generator step of an earlier checkpoint, for instruments that compare two; the oldest
            checkpoint if None.

    Returns:
        The game state, and its generator step.

    Raises:
        BadInput: there is no run, no checkpoint of that step, or it does not fit the scenario.
    """
    folder, at = _split_checkpoint_path(path, at)
    if not (folder / SCENARIO_FILE).is_file():
        raise BadInput(str(path), f"no run here: {SCENARIO_FILE} is missing")
    step, file = find_checkpoint(folder, at)
    earlier_step, earlier_file = (
        list_checkpoints(folder)[0] if since is None else find_checkpoint(folder, since)
    )
    if since is not None and earlier_step >= step:
        raise BadInput(f"--since {since}", f"is not before the examined step, {step}")
    scenario = Scenario.load(folder / SCENARIO_FILE)
    device = pick_device(scenario.device)
    dataset, variant = scenario.data, scenario.variant
    place = str(folder / SCENARIO_FILE)
    data = load_data(
        plugins.build("datasets", dataset.name, dataset.options, f"{place}: data"), f"{place}: data"
    )
    builder = plugins.build("variants", variant.name, variant.options, f"{place}: variant")
    # The initial weights are random, but the checkpoint replaces them: leave no trace of drawing.
    with torch.random.fork_rng([]):
        gan, earlier = (
            _restore_on_device(build_gan(builder, data.shape, f"{place}: variant"), each, device)
            for each in (file, earlier_file)
        )
    state = GameState(
        gan=gan,
        real=data.train.to(device),
        held_out=data.held_out.to(device),
        latents=lambda count: torch.randn(count, gan.latent_size),
        labels=_move_labels(data.labels, device),
        held_out_labels=_move_labels(data.held_out_labels, device),
        # The oldest checkpoint may be the examined one: then there is no line between two of them.
        earlier=earlier if earlier_step < step else None,
        noise=_noise_at(scenario, data, step),
        descent=_descent_at(scenario, step),
    )
    return state, step


def _split_checkpoint_path(path: Path, at: int | None) -> tuple[Path, int | None]:
    """Return folder and step of a run; they are in the path if the path names a checkpoint."""
    if path.parent.name == CHECKPOINTS and path.is_file() and at is None:
        number = path.stem.removeprefix("step-")
        if not number.isdigit():
            raise BadInput(str(path), "a checkpoint is called step-NUMBER.safetensors")
        return path.parent.parent, int(number)
    return path, at


def _restore_on_device(gan: GAN, file: Path, device: torch.device) -> GAN:
    restore_networks(gan, file)
    gan.generator.to(device)
    gan.discriminator.to(device)
    return gan


def _move_labels(labels: Tensor | None, device: torch.device) -> Tensor | None:
    return None if labels is None else labels.to(device)


def _noise_at(scenario: Scenario, data: Data, step: int) -> float:
    """Return the standard deviation of the instance noise at a step, in units of the data."""
    noise = scenario.training.instance_noise
    factor = compute_noise_factor(noise, step, scenario.training.steps)
    # As in `BatchSampler.add_noise`, so that the networks are examined under their training noise.
    return noise.sd * factor * float(data.train.std()) if noise.sd else 0.0


def _descent_at(scenario: Scenario, step: int) -> DescentSettings | None:
    """Return the learning rates at a step; None unless both networks use SGD without momentum."""
    training = scenario.training
    generator, discriminator = training.generator, training.discriminator
    if not all(
        isinstance(network.optimizer, SGD) and not network.optimizer.momentum
        for network in (generator, discriminator)
    ):
        return None
    # After the last step a decaying rate is 0, which describes no step: take the last step's rate.
    factor = compute_learning_rate_factor(training, min(step, training.steps - 1))
    return DescentSettings(
        generator.optimizer.lr * factor,
        discriminator.optimizer.lr * factor,
        generator.steps,
        discriminator.steps,
    )
