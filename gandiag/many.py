"""Many tasks at once through joblib, on this machine or a cluster: each result as it comes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gandiag.errors import BadInput

__all__ = ["Backend", "Workers", "followed", "results"]

Backend = Literal["loky", "dask", "ray"]
DEATHS = 3  # workers that may die one after the other with no result in between
JOIN = 60  # seconds to wait for a cluster's first worker

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Workers:
    """Who does the work.

    Attributes:
        jobs: tasks at a time; 0 for as many as there are cores, or as the cluster takes.
        backend: joblib's: ``loky`` for processes on this machine, or ``dask`` or ``ray``.
        address: of the cluster's scheduler; None to start one on this machine.
        gpus: GPUs that each task holds, 0.5 for two tasks on one.
    """

    jobs: int = 0
    backend: Backend = "loky"
    address: str | None = None
    gpus: float = 0.0

    def __post_init__(self) -> None:
        """Refuse an address that nobody would use."""
        if self.address is not None and self.backend == "loky":
            raise BadInput("--address", "is that of a cluster; add --backend dask or ray")

    @property
    def at_once(self) -> int:
        """Tasks at a time on this machine."""
        return self.jobs or int(joblib.cpu_count())

    @property
    def threads(self) -> int:
        """A task's share of this machine's cores, at most ``OMP_NUM_THREADS`` where that is set.

        It is 1 on a cluster, whose cores are not known.
        """
        if self.backend != "loky":
            return 1
        asked = os.environ.get("OMP_NUM_THREADS", "")
        share = max(1, int(joblib.cpu_count()) // self.at_once)
        return min(share, int(asked)) if asked.isdigit() and int(asked) else share


def results(work: Callable[[T], R], tasks: Sequence[T], workers: Workers) -> Iterator[tuple[T, R]]:
    """Yield each task with its result, in the order in which they end.

    Where a worker is killed, what it had not done is done again by others; so `work` must come to
    the same result when it is asked twice.

    Raises:
        BadInput: the backend is not installed.
        TerminatedWorkerError: workers keep dying, as where there is too little memory.
    """
    ahead, deaths = dict(enumerate(tasks)), 0
    with _backend(workers):
        while ahead:
            try:
                for index, result in _unordered(work, ahead, workers):
                    deaths = 0
                    yield ahead.pop(index), result
            except TerminatedWorkerError:
                deaths += 1
                if deaths == DEATHS:
                    raise


def followed(
    pairs: Iterator[tuple[T, R]],
    total: int,
    describe: Callable[[T, R], str],
    console: Console | None = None,
) -> Iterator[tuple[T, R]]:
    """Pass results on and show on standard error how far it has come; a line each elsewhere."""
    console = console or Console(stderr=True, highlight=False, markup=False, emoji=False)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(20), MofNCompleteColumn())
    with Progress(
        *columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal
    ) as bar:
        shown = bar.add_task("playing", total=total)
        for number, (task, result) in enumerate(pairs, start=1):
            bar.update(shown, advance=1, description=describe(task, result))
            if not console.is_terminal:
                console.print(f"{number}/{total}  {describe(task, result)}", soft_wrap=True)
            yield task, result


def _unordered(
    work: Callable[[T], R], ahead: dict[int, T], workers: Workers
) -> Iterator[tuple[int, R]]:
    calls = [joblib.delayed(_numbered)(work, index, task) for index, task in ahead.items()]
    jobs = workers.at_once if workers.backend == "loky" else workers.jobs or -1
    whole = workers.backend == "ray"  # whose backend gives no result before it has all
    parallel = joblib.Parallel(
        n_jobs=jobs,
        batch_size=1,
        return_as="list" if whole else "generator_unordered",
        verbose=10 if whole else 0,  # joblib's own progress
    )
    yield from parallel(calls)


def _numbered(work: Callable[[T], R], index: int, task: T) -> tuple[int, R]:
    return index, work(task)


def _backend(workers: Workers) -> AbstractContextManager[Any]:
    try:
        if workers.backend == "dask":
            return _dask(workers)
        if workers.backend == "ray":
            return _ray(workers)
    except ImportError as error:
        way = f'pip install "gandiag[{workers.backend}]"'
        raise BadInput(f"--backend {workers.backend}", f"{error}; {way}") from error
    config: AbstractContextManager[Any] = joblib.parallel_config("loky")
    return config


def _dask(workers: Workers) -> AbstractContextManager[Any]:
    from distributed import Client

    if workers.address is None:
        client = Client(n_workers=workers.at_once, threads_per_worker=1, dashboard_address=None)
    else:
        client = Client(workers.address)
    held = {"resources": {"GPU": workers.gpus}} if workers.gpus else {}
    config: AbstractContextManager[Any] = joblib.parallel_config(
        "dask", client=client, wait_for_workers_timeout=JOIN, pure=False, **held
    )
    return config


def _ray(workers: Workers) -> AbstractContextManager[Any]:
    import ray
    from ray.util.joblib import register_ray

    if not ray.is_initialized():
        local = {} if workers.address else {"num_cpus": workers.at_once}
        ray.init(address=workers.address, include_dashboard=False, **local)
    register_ray()
    held = {"ray_remote_args": {"num_gpus": workers.gpus}} if workers.gpus else {}
    config: AbstractContextManager[Any] = joblib.parallel_config("ray", **held)
    return config
