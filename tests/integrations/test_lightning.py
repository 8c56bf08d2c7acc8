from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer
from torch.utils.data import DataLoader, TensorDataset

import gandiag
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.integrations.lightning import GandiagCallback
from tests.attachment import loops
from tests.attachment.loops import BATCH, LATENT, targets

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),  # Lightning's own use of torch
]
STEPS = 60


def data(count: int = STEPS // 2) -> DataLoader[Any]:
    """Two epochs of these are `STEPS` batches."""
    samples = torch.cat([images for images, _ in loops.reals(count)])
    return DataLoader(TensorDataset(samples), batch_size=BATCH)


def module(swapped: bool = False, **given: Any) -> Any:
    """A GAN as Lightning's own example has it: two optimizers, stepped by hand."""

    class Gan(LightningModule):
        """A GAN with toggled optimizers, validation, and networks under the usual names."""

        def __init__(self) -> None:
            """Make the networks."""
            super().__init__()
            self.automatic_optimization = given.get("automatic", False)
            torch.manual_seed(0)
            self.generator = loops.Generator()
            self.discriminator = loops.Discriminator()
            self.seen = 0

        def training_step(self, batch: list[Tensor], index: int) -> None:
            """Step the discriminator, then the generator."""
            (real,) = batch
            optimizers = self.optimizers()
            g_step, d_step = reversed(optimizers) if swapped else optimizers
            loss = nn.functional.binary_cross_entropy_with_logits
            fake = self.generator(torch.randn(len(real), LATENT))
            self.toggle_optimizer(d_step)
            on_real, on_fake = self.discriminator(real), self.discriminator(fake.detach())
            d_loss = loss(on_real, targets(on_real, 1.0)) + loss(on_fake, targets(on_fake, 0.0))
            d_step.zero_grad()
            self.manual_backward(d_loss)
            d_step.step()
            self.untoggle_optimizer(d_step)
            self.toggle_optimizer(g_step)
            scores = self.discriminator(self.generator(torch.randn(len(real), LATENT)))
            g_step.zero_grad()
            self.manual_backward(loss(scores, targets(scores, 1.0)))
            g_step.step()
            self.untoggle_optimizer(g_step)
            self.seen += 1
            if self.seen == given.get("fails"):
                raise given.get("error", RuntimeError)

        def validation_step(self, batch: list[Tensor], index: int) -> None:
            """Score real and made samples, as people do."""
            made = self.generator(torch.randn(16, LATENT))
            self.log("validation", (self.discriminator(batch[0]).mean() - made.mean()).abs())

        def configure_optimizers(self) -> list[Optimizer]:
            """One for each player."""
            if "optimizers" in given:
                made: list[Optimizer] = given["optimizers"](self)
                return made
            both = [Adam(self.generator.parameters(), 2e-4)]
            both += [Adam(self.discriminator.parameters(), 2e-4)]
            return both[::-1] if swapped else both

    return Gan()


def fit(made: Any, *callbacks: Any) -> None:
    """Train it for two epochs on the CPU, with a sanity check and validation."""
    torch.manual_seed(1)
    trainer = Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=list(callbacks),
    )
    trainer.fit(made, data(), data(2))


def test_weights_are_those_without(tmp_path: Path) -> None:
    """Two epochs with a sanity check and validation end at the same bits."""
    alone, watched = module(), module()
    fit(alone)
    callback = GandiagCallback(tmp_path, scores="logits")
    fit(watched, callback)
    ours, theirs = watched.state_dict(), alone.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert callback.watch is not None
    assert callback.watch.step == STEPS


@pytest.mark.parametrize("swapped", [False, True])
def test_both_players_are_seen(swapped: bool, tmp_path: Path) -> None:
    """Whatever their order, the optimizers are dealt rightly; the page lies in the folder."""
    made = module(swapped)
    fit(made, GandiagCallback(tmp_path, scores="logits", probes={"gradient": {"every": 1}}))
    record = gandiag.load(tmp_path)
    for player in ("generator", "discriminator"):
        assert record[f"gradient/norm/{player}"].steps.tolist() == list(range(STEPS))
    assert "learning_signal/score_gradient/generator" in record.signals
    assert "confidence/gap/discriminator" in record.signals
    assert (tmp_path / "report.html").is_file()
    assert (tmp_path / "diagnoses.json").is_file()


def carries_hooks(made: Any) -> bool:
    """Whether a module or one in it has a forward hook."""
    return any(inner._forward_hooks for inner in made.modules())


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_interruption_leaves_a_record(error: type[BaseException], tmp_path: Path) -> None:
    """An exception or Ctrl-C passes as ever; hooks are gone, the record is there and opens."""
    made = module(fails=52, error=error)
    with pytest.raises((error, SystemExit)):
        fit(made, GandiagCallback(tmp_path, scores="logits"))
    assert not carries_hooks(made)
    assert gandiag.load(tmp_path).last_step == 50


def test_hooks_come_and_go(tmp_path: Path) -> None:
    """No hook hangs on the networks after a fit, and a second fit is watched anew."""
    made = module()
    callback = GandiagCallback(tmp_path, scores="logits")
    for _ in range(2):
        fit(made, callback)
        assert not carries_hooks(made)
        assert callback.watch is not None
        assert callback.watch.step == STEPS


def one(gan: Any) -> list[Optimizer]:
    """A single optimizer for both players."""
    return [SGD(gan.parameters(), 0.1)]


def discriminators(gan: Any) -> list[Optimizer]:
    """No optimizer for the generator."""
    return [SGD(gan.discriminator.parameters(), 0.1)]


@pytest.mark.parametrize(
    ("given", "names", "message"),
    [
        ({"automatic": True}, {}, "Gan optimizes automatically.*automatic_optimization = False"),
        ({"optimizers": one}, {}, "optimizer 0 steps 'generator' and 'discriminator'"),
        ({"optimizers": discriminators}, {}, "no optimizer steps 'generator'"),
        ({}, {"generator": "genrator"}, "no 'genrator'; nearest is \"generator\""),
        ({}, {"generator": "seen"}, "'seen' is a int, not a network"),
    ],
)
def test_impossible_is_refused(
    given: dict[str, Callable[..., Any]], names: dict[str, str], message: str, tmp_path: Path
) -> None:
    """What cannot be watched is refused in one line before a step is taken."""
    made = module(**given)
    with pytest.raises(gandiag.BadInput, match=message) as caught:
        fit(made, GandiagCallback(tmp_path, scores="logits", **names))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert made.seen == 0


def test_alert_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A condition that appears is warned of with its step; that it clears is logged."""

    class Alarming(GandiagCallback):
        """Hears of a condition as a detector would tell it."""

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            """Attach, and be told."""
            super().on_train_start(trainer, pl_module)
            assert self.watch is not None
            for status in ("present", "absent"):
                diagnosis = Diagnosis("mode_collapse", status, summary="All alike.")
                self.watch._monitor.notify(lambda f, d=diagnosis: f.alert(d, 7))  # type: ignore[misc]

    caplog.set_level(logging.INFO, logger="gandiag")
    with pytest.warns(UserWarning, match="step 7: mode_collapse: All alike") as told:
        fit(module(), Alarming(tmp_path, scores="logits"))
    assert len([w for w in told if "gandiag" in str(w.message)]) == 1
    assert "mode_collapse is no longer present" in caplog.text
