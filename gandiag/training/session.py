"""Connects the parts that observe a run, in the same way for `gandiag.run` and `gandiag.attach`.

Data flow: the `Watch` shows snapshots to the probes, the `Recorder` keeps the measured numbers, the
`Monitor` passes new rows to the followers and evaluates the detectors.

The module stands in `gandiag.training` because it needs the `Monitor` of `gandiag.diagnosis`, which
`gandiag.monitoring` may not import. `gandiag.attachment` comes later in the order of packages and
imports the module from here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gandiag.diagnosis.online import Monitor
from gandiag.monitoring.distributed import Ranks
from gandiag.monitoring.environment import describe_environment
from gandiag.monitoring.watch import Watch
from gandiag.plugins.protocols import Follower
from gandiag.records.record import SAMPLES_FOLDER, Row
from gandiag.records.sample_grids import write_sample_grid
from gandiag.records.writer import Recorder
from gandiag.scenario.schema import Scenario
from gandiag.training.components import Components
from gandiag.training.trainer import StopTraining


@dataclass(frozen=True)
class Session:
    """What observes one run.

    Attributes:
        recorder: keeps the measured numbers, in memory and in the run's folder.
        monitor: evaluates the detectors and informs the followers while the run goes on.
        watch: shows snapshots to the probes; the training loop or the hooks call it.
    """

    recorder: Recorder
    monitor: Monitor
    watch: Watch


def create_session(
    scenario: Scenario,
    components: Components,
    folder: Path | None,
    facts: Mapping[str, Any],
    device: torch.device,
    probability: Callable[[Tensor], Tensor] | None,
    followers: Sequence[Follower] = (),
    stop_on: Collection[str] = (),
    after_step: Callable[[int], None] | None = None,
    ranks: Ranks | None = None,
    is_resumed: bool = False,
) -> Session:
    """Create recorder, monitor and watch of a run, and connect them.

    Args:
        scenario: gives the cadence of the detectors and of the sample grids.
        components: the scenario's probes and detectors.
        folder: where the record and the sample grids are written; None keeps the record in memory
            and generates no sample grids.
        facts: what the record states about the run, such as the shape of its samples.
        device: device of the networks; the record describes it.
        probability: maps scores to P(real); None for a critic.
        followers: informed of new rows and of changed diagnoses, on rank 0 only.
        stop_on: conditions at which `StopTraining` is raised. Empty for a training loop that
            gandiag does not own: the exception would end the monitoring, not the training.
        after_step: called with the step after each generator step.
        ranks: the processes that train together; None for a single process.
        is_resumed: whether the record in the folder is continued, see `Recorder`.
    """
    # Only the first rank has the numbers of all ranks, so followers and detectors run there alone.
    is_first = ranks is None or ranks.is_first
    recorder = Recorder(folder, facts, describe_environment(device), is_resumed)
    monitor = Monitor(
        recorder, components.detectors, scenario.detection.every, followers if is_first else ()
    )

    def evaluate(rows: Sequence[Row], step: int) -> None:
        monitor.on_flush(rows, step)
        # After `on_flush`, so that the followers report the failure before it ends the run.
        if not monitor.present.isdisjoint(stop_on):
            raise StopTraining

    def save_grid(step: int, grid: Tensor) -> None:
        # After an error of the disk, one warning is enough; a picture is not kept in memory.
        if recorder.disk_error is None:
            try:
                save_samples(folder, f"step-{step:08d}", grid)
            except OSError as error:
                recorder.note_disk_error(error)

    watch = Watch(
        components.probes,
        recorder,
        probability,
        sample_grid_every=scenario.sample_grid_every if folder is not None else 0,
        save_sample_grid=save_grid,
        # The record of another rank than 0 is empty: its numbers go to rank 0.
        after_flush=evaluate if is_first else None,
        after_step=after_step,
        ranks=ranks,
    )
    return Session(recorder, monitor, watch)


def save_samples(folder: Path | None, name: str, samples: Tensor) -> None:
    """Write samples ``(n, *shape)`` as a sample grid of a run; do nothing without a folder.

    Args:
        folder: folder of the run.
        name: file name without suffix.
        samples: images in [-1, 1] or points, on any device.
    """
    if folder is not None:
        # In float32, as numpy has no type for the bfloat16 samples of a third-party loop.
        write_sample_grid(folder / SAMPLES_FOLDER / name, samples.float().cpu().numpy())
