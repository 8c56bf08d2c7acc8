"""Checkpoints: the weights of both networks at a generator step, in the folder of the run.

A checkpoint is one file, ``checkpoints/step-00000500.safetensors``. Safetensors is a format that
cannot hold code, unlike pickle. The tensors are called ``generator.<name>`` and
``discriminator.<name>``, with the names of the networks' state dicts. All else that a run needs to
go on is in the one file of `gandiag.training.run_state`. A checkpoint of the scenario `healthy`
takes 1.0 MB.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from gandiag.models.gan import GAN
from gandiag.plugins.errors import BadInput, join_lines, warn_user
from gandiag.records.run_folder import STATE_FILE
from gandiag.records.storage import write_file
from gandiag.training.trainer import StopTraining

CHECKPOINTS = "checkpoints"
NETWORKS = ("generator", "discriminator")
# Other files in the folder are none of gandiag's.
_NAME = re.compile(r"step-([0-9]{1,15})\.safetensors")
# A run that is killed loses at most so many seconds of work. Writing the state of `healthy` takes
# 0.1 s, so that the time is lost in the noise.
STATE_SECONDS = 300.0


class CheckpointWriter:
    """Writes checkpoints: after the first step, every `every` steps, and at the end of the run.

    The writer reads the weights and changes nothing. At the first step it deletes the checkpoints
    of an earlier run in the same folder, because their names look like those of this run. A file
    that cannot be written does not end the run; the next one is tried again.

    Attributes:
        has_stopped: whether the training has ended because of `should_stop`.
        write_state: writes the state from which the run can go on: at each checkpoint, after
            `STATE_SECONDS` without one, and when the run is to stop. None: no state is written.

    Args:
        folder: folder of the run.
        every: generator steps between two checkpoints; 0 writes none.
        should_stop: asked after each step; if it returns true, the training ends.
        first_step: step from which the run goes on; its checkpoints until then are kept.
        on_disk_error: called with the error of a file that cannot be written; None for a warning.
    """

    def __init__(
        self,
        folder: Path,
        every: int,
        should_stop: Callable[[], bool] = lambda: False,
        first_step: int = 0,
        on_disk_error: Callable[[OSError], None] | None = None,
    ) -> None:
        self.folder, self.every = folder / CHECKPOINTS, every
        self.has_stopped = False
        self.write_state: Callable[[], None] | None = None
        self._should_stop, self._first_step = should_stop, first_step
        self._newest: tuple[int, GAN] | None = None
        # Generator steps count from 1, so 0 means that no checkpoint is written yet.
        self._written_step = 0
        self._state_time = time.monotonic()
        self._on_disk_error = on_disk_error or _warn

    def __call__(self, step: int, gan: GAN) -> None:
        """Take note of a completed generator step, and write a checkpoint if one is due.

        Raises:
            StopTraining: the training is to end here.
        """
        if self._newest is None:
            # Only at the first step, so that a run that fails before it leaves the old checkpoints.
            for old_step, old in list_checkpoints(self.folder.parent):
                if old_step > self._first_step:
                    old.unlink()
        self._newest = step, gan
        is_due = bool(self.every) and (step == 1 or step % self.every == 0)
        if is_due:
            self.write()
        # Asked once, so that a run never stops without its state.
        is_last = self._should_stop()
        if is_due or is_last or time.monotonic() - self._state_time >= STATE_SECONDS:
            self._state_time = time.monotonic()
            if self.write_state is not None:
                self._try(self.write_state)
        if is_last:
            self.has_stopped = True
            raise StopTraining

    def write(self) -> None:
        """Write the current weights, unless this step has a checkpoint. Call it at the end, too.

        After an interrupted run, the discriminator may be some steps ahead of the file's step.
        """
        if self.every and self._newest is not None and self._newest[0] != self._written_step:
            self._try(self._write_weights)

    def end(self, is_interrupted: bool) -> None:
        """Write the last weights, and remove the state of a run that is complete."""
        self.write()
        if not is_interrupted:
            state = self.folder.parent / STATE_FILE
            self._try(lambda: state.unlink(missing_ok=True))
            with suppress(OSError):
                self.folder.rmdir()  # fails unless it is empty, as without checkpoints

    def _write_weights(self) -> None:
        if self._newest is None:
            return
        step, gan = self._newest
        # Safetensors refuses tensors that share memory (tied weights); a clone shares none.
        tensors = {
            f"{network}.{name}": tensor.detach().cpu().contiguous().clone()
            for network in NETWORKS
            for name, tensor in getattr(gan, network).state_dict().items()
        }
        # Made only here, so that a run without checkpoints has no empty folder of them.
        self.folder.mkdir(parents=True, exist_ok=True)
        write_file(self.folder / f"step-{step:08d}.safetensors", save(tensors))
        self._written_step = step

    def _try(self, write: Callable[[], None]) -> None:
        """Write a file; a full disk must not end a training."""
        try:
            write()
        except OSError as error:
            self._on_disk_error(error)


def _warn(error: OSError) -> None:
    warn_user(f"a checkpoint is missing: {type(error).__name__}: {error}")


def list_checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """Return the checkpoints in a run's folder as ``(step, file)``, oldest first."""
    files = (folder / CHECKPOINTS).glob("step-*.safetensors")
    found = [(match, file) for file in files if (match := _NAME.fullmatch(file.name))]
    return sorted((int(match[1]), file) for match, file in found)


def find_checkpoint(folder: Path, step: int | None = None) -> tuple[int, Path]:
    """Return the checkpoint of a step as ``(step, file)``; the newest one for None.

    Raises:
        BadInput: there is no such checkpoint. The message names the steps that have one, or the
            command that writes some.
    """
    checkpoints = list_checkpoints(folder)
    if not checkpoints:
        hint = f"gandiag run {folder} --checkpoint-every 500 repeats the run and writes some"
        raise BadInput(str(folder), f"no checkpoints here; {hint}")
    if step is None:
        return checkpoints[-1]
    files = dict(checkpoints)
    if step in files:
        return step, files[step]
    nearest_step = min(files, key=lambda other: abs(other - step))
    steps = ", ".join(map(str, files))
    problem = f"no checkpoint of step {step}; nearest is {nearest_step}; there are {steps}"
    raise BadInput(str(folder), problem)


def restore_networks(gan: GAN, path: Path) -> None:
    """Load a checkpoint's weights into the networks of `gan`, in place.

    Args:
        gan: networks of the same architecture as the saved ones.
        path: file of the checkpoint.

    Raises:
        BadInput: the file is no checkpoint, or its networks have another architecture.
    """
    try:
        tensors = load(path.read_bytes())
    # A header that is no checkpoint's gives a KeyError, and one of a wrong size a ValueError.
    except (SafetensorError, KeyError, ValueError, RuntimeError, MemoryError) as error:
        problem = join_lines(str(error)) or type(error).__name__
        raise BadInput(str(path), f"not a checkpoint ({problem:.200})") from error
    for network in NETWORKS:
        try:
            getattr(gan, network).load_state_dict(_select_network(tensors, network))
        except RuntimeError as error:
            problem = f"does not fit the scenario's {network}: {join_lines(str(error)):.1000}"
            raise BadInput(str(path), problem) from error


def _select_network(tensors: Mapping[str, Tensor], network: str) -> dict[str, Tensor]:
    prefix = f"{network}."
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
