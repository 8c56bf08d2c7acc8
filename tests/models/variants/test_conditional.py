"""The conditional GAN: both networks use the labels, and each sample keeps its own label."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from gandiag.datasets.data import Data
from gandiag.models.gan import GAN
from gandiag.models.losses import NON_SATURATING
from gandiag.models.penalties import build_r1_penalty
from gandiag.models.variants.conditional import Conditional
from gandiag.monitoring.schedule import ScheduledProbe
from gandiag.monitoring.snapshot import Snapshot
from gandiag.monitoring.watch import Watch
from gandiag.plugins.errors import BadInput
from gandiag.records.writer import Recorder
from gandiag.scenario.schema import Scenario, Training
from gandiag.training.pipeline import run
from gandiag.training.trainer import train

Normal = Callable[..., Tensor]


def small(**options: float) -> GAN:
    """Return a conditional GAN for points of eight classes."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Conditional(classes=8, latent_size=3, width=8, **options).build((2,))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["generator", "discriminator"])
def test_labels_change_the_output(name: str, normal: Normal) -> None:
    """With other labels for the same inputs, the output of each network changes."""
    network, rows = getattr(small(), name), normal((8, 3 if name == "generator" else 2))
    labels = torch.arange(8)
    assert not torch.allclose(network(rows, labels), network(rows, labels.flip(0)))


def test_pack_keeps_labels_together(normal: Normal) -> None:
    """A pack of 2 out of 8 samples joins sample i and its label with sample i + 4 and its label."""
    critic, samples, labels = small(pack=2).discriminator, normal((8, 2)), torch.arange(8)
    whole = critic(samples, labels)
    for k in range(4):
        both = torch.tensor([k, k + 4])
        torch.testing.assert_close(critic(samples[both], labels[both])[0], whole[k])


def test_fixed_labels_follow_the_data(memory: Recorder) -> None:
    """The labels of the fixed latents are drawn with the class shares of the data."""
    labels = torch.tensor([0, 3, 3, 3] * 100)
    fixed_labels: list[Tensor] = []

    @dataclass(frozen=True)
    class CollectLabels:
        uses: ClassVar[frozenset[str]] = frozenset({"latents"})

        def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
            """Store the labels of the fixed latents."""
            fixed_labels.extend(call.args[1] for call in snapshot.latents)
            return {}

    plan = Training.model_validate({"steps": 3, "batch_size": 64})
    watch = Watch([ScheduledProbe("collect_labels", CollectLabels(), 1)], memory)
    train(small(), torch.zeros(400, 2), plan, 0, watch, labels)
    shares = torch.bincount(fixed_labels[0], minlength=8) / 64
    assert shares[[1, 2, 4, 5, 6, 7]].sum() == 0
    assert float(shares[3]) == pytest.approx(0.75, abs=5 * (0.75 * 0.25 / 64) ** 0.5)


def test_labels_are_needed(ring: Data) -> None:
    """Training a GAN with classes without labels raises an error."""
    with pytest.raises(ValueError, match="samples with labels"):
        train(small(), ring.train, Training(), 0, None)


@pytest.mark.parametrize(
    ("data", "classes", "message"),
    [
        ({"sine": {"samples": 300, "held_out": 300}}, 8, "the data have no labels"),
        ({"ring": {"samples": 300, "held_out": 300}}, 7, "labels are 0 to 7"),
    ],
)
def test_unfit_labels_are_refused(data: dict[str, object], classes: int, message: str) -> None:
    """Data without labels, or with too many classes, are rejected before the first step."""
    scenario = Scenario.parse({"data": data, "variant": {"conditional": {"classes": classes}}})
    with pytest.raises(BadInput, match=message) as caught:
        run(scenario, place="x.yaml")
    assert caught.value.place == "x.yaml: variant"


class LabelGenerator(nn.Module):
    """A generator whose samples equal their labels."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(1))

    def forward(self, latents: Tensor, labels: Tensor) -> Tensor:
        """Return the labels as samples, ``(B, 1)``."""
        return labels[:, None] + 0 * self.shift


class RecordingDiscriminator(nn.Module):
    """A discriminator that stores the samples and labels of each call."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.calls: list[tuple[list[float], list[int]]] = []

    def forward(self, samples: Tensor, labels: Tensor) -> Tensor:
        """Return ``(B,)`` scores."""
        self.calls.append((samples[:, 0].tolist(), labels.tolist()))
        return self.weight * samples[:, 0]


@pytest.mark.parametrize("count", [100, 5])
def test_samples_keep_their_labels(count: int) -> None:
    """Each call of D, for real, fake or penalty samples, has the labels of these samples."""
    labels = torch.arange(count) % 8
    gan = GAN(
        LabelGenerator(),
        RecordingDiscriminator(),
        NON_SATURATING,
        3,
        penalty=build_r1_penalty(1.0),
        classes=8,
    )
    plan = Training.model_validate({"steps": 4, "batch_size": 16, "discriminator": {"steps": 2}})
    train(gan, labels[:, None].float(), plan, 0, None, labels)
    calls = gan.discriminator.calls
    assert len(calls) == 4 * (2 * 3 + 1)
    for samples, call_labels in calls:
        assert samples == call_labels
    real, fake = calls[0][1], calls[1][1]
    assert fake == (real * 16)[:16]  # equal classes, because a penalty interpolates
