"""Plays the cases of the detection benchmark, several at a time, each beside its oracle."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
import torch

from gandiag.benchmarks.detection.cases import Case
from gandiag.benchmarks.oracle.oracle import Oracle, Replay
from gandiag.benchmarks.oracle.truths import Curve, Digits, Mixture, Truth
from gandiag.datasets.data import Data
from gandiag.models.gan import GAN
from gandiag.models.losses import NON_SATURATING
from gandiag.plugins import registry as plugins
from gandiag.plugins.errors import BadInput
from gandiag.plugins.protocols import Dataset
from gandiag.records.storage import write_file
from gandiag.scenario.schema import Scenario
from gandiag.training import pipeline
from gandiag.training.trainer import train

ORACLE = "oracle.jsonl"
DONE = "finished"  # the file that a run's folder has once nothing is missing from it
REPLAYED = 200  # generator steps that a copy is played on for
LOOKS_AT_POINTS = 50  # generator steps between the oracle's looks; one takes 30 ms ...
LOOKS_AT_IMAGES = 100  # ... and 600 ms


class Run(NamedTuple):
    """A case with one seed."""

    case: Case
    seed: int


class FinishedRun(NamedTuple):
    """A run that was played, how long it took, and what went wrong; empty where nothing did."""

    run: Run
    seconds: float
    problem: str


def folder_of(run: Run, root: Path) -> Path:
    """Where a run's record lies."""
    return root / run.case.name / str(run.seed)


def run_cases(runs: Sequence[Run], root: Path, jobs: int) -> Iterator[FinishedRun]:
    """Play what has not been played; yields each run as it ends.

    A run that was interrupted is played anew; a finished one is left as it is. One that fails does
    not keep the others from being played.
    """
    ahead = [run for run in runs if not (folder_of(run, root) / DONE).is_file()]
    workers = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")
    yield from workers(joblib.delayed(_attempt)(run, root) for run in ahead)


def _attempt(run: Run, root: Path) -> FinishedRun:
    torch.set_num_threads(1)
    began, problem = time.perf_counter(), ""
    try:
        run_case(run, root)
    except Exception as error:  # hours of other runs must not be lost to it
        problem = f"{type(error).__name__}: {error}"
    return FinishedRun(run, time.perf_counter() - began, problem)


def run_case(run: Run, root: Path) -> None:
    """Play one run beside its oracle."""
    folder = folder_of(run, root)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DONE).unlink(missing_ok=True)
    scenario = run.case.scenario.set({"seed": run.seed})
    dataset = plugins.build("datasets", scenario.data.name, scenario.data.options)
    data = dataset.load()
    oracle = Oracle(
        truth_of(dataset, data),
        data,
        folder / ORACLE,
        every=LOOKS_AT_IMAGES if len(data.shape) == 3 else LOOKS_AT_POINTS,
        seed=run.seed,
        replay=_replay(scenario, data),
    )
    pipeline.run(scenario, folder, observers=[oracle])
    write_file(folder / DONE, "")


def truth_of(dataset: Dataset, data: Data) -> Truth:
    """What is known of a data set beforehand.

    Raises:
        BadInput: nothing is known of it.
    """
    kind = type(dataset).__name__
    if hasattr(dataset, "centres"):
        centres = dataset.centres().double().numpy()
        mass = np.asarray(getattr(dataset, "weights", ()) or [1.0] * len(centres))
        return Mixture(centres, dataset.sd, mass / mass.sum())  # type: ignore[attr-defined]
    if kind == "Sine":
        return Curve(dataset.periods, dataset.sd)  # type: ignore[attr-defined]
    if kind == "Mnist" and data.labels is not None:
        return Digits(data.train, data.labels)
    raise BadInput("bench detection", f"nothing is known of {kind} beforehand")


def _replay(scenario: Scenario, data: Data) -> Replay:
    """Plays a copy of the game on with -log D(G(z)), against the same D or one that begins anew."""
    training = scenario.training.model_copy(update={"steps": REPLAYED})
    variant = plugins.build("variants", scenario.variant.name, scenario.variant.options)

    def replay(gan: GAN, anew: bool) -> GAN:
        other = variant.build(data.shape) if anew else gan
        copied = dataclasses.replace(
            gan,
            generator=copy.deepcopy(gan.generator),
            discriminator=copy.deepcopy(other.discriminator),
            objective=NON_SATURATING,
        )
        labels = data.labels if gan.classes else None
        train(copied, data.train, training, scenario.seed, None, labels)
        return copied

    return replay
