"""The way: scenario -> dataset -> variant -> train(probes) -> record -> diagnosis -> report."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from gandiag.datasets.data import Data
from gandiag.diagnosis.online import Monitor
from gandiag.models.gan import GAN
from gandiag.monitoring.environment import describe_environment, pick_device
from gandiag.monitoring.fixed_latents import FIXED_LATENTS
from gandiag.monitoring.reference import Reference
from gandiag.monitoring.watch import Watch
from gandiag.plugins.errors import BadInput
from gandiag.plugins.protocols import Follower, Reporter
from gandiag.records.record import SAMPLES, Row
from gandiag.records.sample_grids import write_grid
from gandiag.records.storage import write_file
from gandiag.records.writer import Recorder
from gandiag.reports.report import Report, build_report
from gandiag.scenario.schema import Scenario
from gandiag.training.components import Components
from gandiag.training.trainer import StopTraining, add_averaged_generator, train

SCENARIO = "scenario.yaml"

Observer: TypeAlias = "Callable[[int, GAN], None]"


def run(
    scenario: Scenario,
    folder: Path | None = None,
    followers: Sequence[Follower] = (),
    place: str = "scenario",
    observers: Sequence[Observer] = (),
) -> Report:
    """Play a scenario, watch it, and say what was seen.

    Args:
        scenario: what to play.
        folder: where record and reports go, in place of what is there; in memory only if None.
        followers: shown the run while it happens, beside the scenario's own reporters.
        place: what mistakes are blamed on, usually the scenario's file.
        observers: shown the players after each generator step; they must leave them as they are.

    Raises:
        BadInput: the scenario asks for what there is not. Nothing has been written then.
    """
    parts = Components.from_scenario(scenario, place)
    device = pick_device(scenario.device)
    data = parts.dataset.load()
    with _seeded(scenario.seed, device):
        gan = add_averaged_generator(
            _to(parts.variant.build(data.shape), device), scenario.training
        )
        labels = _labels(gan, data, place)
        samples = data.train.to(device)
        reference = Reference.from_samples(samples, data.held_out.to(device))
        recorder = Recorder(folder, _facts(scenario, data), describe_environment(device))
        monitor = Monitor(
            recorder, parts.detectors, scenario.detection.every, [*followers, *_live(parts, folder)]
        )
        watch = Watch(
            parts.probes,
            recorder,
            gan.objective.probability,
            sample_grid_every=scenario.sample_grid_every,
            save_sample_grid=lambda step, sheet: _save(folder, f"step-{step:08d}", sheet),
            after_flush=_between(monitor, frozenset(scenario.detection.stop_on)),
            after_step=_showing(gan, observers),
        )
        watch.set_reference(reference)
        if folder is not None:
            write_file(folder / SCENARIO, scenario.as_yaml())
            _save(folder, "real", data.held_out[:FIXED_LATENTS])
        monitor.notify(lambda follower: follower.begin(scenario, folder))
        began = time.perf_counter()
        try:
            try:
                train(gan, samples, scenario.training, scenario.seed, watch, labels)
            finally:  # an interrupted run says how far it came
                _note(recorder, watch, began)
            report = build_report(recorder.record(), scenario, parts.detectors, parts.fixes)
            if folder is not None:
                report = replace(report, places=_publish(report, parts.reporters, folder))
        finally:
            monitor.notify(lambda follower: follower.end())
    return report


def _live(parts: Components, folder: Path | None) -> list[Follower]:
    """The scenario's reporters that follow a run too; they need somewhere to write."""
    return [r for r in parts.reporters if folder is not None and isinstance(r, Follower)]


def _between(monitor: Monitor, stop_on: frozenset[str]) -> Callable[[Sequence[Row], int], None]:
    """What happens between two steps: followers are told, detectors asked, and maybe it ends."""

    def after_flush(rows: Sequence[Row], step: int) -> None:
        monitor.on_flush(rows, step)
        if monitor.present & stop_on:
            raise StopTraining

    return after_flush


def _showing(gan: GAN, observers: Sequence[Observer]) -> Callable[[int], None]:
    def after_step(step: int) -> None:
        for observe in observers:
            observe(step, gan)

    return after_step


def _save(folder: Path | None, name: str, sheet: Tensor) -> None:
    if folder is not None:
        write_grid(folder / SAMPLES / name, sheet.float().cpu().numpy())


def _note(recorder: Recorder, watch: Watch, began: float) -> None:
    recorder.add_environment(seconds=round(time.perf_counter() - began, 1), steps_played=watch.step)


def _publish(report: Report, reporters: Sequence[Reporter], folder: Path) -> tuple[str, ...]:
    """Where each report lies. One that cannot be made is named; the record is safe by then."""
    places = []
    for reporter in reporters:
        try:
            places.append(reporter.publish(report, folder))
        except Exception as error:  # a reporter may be a stranger's, or its server away
            warnings.warn(
                f"no report by {type(reporter).__name__}: {type(error).__name__}: {error}; "
                f"try again with gandiag report {folder}",
                RuntimeWarning,
                stacklevel=2,
            )
    return tuple(places)


def _to(gan: GAN, device: torch.device) -> GAN:
    gan.generator.to(device)
    gan.discriminator.to(device)
    return gan


def _labels(gan: GAN, data: Data, place: str) -> Tensor | None:
    """The labels of the training samples, where the GAN has classes."""
    if not gan.classes:
        return None
    if data.labels is None:
        raise BadInput(f"{place}: variant", "needs classes, and the data have no labels")
    if not 0 <= int(data.labels.min()) <= int(data.labels.max()) < gan.classes:
        found = f"{int(data.labels.min())} to {int(data.labels.max())}"
        problem = f"has classes 0 to {gan.classes - 1}, and the data's labels are {found}"
        raise BadInput(f"{place}: variant", problem)
    return data.labels.to(next(gan.generator.parameters()).device)


def _facts(scenario: Scenario, data: Data) -> dict[str, Any]:
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
    """Seed torch's global generators, for weights and penalties, and restore them after."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
