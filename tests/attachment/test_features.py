"""Diversity measured in the user's own features (argument `embed`)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import gandiag
from gandiag.attachment.real_samples import SAMPLES_NEEDED, RealSampleBuffer
from gandiag.attachment.watch_handle import Attachment
from gandiag.monitoring.features import EMBEDDING_BATCH, flatten_samples
from gandiag.monitoring.probes.diversity import relate_to_baseline
from gandiag.monitoring.reference import Reference
from gandiag.monitoring.sample_metrics import compute_feature_metrics
from tests.attachment import loops
from tests.attachment.loops import TrainingLoop, build_loop

MODES, NOISE = 8, 30  # the entry that identifies the mode is small beside the 30 of noise


def samples(count: int, modes: int = MODES, seed: int = 0) -> Tensor:
    """``(count, 1 + NOISE)`` rows; only the first entry depends on the mode of the sample."""
    draw = torch.Generator().manual_seed(seed)
    mode = torch.arange(count) % modes
    noise = torch.randn((count, NOISE), generator=draw)
    return torch.cat([0.05 * mode[:, None] + 0.002 * noise[:, :1], noise], 1)


def select_mode_entry(rows: Tensor) -> Tensor:
    """The entry that identifies the mode."""
    return rows[:, :1]


def attach(loop: TrainingLoop, **options: object) -> Attachment:
    """Attach to a loop and measure diversity often."""
    probes = {"diversity": {"every": 20}}
    return gandiag.attach(*loop[:4], scores=loop.scores, probes=probes, **options)  # type: ignore[arg-type]


def test_flattening_is_the_default() -> None:
    """An embedding that flattens gives the same reference as no embedding, to the bit."""
    reals = torch.rand((1600, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    plain = Reference.from_samples(reals[:600], reals[600:])
    embedded = Reference.from_samples(reals[:600], reals[600:], embedding=flatten_samples)
    assert torch.equal(plain.features, embedded.features)
    assert torch.equal(plain.centres, embedded.centres)
    assert plain.baseline_mean == embedded.baseline_mean
    assert (plain.pair_distance, plain.max_abs) == (embedded.pair_distance, embedded.max_abs)
    assert torch.equal(plain.embed(reals[:9]), embedded.embed(reals[:9]))


def test_diversity_is_measured_in_the_embedding() -> None:
    """Losing half of the modes halves the diversity in features that show modes, not in others."""
    found = {}
    for embedding in (None, select_mode_entry):
        reference = Reference.from_samples(
            samples(2000), samples(1024, seed=1), embedding=embedding
        )
        fakes = reference.embed(samples(512, MODES // 2, seed=2))
        seen = relate_to_baseline(reference, compute_feature_metrics(reference, fakes))
        found[embedding] = float(seen["effective_modes"])
    assert found[select_mode_entry] == pytest.approx(0.5, abs=0.03)
    assert found[None] > 0.9


class Noisy(nn.Module):
    """A network in training mode with BatchNorm and dropout; it counts its calls."""

    def __init__(self) -> None:
        """Create the layers."""
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(1 + NOISE, 4), nn.BatchNorm1d(4), nn.Dropout())
        self.calls: list[tuple[int, bool]] = []

    def forward(self, rows: Tensor) -> Tensor:
        """Embed rows; store their number, and whether gradients were enabled."""
        self.calls.append((len(rows), torch.is_grad_enabled()))
        features: Tensor = self.layers(rows)
        return features


def test_embedding_is_not_changed() -> None:
    """A measurement changes neither the embedding nor random numbers, and builds no graph."""
    embedding = Noisy()
    before = {name: value.clone() for name, value in embedding.state_dict().items()}
    state = torch.get_rng_state()
    reference = Reference.from_samples(samples(700), samples(600, seed=1), embedding=embedding)
    wanted = samples(512).requires_grad_()
    features = reference.embed(wanted)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], now) for name, now in embedding.state_dict().items())
    assert embedding.training
    assert not features.requires_grad
    assert all(
        len(rows) <= EMBEDDING_BATCH for rows in [range(count) for count, _ in embedding.calls]
    )
    assert not any(wants for _, wants in embedding.calls)


@pytest.mark.parametrize("given", [True, False])
def test_attached_loop_accepts_an_embedding(given: bool) -> None:
    """With data passed or collected, an embedding that flattens changes no number but modes kept.

    The spectrum of images is a view of the samples only where the user gives no features.
    """
    seen = []
    for options in ({}, {"embed": flatten_samples}):
        loop = build_loop("real_fake_then_generator")
        real = torch.cat(
            [
                images
                for images, _ in loops.generate_real_batches(SAMPLES_NEEDED // loops.BATCH_SIZE + 1)
            ]
        )
        torch.manual_seed(1)
        with attach(loop, **options, **({"real": real} if given else {})) as watch:
            loop.train(loop, 121)
        record = watch.record
        names = [name for name in record.signals if name.startswith("diversity/")]
        assert "diversity/kept_modes/generator" in names
        names = [name for name in names if "kept_modes" not in name]
        seen.append({name: record[name].values.tolist() for name in names})
        assert record.facts.get("embedding") == ("flatten_samples" if options else None)
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda images: images[:1], "no row of features for each sample"),
        (lambda images: images.sum((1, 2, 3)), "no row of features for each sample"),
        (lambda images: images.no_such_thing, "AttributeError"),
    ],
)
def test_bad_embedding_is_reported(bad: Callable[[Tensor], Tensor], message: str) -> None:
    """With data passed, it raises BadInput; without, it gives a warning and training goes on."""
    loop = build_loop("real_fake_then_generator")
    real = torch.cat([images for images, _ in loops.generate_real_batches(20)])
    with pytest.raises(gandiag.BadInput, match=message):
        attach(loop, embed=bad, real=real)
    with pytest.warns(RuntimeWarning, match=message), attach(loop, embed=bad) as watch:
        loop.train(loop, 60)
    assert watch.record["gradient/norm/generator"].steps.tolist() == [0, 50]
    assert not any(name.startswith("diversity/") for name in watch.record.signals)


def test_infinite_features_are_reported() -> None:
    """Features that are not finite give a warning, and no reference is built."""
    buffer = RealSampleBuffer(embedding=lambda rows: rows / 0)
    with pytest.warns(RuntimeWarning, match="not finite"):
        assert buffer.add(samples(8)) is None
    assert buffer.add(samples(SAMPLES_NEEDED)) is None
