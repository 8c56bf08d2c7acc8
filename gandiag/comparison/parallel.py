"""Runs many tasks in parallel through joblib, on this machine or on a cluster."""

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
    """Where tasks run, and how many at a time.

    Attributes:
        jobs: number of tasks at a time; 0 for as many as this machine has cores, or as the cluster
            accepts.
        backend: backend of joblib: ``loky`` for processes on this machine, ``dask`` or ``ray``.
        address: address of the cluster's scheduler; None to start a cluster on this machine.
        gpus: number of GPUs of each task; 0.5 lets two tasks share a GPU.
    """

    jobs: int = 0
    backend: Backend = "loky"
    address: str | None = None
    gpus: float = 0.0

    def __post_init__(self) -> None:
        """Refuse an address that the backend does not use."""
        if self.address is not None and self.backend == "loky":
            raise BadInput("--address", "is the address of a cluster; add --backend dask or ray")

    @property
    def parallel_tasks(self) -> int:
        """Number of tasks at a time on this machine."""
        return self.jobs or int(joblib.cpu_count())

    @property
    def threads(self) -> int:
        """Number of torch threads of a task.

        On this machine it is the task's share of the cores, and at most ``OMP_NUM_THREADS`` if that
        is set. On a cluster it is 1, as the number of cores is not known here.
        """
        if self.backend != "loky":
            return 1
        share = max(1, int(joblib.cpu_count()) // self.parallel_tasks)
        # The variable may also be a list for nested loops, such as "4,2"; such values are ignored.
        limit = os.environ.get("OMP_NUM_THREADS", "")
        return min(share, int(limit)) if limit.isdigit() and int(limit) else share


def run_tasks(
    work: Callable[[T], R], tasks: Sequence[T], workers: Workers
) -> Iterator[tuple[T, R]]:
    """Run `work` on each task, and yield each task with its result as soon as it has ended.

    If a worker process is killed, its unfinished tasks run again in other processes. `work` may
    therefore run twice on a task and must give the same result.

    Raises:
        BadInput: the backend is not installed, its cluster does not answer, or has too few GPUs.
        WorkersDied: workers keep dying, for example for lack of memory.
    """
    remaining, deaths = dict(enumerate(tasks)), 0
    with _use_backend(workers):
        while remaining:
            try:
                for index, result in _run_unordered(work, remaining, workers):
                    deaths = 0  # a finished task shows that workers can survive
                    yield remaining.pop(index), result
            except TerminatedWorkerError as error:
                # joblib gives up the whole batch if one process is killed: start the rest again.
                deaths += 1
                if deaths == MAX_WORKER_DEATHS:
                    raise WorkersDied(f"this machine's processes {KEEP_DYING}") from error


def show_progress(
    pairs: Iterator[tuple[T, R]],
    total: int,
    describe: Callable[[T, R], str],
    console: Console | None = None,
) -> Iterator[tuple[T, R]]:
    """Pass results on, and show the progress on standard error.

    A terminal gets a progress bar. Elsewhere each result is a line.

    Args:
        pairs: tasks with their results, as `run_tasks` yields them.
        total: number of tasks.
        describe: returns a text on a task and its result.
        console: where to show the progress; standard error if None.
    """
    console = console or error_console()
    with progress_bar(console) as bar:
        shown = bar.add_task("training", total=total)
        for number, (task, result) in enumerate(pairs, start=1):
            bar.update(shown, advance=1, description=describe(task, result))
            if not console.is_terminal:
                console.print(f"{number}/{total}  {describe(task, result)}", soft_wrap=True)
            yield task, result


def _run_unordered(
    work: Callable[[T], R], remaining: dict[int, T], workers: Workers
) -> Iterator[tuple[int, R]]:
    """Yield the index of each task with its result, in the order in which the tasks end."""
    # The index identifies the task, as results come in another order.
    calls = [joblib.delayed(_add_index)(work, index, task) for index, task in remaining.items()]
    if workers.backend == "loky":
        options: dict[str, Any] = {"n_jobs": workers.parallel_tasks}
    else:
        # A cluster schedules the tasks itself. Without a limit it gets all of them at once, so that
        # workers that join later find tasks, too.
        options = {"n_jobs": workers.jobs or 1, "pre_dispatch": workers.jobs or "all"}
    # A run takes seconds to hours: batches of several runs would leave workers idle at the end.
    parallel = joblib.Parallel(**options, batch_size=1, return_as="generator_unordered")
    results = parallel(calls)
    try:
        for pair in results:  # noqa: UP028  # `yield from` would close the generator too early
            yield pair
    finally:
        with warnings.catch_warnings():
            # joblib warns of unread results if the caller was interrupted.
            warnings.simplefilter("ignore")
            results.close()


def _add_index(work: Callable[[T], R], index: int, task: T) -> tuple[int, R]:
    return index, work(task)


@contextmanager
def _use_backend(workers: Workers) -> Iterator[None]:
    if workers.backend == "loky":
        # Set explicitly, as the code of the caller may have chosen another backend of joblib.
        with joblib.parallel_config("loky"):
            yield
        return
    cluster = CLUSTERS[workers.backend](workers.parallel_tasks, workers.address, workers.gpus)
    with ExitStack() as stack:
        # Only entering the cluster imports its library. Errors of tasks must pass unchanged, so
        # the `yield` stands outside.
        try:
            stack.enter_context(cluster)
        except ImportError as error:
            command = f'pip install "gandiag[{workers.backend}]"'
            raise BadInput(f"--backend {workers.backend}", f"{error}; {command}") from error
        yield
