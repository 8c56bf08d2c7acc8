"""Checkpoints: the weights of both networks at a generator step, in the folder of the run.

A checkpoint is one file, ``checkpoints/step-00000500.safetensors``. Safetensors is a format that
cannot hold code, unlike pickle. The tensors are called ``generator.<name>`` and
``discriminator.<name>``, with the names of the networks' state dicts. The state of the optimizers
is not saved. A checkpoint of the scenario `healthy` takes 1.0 MB.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from gandiag.models.gan import GAN
from gandiag.plugins.errors import BadInput, join_lines
from gandiag.records.storage import write_file

CHECKPOINTS = "checkpoints"
NETWORKS = ("generator", "discriminator")
# Other files in the folder are none of gandiag's.
_NAME = re.compile(r"step-([0-9]{1,15})\.safetensors")


class CheckpointWriter:
    """Writes checkpoints: after the first step, every `every` steps, and at the end of the run.

    The writer reads the weights and changes nothing. At the first step it deletes the checkpoints
    of an earlier run in the same folder, because their names look like those of this run.

    Args:
        folder: folder of the run.
        every: generator steps between two checkpoints; 0 writes none.
    """

    def __init__(self, folder: Path, every: int) -> None:
        self.folder, self.every = folder / CHECKPOINTS, every
        self._newest: tuple[int, GAN] | None = None
        # Generator steps count from 1, so 0 means that no checkpoint is written yet.
        self._written_step = 0

    def __call__(self, step: int, gan: GAN) -> None:
        """Take note of a completed generator step, and write a checkpoint if one is due."""
        if self._newest is None:
            # Only at the first step, so that a run that fails before it leaves the old checkpoints.
            for _, old in list_checkpoints(self.folder.parent):
                old.unlink()
        self._newest = step, gan
        if self.every and (step == 1 or step % self.every == 0):
            self.write()

    def write(self) -> None:
        """Write the current weights, unless this step has a checkpoint. Call it at the end, too.

        After an interrupted run, the discriminator may be some steps ahead of the file's step.
        """
        if not self.every or self._newest is None or self._newest[0] == self._written_step:
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
