"""Tests of the shipped digit classifier."""

from __future__ import annotations

from importlib.resources import as_file, files

import torch
from safetensors import safe_open

from gandiag.datasets.mnist import Mnist
from gandiag.monitoring.mnist_classifier import MnistClassifier

WEIGHTS = files("gandiag.datasets.assets") / "mnist_classifier.safetensors"


def test_accuracy_is_high() -> None:
    """At least 98.5 % of the shipped held-out images are classified correctly."""
    data = Mnist().load()
    assert data.held_out_labels is not None
    digits = MnistClassifier.pretrained()(data.held_out).argmax(1)
    assert (digits == data.held_out_labels).double().mean() >= 0.985


def test_metadata_state_accuracy() -> None:
    """The weights' file states the accuracy on the whole test split, at least 98.5 %."""
    with as_file(WEIGHTS) as path, safe_open(path, "pt") as file:
        assert float(file.metadata()["accuracy"]) >= 0.985


def test_weights_are_small() -> None:
    """The shipped weights take at most 400 kB."""
    assert len(WEIGHTS.read_bytes()) <= 400_000


def test_pretrained_draws_nothing() -> None:
    """Loading does not change torch's global generator."""
    before = torch.get_rng_state()
    MnistClassifier.pretrained()
    assert torch.equal(torch.get_rng_state(), before)


def test_pretrained_is_frozen() -> None:
    """A loaded classifier is in eval mode and on the CPU, and its parameters are frozen."""
    network = MnistClassifier.pretrained()
    assert not network.training
    for weight in network.parameters():
        assert not weight.requires_grad
        assert weight.device.type == "cpu"


def test_logits_come_from_features() -> None:
    """The head on the features, which are not negative, gives the logits."""
    network = MnistClassifier.pretrained()
    images = torch.rand(5, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
    features = network.features(images)
    assert features.shape == (5, 64)
    assert features.min() >= 0
    assert torch.equal(network.head(features), network(images))
