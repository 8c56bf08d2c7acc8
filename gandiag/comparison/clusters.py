"""Clusters of Dask and Ray as backends of joblib.

Both libraries have a joblib backend of their own. Dask's waits without end for a task whose workers
keep dying. Ray's assigns tasks to workers in rotation, whether they are idle or not, and returns
results only when all tasks have ended. The backends here do neither.
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

MAX_WORKER_DEATHS = 3  # A task whose workers die this often is given up.
CONNECT_TIMEOUT = 60  # Seconds to wait for a scheduler, and for a cluster's first worker.
KEEP_DYING = "keep dying, for example for lack of memory"
# With fewer tasks at a time, joblib runs them in this process instead of passing them to the
# backend.
MIN_PARALLEL_TASKS = 2


class WorkersDied(RuntimeError):
    """Workers died repeatedly, for example for lack of memory."""


class _FutureBackend(ParallelBackendBase):  # type: ignore[misc]
    """A joblib backend for a cluster whose tasks return futures."""

    # joblib then calls `retrieve_result_callback` with each finished future.
    supports_retrieve_callback = True

    def __init__(self, gpus: float) -> None:
        super().__init__()
        self.gpus = gpus
        self.started: list[Any] = []

    @abstractmethod
    def start(self, task: Callable[[], Any]) -> Any:
        """Pass a task to the cluster and return its future."""

    def effective_n_jobs(self, n_jobs: int) -> int:
        """Return how many tasks joblib passes on at a time; the cluster schedules them itself."""
        return max(MIN_PARALLEL_TASKS, n_jobs)

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], None] | None = None) -> Any:
        """Start a task; `callback` is called with its future when it has ended or failed."""
        future = self.start(func)
        if callback is not None:
            future.add_done_callback(callback)
        return future


class _DaskBackend(_FutureBackend):
    """Tasks on a Dask cluster."""

    def __init__(self, client: Any, gpus: float) -> None:
        super().__init__(gpus)
        self.client = client

    def start(self, task: Callable[[], Any]) -> Any:
        resources = {"resources": {"GPU": self.gpus}} if self.gpus else {}
        # Not pure: Dask would otherwise return the old result of an equal task.
        future = self.client.submit(task, pure=False, **resources)
        self.started.append(future)
        return future

    def retrieve_result_callback(self, out: Any) -> Any:
        from distributed import KilledWorker

        try:
            return out.result()
        except KilledWorker as error:
            raise WorkersDied(f"Dask's workers {KEEP_DYING}") from error

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Cancel waiting tasks. Running tasks go on, as Dask cannot stop a thread."""
        # Forced: Dask otherwise keeps a task that another client wants, too.
        self.client.cancel(self.started, force=True)


class _RayBackend(_FutureBackend):
    """Tasks on a Ray cluster."""

    def start(self, task: Callable[[], Any]) -> Any:
        import ray

        # Ray repeats a task whose worker died, at most this often.
        options = {"num_cpus": 1, "num_gpus": self.gpus, "max_retries": MAX_WORKER_DEATHS}
        reference = ray.remote(_run_task).options(**options).remote(task)
        self.started.append(reference)
        return reference.future()

    def retrieve_result_callback(self, out: Any) -> Any:
        from ray.exceptions import RayError, RayTaskError

        try:
            return out.result()
        except RayTaskError as error:  # the task itself has raised an exception
            raise error.cause from error  # the caller expects the task's own exception
        except RayError as error:  # the worker crashed, ran out of memory, or lost its machine
            raise WorkersDied(f"Ray's workers {KEEP_DYING}") from error

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Cancel waiting tasks, and end the worker processes of running tasks."""
        import ray

        for reference in self.started:
            ray.cancel(reference, force=True)


def _run_task(task: Callable[[], Any]) -> Any:
    return task()


@contextmanager
def _use_dask(jobs: int, address: str | None, gpus: float) -> Iterator[None]:
    """Start a cluster of `jobs` workers on this machine, or connect to the one at `address`."""
    from distributed import Client

    if address is None and gpus:
        # Dask does not detect GPUs: each worker must be started with their number.
        cluster = "a Dask cluster at an --address, with workers that declare their GPUs"
        raise BadInput(f"--gpus-per-run {gpus:g}", f"needs {cluster} (--resources GPU=1)")
    if address is None:
        # One thread for each worker, as a process trains one GAN at a time. The port of the
        # dashboard is any free one, as another cluster may use Dask's default port.
        client = Client(n_workers=jobs, threads_per_worker=1, dashboard_address=":0")
    else:
        client = _connect(address, lambda: Client(address))
    with client:
        if address is not None:
            _connect(address, lambda: client.wait_for_workers(1, timeout=CONNECT_TIMEOUT))
        _check_gpus(gpus, client.run_on_scheduler(_max_gpus) if gpus else 0.0)
        with joblib.parallel_config(_DaskBackend(client, gpus)):
            yield


def _max_gpus(dask_scheduler: Any) -> float:
    """Return the largest number of GPUs of a worker. Dask passes the argument by its name."""
    counts = (worker.resources.get("GPU", 0.0) for worker in dask_scheduler.workers.values())
    return float(max(counts, default=0.0))


@contextmanager
def _use_ray(jobs: int, address: str | None, gpus: float) -> Iterator[None]:
    """Start a cluster of `jobs` cores on this machine, or connect to the one at `address`."""
    import ray

    # A process has one connection to Ray. The caller's own is used and left open.
    is_ours = not ray.is_initialized()
    if is_ours and address is None:
        # "local" starts a new cluster, even if another one is running on this machine.
        ray.init("local", num_cpus=jobs, include_dashboard=False)
    elif is_ours:
        _connect(address, lambda: ray.init(address=address))
    try:
        _check_gpus(gpus, max(node["Resources"].get("GPU", 0.0) for node in ray.nodes()))
        with joblib.parallel_config(_RayBackend(gpus)):
            yield
    finally:
        if is_ours:
            ray.shutdown()


def _connect(address: str | None, connect: Callable[[], Any]) -> Any:
    """Call `connect`, with a short message if no cluster answers at `address`."""
    # Without "//" an address such as "127.0.0.1:8786" would be parsed as a path.
    url = urlsplit(address if address and "//" in address else f"//{address}")
    try:
        if url.hostname and url.port:
            # Dask and Ray would try for minutes if nothing listens there.
            socket.create_connection((url.hostname, url.port), timeout=CONNECT_TIMEOUT).close()
        return connect()
    except (OSError, ValueError, RuntimeError) as error:  # the types depend on library and version
        raise BadInput(f"--address {address}", f"no cluster answers there: {error}") from error


def _check_gpus(gpus: float, largest: float) -> None:
    """Refuse a task that no machine can run: the cluster would wait without end for a machine."""
    if gpus > largest:
        problem = f"no machine of the cluster offers more than {largest:g}"
        raise BadInput(f"--gpus-per-run {gpus:g}", problem)


CLUSTERS = {"dask": _use_dask, "ray": _use_ray}
