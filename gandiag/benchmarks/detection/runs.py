"""Runs of the detection benchmark: trains the cases, several at a time, each with its oracle."""

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

ORACLE_FILE = "oracle.jsonl"
FINISHED_FILE = "finished"  # Empty file in the folder of a run that is complete.
REPLAY_STEPS = 200  # Generator steps of a counterfactual.
# Generator steps between two measurements of the oracle. A measurement of points takes 30 ms, one
# of images 600 ms.
POINTS_INTERVAL = 50
IMAGES_INTERVAL = 100


class Run(NamedTuple):
    """A case with one seed."""

    case: Case
    seed: int


class FinishedRun(NamedTuple):
    """A run that has ended.

    Attributes:
        run: the run.
        seconds: how long the run took.
        problem: the exception that ended the run; empty if there was none.
    """

    run: Run
    seconds: float
    problem: str


def run_folder(run: Run, root: Path) -> Path:
    """Folder of the record of a run."""
    return root / run.case.name / str(run.seed)


def is_finished(run: Run, root: Path) -> bool:
    """Whether the record of a run is complete."""
    return (run_folder(run, root) / FINISHED_FILE).is_file()


def run_cases(runs: Sequence[Run], root: Path, jobs: int) -> Iterator[FinishedRun]:
    """Train the runs that are not finished, and yield each as it ends.

    An interrupted run is trained again from its start. A run that raises an exception does not stop
    the other runs.

    Args:
        runs: the runs.
        root: folder of all runs.
        jobs: number of processes.
    """
    remaining = [run for run in runs if not is_finished(run, root)]
    workers = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")
    yield from workers(joblib.delayed(_try_run)(run, root) for run in remaining)


def _try_run(run: Run, root: Path) -> FinishedRun:
    # One thread each: the order of floating-point sums, and so the results, depend on the number.
    torch.set_num_threads(1)
    began, problem = time.perf_counter(), ""
    try:
        run_case(run, root)
    except Exception as error:  # Hours of other runs must not be lost because one run fails.
        problem = f"{type(error).__name__}: {error}"
    return FinishedRun(run, time.perf_counter() - began, problem)


def run_case(run: Run, root: Path) -> None:
    """Train one run and let its oracle measure it."""
    folder = run_folder(run, root)
    folder.mkdir(parents=True, exist_ok=True)
    # The mark of an earlier attempt would make an interrupted run count as finished.
    (folder / FINISHED_FILE).unlink(missing_ok=True)
    scenario = run.case.scenario.set({"seed": run.seed})
    dataset = plugins.build("datasets", scenario.data.name, scenario.data.options)
    data = dataset.load()
    oracle = Oracle(
        build_truth(dataset, data),
        data,
        folder / ORACLE_FILE,
        every=IMAGES_INTERVAL if len(data.shape) == 3 else POINTS_INTERVAL,
        seed=run.seed,
        replay=_build_replay(scenario, data),
    )
    pipeline.run(scenario, folder, observers=[oracle])
    write_file(folder / FINISHED_FILE, "")


def build_truth(dataset: Dataset, data: Data) -> Truth:
    """Build what is known about a data set in advance.

    Raises:
        BadInput: the true modes of the data set are not known.
    """
    name = type(dataset).__name__
    if hasattr(dataset, "centres"):
        centres = dataset.centres().double().numpy()
        mass = np.asarray(getattr(dataset, "weights", ()) or [1.0] * len(centres))
        return Mixture(centres, dataset.sd, mass / mass.sum())  # type: ignore[attr-defined]
    if name == "Sine":
        return Curve(dataset.periods, dataset.sd)  # type: ignore[attr-defined]
    if name == "Mnist" and data.labels is not None:
        return Digits(data.train, data.labels)
    raise BadInput("bench detection", f"the true modes of {name} are not known")


def _build_replay(scenario: Scenario, data: Data) -> Replay:
    """Return what trains a copy of a GAN with -log D(G(z)), against the same D or a new one."""
    training = scenario.training.model_copy(update={"steps": REPLAY_STEPS})
    variant = plugins.build("variants", scenario.variant.name, scenario.variant.options)

    def replay(gan: GAN, with_new_discriminator: bool) -> GAN:
        source = variant.build(data.shape) if with_new_discriminator else gan
        copied = dataclasses.replace(
            gan,
            # Copies, as an oracle must not change the run that it measures.
            generator=copy.deepcopy(gan.generator),
            discriminator=copy.deepcopy(source.discriminator),
            objective=NON_SATURATING,
        )
        labels = data.labels if gan.classes else None
        train(copied, data.train, training, scenario.seed, None, labels)
        return copied

    return replay
