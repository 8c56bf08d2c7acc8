"""The scripts that make the data files of gandiag."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from gandiag.benchmarks.assets import make_classifier, make_mnist, make_oracle_classifier


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=200), st.data())
def test_quotas_are_fair(labels: list[int], data: st.DataObject) -> None:
    """Quotas add up to the requested count and are within one of the exact shares."""
    count = data.draw(st.integers(0, len(labels)))
    found = make_mnist.class_quotas(np.array(labels), count)
    exact = np.bincount(labels) * (count / len(labels))
    assert found.sum() == count
    assert np.abs(found - exact).max() < 1


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=200), st.data())
def test_stratified_keeps_quotas(labels: list[int], data: st.DataObject) -> None:
    """A stratified choice has the quota of each class, in ascending order without repetition."""
    count = data.draw(st.integers(0, len(labels)))
    array = np.array(labels)
    chosen = make_mnist.select_stratified(array, count, seed=1)
    counts = np.bincount(array[chosen], minlength=max(labels) + 1)
    assert counts.tolist() == make_mnist.class_quotas(array, count).tolist()
    assert (np.diff(chosen) > 0).all()


def test_same_files_give_same_bytes(
    mnist_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script gives the same bytes each time, with the requested numbers of images."""
    monkeypatch.setattr(make_mnist, "TRAIN", 20)
    monkeypatch.setattr(make_mnist, "HELD_OUT", 10)
    contents = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        make_mnist.main(str(mnist_root), folder)
        contents.append((folder / "mnist.npz").read_bytes())
    assert contents[0] == contents[1]
    with np.load(tmp_path / "first" / "mnist.npz") as arrays:
        assert np.bincount(arrays["train_labels"]).tolist() == [2] * 10
        assert arrays["held_out_images"].shape == (10, 28, 28)


def test_classifier_file_has_its_accuracy(
    mnist_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script writes the weights together with the accuracy on the test split."""
    monkeypatch.setattr(make_classifier, "EPOCHS", 1)
    monkeypatch.setattr(make_classifier, "BATCH", 20)
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        make_classifier.main(str(mnist_root), tmp_path)
    torch.set_num_threads(threads)
    with safe_open(tmp_path / "mnist_classifier.safetensors", "pt") as file:
        assert 0 <= float(file.metadata()["accuracy"]) <= 1
        assert "head.weight" in file.keys()  # noqa: SIM118  # not a mapping


def test_oracle_classifier_uses_other_images(
    mnist_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oracle's script trains on images outside the subset, and writes the accuracy."""
    monkeypatch.setattr(make_oracle_classifier, "TRAIN", 20)
    monkeypatch.setattr(make_oracle_classifier, "HELD_OUT", 10)
    monkeypatch.setattr(make_classifier, "EPOCHS", 1)
    monkeypatch.setattr(make_classifier, "BATCH", 10)
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        make_oracle_classifier.main(str(mnist_root), tmp_path)
    torch.set_num_threads(threads)
    with safe_open(tmp_path / "oracle_classifier.safetensors", "pt") as file:
        assert 0 <= float(file.metadata()["accuracy"]) <= 1


def test_distortion_is_mild() -> None:
    """Distorted images keep shape and range, and the background stays dark on average."""
    images = -torch.ones(8, 1, 28, 28)
    with torch.random.fork_rng(devices=[]):
        found = make_classifier.distort(images)
    assert found.shape == images.shape
    assert found.min() >= -1
    assert found.max() <= 1
    assert found.mean() < -0.9
