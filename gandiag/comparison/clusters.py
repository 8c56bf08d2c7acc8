"""Clusters as backends of joblib: Dask's and Ray's tasks, whose results come as futures.

Both libraries bring such a backend along. That of Dask waits for ever for a task whose workers keep
dying; that of Ray deals tasks out in turn, whoever is free, and has no result before it has all.
"""

from __future__ import annotations

import socket
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import joblib
from joblib.parallel import ParallelBackendBase

from gandiag.plugins.errors import BadInput

MAX_WORKER_DEATHS = 3  # workers that may die under one task: it is given to others that often
CONNECT_TIMEOUT = 60  # seconds to wait for a cluster's first worker
KEEP_DYING = "keep dying, as where there is too little memory"
MIN_PARALLEL_TASKS = 2  # tasks at a time below which joblib would do them itself


class WorkersDied(RuntimeError):
    """Workers die whatever is done, as where there is too little memory."""


class _FutureBackend(ParallelBackendBase):  # type: ignore[misc]
    """What both have in common."""

    supports_retrieve_callback = True

    def __init__(self, gpus: float) -> None:
        super().__init__()
        self.gpus = gpus
        self.started: list[Any] = []

    @abstractmethod
    def start(self, task: Callable[[], Any]) -> Any:
        """Hand a task over and return its future."""

    def effective_n_jobs(self, n_jobs: int) -> int:
        """How many are told to be worked on at a time; who works on what, the cluster decides."""
        return max(MIN_PARALLEL_TASKS, n_jobs)

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], None] | None = None) -> Any:
        """Hand a task over, and call back once it is done, however it ended."""
        future = self.start(func)
        if callback is not None:
            future.add_done_callback(callback)
        return future


class _DaskBackend(_FutureBackend):
    """Tasks of a Dask cluster."""

    def __init__(self, client: Any, gpus: float) -> None:
        super().__init__(gpus)
        self.client = client

    def start(self, task: Callable[[], Any]) -> Any:
        held = {"resources": {"GPU": self.gpus}} if self.gpus else {}
        future = self.client.submit(task, pure=False, **held)
        self.started.append(future)
        return future

    def retrieve_result_callback(self, out: Any) -> Any:
        from distributed import KilledWorker

        try:
            return out.result()
        except KilledWorker as error:
            raise WorkersDied(f"Dask's workers {KEEP_DYING}") from error

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Cancel what has not begun; what has runs to its end, for threads cannot be stopped."""
        self.client.cancel(self.started, force=True)


class _RayBackend(_FutureBackend):
    """Tasks of a Ray cluster."""

    def start(self, task: Callable[[], Any]) -> Any:
        import ray

        work = ray.remote(_run_task).options(
            num_cpus=1, num_gpus=self.gpus, max_retries=MAX_WORKER_DEATHS
        )
        reference = work.remote(task)
        self.started.append(reference)
        return reference.future()

    def retrieve_result_callback(self, out: Any) -> Any:
        from ray.exceptions import RayError, RayTaskError

        try:
            return out.result()
        except RayTaskError as error:
            raise error.cause from error
        except RayError as error:  # crashed, out of memory, or its machine is gone
            raise WorkersDied(f"Ray's workers {KEEP_DYING}") from error

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Cancel what has not begun, and end the workers of what has."""
        import ray

        for reference in self.started:
            ray.cancel(reference, force=True)


def _run_task(task: Callable[[], Any]) -> Any:
    return task()


@contextmanager
def _use_dask(jobs: int, address: str | None, gpus: float) -> Iterator[None]:
    """Begin a cluster of `jobs` workers on this machine, or join the one at `address`."""
    from distributed import Client

    if address is None and gpus:
        way = "a Dask cluster at an --address, whose workers say how many they hold"
        raise BadInput(f"--gpus-per-run {gpus:g}", f"needs {way} (--resources GPU=1)")
    if address is None:
        joined = Client(n_workers=jobs, threads_per_worker=1, dashboard_address=":0")
    else:
        joined = _connect(address, lambda: Client(address))
    with joined as client:
        if address is not None:
            _connect(address, lambda: client.wait_for_workers(1, timeout=CONNECT_TIMEOUT))
        _check_gpus(gpus, client.run_on_scheduler(_max_gpus) if gpus else 0.0)
        with joblib.parallel_config(_DaskBackend(client, gpus)):
            yield


def _max_gpus(dask_scheduler: Any) -> float:
    """GPUs of the worker that has most."""
    found = (worker.resources.get("GPU", 0.0) for worker in dask_scheduler.workers.values())
    return float(max(found, default=0.0))


@contextmanager
def _use_ray(jobs: int, address: str | None, gpus: float) -> Iterator[None]:
    """Begin a cluster of `jobs` cores on this machine, or join the one at `address`."""
    import ray

    begun = not ray.is_initialized()
    if begun and address is None:
        ray.init("local", num_cpus=jobs, include_dashboard=False)  # not one that is there already
    elif begun:
        _connect(address, lambda: ray.init(address=address))
    try:
        _check_gpus(gpus, max(node["Resources"].get("GPU", 0.0) for node in ray.nodes()))
        with joblib.parallel_config(_RayBackend(gpus)):
            yield
    finally:
        if begun:
            ray.shutdown()


def _connect(address: str | None, ask: Callable[[], Any]) -> Any:
    place = urlsplit(address if address and "//" in address else f"//{address}")
    try:
        if place.hostname and place.port:  # else both wait for minutes, should nobody be there
            socket.create_connection((place.hostname, place.port), timeout=CONNECT_TIMEOUT).close()
        return ask()
    except (OSError, ValueError, RuntimeError) as error:  # of connecting, in their versions
        raise BadInput(f"--address {address}", f"no cluster answers there: {error}") from error


def _check_gpus(gpus: float, most: float) -> None:
    """Refuse what no worker could ever do: a cluster would wait for one to come."""
    if gpus > most:
        problem = f"no machine of the cluster offers more than {most:g}"
        raise BadInput(f"--gpus-per-run {gpus:g}", problem)


CLUSTERS = {"dask": _use_dask, "ray": _use_ray}
