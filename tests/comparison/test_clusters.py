"""Tests of comparisons on clusters: real clusters of Dask and Ray on this machine."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from gandiag.cli.main import main
from gandiag.comparison.clusters import WorkersDied
from gandiag.comparison.compare import compare
from gandiag.comparison.parallel import Backend, Workers, run_tasks
from gandiag.comparison.trial import OUTCOME_FILE
from gandiag.plugins.errors import BadInput
from tests.comparison.tasks import die_always, die_once, refuse_input, wait

TINY = """\
data: {ring: {samples: 300, held_out: 300}}
variant: {vanilla: {width: 8, latent_size: 2}}
training: {steps: 6, batch_size: 32}
sample_grid_every: 6
probes: {plane: off}
"""
RUNS = {"baseline/0", "baseline/1", "r1/0", "r1/1"}
GPUS = 2  # GPUs that the clusters declare; neither library checks whether they exist.
PATIENCE = 20.0  # Seconds after which a process that was told to end has ended.

both = pytest.mark.parametrize("backend", ["dask", "ray"])


@pytest.fixture(scope="module")
def addresses() -> Iterator[dict[str, str]]:
    """The address of a Dask cluster of two workers, and of a Ray cluster, started by the test."""
    from distributed import LocalCluster
    from ray.cluster_utils import Cluster

    head = {"num_cpus": GPUS, "num_gpus": GPUS, "include_dashboard": False}
    ray_cluster = Cluster(initialize_head=True, head_node_args=head)
    options = {"n_workers": GPUS, "threads_per_worker": 2, "resources": {"GPU": 1}}
    with LocalCluster(**options, dashboard_address=":0") as dask_cluster:
        yield {"dask": dask_cluster.scheduler_address, "ray": ray_cluster.address}
    ray_cluster.shutdown()


def children() -> set[int]:
    """Return the child processes, except joblib's and Python's resource trackers."""
    processes = psutil.Process().children(recursive=True)
    return {
        p.pid for p in processes if p.is_running() and "resource_tracker" not in str(p.cmdline())
    }


@contextmanager
def interrupted_after_first(folder: Path) -> Iterator[None]:
    """Send Ctrl-C as soon as one run of a comparison has finished."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            if list(folder.glob(f"*/*/{OUTCOME_FILE}")):
                os.kill(os.getpid(), signal.SIGINT)
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    yield
    done.set()
    thread.join()


def finished_runs(folder: Path) -> dict[str, int]:
    """Return the finished runs, each with the time at which it finished."""
    files = folder.glob(f"*/*/{OUTCOME_FILE}")
    return {str(file.parent.relative_to(folder)): file.stat().st_mtime_ns for file in files}


@both
def test_interrupted_comparison_resumes(
    backend: Backend, addresses: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After Ctrl-C finished runs stay, and --resume trains the rest as processes here would."""
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(TINY)
    command = f"compare tiny.yaml --fix r1 --seeds 2 --threads 1 --out there --backend {backend}"
    arguments = [*command.split(), "--address", addresses[backend]]
    with interrupted_after_first(Path("there")):
        stopped = CliRunner().invoke(main, arguments)
    assert stopped.exit_code == 130, stopped.output
    assert "finished runs are kept in there; --resume" in stopped.stderr
    before = finished_runs(Path("there"))
    assert before
    resumed = CliRunner().invoke(main, [*arguments, "--resume"])
    assert resumed.exit_code == 0, resumed.output
    after = finished_runs(Path("there"))
    assert after.keys() == RUNS
    assert {name: after[name] for name in before} == before
    compare("tiny.yaml", ["r1"], "here", seeds=2, workers=Workers(jobs=1), threads=1)
    for name in RUNS:
        here, there = (Path(place, name, "signals.jsonl") for place in ("here", "there"))
        assert here.read_bytes() == there.read_bytes(), name


@both
def test_gpus_limit_tasks(backend: Backend, addresses: dict[str, str]) -> None:
    """No more tasks run at a time than there are GPUs; with Ray, each task has its own GPU."""
    workers = Workers(backend=backend, address=addresses[backend], gpus=1)
    tasks = [result for _, result in run_tasks(wait, range(6), workers)]
    for began, _, _ in tasks:
        gpus = [gpu for first, last, gpu in tasks if first <= began < last]
        assert len(gpus) <= GPUS
        if backend == "ray":  # Dask does not set which GPU a task sees
            assert len(set(gpus)) == len(gpus)
    assert max(last for _, last, _ in tasks) > min(last for _, last, _ in tasks)


@both
def test_missing_gpus_are_refused(backend: Backend, addresses: dict[str, str]) -> None:
    """A task with more GPUs than any machine of the cluster has is refused at once."""
    workers = Workers(backend=backend, address=addresses[backend], gpus=GPUS + 1)
    with pytest.raises(BadInput, match="--gpus-per-run 3: no machine of the cluster offers more"):
        list(run_tasks(wait, [0], workers))


@pytest.mark.parametrize("backend", ["loky", "dask", "ray"])
def test_bad_input_of_a_task_is_raised(backend: Backend, addresses: dict[str, str]) -> None:
    """A task's `BadInput` has the same one-line message as in this process."""
    tasks = [Path("one"), Path("two")]
    workers = Workers(jobs=2, backend=backend, address=addresses.get(backend))
    with pytest.raises(BadInput, match=r"^(one|two): cannot be trained$"):
        list(run_tasks(refuse_input, tasks, workers))


@both
def test_workers_that_keep_dying(
    backend: Backend, addresses: dict[str, str], tmp_path: Path
) -> None:
    """If workers die on every attempt, the cluster gives up the task, and an error is raised."""
    workers = Workers(backend=backend, address=addresses[backend])
    with pytest.raises(WorkersDied, match="keep dying"):
        list(run_tasks(die_always, [tmp_path / "a", tmp_path / "b"], workers))


@both
def test_killed_worker_loses_nothing(backend: Backend, tmp_path: Path) -> None:
    """A cluster that gandiag starts repeats a killed worker's task and leaves no process."""
    before = children()
    tasks = [tmp_path / name for name in ("a", "fatal", "b", "c")]
    found = list(run_tasks(die_once, tasks, Workers(jobs=2, backend=backend)))
    assert sorted(name for _, name in found) == ["a", "b", "c", "fatal"]
    assert all(task.name == name for task, name in found)
    latest = time.monotonic() + PATIENCE
    while children() - before and time.monotonic() < latest:
        time.sleep(0.1)
    assert not children() - before


def test_dask_needs_a_cluster_for_gpus() -> None:
    """Dask does not detect GPUs, so GPUs need a cluster whose workers declare them."""
    with pytest.raises(BadInput, match="--gpus-per-run 1: needs a Dask cluster at an --address"):
        list(run_tasks(wait, [0], Workers(backend="dask", gpus=1)))


@both
def test_missing_cluster_is_one_line(backend: Backend) -> None:
    """An address without a cluster gives a one-line error at once."""
    workers = Workers(backend=backend, address="127.0.0.1:9")
    with pytest.raises(BadInput, match=r"--address 127\.0\.0\.1:9: no cluster answers there: "):
        list(run_tasks(wait, [0], workers))


@pytest.mark.parametrize(("backend", "module"), [("dask", "distributed"), ("ray", "ray")])
def test_missing_backend_names_its_extra(
    backend: Backend, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backend whose library is missing gives the command that installs it."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BadInput, match=rf'--backend {backend}: .*pip install "gandiag\[{backend}'):
        list(run_tasks(wait, [0], Workers(backend=backend)))
