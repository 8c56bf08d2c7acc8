"""Tests of mode collapse on real images: draws of the data are no collapse, lost digits are."""

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

EVALUATIONS = 20
STEP = 50
MISSING = "Missing classes (below 20% of their real share):"


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
    """The reference of all ten digits."""
    images, _ = subset(digits, [0.1] * 10, 3500)
    return Reference.from_samples(images[:2000], images[2000:])


def detect(
    reference: Reference,
    batches: list[Tensor],
    classes: list[Tensor] | None = None,
    shares: Sequence[float] = (0.1,) * 10,
) -> Diagnosis:
    """The diagnosis of a run with these images, and their digits if known, at its evaluations."""
    rows = []
    for index, batch in enumerate(batches):
        seen = relate_to_baseline(
            reference, compute_feature_metrics(reference, reference.embed(batch))
        )
        signals: dict[str, Any] = {
            f"diversity/{name}/generator": value.tolist() for name, value in seen.items()
        }
        signals["displacement/distance/generator"] = 0.1
        if classes is not None:
            histogram = torch.bincount(classes[index], minlength=10) / len(classes[index])
            signals["classes/histogram/generator"] = histogram.tolist()
        rows.append(Row(STEP * (index + 1), signals))
    facts = {"class_shares": list(shares), "turnover_baseline": reference.baseline_mean["turnover"]}
    return ModeCollapse().detect(Record.from_rows(rows, facts=facts))


def draw_evaluations(
    digits: tuple[Tensor, Tensor], shares: list[float], size: int = 512
) -> tuple[list[Tensor], list[Tensor]]:
    """Images and digits of each evaluation."""
    draws = [subset(digits, shares, size, seed=100 + index) for index in range(EVALUATIONS)]
    return [images for images, _ in draws], [labels for _, labels in draws]


@pytest.mark.parametrize(
    ("shares", "size"),
    [
        ([0.1] * 10, 512),
        ([0.46, 0.06, 0.06, 0.06, 0.06, 0.06, 0.06, 0.06, 0.06, 0.06], 512),  # imbalanced
        (only(1), 256),  # the data have one class only
        (only(3, 5, 8), 512),
        ([0.1] * 10, 128),  # a small sample
    ],
)
def test_real_images_never_collapse(
    digits: tuple[Tensor, Tensor], shares: list[float], size: int
) -> None:
    """Draws of the data are as diverse as the data, with any class balance and sample size."""
    images, _ = subset(digits, shares, 3000, seed=7)
    middle = len(images) // 2
    reference = Reference.from_samples(images[:middle], images[middle:], size=size)
    batches, _ = draw_evaluations(digits, shares, size)
    found = detect(reference, batches)
    assert found.status == "absent", found.summary
    assert found.evidence[0].observed > 0.9


@pytest.mark.parametrize(
    ("kept", "kind"), [((1,), "total"), ((4, 9), "partial"), ((0, 3, 6), "partial")]
)
def test_few_digits_are_a_collapse(
    digits: tuple[Tensor, Tensor], balanced: Reference, kept: tuple[int, ...], kind: str
) -> None:
    """One, two or three digits of ten are a collapse, and the missing ones are listed."""
    images, labels = draw_evaluations(digits, only(*kept))
    found = detect(balanced, images, labels)
    assert (found.status, found.kind) == ("present", kind)
    lost = ", ".join(str(digit) for digit in range(10) if digit not in kept)
    assert f"{MISSING} {lost}." in found.summary


def test_half_the_digits_need_a_classifier(
    digits: tuple[Tensor, Tensor], balanced: Reference
) -> None:
    """Five of ten digits have many modes; the class histogram shows the collapse."""
    images, labels = draw_evaluations(digits, only(0, 2, 4, 6, 8))
    found = detect(balanced, images, labels)
    assert (found.status, found.kind) == ("present", "partial")
    assert 0.5 < found.evidence[0].observed < 0.8
    assert f"{MISSING} 1, 3, 5, 7, 9." in found.summary


def test_one_lost_digit_is_listed(digits: tuple[Tensor, Tensor], balanced: Reference) -> None:
    """Nine of ten digits are no collapse, but the tenth is listed."""
    images, labels = draw_evaluations(digits, only(*range(9)))
    found = detect(balanced, images, labels)
    assert found.status == "absent"
    assert f"{MISSING} 9." in found.summary


def test_repeated_image_is_total(digits: tuple[Tensor, Tensor], balanced: Reference) -> None:
    """One repeated image is a total collapse, near the data."""
    one = digits[0][:1].expand(512, -1, -1, -1)
    found = detect(balanced, [one] * EVALUATIONS)
    assert (found.status, found.kind) == ("present", "total")
    assert "Hardly any" not in found.summary


def test_noise_is_unlike_the_data(balanced: Reference) -> None:
    """Noise has few modes, too, and the summary reports that it is unlike the data."""
    draw = torch.Generator().manual_seed(0)
    noise = [2 * torch.rand(512, 1, 28, 28, generator=draw) - 1 for _ in range(EVALUATIONS)]
    found = detect(balanced, noise)
    assert found.status == "present"
    assert "Hardly any sample is near a real sample." in found.summary
    assert np.isfinite(found.evidence[0].observed)


@pytest.fixture(scope="module")
def classified(digits: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """The images, their digits, and the predictions of the shipped classifier."""
    classifier = MnistClassifier.pretrained()
    with torch.no_grad():
        predicted = torch.cat([classifier(part).argmax(1) for part in digits[0].split(1000)])
    return *digits, predicted


def drawn(labels: Tensor, shares: np.ndarray[Any, Any], count: int, seed: int) -> Tensor:
    """Indices of `count` different images, each digit with its share, at most 900 of a digit."""
    draw = np.random.default_rng(seed)
    found = [
        draw.choice(np.flatnonzero(labels.numpy() == digit), min(wanted, 900), replace=False)
        for digit, wanted in enumerate(draw.multinomial(count, shares))
    ]
    return torch.from_numpy(draw.permutation(np.concatenate(found)))


@settings(max_examples=12)
@given(
    seed=st.integers(0, 10**6),
    evenness=st.sampled_from([0.1, 0.3, 1.0, 10.0]),  # of the classes; 0.1 gives one or two
    reals=st.sampled_from([40, 100, 1000, 4000]),
    size=st.sampled_from([64, 128, 512]),
)
def test_any_real_subset_is_no_collapse(
    classified: tuple[Tensor, Tensor, Tensor], seed: int, evenness: float, reals: int, size: int
) -> None:
    """Real images are no collapse, with any classes, class balance and number of images."""
    images, labels, predicted = classified
    shares = np.random.default_rng(seed).dirichlet(np.full(10, evenness))
    known = drawn(labels, shares, reals, seed + 1)
    held_out = drawn(labels, shares, max(20, reals // 5), seed + 2)
    reference = Reference.from_samples(images[known], images[held_out], size=size)
    draws = [drawn(labels, shares, size, seed + 3 + index) for index in range(EVALUATIONS)]
    real_shares = (torch.bincount(labels[known], minlength=10) / len(known)).tolist()
    batches, classes = [images[draw] for draw in draws], [predicted[draw] for draw in draws]
    assert detect(reference, batches, classes, real_shares).status == "absent"


def detect_digits(
    classified: tuple[Tensor, Tensor, Tensor], reference: Reference, kept: set[int], seed: int
) -> Diagnosis:
    """The diagnosis of a generator of some digits only, with the classifier's histogram."""
    images, labels, predicted = classified
    shares = np.array([float(digit in kept) for digit in range(10)]) / len(kept)
    draws = [drawn(labels, shares, 512, seed + index) for index in range(EVALUATIONS)]
    return detect(reference, [images[draw] for draw in draws], [predicted[draw] for draw in draws])


def list_missing(kept: set[int]) -> str:
    """The sentence that lists the missing digits."""
    names = ", ".join(str(digit) for digit in range(10) if digit not in kept)
    return f"{MISSING} {names}."


@settings(max_examples=12)
@given(kept=st.sets(st.integers(0, 9), min_size=1, max_size=5), seed=st.integers(0, 10**6))
def test_any_few_digits_are_a_collapse(
    classified: tuple[Tensor, Tensor, Tensor], balanced: Reference, kept: set[int], seed: int
) -> None:
    """Any one to five of ten digits are a collapse without hopping; the others are listed."""
    found = detect_digits(classified, balanced, kept, seed)
    assert found.status == "present"
    kinds = {1: ("total",), 2: ("partial", "total")}
    assert found.kind in kinds.get(len(kept), ("partial",))
    assert list_missing(kept) in found.summary


@settings(max_examples=8)
@given(kept=st.sets(st.integers(0, 9), min_size=7, max_size=9), seed=st.integers(0, 10**6))
def test_any_few_lost_digits_are_listed(
    classified: tuple[Tensor, Tensor, Tensor], balanced: Reference, kept: set[int], seed: int
) -> None:
    """One to three lost digits are no collapse, but are listed."""
    found = detect_digits(classified, balanced, kept, seed)
    assert found.status == "absent"
    assert list_missing(kept) in found.summary


@settings(max_examples=8)
@given(which=st.integers(0, 9999))
def test_any_repeated_image_is_total(
    classified: tuple[Tensor, Tensor, Tensor], balanced: Reference, which: int
) -> None:
    """Any repeated image is a total collapse, with all other digits listed."""
    images, _, predicted = classified
    batch, classes = images[which].expand(512, -1, -1, -1), predicted[which].expand(512)
    found = detect(balanced, [batch] * EVALUATIONS, [classes] * EVALUATIONS)
    assert (found.status, found.kind) == ("present", "total")
    assert list_missing({int(predicted[which])}) in found.summary


@pytest.mark.parametrize("grey", [-1.0, 0.0, 1.0])
def test_blank_images_are_total(balanced: Reference, grey: float) -> None:
    """A repeated blank image of any grey value is a total collapse."""
    found = detect(balanced, [torch.full((512, 1, 28, 28), grey)] * EVALUATIONS)
    assert (found.status, found.kind) == ("present", "total")


def test_one_digit_too_often_is_a_collapse(
    classified: tuple[Tensor, Tensor, Tensor], balanced: Reference
) -> None:
    """Nine in ten samples of one digit are a collapse, although no digit is missing."""
    images, labels, _ = classified
    shares = np.full(10, 0.1 / 9)
    shares[4] = 0.9
    draws = [drawn(labels, shares, 512, seed) for seed in range(EVALUATIONS)]
    found = detect(balanced, [images[draw] for draw in draws])
    assert (found.status, found.kind) == ("present", "partial")
