"""Checkpoints: both players' weights at a step, kept in a run's folder while it is played.

Each is one file of safetensors, ``checkpoints/step-00000500.safetensors``, a format that holds no
code. The tensors are called ``generator.<name>`` and ``discriminator.<name>``, as in the networks'
state dicts; the state of the optimizers is not kept. Those of the scenario `healthy` take 1.0 MB.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from gandiag.models.gan import GAN
from gandiag.plugins.errors import BadInput, one_line
from gandiag.records.storage import write_file

CHECKPOINTS = "checkpoints"
NETWORKS = ("generator", "discriminator")


class CheckpointWriter:
    """Observes a run and keeps checkpoints: after the first step, every so often, and of the end.

    It reads the weights and changes nothing. Checkpoints of an earlier run in the folder are taken
    away at the first step, as they would be taken for this run's.

    Args:
        folder: of the run.
        every: generator steps between two checkpoints; 0 for none.
    """

    def __init__(self, folder: Path, every: int) -> None:
        self.folder, self.every = folder / CHECKPOINTS, every
        self._seen: tuple[int, GAN] | None = None
        self._kept = 0

    def __call__(self, step: int, gan: GAN) -> None:
        """A generator step is complete."""
        if self._seen is None:
            for _, old in list_checkpoints(self.folder.parent):
                old.unlink()
        self._seen = step, gan
        if self.every and (step == 1 or step % self.every == 0):
            self.write()

    def write(self) -> None:
        """Write the players as they are now, unless they have been: called when the run ends.

        Of a run that was interrupted, the discriminator may be some steps ahead.
        """
        if not self.every or self._seen is None or self._seen[0] == self._kept:
            return
        step, gan = self._seen
        tensors = {
            f"{player}.{name}": tensor.detach().cpu().contiguous().clone()  # tied ones, too
            for player in NETWORKS
            for name, tensor in getattr(gan, player).state_dict().items()
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        write_file(self.folder / f"step-{step:08d}.safetensors", save(tensors))
        self._kept = step


def list_checkpoints(folder: Path) -> list[tuple[int, Path]]:
    """Checkpoints of a run's folder as (step, file), oldest first."""
    files = sorted((folder / CHECKPOINTS).glob("step-*.safetensors"))
    return [(int(file.stem.removeprefix("step-")), file) for file in files]


def find_checkpoint(folder: Path, step: int | None = None) -> tuple[int, Path]:
    """The checkpoint of a step, or the newest one.

    Raises:
        BadInput: there is none; it says at which steps there are, or how to get some.
    """
    found = list_checkpoints(folder)
    if not found:
        way = f"gandiag run {folder} --checkpoint-every 500 plays the game again and keeps some"
        raise BadInput(str(folder), f"no checkpoints here; {way}")
    if step is None:
        return found[-1]
    for each in found:
        if each[0] == step:
            return each
    near = min(found, key=lambda each: abs(each[0] - step))[0]
    steps = ", ".join(str(each) for each, _ in found)
    raise BadInput(
        str(folder), f"no checkpoint of step {step}; nearest is {near}; there are {steps}"
    )


def restore_networks(gan: GAN, path: Path) -> None:
    """Put a checkpoint's weights into networks of the same making, in place.

    Raises:
        BadInput: the file is no checkpoint, or one of other networks.
    """
    try:
        tensors = load(path.read_bytes())
    except SafetensorError as error:
        raise BadInput(str(path), f"not a checkpoint ({error})") from error
    for player in NETWORKS:
        try:
            getattr(gan, player).load_state_dict(_select_network(tensors, player))
        except RuntimeError as error:
            problem = f"does not fit the scenario's {player}: {one_line(str(error))}"
            raise BadInput(str(path), problem) from error


def _select_network(tensors: Mapping[str, Tensor], player: str) -> dict[str, Tensor]:
    lead = f"{player}."
    return {name.removeprefix(lead): t for name, t in tensors.items() if name.startswith(lead)}
