"""A callback that watches a GAN trained by Lightning, under manual optimization.

It is for the package ``lightning``; its twin ``pytorch_lightning`` takes no callbacks of another.

>>> from gandiag.integrations.lightning import GandiagCallback
>>> callback = GandiagCallback("reports/lightning", scores="logits")
>>> trainer = Trainer(callbacks=[callback])  # doctest: +SKIP

Accelerate needs no door of its own: `gandiag.attach` takes what ``accelerator.prepare`` returns.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import Dataset

from gandiag.attachment.attach import attach
from gandiag.attachment.watch_handle import Attachment
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.models.scores import Scores
from gandiag.plugins.errors import BadInput, nearest
from gandiag.plugins.protocols import Follower

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ImportError as error:
    raise ImportError('Lightning is missing: pip install "gandiag[lightning]"') from error

__all__ = ["GandiagCallback"]

PLACE = "GandiagCallback"
_log = logging.getLogger(__name__)


class GandiagCallback(Callback):
    """Watches the GAN of a LightningModule while it trains, and publishes reports at the end.

    It attaches when training starts, with optimizers made and checkpoints loaded, and detaches when
    it ends or is interrupted. Sanity checks and validation are not watched. A condition that
    appears is told as a warning, one that clears as a log message. The trained weights are the same
    bits as without it. Each ``fit`` begins a new record in the folder.

    Args:
        folder: where the record is kept while the module trains, and the reports afterwards.
        scores: what the discriminator's output is: ``logits``, ``probabilities`` or ``critic``.
        generator: the generator's attribute in the module, such as ``generator`` or ``nets.g``.
        discriminator: the discriminator's.
        real: see `gandiag.attach`, as for all that follow.
        select: picks the scores from several outputs of the discriminator.
        probes: what is measured, and how often.
        detection: what is asked, and how often.
        followers: shown the run while it happens.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        scores: Scores,
        generator: str = "generator",
        discriminator: str = "discriminator",
        real: Tensor | Dataset[Any] | None = None,
        select: Callable[[Any], Tensor] | None = None,
        probes: Mapping[str, Any] | None = None,
        detection: Mapping[str, Any] | None = None,
        followers: Sequence[Follower] = (),
    ) -> None:
        self.folder = Path(folder)
        self.watch: Attachment | None = None
        self._names = (generator, discriminator)
        self._options: dict[str, Any] = {
            "scores": scores,
            "real": real,
            "select": select,
            "probes": probes,
            "detection": detection,
            "followers": followers,
        }

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse a module that cannot be watched before anything is computed.

        Raises:
            BadInput: it optimizes automatically, or has no such networks.
        """
        if stage != "fit":
            return
        if pl_module.automatic_optimization:
            problem = "a GAN has two players; set self.automatic_optimization = False"
            raise BadInput(PLACE, f"{type(pl_module).__name__} optimizes automatically: {problem}")
        for name in self._names:
            _network(pl_module, name)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Attach.

        Raises:
            BadInput: the optimizers are not one or more for each player.
        """
        networks = [_network(pl_module, name) for name in self._names]
        optimizers = _dealt(trainer.optimizers, networks, self._names)
        self.watch = attach(
            networks[0],
            networks[1],
            optimizers[0],
            optimizers[1],
            folder=self.folder,
            on_alert=_tell,
            **self._options,
        )

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Detach, and publish the reports in the folder."""
        if self.watch is None:
            return
        self.watch.detach()
        try:
            for place in self.watch.publish(self.folder):
                _log.info("gandiag: %s", place)
        except Exception as error:  # other callbacks still have their weights to save
            text = f"gandiag could not publish in {self.folder}: {type(error).__name__}: {error}"
            warnings.warn(text, RuntimeWarning, stacklevel=2)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Detach; the record in the folder is kept, and ``gandiag report`` makes its page."""
        if self.watch is not None:
            self.watch.detach()


def _network(module: LightningModule, name: str) -> nn.Module:
    try:
        network = attrgetter(name)(module)
    except AttributeError as error:
        names = [child for child, _ in module.named_modules() if child]
        problem = f"{type(module).__name__} has no {name!r}; {nearest(name, names)}"
        raise BadInput(PLACE, problem) from error
    if not isinstance(network, nn.Module):
        raise BadInput(PLACE, f"{name!r} is a {type(network).__name__}, not a network")
    return network


def _dealt(
    optimizers: Sequence[Optimizer], networks: Sequence[nn.Module], names: Sequence[str]
) -> list[list[Optimizer]]:
    """The optimizers of each network, in their order; those of further networks are left out."""
    weights = [{id(weight) for weight in network.parameters()} for network in networks]
    hands: list[list[Optimizer]] = [[], []]
    for index, optimizer in enumerate(optimizers):
        stepped = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
        players = [player for player in (0, 1) if stepped & weights[player]]
        if len(players) == 2:
            problem = f"optimizer {index} steps {names[0]!r} and {names[1]!r}; make one for each"
            raise BadInput(PLACE, problem)
        for player in players:
            hands[player].append(optimizer)
    for name, hand in zip(names, hands, strict=True):
        if not hand:
            problem = f"no optimizer steps {name!r}; configure_optimizers must return one for each"
            raise BadInput(PLACE, problem)
    return hands


def _tell(diagnosis: Diagnosis, step: int) -> None:
    if diagnosis.status == "present":
        text = f"gandiag, step {step}: {diagnosis.condition}: {diagnosis.summary}"
        warnings.warn(text, UserWarning, stacklevel=2)
    else:
        _log.info("gandiag, step %d: %s is no longer present", step, diagnosis.condition)
