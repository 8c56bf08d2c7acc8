"""Laws of an embedding: diversity measured in somebody's own features."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import gandiag
from gandiag.attachment.real_samples import NEEDED, RealSampleBuffer
from gandiag.attachment.watch_handle import Attachment
from gandiag.monitoring.features import CHUNK, flatten
from gandiag.monitoring.probes.diversity import against_null
from gandiag.monitoring.reference import Reference
from gandiag.monitoring.sample_metrics import compare_features
from tests.attachment import loops
from tests.attachment.loops import Game, game

KINDS, NOISE = 8, 30  # of samples whose kind is told by a number that is small beside the noise


def samples(count: int, kinds: int = KINDS, seed: int = 0) -> Tensor:
    """``(count, 1 + NOISE)`` rows of which only the first entry says of what kind they are."""
    draw = torch.Generator().manual_seed(seed)
    kind = torch.arange(count) % kinds
    noise = torch.randn((count, NOISE), generator=draw)
    return torch.cat([0.05 * kind[:, None] + 0.002 * noise[:, :1], noise], 1)


def kind_of(rows: Tensor) -> Tensor:
    """What tells the kind."""
    return rows[:, :1]


def watch(played: Game, **options: object) -> Attachment:
    """Attach to a game with frequent looks at diversity."""
    probes = {"diversity": {"every": 20}}
    return gandiag.attach(*played[:4], scores=played.scores, probes=probes, **options)  # type: ignore[arg-type]


def test_flattening_is_the_default() -> None:
    """An embedding that flattens gives the reference that there is without one, to the bit."""
    reals = torch.rand((1600, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    plain = Reference.of(reals[:600], reals[600:])
    embedded = Reference.of(reals[:600], reals[600:], embedding=flatten)
    assert torch.equal(plain.features, embedded.features)
    assert torch.equal(plain.centres, embedded.centres)
    assert plain.baseline_mean == embedded.baseline_mean
    assert (plain.pair_distance, plain.extent) == (embedded.pair_distance, embedded.extent)
    assert torch.equal(plain.embed(reals[:9]), embedded.embed(reals[:9]))


def test_embedding_decides_what_variety_is() -> None:
    """Half of the kinds lost are half of the variety in features that tell them, and none else."""
    found = {}
    for embedding in (None, kind_of):
        reference = Reference.of(samples(2000), samples(1024, seed=1), embedding=embedding)
        fakes = reference.embed(samples(512, KINDS // 2, seed=2))
        seen = against_null(reference, compare_features(reference, fakes))
        found[embedding] = float(seen["effective_modes"])
    assert found[kind_of] == pytest.approx(0.5, abs=0.03)
    assert found[None] > 0.9


class Noisy(nn.Module):
    """A network in training mode, with all that a look could disturb; it counts its calls."""

    def __init__(self) -> None:
        """Make the layers."""
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(1 + NOISE, 4), nn.BatchNorm1d(4), nn.Dropout())
        self.calls: list[tuple[int, bool]] = []

    def forward(self, rows: Tensor) -> Tensor:
        """Embed rows, and note how many there were, and whether gradients were wanted."""
        self.calls.append((len(rows), torch.is_grad_enabled()))
        features: Tensor = self.layers(rows)
        return features


def test_embedding_is_left_undisturbed() -> None:
    """A look leaves no trace in the embedding or in anybody's random numbers, and no graph."""
    embedding = Noisy()
    before = {name: value.clone() for name, value in embedding.state_dict().items()}
    state = torch.get_rng_state()
    reference = Reference.of(samples(700), samples(600, seed=1), embedding=embedding)
    wanted = samples(512).requires_grad_()
    features = reference.embed(wanted)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], now) for name, now in embedding.state_dict().items())
    assert embedding.training
    assert not features.requires_grad
    assert all(len(rows) <= CHUNK for rows in [range(count) for count, _ in embedding.calls])
    assert not any(wants for _, wants in embedding.calls)


@pytest.mark.parametrize("given", [True, False])
def test_attached_loop_takes_one(given: bool) -> None:
    """With data given or gathered, an embedding that flattens changes no number of a look."""
    seen = []
    for options in ({}, {"embed": flatten}):
        played = game("real_fake_then_generator")
        real = torch.cat([images for images, _ in loops.reals(NEEDED // loops.BATCH + 1)])
        torch.manual_seed(1)
        with watch(played, **options, **({"real": real} if given else {})) as watched:
            played.play(played, 121)
        record = watched.record
        names = [name for name in record.signals if name.startswith("diversity/")]
        assert names
        seen.append({name: record[name].values.tolist() for name in names})
        assert record.facts.get("embedding") == ("flatten" if options else None)
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda images: images[:1], "no row of features for each sample"),
        (lambda images: images.sum((1, 2, 3)), "no row of features for each sample"),
        (lambda images: images.no_such_thing, "AttributeError"),
    ],
)
def test_bad_embedding_is_told(bad: Callable[[Tensor], Tensor], message: str) -> None:
    """With data given it is refused; with none it ends no training, and all else is measured."""
    played = game("real_fake_then_generator")
    real = torch.cat([images for images, _ in loops.reals(20)])
    with pytest.raises(gandiag.BadInput, match=message):
        watch(played, embed=bad, real=real)
    with pytest.warns(RuntimeWarning, match=message), watch(played, embed=bad) as watched:
        played.play(played, 60)
    assert watched.record["gradient/norm/generator"].steps.tolist() == [0, 50]
    assert not any(name.startswith("diversity/") for name in watched.record.signals)


def test_features_that_blow_up_are_told() -> None:
    """Features that are not finite make no reference."""
    gathering = RealSampleBuffer(embedding=lambda rows: rows / 0)
    with pytest.warns(RuntimeWarning, match="not finite"):
        assert gathering.add(samples(8)) is None
    assert gathering.add(samples(NEEDED)) is None
