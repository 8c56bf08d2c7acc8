"""A callback that monitors a GAN in a LightningModule with manual optimization.

It is a callback of the package ``lightning``; trainers of ``pytorch_lightning`` do not accept it.

>>> from gandiag.integrations.lightning import GandiagCallback
>>> callback = GandiagCallback("reports/lightning", scores="logits")
>>> trainer = Trainer(callbacks=[callback])  # doctest: +SKIP

Accelerate needs no callback: `gandiag.attach` accepts what ``accelerator.prepare`` returns.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

from torch import nn
from torch.optim import Optimizer

from gandiag.attachment.attach import attach
from gandiag.attachment.real_samples import RealSamples
from gandiag.attachment.watch_handle import Attachment
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.models.scores import ScoreType
from gandiag.plugins.errors import BadInput, suggest_nearest
from gandiag.plugins.protocols import Follower

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ImportError as error:
    raise ImportError('Lightning is missing: pip install "gandiag[lightning]"') from error

__all__ = ["GandiagCallback"]

# Place of a mistake in error messages, as a callback has no scenario file to name.
PLACE = "GandiagCallback"
_log = logging.getLogger(__name__)


class GandiagCallback(Callback):
    """Monitors the GAN of a LightningModule during ``fit`` and publishes reports at the end.

    The callback attaches when training starts (optimizers exist and checkpoints are loaded by then)
    and detaches when it ends or is interrupted. Sanity checks and validation are not monitored. A
    failure that appears raises a warning; one that disappears is logged. The trained weights have
    the same bits as without the callback. Each ``fit`` starts a new record in the folder, in place
    of that of the callback's earlier ``fit``.

    Args:
        folder: where the record is written during training, and the reports at the end.
        scores: how the discriminator's output is read: ``logits``, ``probabilities`` or
            ``critic``; None recognises it, see `gandiag.attach`.
        generator: the generator's attribute in the module, such as ``generator`` or ``nets.g``.
        discriminator: the discriminator's attribute in the module.
        real: real samples; see `gandiag.attach` for this and the following arguments.
        select: picks the scores from several outputs of the discriminator.
        probes: options of the probes.
        detection: options of the detection.
        followers: objects that receive the measurements during training.
        overwrite: whether a record that is in the folder before the first ``fit`` may be replaced.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        scores: ScoreType | None = None,
        generator: str = "generator",
        discriminator: str = "discriminator",
        real: RealSamples | None = None,
        select: Callable[[Any], Any] | None = None,
        probes: Mapping[str, Any] | None = None,
        detection: Mapping[str, Any] | None = None,
        followers: Sequence[Follower] = (),
        overwrite: bool = False,
    ) -> None:
        self.folder = Path(folder)
        self.watch: Attachment | None = None
        self._overwrite = overwrite
        self._names = (generator, discriminator)
        # Kept until the training starts, because only then there are optimizers to attach to.
        self._options: dict[str, Any] = {
            "scores": scores,
            "real": real,
            "select": select,
            "probes": probes,
            "detection": detection,
            "followers": followers,
        }

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Check the module before anything is computed.

        Raises:
            BadInput: the module uses automatic optimization, or has no such networks.
        """
        # Validation, test and prediction train nothing, so the module may be of any form.
        if stage != "fit":
            return
        if pl_module.automatic_optimization:
            module = f"{type(pl_module).__name__} optimizes automatically"
            problem = "a GAN needs two optimizers: set self.automatic_optimization = False"
            raise BadInput(PLACE, f"{module}; {problem}")
        for name in self._names:
            _find_network(pl_module, name)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Attach to the networks and their optimizers.

        Raises:
            BadInput: a network has no optimizer, or both share one.
        """
        # Not in `setup`, which runs before Lightning creates the optimizers and loads a checkpoint.
        networks = [_find_network(pl_module, name) for name in self._names]
        optimizers = _assign_optimizers(trainer.optimizers, networks, self._names)
        self.watch = attach(
            networks[0],
            networks[1],
            optimizers[0],
            optimizers[1],
            folder=self.folder,
            overwrite=self._overwrite or self.watch is not None,
            on_alert=_report_alert,
            **self._options,
        )

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Detach and publish the reports in the folder."""
        if self.watch is None:
            return
        # Detached first: this writes the last measurements, which the report must contain.
        self.watch.detach()
        try:
            for place in self.watch.publish(self.folder):
                _log.info("gandiag: %s", place)
        except Exception as error:  # an error would keep other callbacks from saving the weights
            text = f"gandiag could not publish in {self.folder}: {type(error).__name__}: {error}"
            warnings.warn(text, RuntimeWarning, stacklevel=2)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Detach. The record stays in the folder; ``gandiag report`` builds its page."""
        if self.watch is not None:
            self.watch.detach()


def _find_network(module: LightningModule, name: str) -> nn.Module:
    """The network under an attribute of the module; `name` may contain dots.

    Raises:
        BadInput: there is no such attribute, or it is not a network.
    """
    try:
        network = attrgetter(name)(module)
    except AttributeError as error:
        names = [child for child, _ in module.named_modules() if child]
        problem = f"{type(module).__name__} has no {name!r}; {suggest_nearest(name, names)}"
        raise BadInput(PLACE, problem) from error
    if not isinstance(network, nn.Module):
        raise BadInput(PLACE, f"{name!r} is a {type(network).__name__}, not a network")
    return network


def _assign_optimizers(
    optimizers: Sequence[Optimizer], networks: Sequence[nn.Module], names: Sequence[str]
) -> list[list[Optimizer]]:
    """The optimizers of each network, in their order; those of other networks are left out.

    Raises:
        BadInput: an optimizer steps both networks, or a network has none.
    """
    # By identity, as `==` between tensors compares their entries and not the tensors themselves.
    weights = [{id(weight) for weight in network.parameters()} for network in networks]
    assigned: list[list[Optimizer]] = [[], []]
    for index, optimizer in enumerate(optimizers):
        stepped = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
        owners = [owner for owner in (0, 1) if stepped & weights[owner]]
        if len(owners) == 2:
            problem = f"optimizer {index} steps {names[0]!r} and {names[1]!r}; use one for each"
            raise BadInput(PLACE, problem)
        for owner in owners:
            assigned[owner].append(optimizer)
    for name, own in zip(names, assigned, strict=True):
        if not own:
            problem = f"no optimizer steps {name!r}; configure_optimizers must return one for each"
            raise BadInput(PLACE, problem)
    return assigned


def _report_alert(diagnosis: Diagnosis, step: int) -> None:
    """Warn of a failure that appears; log that one has disappeared."""
    # A warning and no exception: the training belongs to the user, who decides whether it goes on.
    if diagnosis.status == "present":
        text = f"gandiag, step {step}: {diagnosis.condition}: {diagnosis.summary}"
        warnings.warn(text, UserWarning, stacklevel=2)
    else:
        _log.info("gandiag, step %d: %s is no longer present", step, diagnosis.condition)
