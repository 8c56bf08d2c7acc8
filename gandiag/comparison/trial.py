"""One run of a comparison: trained and measured once, and read from disk after that."""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from gandiag.comparison.outcome import Outcome
from gandiag.comparison.quality_tracker import QualityTracker
from gandiag.comparison.sample_quality import load_sample_quality
from gandiag.comparison.scenarios import BASELINE, OLD_BASELINE, ComparedScenario
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.records.json_input import read_json_file
from gandiag.records.record import SIGNALS_FILE
from gandiag.records.storage import write_json_file
from gandiag.reports.saved_runs import reopen_report
from gandiag.training import pipeline

OUTCOME_FILE = "outcome.json"  # Written last: a folder that has it holds a finished run.
# Random state and thread count of torch belong to the process, so a process trains one GAN at a
# time. Workers of Dask may have several threads.
TRAINING_LOCK = threading.Lock()


class Trial(NamedTuple):
    """A compared scenario with one seed: one run.

    Attributes:
        compared: the scenario.
        seed: seed of the initial weights, the batches and the latents.
        folder: folder of the run's record.
        threads: number of torch threads.
        device: device instead of the scenario's own; the scenario's own if empty.
        reporters: names of reporters, see `ComparedScenario.trial_scenario`.
        group: name under which Weights & Biases groups the runs.
    """

    compared: ComparedScenario
    seed: int
    folder: Path
    threads: int = 1
    device: str = ""
    reporters: tuple[str, ...] = ()
    group: str = ""


def load_outcome(trial: Trial) -> Outcome | None:
    """Return the outcome of a finished run; None if the folder has no such run.

    A run of another scenario or seed in the same folder does not count, see
    `ComparedScenario.digest`.
    """
    digests = {trial.compared.digest(trial.seed)}
    if trial.compared.name == BASELINE:  # the digest depends on the name
        digests.add(replace(trial.compared, name=OLD_BASELINE).digest(trial.seed))
    try:
        data = read_json_file(trial.folder / OUTCOME_FILE)
        outcome = Outcome.from_json(data["outcome"]) if data["game"] in digests else None
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
    # The stored name may be the baseline's former one.
    return outcome and replace(outcome, scenario_name=trial.compared.name)


def rediagnose(trial: Trial) -> Outcome:
    """Return the outcome of a finished run, with the diagnoses of the current detectors.

    The record may be one of an older version of gandiag. Only the statuses change; what was
    measured during the run stays. This takes about 0.04 s.

    Raises:
        BadInput: the record is damaged.
        KeyError: the folder has no such run.
    """
    outcome = load_outcome(trial)
    if outcome is None:
        raise KeyError(str(trial.folder))
    statuses, kinds = _collect_statuses(reopen_report(trial.folder).diagnoses)
    return replace(outcome, statuses=statuses, kinds=kinds)


def run_trial(trial: Trial) -> Outcome:
    """Train a GAN and return the outcome; a finished run is read instead."""
    with TRAINING_LOCK:  # inside, another thread may have finished the same run meanwhile
        outcome = load_outcome(trial)
        if outcome is not None:
            return outcome
        threads = torch.get_num_threads()
        torch.set_num_threads(trial.threads)
        try:
            return _train_and_measure(trial)
        finally:
            # A single run trains in the user's own process, whose setting must not change.
            torch.set_num_threads(threads)


def _train_and_measure(trial: Trial) -> Outcome:
    scenario = trial.compared.trial_scenario(trial.seed, trial.reporters, trial.group)
    if trial.device:
        scenario = scenario.set({"device": trial.device})
    quality, labels = load_sample_quality(scenario.data)
    tracker = QualityTracker(quality, labels, scenario.training.steps, trial.seed)
    # Each attempt has a folder of its own, as another worker may train the same run meanwhile.
    attempt = trial.folder.with_name(f"{trial.folder.name}.{uuid.uuid4().hex[:8]}")
    attempt.mkdir(parents=True)
    report = pipeline.run(scenario, attempt, observers=[tracker], place=trial.compared.name)
    statuses, kinds = _collect_statuses(report.diagnoses)
    outcome = Outcome(
        scenario_name=trial.compared.name,
        seed=trial.seed,
        statuses=statuses,
        kinds=kinds,
        distances=tuple(tracker.distances),
        coverage=tracker.last.coverage,
        balance=tracker.last.balance,
        seconds_per_step=tracker.seconds_per_step,
        distance_name=quality.name,
    )
    # The key has its former name, so that finished runs on disk still count.
    data = {"game": trial.compared.digest(trial.seed), "outcome": outcome.as_json()}
    write_json_file(attempt / OUTCOME_FILE, data)
    # Renaming is atomic: other workers find the whole run or none.
    _publish_attempt(trial, attempt)
    return outcome


def _collect_statuses(diagnoses: Sequence[Diagnosis]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the status by condition, and the failure type by condition where there is one."""
    statuses: dict[str, str] = {d.condition: d.status for d in diagnoses}
    return statuses, {d.condition: d.kind for d in diagnoses if d.kind}


def _publish_attempt(trial: Trial, attempt: Path) -> None:
    """Move an attempt to the run's folder, unless another attempt has finished first.

    Raises:
        FileNotFoundError: the attempt's folder has been removed, at least in part.
        OSError: the folder cannot be moved; the attempt stays where it is.
    """
    try:
        (attempt / SIGNALS_FILE).stat()
    except FileNotFoundError:
        # `remove_attempts` has removed the record, and a reporter has made the folder again.
        shutil.rmtree(attempt, ignore_errors=True)
        raise
    try:
        attempt.rename(trial.folder)
    except OSError:  # the run's folder exists already, or there is no permission to move there
        if load_outcome(trial) is None:
            raise
        shutil.rmtree(attempt, ignore_errors=True)


def remove_attempts(trial: Trial) -> None:
    """Remove an unfinished or outdated run from its folder, and all attempts at the run.

    An attempt may still be running: a worker that was believed dead, or a cluster that continues an
    interrupted comparison. Such an attempt fails. Its folder is renamed before its files are
    removed: otherwise the attempt could finish when half of its files are gone.
    """
    for folder in [trial.folder, *trial.folder.parent.glob(f"{trial.folder.name}.*")]:
        aside = trial.folder.with_name(f"{trial.folder.name}.{uuid.uuid4().hex[:8]}")
        with suppress(OSError):  # the folder does not exist, or the attempt has just been moved
            folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
