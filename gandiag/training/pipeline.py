"""The pipeline of a run: scenario, dataset, variant, training, record, diagnosis, report."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from gandiag.datasets.data import Data, load_data
from gandiag.models.gan import GAN, build_gan
from gandiag.monitoring.environment import pick_device
from gandiag.monitoring.fixed_latents import FIXED_LATENTS
from gandiag.monitoring.reference import Reference
from gandiag.plugins.errors import BadInput, warn_user
from gandiag.plugins.fence import PluginFailed
from gandiag.plugins.protocols import Follower, Reporter
from gandiag.records.record import Row
from gandiag.records.storage import write_file
from gandiag.records.writer import Recorder
from gandiag.reports.report import Report, build_report
from gandiag.reports.republish import publish
from gandiag.scenario.schema import Scenario
from gandiag.scenario.shipped import SCENARIO_FILE
from gandiag.training.checkpoints import CheckpointWriter
from gandiag.training.components import Components
from gandiag.training.run_state import RunState
from gandiag.training.session import create_session, save_samples
from gandiag.training.trainer import Trainer, add_averaged_generator

Observer: TypeAlias = "Callable[[int, GAN], None]"


@dataclass(frozen=True)
class Continuity:
    """How a run ends early, and goes on later.

    Attributes:
        checkpoint_every: generator steps between two checkpoints; 0 writes none.
        should_stop: asked after each generator step; if it returns true, the training ends, and
            the state is written from which the run can go on.
        is_resumed: whether the run in the folder goes on from its state.
    """

    checkpoint_every: int = 0
    should_stop: Callable[[], bool] = lambda: False
    is_resumed: bool = False


def run(
    scenario: Scenario,
    folder: Path | None = None,
    followers: Sequence[Follower] = (),
    place: str = "scenario",
    observers: Sequence[Observer] = (),
    continuity: Continuity | None = None,
) -> Report:
    """Train a scenario's GAN, measure while it trains, and diagnose the record.

    Args:
        scenario: what to train, measure and detect.
        folder: where record and reports are written; files of an earlier run there are replaced.
            None keeps the record in memory and publishes nothing.
        followers: informed while the run goes on, in addition to the scenario's own reporters.
        place: what error messages name as the source of a mistake, usually the scenario's file.
        observers: called with ``(step, gan)`` after each generator step; an observer must not
            change the networks.
        continuity: checkpoints, and how the run goes on; None writes none. It needs a folder.

    Returns:
        The report, with the places of what the reporters have written.

    Raises:
        BadInput: the scenario names something that does not exist. Nothing has been written then.
    """
    components = Components.from_scenario(scenario, place)
    device = pick_device(scenario.device)
    data = load_data(components.dataset, f"{place}: data")
    is_resumed = continuity is not None and continuity.is_resumed
    with _seeded(scenario.seed, device):
        # The networks are built on the CPU, so that a seed gives the same weights on every device.
        gan = _move_networks(build_gan(components.variant, data.shape, f"{place}: variant"), device)
        gan = add_averaged_generator(gan, scenario.training)
        labels = _select_labels(gan, data, place)
        samples = data.train.to(device)
        reference = Reference.from_samples(samples, data.held_out.to(device))
        called = [*observers]

        def call_observers(step: int) -> None:
            for observe in called:
                observe(step, gan)

        session = create_session(
            scenario,
            components,
            folder,
            _describe_data(scenario, data),
            device,
            gan.objective.probability,
            [*followers, *_select_followers(components.reporters, folder)],
            stop_on=scenario.detection.stop_on,
            after_step=call_observers,
            is_resumed=is_resumed,
        )
        recorder, monitor, watch = session.recorder, session.monitor, session.watch
        watch.set_reference(reference)
        trainer = Trainer(gan, samples, scenario.training, scenario.seed, watch, labels)
        rows: list[Row] = []
        writer = None
        if folder is not None and continuity is not None:
            state = RunState(scenario, trainer, session, device)
            rows = state.load(folder) if is_resumed else []
            writer = CheckpointWriter(
                folder,
                continuity.checkpoint_every,
                continuity.should_stop,
                trainer.step,
                recorder.note_disk_error,
            )
            writer.write_state = functools.partial(state.write, folder)
            called.append(writer)
        if folder is not None and not is_resumed:
            # Written before the first step, so that an interrupted run can be repeated, too.
            write_file(folder / SCENARIO_FILE, scenario.as_yaml())
            # As many real samples as a grid of generated samples has, for a fair comparison.
            save_samples(folder, "real", data.held_out[:FIXED_LATENTS])
        monitor.notify(lambda follower: follower.begin(scenario, folder))
        if rows:  # a follower that begins again, such as an event file, gets the whole run
            monitor.notify(lambda follower: follower.follow(rows, trainer.step))
        try:
            _train(trainer, recorder, writer)
            report = build_report(
                recorder.record(), scenario, components.detectors, components.fixes
            )
            # Not `folder`: after a disk error the record may have been written elsewhere.
            if recorder.folder is not None:
                locations = _publish(report, components.reporters, recorder.folder)
                report = replace(report, locations=locations)
        finally:
            # After the reports, as a reporter that follows the run closes its file here.
            monitor.notify(lambda follower: follower.end())
    return report


def _train(trainer: Trainer, recorder: Recorder, writer: CheckpointWriter | None) -> None:
    """Train, and complete the record, also that of an interrupted run."""
    start, earlier = time.perf_counter(), recorder.environment.get("seconds", 0.0)
    is_interrupted = True
    try:
        trainer.run()
        is_interrupted = writer is not None and writer.has_stopped
    finally:
        if writer is not None:
            writer.end(is_interrupted)
        # A record without `steps_played` counts as that of a run that still trains.
        recorder.add_environment(
            seconds=round(earlier + time.perf_counter() - start, 1),
            steps_played=trainer.step,
            **({"interrupted": True} if is_interrupted else {}),
        )
        recorder.rescue()


def _select_followers(reporters: Sequence[Reporter], folder: Path | None) -> list[Follower]:
    """The reporters that can follow a run; none without a folder, where they would write."""
    return [r for r in reporters if folder is not None and isinstance(r, Follower)]


def _publish(report: Report, reporters: Sequence[Reporter], folder: Path) -> tuple[str, ...]:
    """Publish with every reporter and return the places of what they have written.

    A reporter that raises costs a warning, not the other reports: the record is on disk by then.
    """
    places = []
    for reporter in reporters:
        try:
            places.append(publish(reporter, report, folder))
        except (BadInput, PluginFailed) as error:
            warn_user(f"no report by {error}; try again with gandiag report {folder}")
    return tuple(places)


def _move_networks(gan: GAN, device: torch.device) -> GAN:
    # The call moves the weights of a module in place, so the GAN itself stays the same object.
    gan.generator.to(device)
    gan.discriminator.to(device)
    return gan


def _select_labels(gan: GAN, data: Data, place: str) -> Tensor | None:
    """Labels ``(N,)`` of the training samples on the networks' device; None without classes.

    Raises:
        BadInput: the GAN has classes, and the data have no labels or other ones.
    """
    if not gan.classes:
        return None
    if data.labels is None:
        raise BadInput(f"{place}: variant", "has classes, but the data have no labels")
    if not 0 <= int(data.labels.min()) <= int(data.labels.max()) < gan.classes:
        found = f"{int(data.labels.min())} to {int(data.labels.max())}"
        problem = f"has classes 0 to {gan.classes - 1}, and the data's labels are {found}"
        raise BadInput(f"{place}: variant", problem)
    return data.labels.to(next(gan.generator.parameters()).device)


def _describe_data(scenario: Scenario, data: Data) -> dict[str, Any]:
    """The facts of a run that are known before its first step."""
    facts: dict[str, Any] = {
        "steps": scenario.training.steps,
        "batch_size": scenario.training.batch_size,
        "shape": list(data.shape),
    }
    if data.labels is not None:
        counts = torch.bincount(data.labels)
        facts["class_shares"] = [round(share, 6) for share in (counts / counts.sum()).tolist()]
    return facts


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global random generators, and restore their states at the end.

    Initial weights and the interpolates of penalties are drawn from them. Batches, latents and
    noise come from a generator of their own, see `gandiag.training.batches`.
    """
    # The device is named, as torch would otherwise save the random states of all GPUs.
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
