"""Many tasks at once through joblib, on this machine or a cluster: each result as it comes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError
from rich.console import Console

from gandiag.comparison.clusters import CLUSTERS, KEEP_DYING, MAX_WORKER_DEATHS, WorkersDied
from gandiag.plugins.errors import BadInput
from gandiag.plugins.terminal import error_console, progress_bar

Backend = Literal["loky", "dask", "ray"]

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
    def parallel_tasks(self) -> int:
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
        share = max(1, int(joblib.cpu_count()) // self.parallel_tasks)
        return min(share, int(asked)) if asked.isdigit() and int(asked) else share


def run_tasks(
    work: Callable[[T], R], tasks: Sequence[T], workers: Workers
) -> Iterator[tuple[T, R]]:
    """Yield each task with its result, in the order in which they end.

    Where a worker is killed, what it had not done is done again by others; so `work` must come to
    the same result when it is asked twice.

    Raises:
        BadInput: the backend is not installed, its cluster does not answer, or has too few GPUs.
        WorkersDied: workers keep dying, as where there is too little memory.
    """
    ahead, deaths = dict(enumerate(tasks)), 0
    with _backend(workers):
        while ahead:
            try:
                for index, result in _unordered(work, ahead, workers):
                    deaths = 0
                    yield ahead.pop(index), result
            except TerminatedWorkerError as error:
                deaths += 1
                if deaths == MAX_WORKER_DEATHS:
                    raise WorkersDied(f"this machine's processes {KEEP_DYING}") from error


def show_progress(
    pairs: Iterator[tuple[T, R]],
    total: int,
    describe: Callable[[T, R], str],
    console: Console | None = None,
) -> Iterator[tuple[T, R]]:
    """Pass results on and show on standard error how far it has come; a line each elsewhere."""
    console = console or error_console()
    with progress_bar(console) as bar:
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
    if workers.backend == "loky":
        at_once: dict[str, Any] = {"n_jobs": workers.parallel_tasks}
    else:  # a cluster hands out what it is given; without a bound, whoever joins finds work
        at_once = {"n_jobs": workers.jobs or 1, "pre_dispatch": workers.jobs or "all"}
    parallel = joblib.Parallel(**at_once, batch_size=1, return_as="generator_unordered")
    found = parallel(calls)
    try:
        for pair in found:  # noqa: UP028  # `yield from` would close it before `finally` does
            yield pair
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # joblib warns of results that an interrupt left behind
            found.close()


def _numbered(work: Callable[[T], R], index: int, task: T) -> tuple[int, R]:
    return index, work(task)


@contextmanager
def _backend(workers: Workers) -> Iterator[None]:
    if workers.backend == "loky":
        with joblib.parallel_config("loky"):
            yield
        return
    cluster = CLUSTERS[workers.backend](workers.parallel_tasks, workers.address, workers.gpus)
    with ExitStack() as stack:
        try:
            stack.enter_context(cluster)
        except ImportError as error:
            way = f'pip install "gandiag[{workers.backend}]"'
            raise BadInput(f"--backend {workers.backend}", f"{error}; {way}") from error
        yield
