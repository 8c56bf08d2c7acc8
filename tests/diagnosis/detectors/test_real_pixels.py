"""Real images through the reference and the detector: real subsets are no collapse, others are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gandiag.datasets.mnist import Mnist
from gandiag.diagnosis.detectors.mode_collapse import ModeCollapse
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.monitoring.mnist_classifier import MnistClassifier
from gandiag.monitoring.probes.diversity import relate_to_baseline
from gandiag.monitoring.reference import Reference
from gandiag.monitoring.sample_metrics import compute_feature_metrics
from gandiag.records.record import Record, Row

LOOKS = 20
STEP = 50


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    """MNIST's shipped images and their digits."""
    data = Mnist().load()
    assert data.labels is not None
    return data.train, data.labels


def subset(
    digits: tuple[Tensor, Tensor], shares: list[float], count: int, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """`count` images, each digit with its share."""
    images, labels = digits
    draw = torch.Generator().manual_seed(seed)
    wanted = torch.multinomial(torch.tensor(shares), count, replacement=True, generator=draw)
    order = torch.randperm(len(labels), generator=draw)
    picked = torch.cat([
        order[labels[order] == digit][: int((wanted == digit).sum())] for digit in range(10)
    ])  # fmt: skip
    picked = picked[torch.randperm(len(picked), generator=draw)]
    return images[picked], labels[picked]


def only(*kept: int) -> list[float]:
    """Equal shares of some digits."""
    return [float(digit in kept) for digit in range(10)]


@pytest.fixture(scope="module")
def balanced(digits: tuple[Tensor, Tensor]) -> Reference:
    """What all ten digits say about themselves."""
    images, _ = subset(digits, [0.1] * 10, 3500)
    return Reference.from_samples(images[:2000], images[2000:])


def judged(
    reference: Reference,
    batches: list[Tensor],
    classes: list[Tensor] | None = None,
    shares: Sequence[float] = (0.1,) * 10,
) -> Diagnosis:
    """What the detector says of a run whose looks saw these images, with their digits if known."""
    rows = []
    for look, batch in enumerate(batches):
        seen = relate_to_baseline(reference, compute_feature_metrics(reference, reference.embed(batch)))
        signals: dict[str, Any] = {
            f"diversity/{name}/generator": value.tolist() for name, value in seen.items()
        }
        signals["displacement/distance/generator"] = 0.1
        if classes is not None:
            histogram = torch.bincount(classes[look], minlength=10) / len(classes[look])
            signals["classes/histogram/generator"] = histogram.tolist()
        rows.append(Row(STEP * (look + 1), signals))
    facts = {"class_shares": list(shares), "turnover_baseline": reference.baseline_mean["turnover"]}
    return ModeCollapse().detect(Record.from_rows(rows, facts=facts))


def fresh(
    digits: tuple[Tensor, Tensor], shares: list[float], size: int = 512
) -> tuple[list[Tensor], list[Tensor]]:
    """Images and digits of the looks."""
    draws = [subset(digits, shares, size, seed=100 + look) for look in range(LOOKS)]
    return [images for images, _ in draws], [labels for _, labels in draws]


@pytest.mark.parametrize(
    ("shares", "size"),
    [
        ([0.1] * 10, 512),
        ([0.46, 0.06, 0.06, 0.06, 0.06, 0.06, 0.06, 0.06, 0.06, 0.06], 512),  # imbalanced
        (only(1), 256),  # one class is all there is, and a thin one
        (only(3, 5, 8), 512),
        ([0.1] * 10, 128),  # a small sample
    ],
)
def test_real_images_never_collapse(
    digits: tuple[Tensor, Tensor], shares: list[float], size: int
) -> None:
    """Draws from the data themselves are as diverse as these: of any balance, at any size."""
    images, _ = subset(digits, shares, 3000, seed=7)
    middle = len(images) // 2
    reference = Reference.from_samples(images[:middle], images[middle:], size=size)
    batches, _ = fresh(digits, shares, size)
    found = judged(reference, batches)
    assert found.status == "absent", found.summary
    assert found.evidence[0].observed > 0.9


@pytest.mark.parametrize(
    ("kept", "kind"), [((1,), "total"), ((4, 9), "partial"), ((0, 3, 6), "partial")]
)
def test_few_digits_are_a_collapse(
    digits: tuple[Tensor, Tensor], balanced: Reference, kept: tuple[int, ...], kind: str
) -> None:
    """One, two and three digits of ten are found, and the missing ones named."""
    images, labels = fresh(digits, only(*kept))
    found = judged(balanced, images, labels)
    assert (found.status, found.kind) == ("present", kind)
    lost = ", ".join(str(digit) for digit in range(10) if digit not in kept)
    assert f"Classes hardly made: {lost}." in found.summary


def test_half_the_digits_need_a_classifier(
    digits: tuple[Tensor, Tensor], balanced: Reference
) -> None:
    """Five of ten digits lie in the grey zone of the cells; their histogram shows the loss."""
    images, labels = fresh(digits, only(0, 2, 4, 6, 8))
    found = judged(balanced, images, labels)
    assert (found.status, found.kind) == ("present", "partial")
    assert 0.5 < found.evidence[0].observed < 0.8
    assert "Classes hardly made: 1, 3, 5, 7, 9." in found.summary


def test_one_lost_digit_is_named(digits: tuple[Tensor, Tensor], balanced: Reference) -> None:
    """Nine of ten digits are no collapse; the tenth is named all the same."""
    images, labels = fresh(digits, only(*range(9)))
    found = judged(balanced, images, labels)
    assert found.status == "absent"
    assert "Classes hardly made: 9." in found.summary


def test_repeated_image_is_total(digits: tuple[Tensor, Tensor], balanced: Reference) -> None:
    """One image made over and over is a total collapse, onto the data."""
    one = digits[0][:1].expand(512, -1, -1, -1)
    found = judged(balanced, [one] * LOOKS)
    assert (found.status, found.kind) == ("present", "total")
    assert "Hardly any" not in found.summary


def test_noise_is_told_from_digits(balanced: Reference) -> None:
    """Noise falls into few cells, too: the summary says that it is nothing like the data."""
    draw = torch.Generator().manual_seed(0)
    noise = [2 * torch.rand(512, 1, 28, 28, generator=draw) - 1 for _ in range(LOOKS)]
    found = judged(balanced, noise)
    assert found.status == "present"
    assert "Hardly any of them lies near a real sample." in found.summary
    assert np.isfinite(found.evidence[0].observed)


# --- drawn at random


@pytest.fixture(scope="module")
def named(digits: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """The images, their digits, and what the shipped classifier takes them for."""
    classifier = MnistClassifier.pretrained()
    with torch.no_grad():
        taken = torch.cat([classifier(part).argmax(1) for part in digits[0].split(1000)])
    return *digits, taken


def drawn(labels: Tensor, shares: np.ndarray[Any, Any], count: int, seed: int) -> Tensor:
    """Indices of `count` images, each digit with its share and at most 900 of it, none twice."""
    draw = np.random.default_rng(seed)
    found = [
        draw.choice(np.flatnonzero(labels.numpy() == digit), min(wanted, 900), replace=False)
        for digit, wanted in enumerate(draw.multinomial(count, shares))
    ]
    return torch.from_numpy(draw.permutation(np.concatenate(found)))


@settings(max_examples=12)
@given(
    seed=st.integers(0, 10**6),
    evenness=st.sampled_from([0.1, 0.3, 1.0, 10.0]),  # of the classes: .1 leaves one or two
    reals=st.sampled_from([40, 100, 1000, 4000]),
    size=st.sampled_from([64, 128, 512]),
)
def test_any_real_subset_is_no_collapse(
    named: tuple[Tensor, Tensor, Tensor], seed: int, evenness: float, reals: int, size: int
) -> None:
    """Of whatever classes, in whatever balance and number, real images against their like pass."""
    images, labels, taken = named
    shares = np.random.default_rng(seed).dirichlet(np.full(10, evenness))
    known = drawn(labels, shares, reals, seed + 1)
    held_out = drawn(labels, shares, max(20, reals // 5), seed + 2)
    reference = Reference.from_samples(images[known], images[held_out], size=size)
    looks = [drawn(labels, shares, size, seed + 3 + look) for look in range(LOOKS)]
    seen = (torch.bincount(labels[known], minlength=10) / len(known)).tolist()
    batches, classes = [images[look] for look in looks], [taken[look] for look in looks]
    assert judged(reference, batches, classes, seen).status == "absent"


def kept_alone(
    named: tuple[Tensor, Tensor, Tensor], reference: Reference, kept: set[int], seed: int
) -> Diagnosis:
    """What is said of a generator that makes some digits only, told by the classifier."""
    images, labels, taken = named
    shares = np.array([float(digit in kept) for digit in range(10)]) / len(kept)
    looks = [drawn(labels, shares, 512, seed + look) for look in range(LOOKS)]
    return judged(reference, [images[look] for look in looks], [taken[look] for look in looks])


def lost(kept: set[int]) -> str:
    """The sentence that names the digits that are not made."""
    names = ", ".join(str(digit) for digit in range(10) if digit not in kept)
    return f"Classes hardly made: {names}."


@settings(max_examples=12)
@given(kept=st.sets(st.integers(0, 9), min_size=1, max_size=5), seed=st.integers(0, 10**6))
def test_any_few_digits_are_a_collapse(
    named: tuple[Tensor, Tensor, Tensor], balanced: Reference, kept: set[int], seed: int
) -> None:
    """Any one to five of ten digits are a collapse, of no hopping kind; the others are listed."""
    found = kept_alone(named, balanced, kept, seed)
    assert found.status == "present"
    kinds = {1: ("total",), 2: ("partial", "total")}
    assert found.kind in kinds.get(len(kept), ("partial",))
    assert lost(kept) in found.summary


@settings(max_examples=8)
@given(kept=st.sets(st.integers(0, 9), min_size=7, max_size=9), seed=st.integers(0, 10**6))
def test_any_lost_few_are_listed(
    named: tuple[Tensor, Tensor, Tensor], balanced: Reference, kept: set[int], seed: int
) -> None:
    """One to three lost digits raise no alarm, and are listed all the same."""
    found = kept_alone(named, balanced, kept, seed)
    assert found.status == "absent"
    assert lost(kept) in found.summary


@settings(max_examples=8)
@given(which=st.integers(0, 9999))
def test_any_image_alone_is_total(
    named: tuple[Tensor, Tensor, Tensor], balanced: Reference, which: int
) -> None:
    """Whichever image is made over and over: total, near the data, all other digits listed."""
    images, _, taken = named
    batch, classes = images[which].expand(512, -1, -1, -1), taken[which].expand(512)
    found = judged(balanced, [batch] * LOOKS, [classes] * LOOKS)
    assert (found.status, found.kind) == ("present", "total")
    assert lost({int(taken[which])}) in found.summary


@pytest.mark.parametrize("grey", [-1.0, 0.0, 1.0])
def test_blank_images_are_total(balanced: Reference, grey: float) -> None:
    """A blank image, whatever its grey, is one kind of sample."""
    found = judged(balanced, [torch.full((512, 1, 28, 28), grey)] * LOOKS)
    assert (found.status, found.kind) == ("present", "total")


def test_one_digit_too_often_is_uneven(
    named: tuple[Tensor, Tensor, Tensor], balanced: Reference
) -> None:
    """Nine in ten samples of one digit are a collapse, though every digit is made."""
    images, labels, _ = named
    shares = np.full(10, 0.1 / 9)
    shares[4] = 0.9
    looks = [drawn(labels, shares, 512, look) for look in range(LOOKS)]
    found = judged(balanced, [images[look] for look in looks])
    assert (found.status, found.kind) == ("present", "partial")
