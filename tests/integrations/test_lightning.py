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
from tests.attachment.loops import BATCH_SIZE, LATENT_SIZE, constant_like

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),  # raised by Lightning itself
]
STEPS = 60


def data(count: int = STEPS // 2) -> DataLoader[Any]:
    """Batches of one epoch; two epochs by default are `STEPS` batches."""
    samples = torch.cat([images for images, _ in loops.generate_real_batches(count)])
    return DataLoader(TensorDataset(samples), batch_size=BATCH_SIZE)


def module(swapped: bool = False, **given: Any) -> Any:
    """A GAN as in Lightning's own example: two optimizers under manual optimization."""

    class Gan(LightningModule):
        """A GAN with toggled optimizers, validation, and networks under the usual names."""

        def __init__(self) -> None:
            """Create the networks."""
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
            fake = self.generator(torch.randn(len(real), LATENT_SIZE))
            self.toggle_optimizer(d_step)
            on_real, on_fake = self.discriminator(real), self.discriminator(fake.detach())
            d_loss = loss(on_real, constant_like(on_real, 1.0)) + loss(
                on_fake, constant_like(on_fake, 0.0)
            )
            d_step.zero_grad()
            self.manual_backward(d_loss)
            d_step.step()
            self.untoggle_optimizer(d_step)
            self.toggle_optimizer(g_step)
            scores = self.discriminator(self.generator(torch.randn(len(real), LATENT_SIZE)))
            g_step.zero_grad()
            self.manual_backward(loss(scores, constant_like(scores, 1.0)))
            g_step.step()
            self.untoggle_optimizer(g_step)
            self.seen += 1
            if self.seen == given.get("fails"):
                raise given.get("error", RuntimeError)

        def validation_step(self, batch: list[Tensor], index: int) -> None:
            """Score real and generated samples."""
            fake = self.generator(torch.randn(16, LATENT_SIZE))
            self.log("validation", (self.discriminator(batch[0]).mean() - fake.mean()).abs())

        def configure_optimizers(self) -> list[Optimizer]:
            """One optimizer for each network."""
            if "optimizers" in given:
                optimizers: list[Optimizer] = given["optimizers"](self)
                return optimizers
            both = [Adam(self.generator.parameters(), 2e-4)]
            both += [Adam(self.discriminator.parameters(), 2e-4)]
            return both[::-1] if swapped else both

    return Gan()


def fit(gan: Any, *callbacks: Any) -> None:
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
    trainer.fit(gan, data(), data(2))


def test_weights_are_those_without_the_callback(tmp_path: Path) -> None:
    """Two epochs with a sanity check and validation end with the same bits."""
    unwatched, watched = module(), module()
    fit(unwatched)
    callback = GandiagCallback(tmp_path, scores="logits")
    fit(watched, callback)
    watched_state, unwatched_state = watched.state_dict(), unwatched.state_dict()
    assert all(torch.equal(watched_state[key], unwatched_state[key]) for key in unwatched_state)
    assert callback.watch is not None
    assert callback.watch.step == STEPS


@pytest.mark.parametrize("swapped", [False, True])
def test_both_networks_are_measured(swapped: bool, tmp_path: Path) -> None:
    """Each network gets its optimizer in any order, and the page is written to the folder."""
    gan = module(swapped)
    fit(gan, GandiagCallback(tmp_path, scores="logits", probes={"gradient": {"every": 1}}))
    record = gandiag.load(tmp_path)
    for name in ("generator", "discriminator"):
        assert record[f"gradient/norm/{name}"].steps.tolist() == list(range(STEPS))
    assert "learning_signal/score_gradient/generator" in record.signals
    assert "confidence/gap/discriminator" in record.signals
    assert (tmp_path / "report.html").is_file()
    assert (tmp_path / "diagnoses.json").is_file()


def has_hooks(gan: Any) -> bool:
    """Whether a module or one of its submodules has a forward hook."""
    return any(inner._forward_hooks for inner in gan.modules())


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_interruption_leaves_a_record(error: type[BaseException], tmp_path: Path) -> None:
    """An exception or Ctrl-C passes through; the hooks are removed, the record can be loaded."""
    gan = module(fails=52, error=error)
    with pytest.raises((error, SystemExit)):
        fit(gan, GandiagCallback(tmp_path, scores="logits"))
    assert not has_hooks(gan)
    assert gandiag.load(tmp_path).last_step == 50


def test_hooks_come_and_go(tmp_path: Path) -> None:
    """No hook remains on the networks after a fit, and a second fit is monitored again."""
    gan = module()
    callback = GandiagCallback(tmp_path, scores="logits")
    for _ in range(2):
        fit(gan, callback)
        assert not has_hooks(gan)
        assert callback.watch is not None
        assert callback.watch.step == STEPS


def one(gan: Any) -> list[Optimizer]:
    """A single optimizer for both networks."""
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
def test_unsupported_modules_are_refused(
    given: dict[str, Callable[..., Any]], names: dict[str, str], message: str, tmp_path: Path
) -> None:
    """A module that cannot be monitored raises BadInput in one line, before the first step."""
    gan = module(**given)
    with pytest.raises(gandiag.BadInput, match=message) as caught:
        fit(gan, GandiagCallback(tmp_path, scores="logits", **names))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert gan.seen == 0


def test_alert_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A condition that appears gives a warning with its step; one that disappears is logged."""

    class AlertingCallback(GandiagCallback):
        """Reports a condition as a detector would."""

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            """Attach and send two alerts."""
            super().on_train_start(trainer, pl_module)
            assert self.watch is not None
            for status in ("present", "absent"):
                diagnosis = Diagnosis("mode_collapse", status, summary="All alike.")
                self.watch._session.monitor.notify(lambda f, d=diagnosis: f.alert(d, 7))  # type: ignore[misc]

    caplog.set_level(logging.INFO, logger="gandiag")
    with pytest.warns(UserWarning, match="step 7: mode_collapse: All alike") as warned:
        fit(module(), AlertingCallback(tmp_path, scores="logits"))
    assert len([w for w in warned if "gandiag" in str(w.message)]) == 1
    assert "mode_collapse is no longer present" in caplog.text
