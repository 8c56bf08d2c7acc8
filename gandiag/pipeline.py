"""The way: scenario -> dataset -> variant -> train(probes) -> record -> diagnosis -> report."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gandiag import plugins
from gandiag.contracts import Dataset, Detector, Fix, Follower, Reporter, Variant
from gandiag.diagnosis import diagnose
from gandiag.environment import describe_environment, pick_device
from gandiag.errors import BadInput, nearest
from gandiag.gan import GAN, Data
from gandiag.monitor import Monitor
from gandiag.record import Record, Recorder, Row, write_whole
from gandiag.reference import Reference
from gandiag.report import Report, suggest
from gandiag.scenario import Choice, Scenario
from gandiag.sheets import write_sheet
from gandiag.train import Stop, train
from gandiag.watch import FIXED, Scheduled, Watch

__all__ = ["Parts", "report_on", "run"]

SCENARIO = "scenario.yaml"


def run(
    scenario: Scenario,
    folder: Path | None = None,
    followers: Sequence[Follower] = (),
    place: str = "scenario",
) -> Report:
    """Play a scenario, watch it, and say what was seen.

    Args:
        scenario: what to play.
        folder: where record and reports go; they stay in memory if None.
        followers: shown the run while it happens, beside the scenario's own reporters.
        place: what mistakes are blamed on, usually the scenario's file.

    Raises:
        BadInput: the scenario asks for what there is not. Nothing has been written then.
    """
    parts = Parts.of(scenario, place)
    device = pick_device(scenario.device)
    data = parts.dataset.load()
    with _seeded(scenario.seed, device):
        gan = _to(parts.variant.build(data.shape), device)
        samples = data.train.to(device)
        reference = Reference.of(samples, data.held_out.to(device))
        recorder = Recorder(folder, _facts(scenario, data, reference), describe_environment(device))
        monitor = Monitor(
            recorder,
            parts.detectors,
            scenario.detection.every,
            [*followers, *(r for r in parts.reporters if folder and isinstance(r, Follower))],
        )
        if folder is not None:
            write_whole(folder / SCENARIO, scenario.as_yaml())
            write_sheet(folder / "samples" / "real", data.held_out[:FIXED].numpy())

        def save_sheet(step: int, sheet: Tensor) -> None:
            if folder is not None:
                write_sheet(folder / "samples" / f"step-{step:08d}", sheet.float().cpu().numpy())

        def after_flush(rows: Sequence[Row], step: int) -> None:
            monitor.flushed(rows, step)
            if monitor.present & set(scenario.detection.stop_on):
                raise Stop

        watch = Watch(
            parts.probes,
            recorder,
            reference,
            gan.objective.probability,
            sheet_every=scenario.sheet_every,
            save_sheet=save_sheet,
            after_flush=after_flush,
        )
        monitor.tell(lambda follower: follower.begin(scenario, folder))
        try:
            began = time.perf_counter()
            played = train(gan, samples, scenario.training, scenario.seed, watch)
            recorder.note(seconds=round(time.perf_counter() - began, 1), steps_played=played)
            report = report_on(recorder.record(), scenario, parts.detectors, parts.fixes)
            if folder is not None:
                for reporter in parts.reporters:
                    reporter.publish(report, folder)
        finally:
            monitor.tell(lambda follower: follower.end())
    return report


def report_on(
    record: Record,
    scenario: Scenario | None,
    detectors: Sequence[Detector],
    fixes: Sequence[tuple[str, Fix]],
) -> Report:
    """Diagnose a record and look for fixes: what a run ends with, and all a saved one needs."""
    diagnoses = diagnose(record, detectors)
    treatments = suggest(scenario, diagnoses, fixes) if scenario is not None else ()
    return Report(scenario, record, diagnoses, treatments, tuple(detectors))


@dataclass(frozen=True)
class Parts:
    """A scenario's plugins, made. Whatever is wrong with their names or options shows here."""

    dataset: Dataset
    variant: Variant
    probes: tuple[Scheduled, ...]
    detectors: tuple[Detector, ...]
    reporters: tuple[Reporter, ...]
    fixes: tuple[tuple[str, Fix], ...]

    @classmethod
    def of(cls, scenario: Scenario, place: str = "scenario") -> Parts:
        """Make every plugin that the scenario names.

        Raises:
            BadInput: naming `place`, the key, and the nearest name that exists.
        """
        detectors = tuple(
            _build("detectors", choice, f"{place}: detection.detectors")
            for choice in scenario.detection.detectors
        )
        conditions = [detector.condition for detector in detectors]
        for key, named in (
            ("detection.stop_on", scenario.detection.stop_on),
            ("expect", scenario.expect),
        ):
            for condition in named:
                if condition not in conditions:
                    hint = nearest(condition, conditions)
                    raise BadInput(f"{place}: {key}", f'nobody detects "{condition}"; {hint}')
        return cls(
            dataset=_build("datasets", scenario.data, f"{place}: data"),
            variant=_build("variants", scenario.variant, f"{place}: variant"),
            probes=tuple(_schedule(n, o, place) for n, o in scenario.probes.items()),
            detectors=detectors,
            reporters=tuple(
                _build("reporters", choice, f"{place}: reporters") for choice in scenario.reporters
            ),
            fixes=tuple((name, plugins.build("fixes", name)) for name in plugins.names("fixes")),
        )


def _build(family: str, choice: Choice, place: str) -> Any:
    return plugins.build(family, choice.name, choice.options, place)


def _schedule(name: str, options: dict[str, Any], place: str) -> Scheduled:
    options = dict(options)
    every = options.pop("every")
    if not isinstance(every, int) or isinstance(every, bool) or every < 1:
        problem = f"a whole number of generator steps, at least 1 (got {every!r})"
        raise BadInput(f"{place}: probes.{name}.every", problem)
    return Scheduled(name, plugins.build("probes", name, options, f"{place}: probes"), every)


def _to(gan: GAN, device: torch.device) -> GAN:
    gan.generator.to(device)
    gan.discriminator.to(device)
    return gan


def _facts(scenario: Scenario, data: Data, reference: Reference) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "steps": scenario.training.steps,
        "batch_size": scenario.training.batch_size,
        "shape": list(data.shape),
        "scale": reference.scale,
        "sample_size": reference.size,
        "bin_shares": [round(share, 6) for share in reference.shares.tolist()],
        "turnover_null": reference.null["turnover"],
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
