"""Mutated files of every format that gandiag reads: each opens, or is one line.

``python -m tests.reliability.fuzz_files 10000`` opens 10,000 mutated files of each format;
``python -m tests.reliability.fuzz_files 10000 scenario --seed 7`` those of one format. The suite
opens 200 of each. A file fails if it ends in anything but `BadInput` with one printable line, takes
more than 5 seconds, or needs more than 1 GB beyond what torch and gandiag take.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from types import FrameType
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from gandiag.comparison.analysis import compare_outcomes
from gandiag.comparison.json_data import comparison_as_json
from gandiag.comparison.page import render_page as render_comparison
from gandiag.comparison.scenarios import BASELINE, ComparedScenario
from gandiag.comparison.trial import OUTCOME_FILE, Trial, load_outcome
from gandiag.datasets.image_folder import ImageFolder
from gandiag.datasets.npz import Npz
from gandiag.models.gan import GAN
from gandiag.models.variants.vanilla import Vanilla
from gandiag.plugins.errors import BadInput
from gandiag.records.record import Record
from gandiag.records.sample_grids import read_picture, read_points
from gandiag.reports.grid_pictures import read_new_grids
from gandiag.reports.page.gallery import build_frames, build_grid_images
from gandiag.reports.reporters.console import Console
from gandiag.reports.reporters.html import render_page
from gandiag.reports.republish import republish_run
from gandiag.reports.saved_runs import diagnose, reopen_report
from gandiag.reports.server.dashboard import Dashboard
from gandiag.reports.server.handlers import render_run_list
from gandiag.reports.server.runs import summarize_run
from gandiag.scenario.schema import Scenario
from gandiag.training.checkpoints import CheckpointWriter, find_checkpoint, restore_networks
from gandiag.training.components import Components
from tests.reliability.fuzz_logs import LOG_FORMATS
from tests.reliability.mutations import (
    Mutator,
    any_of,
    mutate_bytes,
    mutate_json,
    mutate_npy,
    mutate_png,
    mutate_safetensors,
    mutate_text,
    mutate_yaml,
    mutate_zip,
)

TESTS = Path(__file__).parents[1]
RUNS = TESTS / "recorded_runs"
SECONDS, BYTES = 5.0, 2**30  # the most that one file may take
# Pages and dashboards take half a second each, so one file in this number is drawn, too.
DRAWN = 100


class Format(NamedTuple):
    """A format: how its files are made, and what gandiag does with one of them.

    Attributes:
        prepare: writes a valid file, and what belongs to it, into a folder; returns the file.
        mutate: makes a mutated file of a valid one.
        open: does with the folder of the file what a user would; its second argument says whether
            pages are to be drawn, too.
    """

    prepare: Callable[[Path], Path]
    mutate: Mutator
    open: Callable[[Path, bool], None]


def _copy_run(name: str, file: str) -> Callable[[Path], Path]:
    def prepare(folder: Path) -> Path:
        shutil.copytree(RUNS / name, folder / "run")
        return folder / "run" / file

    return prepare


def _prepare_environment(folder: Path) -> Path:
    """An environment with every fact that gandiag writes."""
    path = _copy_run("ring_hopping", "environment.json")(folder)
    data = json.loads(path.read_bytes())
    data["facts"] |= {
        "scores": "logits",
        "discriminator_steps_first": 5,
        "mode_shares": [0.5, 0.5],
        "mean_energy_distance": 0.2,
        "unoptimised": {
            "generator": {"count": 9, "total": 99, "weights": 2, "names": ["0.weight", "0.bias"]}
        },
        "not_measured": {"probe loss": {"text": "Not measured.", "probes": ["loss"]}},
    }
    data |= {"steps_played": 1500, "seconds": 3.5, "started": "2026-01-01T00:00:00+00:00"}
    data |= {"device": "cpu", "threads": 1, "versions": {"torch": "2.9.0"}}
    path.write_text(json.dumps(data))
    return path


def _open_run(folder: Path, is_drawn: bool) -> None:
    run = folder / "run"
    summarize_run(folder, run, 0.0)
    if not is_drawn:
        diagnose(run)
        return
    report = reopen_report(run)
    render_page(report)
    Console().publish(report, run)
    Dashboard(folder, ["run"])
    render_run_list(folder)


def _prepare_scenario(folder: Path) -> Path:
    path = folder / "scenario.yaml"
    shutil.copy(TESTS / "example_plugin" / "scenario.yaml", path)
    path.write_text((TESTS.parent / "scenarios" / "mode_collapse.yaml").read_text())
    return path


def _open_scenario(folder: Path, _: bool) -> None:
    scenario = Scenario.load(folder / "scenario.yaml")
    Scenario.parse(scenario.as_data())
    Components.from_scenario(scenario, "scenario.yaml")
    scenario.as_yaml()


def _prepare_diagnoses(folder: Path) -> Path:
    run = _copy_run("ring_collapse", "signals.jsonl")(folder).parent
    republish_run(run, ["json"])
    return run / "diagnoses.json"


def _open_diagnoses(folder: Path, is_drawn: bool) -> None:
    summarize_run(folder, folder / "run", 0.0)
    if is_drawn:
        render_run_list(folder)


def _trial(folder: Path) -> Trial:
    return Trial(ComparedScenario(BASELINE, (), Scenario()), 0, folder / BASELINE / "0")


def _prepare_outcome(folder: Path) -> Path:
    trial = _trial(folder)
    shutil.copytree(RUNS / "ring_collapse", trial.folder)
    outcome = {
        "arm": BASELINE,
        "seed": 0,
        "statuses": {"mode_collapse": "present", "non_convergence": "absent"},
        "kinds": {"mode_collapse": "total"},
        "distances": [[100, 0.5], [200, "Infinity"], [300, 0.25]],
        "coverage": 0.5,
        "balance": "NaN",
        "seconds_per_step": 0.01,
        "name": "energy distance",
    }
    data = {"game": trial.compared.digest(0), "outcome": outcome}
    (trial.folder / OUTCOME_FILE).write_text(json.dumps(data))
    return trial.folder / OUTCOME_FILE


def _open_outcome(folder: Path, is_drawn: bool) -> None:
    trial = _trial(folder)
    outcome = load_outcome(trial)
    if outcome is not None:
        comparison = compare_outcomes([trial.compared], [outcome])
        json.dumps(comparison_as_json(comparison), allow_nan=False)
        if is_drawn:
            render_comparison(comparison, folder)


def _prepare_images(folder: Path) -> Path:
    samples = folder / "run" / "samples"
    samples.mkdir(parents=True)
    pixels = np.arange(28 * 28, dtype=np.uint8).reshape(28, 28)
    for name in ("real", "step-00000100", "step-00000200"):
        Image.fromarray(pixels).save(samples / f"{name}.png")
    (samples / "step-.png").write_bytes(b"")
    return samples / "step-00000100.png"


def _prepare_points(folder: Path) -> Path:
    samples = folder / "run" / "samples"
    samples.mkdir(parents=True)
    for name in ("real", "step-00000100"):
        np.save(samples / f"{name}.npy", np.zeros((64, 2), np.float32))
    return samples / "step-00000100.npy"


def _open_grids(folder: Path, is_drawn: bool) -> None:
    record = Record({}, folder=folder / "run")
    for _, path in record.sample_grids():
        with suppress(OSError, ValueError):  # what a page leaves out
            read_points(path) if path.suffix == ".npy" else read_picture(path)
    if not is_drawn:
        return
    build_frames(record, build_grid_images(record, 100))
    list(read_new_grids(record.folder, set()))


def _prepare_npz(folder: Path) -> Path:
    images = np.zeros((20, 8, 8, 3), np.uint8)
    np.savez_compressed(folder / "data.npz", images=images, labels=np.arange(20))
    return folder / "data.npz"


def _prepare_npy(folder: Path) -> Path:
    np.save(folder / "data.npy", np.zeros((20, 2), np.float32))
    return folder / "data.npy"


def _open_npz(folder: Path, _: bool) -> None:
    for path in folder.glob("data.*"):
        labels = "labels" if path.suffix == ".npz" else ""
        Npz(str(path), images="images" if labels else "", labels=labels).load()


def _prepare_image_folder(folder: Path) -> Path:
    pixels = np.zeros((20, 30, 3), np.uint8)
    for name in ("a.png", "b.png"):
        Image.fromarray(pixels).save(folder / name)
    return folder / "a.png"


def _open_image_folder(folder: Path, _: bool) -> None:
    ImageFolder(str(folder)).load()


def _build_gan() -> GAN:
    return Vanilla(width=4, latent_size=2).build((2,))


def _prepare_checkpoint(folder: Path) -> Path:
    CheckpointWriter(folder, 1)(1, _build_gan())
    (folder / "checkpoints" / "step-x.safetensors").write_bytes(b"")
    return folder / "checkpoints" / "step-00000001.safetensors"


def _open_checkpoint(folder: Path, _: bool) -> None:
    restore_networks(_build_gan(), find_checkpoint(folder)[1])


JSON = any_of(mutate_json, mutate_json, mutate_text, mutate_bytes)
FORMATS = {
    "scenario": Format(
        _prepare_scenario,
        any_of(mutate_yaml, mutate_yaml, mutate_text, mutate_bytes),
        _open_scenario,
    ),
    "signals": Format(_copy_run("ring_collapse", "signals.jsonl"), JSON, _open_run),
    "environment": Format(_prepare_environment, JSON, _open_run),
    "diagnoses": Format(_prepare_diagnoses, JSON, _open_diagnoses),
    "outcome": Format(_prepare_outcome, JSON, _open_outcome),
    "png_grid": Format(_prepare_images, mutate_png, _open_grids),
    "npy_grid": Format(_prepare_points, mutate_npy, _open_grids),
    "npz": Format(_prepare_npz, mutate_zip, _open_npz),
    "npy": Format(_prepare_npy, mutate_npy, _open_npz),
    "image_folder": Format(_prepare_image_folder, mutate_png, _open_image_folder),
    "checkpoint": Format(_prepare_checkpoint, mutate_safetensors, _open_checkpoint),
    **{name: Format(*parts) for name, parts in LOG_FORMATS.items()},
}


class Hang(BaseException):
    """Raised inside a file that takes too long; no handler of exceptions may catch it."""


def _raise_hang(number: int, frame: FrameType | None) -> None:
    raise Hang


def fuzz(name: str, count: int, seed: int = 0) -> tuple[Counter[str], list[str]]:
    """Open mutated files of a format; return counts, and a description of each failure."""
    form = FORMATS[name]
    counts: Counter[str] = Counter()
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = Path(place)
        path = form.prepare(folder)
        valid = path.read_bytes()
        found = _open_one(form, folder, True)
        if found != "opened":
            failures.append(f"{name}, the valid file: {found}")
        for number in range(count):
            case = form.mutate(valid, Random(f"{name}/{seed}/{number}"))
            path.write_bytes(case)
            found = _open_one(form, folder, number % DRAWN == 0)
            counts[found.partition(":")[0]] += 1
            if not found.startswith(("opened", "refused")):
                failures.append(f"{name}, seed {seed}, number {number}: {found}")
    return counts, failures


def _open_one(form: Format, folder: Path, is_drawn: bool) -> str:
    """Open one file, and describe what came of it."""
    old = signal.signal(signal.SIGPROF, _raise_hang)
    signal.setitimer(signal.ITIMER_PROF, 4 * SECONDS)  # of this process, as below
    stdout, sys.stdout = sys.stdout, io.StringIO()
    began = time.process_time()
    try:
        form.open(folder, is_drawn)
        found = "opened"
        if "\x1b" in sys.stdout.getvalue():
            found = "escape sequence on the terminal"
    except BadInput as error:
        line = str(error)
        found = "refused" if line.isprintable() and len(line) < 2000 else f"bad line: {line!r:.300}"
    except Hang:
        found = "hang: " + traceback.format_exc()[-1500:]
    except MemoryError:
        found = "memory: " + traceback.format_exc()[-1500:]
    except Exception:
        found = "traceback: " + traceback.format_exc()[-1500:]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, old)
        sys.stdout = stdout
    took = time.process_time() - began  # of this process: the machine may be shared
    return f"slow: {took:.1f} s" if took > SECONDS and found in ("opened", "refused") else found


def limit_memory() -> None:
    """Let this process take 1 GB more address space than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main() -> None:
    """Open as many files as the command line says, and print the counts and the failures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("formats", nargs="*")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    formats = arguments.formats or list(FORMATS)
    torch.set_num_threads(1)
    for name in formats:
        fuzz(name, 2)  # imports what the format needs before the memory is limited
    limit_memory()
    lost = 0
    for name in formats:
        began = time.perf_counter()
        counts, failures = fuzz(name, arguments.count, arguments.seed)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        text = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
        took = time.perf_counter() - began
        sys.stdout.write(f"{name}: {text} ({took:.0f} s, peak {peak:.2f} GB)\n")
        sys.stdout.writelines(f"  {line}\n" for line in failures[:200])
        sys.stdout.flush()
        lost += len(failures)
    sys.exit(lost > 0)


if __name__ == "__main__":
    main()
