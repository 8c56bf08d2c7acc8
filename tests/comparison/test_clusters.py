"""Laws of playing on a cluster: real ones of Dask and Ray, on this machine."""

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
from tests.comparison.tasks import dies_always, dies_once, holds, refuses

TINY = """\
data: {ring: {samples: 300, held_out: 300}}
variant: {vanilla: {width: 8, latent_size: 2}}
training: {steps: 6, batch_size: 32}
sample_grid_every: 6
probes: {plane: off}
"""
GAMES = {"untreated/0", "untreated/1", "r1/0", "r1/1"}
GPUS = 2  # that the clusters say they have; nobody looks whether they are there
SOON = 20.0  # seconds until a process that was told to end has ended, on a busy machine

both = pytest.mark.parametrize("backend", ["dask", "ray"])


@pytest.fixture(scope="module")
def addresses() -> Iterator[dict[str, str]]:
    """A cluster of two machines of Dask's, and one of Ray's, that somebody else has begun."""
    from distributed import LocalCluster
    from ray.cluster_utils import Cluster

    begun = {"num_cpus": GPUS, "num_gpus": GPUS, "include_dashboard": False}
    ray_cluster = Cluster(initialize_head=True, head_node_args=begun)
    options = {"n_workers": GPUS, "threads_per_worker": 2, "resources": {"GPU": 1}}
    with LocalCluster(**options, dashboard_address=":0") as dask_cluster:
        yield {"dask": dask_cluster.scheduler_address, "ray": ray_cluster.address}
    ray_cluster.shutdown()


def children() -> set[int]:
    """Processes that this one has begun, but for those that look after the others' memory."""
    found = psutil.Process().children(recursive=True)
    return {p.pid for p in found if p.is_running() and "resource_tracker" not in str(p.cmdline())}


@contextmanager
def interrupted_after_first(folder: Path) -> Iterator[None]:
    """Press Ctrl-C as soon as one game of a comparison is finished."""
    over = threading.Event()

    def wait() -> None:
        while not over.wait(0.01):
            if list(folder.glob(f"*/*/{OUTCOME_FILE}")):
                os.kill(os.getpid(), signal.SIGINT)
                return

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    yield
    over.set()
    thread.join()


def played(folder: Path) -> dict[str, int]:
    """Each finished game, and when it was finished."""
    files = folder.glob(f"*/*/{OUTCOME_FILE}")
    return {str(file.parent.relative_to(folder)): file.stat().st_mtime_ns for file in files}


@both
def test_an_interrupted_comparison_goes_on(
    backend: Backend, addresses: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After Ctrl-C what is finished stays, --resume plays the rest, and all is as played here."""
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(TINY)
    words = f"compare tiny.yaml --fix r1 --seeds 2 --threads 1 --out there --backend {backend}"
    arguments = [*words.split(), "--address", addresses[backend]]
    with interrupted_after_first(Path("there")):
        stopped = CliRunner().invoke(main, arguments)
    assert stopped.exit_code == 130, stopped.output
    assert "finished runs are kept in there; --resume" in stopped.stderr
    before = played(Path("there"))
    assert before
    resumed = CliRunner().invoke(main, [*arguments, "--resume"])
    assert resumed.exit_code == 0, resumed.output
    after = played(Path("there"))
    assert after.keys() == GAMES
    assert {name: after[name] for name in before} == before
    compare("tiny.yaml", ["r1"], "here", seeds=2, workers=Workers(jobs=1), threads=1)
    for name in GAMES:
        one, two = (Path(place, name, "signals.jsonl").read_bytes() for place in ("here", "there"))
        assert one == two, name


@both
def test_gpus_are_dealt_out(backend: Backend, addresses: dict[str, str]) -> None:
    """No more tasks at a time than there are GPUs, and where they are named, each has its own."""
    workers = Workers(backend=backend, address=addresses[backend], gpus=1)
    held = [found for _, found in run_tasks(holds, range(6), workers)]
    for began, _, _ in held:
        now = [name for first, last, name in held if first <= began < last]
        assert len(now) <= GPUS
        if backend == "ray":  # which also says which
            assert len(set(now)) == len(now)
    assert max(last for _, last, _ in held) > min(last for _, last, _ in held)


@both
def test_missing_gpus_are_refused(backend: Backend, addresses: dict[str, str]) -> None:
    """More GPUs a task than any machine of the cluster has are refused, not waited for."""
    workers = Workers(backend=backend, address=addresses[backend], gpus=GPUS + 1)
    with pytest.raises(BadInput, match="--gpus-per-run 3: no machine of the cluster offers more"):
        list(run_tasks(holds, [0], workers))


@pytest.mark.parametrize("backend", ["loky", "dask", "ray"])
def test_a_mistake_comes_back_whole(backend: Backend, addresses: dict[str, str]) -> None:
    """What a task refuses is told in the one line that it would have been told in here."""
    tasks = [Path("one"), Path("two")]
    workers = Workers(jobs=2, backend=backend, address=addresses.get(backend))
    with pytest.raises(BadInput, match=r"^(one|two): cannot be played$"):
        list(run_tasks(refuses, tasks, workers))


@both
def test_workers_that_keep_dying(
    backend: Backend, addresses: dict[str, str], tmp_path: Path
) -> None:
    """Where workers die whatever they do, a cluster gives up, and so does who waits for it."""
    workers = Workers(backend=backend, address=addresses[backend])
    with pytest.raises(WorkersDied, match="keep dying"):
        list(run_tasks(dies_always, [tmp_path / "a", tmp_path / "b"], workers))


@both
def test_a_killed_worker_loses_nothing(backend: Backend, tmp_path: Path) -> None:
    """A cluster begun here does a killed worker's task again, and leaves no process behind."""
    before = children()
    tasks = [tmp_path / name for name in ("a", "fatal", "b", "c")]
    found = list(run_tasks(dies_once, tasks, Workers(jobs=2, backend=backend)))
    assert sorted(name for _, name in found) == ["a", "b", "c", "fatal"]
    assert all(task.name == name for task, name in found)
    latest = time.monotonic() + SOON
    while children() - before and time.monotonic() < latest:
        time.sleep(0.1)
    assert not children() - before


def test_gpus_of_this_machine_are_not_dask_s() -> None:
    """Dask knows of no GPUs by itself: without somebody's cluster it is refused to deal them."""
    with pytest.raises(BadInput, match="--gpus-per-run 1: needs a Dask cluster at an --address"):
        list(run_tasks(holds, [0], Workers(backend="dask", gpus=1)))


@both
def test_nobody_answers(backend: Backend) -> None:
    """An address at which there is no cluster is one line, and at once."""
    workers = Workers(backend=backend, address="127.0.0.1:9")
    with pytest.raises(BadInput, match=r"--address 127\.0\.0\.1:9: no cluster answers there: "):
        list(run_tasks(holds, [0], workers))


@pytest.mark.parametrize(("backend", "module"), [("dask", "distributed"), ("ray", "ray")])
def test_a_backend_that_is_not_installed(
    backend: Backend, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its library a backend is refused, with the way to install it."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BadInput, match=rf'--backend {backend}: .*pip install "gandiag\[{backend}'):
        list(run_tasks(holds, [0], Workers(backend=backend)))
