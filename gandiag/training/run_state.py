"""The state of a run between two steps, in one file: a run can go on after its process has ended.

The file ``checkpoints/resume.safetensors`` has the tensors of the state, and in its header as JSON
everything else. Safetensors is a format that cannot hold code, unlike pickle. A new state replaces
the old one, and a run that is complete removes it.

On the same machine and with the same versions, a run that goes on from a state ends with the same
weights and signals, bit by bit, as one that was never interrupted.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from gandiag.plugins.errors import BadInput, join_lines, warn_user
from gandiag.records.record import Row
from gandiag.records.run_folder import STATE_FILE
from gandiag.records.storage import sync_file, write_file
from gandiag.scenario.schema import Scenario
from gandiag.training.session import Session
from gandiag.training.trainer import Trainer

_TENSOR, _MAPPING = "tensor", "mapping"  # keys of the JSON objects that stand for these types
# A stored state of another layout cannot be loaded.
_VERSION = 1


class RunState:
    """Saves and loads all that decides the further course of a run.

    Args:
        scenario: the run's scenario; a state of another scenario is refused.
        trainer: the training loop.
        session: what observes the run.
        device: device of the networks.
    """

    def __init__(
        self, scenario: Scenario, trainer: Trainer, session: Session, device: torch.device
    ) -> None:
        self._digest = hashlib.sha256(scenario.as_yaml().encode()).hexdigest()
        self._trainer, self._session, self._device = trainer, session, device
        self._start, self._earlier_seconds = time.perf_counter(), 0.0

    def write(self, folder: Path) -> None:
        """Write the state into a run's folder; call it between two steps.

        Raises:
            OSError: the file cannot be written; an older state is unchanged.
        """
        on_gpu = self._device.type == "cuda"
        record = self._session.recorder.state()
        seconds = round(self._earlier_seconds + time.perf_counter() - self._start, 1)
        record["environment"] = {**record["environment"], "seconds": seconds}
        state = {
            "version": _VERSION,
            "scenario": self._digest,
            "torch": [torch.__version__, torch.get_num_threads()],
            "trainer": self._trainer.state(),
            "watch": self._session.watch.state(),
            "monitor": self._session.monitor.state(),
            "record": record,
            # Of the global generators, from which dropout and penalties draw.
            "random": [
                torch.get_rng_state(),
                torch.cuda.get_rng_state(self._device) if on_gpu else None,
            ],
        }
        tensors: dict[str, Tensor] = {}
        text = json.dumps(_pack(state, tensors))
        path = folder / STATE_FILE
        path.parent.mkdir(exist_ok=True)
        # The rows first: a state whose rows were lost in a power cut could not be loaded.
        self._session.recorder.sync()
        write_file(path, save(tensors, {"state": text}))
        sync_file(path)

    def load(self, folder: Path) -> list[Row]:
        """Load the state in a run's folder, and return the rows of the record until then.

        Raises:
            BadInput: the file is damaged, or of another scenario.
        """
        path = folder / STATE_FILE
        try:
            with safe_open(path, "pt") as file:
                names = file.keys()
                tensors = {name: file.get_tensor(name) for name in names}
                state = _unpack(json.loads(file.metadata()["state"]), tensors)
            if state["version"] != _VERSION:
                raise ValueError("of another version of gandiag")
            if state["scenario"] != self._digest:
                raise ValueError("of another scenario than the scenario.yaml beside it")
            return self._load(state)
        # A file from elsewhere has any content; torch raises RuntimeError for other shapes.
        except (SafetensorError, ValueError, TypeError, LookupError, RuntimeError) as error:
            problem = f"is no state from which the run can go on ({join_lines(str(error))})"
            raise BadInput(str(path), problem) from error

    def _load(self, state: Mapping[str, Any]) -> list[Row]:
        self._trainer.load_state(state["trainer"])
        self._session.watch.load_state(state["watch"], self._device)
        self._session.monitor.load_state(state["monitor"])
        rows = self._session.recorder.load_state(state["record"])
        self._earlier_seconds = state["record"]["environment"]["seconds"]
        host, gpu = state["random"]
        torch.set_rng_state(host)
        if gpu is not None and self._device.type == "cuda":
            torch.cuda.set_rng_state(gpu, self._device)
        here = [torch.__version__, torch.get_num_threads()]
        if state["torch"] != here:
            (version, threads), (new_version, new_threads) = state["torch"], here
            warn_user(
                f"the run began with torch {version} on {threads} threads and goes on with "
                f"{new_version} on {new_threads}: its numbers are rounded in another way"
            )
        return rows


def _pack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Plain data for JSON, in which names stand for tensors; the tensors are added to `tensors`."""
    if isinstance(value, Tensor):
        name = str(len(tensors))
        # A clone: safetensors refuses tensors that share memory.
        tensors[name] = value.detach().cpu().contiguous().clone()
        return {_TENSOR: name}
    if isinstance(value, Mapping):  # as pairs, because the keys of JSON objects are strings
        return {_MAPPING: [[key, _pack(item, tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_pack(item, tensors) for item in value]
    return value


def _unpack(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The inverse of `_pack`; tuples become lists."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_unpack(item, tensors) for item in value]
    if not isinstance(value, Mapping):
        return value
    if _TENSOR in value:
        return tensors[value[_TENSOR]]
    return {key: _unpack(item, tensors) for key, item in value[_MAPPING]}
