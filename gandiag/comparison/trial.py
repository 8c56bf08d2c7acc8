"""One game of a comparison: played, measured, and written down so that it need not be again."""

from __future__ import annotations

import json
import math
import shutil
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from gandiag.comparison.outcome import Outcome
from gandiag.comparison.sample_quality import QualityScores, generate_samples, load_sample_quality
from gandiag.comparison.scenarios import ComparedScenario
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.models.gan import GAN
from gandiag.records.record import SIGNALS_FILE
from gandiag.records.storage import write_json_file
from gandiag.reports.saved_runs import reopen_report
from gandiag.training import pipeline

OUTCOME_FILE = "outcome.json"  # where it lies, the game has been played to its end
TRAINING_LOCK = threading.Lock()  # torch's global generator and its threads are the process's
MEASUREMENTS = 20  # times along a run at which the samples are measured; each takes 0.1 s


class Trial(NamedTuple):
    """An arm with one seed.

    Attributes:
        arm: what is played.
        seed: of the weights, batches and latents.
        folder: where its record goes.
        threads: of torch.
        device: in place of the scenario's; empty to keep that.
        reporters: asked for this run, see `Arm.trial_scenario`.
        group: of the runs at Weights & Biases.
    """

    compared: ComparedScenario
    seed: int
    folder: Path
    threads: int = 1
    device: str = ""
    reporters: tuple[str, ...] = ()
    group: str = ""


def load_outcome(game: Trial) -> Outcome | None:
    """What came of this very game when it was played before; None where it was not."""
    path = game.folder / OUTCOME_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        same = data["game"] == game.compared.digest(game.seed)
        return Outcome.from_json(data["outcome"]) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def rediagnose(game: Trial) -> Outcome:
    """What came of a game that is kept, by the detectors of now: an older version may have had it.

    Takes 0.04 s. Only answers change; what was measured while it was played stays.

    Raises:
        BadInput: its record is damaged.
        KeyError: it is not kept.
    """
    outcome = load_outcome(game)
    if outcome is None:
        raise KeyError(str(game.folder))
    statuses, kinds = _collect_statuses(reopen_report(game.folder).diagnoses)
    return replace(outcome, statuses=statuses, kinds=kinds)


def run_trial(game: Trial) -> Outcome:
    """Play a game unless it has been, and say what came of it.

    Threads of one process, as Dask's workers may have, play one after the other.
    """
    with TRAINING_LOCK:
        found = load_outcome(game)
        if found is not None:
            return found
        before = torch.get_num_threads()
        torch.set_num_threads(game.threads)
        try:
            return _run(game)
        finally:
            torch.set_num_threads(before)


def _run(game: Trial) -> Outcome:
    scenario = game.compared.trial_scenario(game.seed, game.reporters, game.group)
    if game.device:
        scenario = scenario.set({"device": game.device})
    looker = QualityTracker(load_sample_quality(scenario.data), scenario.training.steps, game.seed)
    own = game.folder.with_name(f"{game.folder.name}.{uuid.uuid4().hex[:8]}")
    own.mkdir(parents=True)
    report = pipeline.run(scenario, own, observers=[looker], place=game.compared.name)
    statuses, kinds = _collect_statuses(report.diagnoses)
    outcome = Outcome(
        scenario_name=game.compared.name,
        seed=game.seed,
        statuses=statuses,
        kinds=kinds,
        distances=tuple(looker.distances),
        coverage=looker.last.coverage,
        balance=looker.last.balance,
        seconds_per_step=looker.seconds_per_step,
        distance_name=looker.name,
    )
    data = {"game": game.compared.digest(game.seed), "outcome": outcome.as_json()}
    write_json_file(own / OUTCOME_FILE, data)
    _publish_attempt(game, own)
    return outcome


def _collect_statuses(diagnoses: Sequence[Diagnosis]) -> tuple[dict[str, str], dict[str, str]]:
    """Statuses, and kinds of what has one, by condition."""
    statuses: dict[str, str] = {d.condition: d.status for d in diagnoses}
    return statuses, {d.condition: d.kind for d in diagnoses if d.kind}


def _publish_attempt(game: Trial, own: Path) -> None:
    """Put an attempt in the game's place, unless another one has come first.

    Raises:
        FileNotFoundError: the attempt has been dropped, maybe but in part.
        OSError: it cannot be moved there; it stays where it is.
    """
    try:
        (own / SIGNALS_FILE).stat()
    except FileNotFoundError:
        shutil.rmtree(own, ignore_errors=True)  # a reporter may have made it anew
        raise
    try:
        own.rename(game.folder)
    except OSError:  # there is a folder in its place, or no permission: then nothing is lost
        if load_outcome(game) is None:
            raise
        shutil.rmtree(own, ignore_errors=True)


def remove_attempts(game: Trial) -> None:
    """Remove what lies in the way of a game that is to be played, and all attempts at it.

    Each attempt plays in a folder of its own: a worker that was given up for lost, or a cluster
    that goes on with what was interrupted, may be playing the same game as another. One that is
    still going on ends of it. It is moved away first, or it could end well with half of its files.
    """
    for left in [game.folder, *game.folder.parent.glob(f"{game.folder.name}.*")]:
        aside = game.folder.with_name(f"{game.folder.name}.{uuid.uuid4().hex[:8]}")
        with suppress(OSError):  # it is not there, or has just come to its end
            left.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


@dataclass
class QualityTracker:
    """Observes a game: measures fresh samples now and then, and times the steps in between.

    On a CPU seconds are those of the processor, which a busy machine does not lengthen; elsewhere
    those of the clock. Neither holds the time of the looks.

    Args:
        measured: a yardstick, and labels of the training samples.
        steps: of the run.
        seed: of the run; its latents are others than the game's.
    """

    measured: tuple[Any, Any]
    steps: int
    seed: int

    def __post_init__(self) -> None:
        """Begin with nothing seen."""
        self.quality, self.labels = self.measured
        self.name: str = self.quality.name
        self.every = math.ceil(self.steps / MEASUREMENTS)
        self.distances: list[tuple[int, float]] = []
        self.last = QualityScores(math.nan, math.nan, math.nan)
        self._clock = time.process_time
        self._since: float | None = None
        self._seconds, self._timed = 0.0, 0

    def __call__(self, step: int, gan: GAN) -> None:
        """Count a generator step, and look where it is time."""
        if self._since is None:
            on_cpu = next(gan.generator.parameters()).device.type == "cpu"
            self._clock = time.process_time if on_cpu else time.perf_counter
        else:
            self._seconds += self._clock() - self._since
            self._timed += 1
        if step % self.every == 0 or step == self.steps:
            self._measure(step, gan)
        self._since = self._clock()

    @property
    def seconds_per_step(self) -> float:
        """Mean over all generator steps but the first; NaN for a run of one."""
        return self._seconds / self._timed if self._timed else math.nan

    def _measure(self, step: int, gan: GAN) -> None:
        samples = generate_samples(gan, self.labels, seed=1_000_003 * (self.seed + 1) + step)
        self.distances.append((step, self.quality.distance(samples)))
        if step + self.every > self.steps:  # of the last ones all is measured
            self.last = self.quality.measure(samples)
