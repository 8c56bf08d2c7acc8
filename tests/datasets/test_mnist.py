"""The dataset `mnist`, with the embedded subset and with the full files."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch

from gandiag.datasets.mnist import Mnist
from gandiag.plugins import registry as plugins
from gandiag.plugins.errors import BadInput

# Images of each digit as published with the data set.
TRAINING = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
TEST = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)


def test_embedded_has_documented_form() -> None:
    """The embedded subset is float32 in [-1, 1] with int64 labels."""
    data = Mnist().load()
    assert data.train.shape == (10_000, 1, 28, 28)
    assert data.held_out.shape == (2_000, 1, 28, 28)
    assert data.shape == (1, 28, 28)
    for images, labels in ((data.train, data.labels), (data.held_out, data.held_out_labels)):
        assert images.dtype == torch.float32
        assert (images.min().item(), images.max().item()) == (-1.0, 1.0)
        assert labels is not None
        assert (labels.dtype, labels.shape) == (torch.int64, images.shape[:1])


def test_embedded_has_moments_of_full_set() -> None:
    """With pixels in [0, 1], mean and standard deviation are within 1 % of the published ones."""
    images = (Mnist().load().train + 1) / 2
    assert images.mean().item() == pytest.approx(0.1307, rel=0.01)
    assert images.std().item() == pytest.approx(0.3081, rel=0.01)


def test_embedded_keeps_class_shares() -> None:
    """Each class of the subset is within one image of its share in the full split."""
    data = Mnist().load()
    for labels, whole in ((data.labels, TRAINING), (data.held_out_labels, TEST)):
        assert labels is not None
        quota = np.array(whole) * (len(labels) / sum(whole))
        assert np.abs(np.bincount(labels.numpy()) - quota).max() < 1


def test_embedded_splits_are_disjoint() -> None:
    """No image is both a training image and a held-out image."""
    data = Mnist().load()
    train, held_out = ({bytes(image.numpy()) for image in part} for part in data[:2])
    assert not train & held_out


def test_embedded_is_small() -> None:
    """The embedded file has at most 2.5 MB."""
    assert len((files("gandiag.datasets.assets") / "mnist.npz").read_bytes()) <= 2_500_000


def test_embedded_needs_no_torchvision() -> None:
    """Loading the subset does not import torchvision."""
    program = (
        "import sys; from gandiag.datasets.mnist import Mnist; Mnist().load();"
        "sys.exit(any(name.startswith('torchvision') for name in sys.modules))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)


def test_load_leaves_random_state() -> None:
    """Loading leaves torch's global generator untouched."""
    before = torch.get_rng_state()
    Mnist().load()
    assert torch.equal(torch.get_rng_state(), before)


def test_classes_select_digits() -> None:
    """The option `classes` keeps all images of these digits, and no others, in both splits."""
    whole, some = Mnist().load(), Mnist(classes=(3, 8)).load()
    assert whole.labels is not None
    assert some.labels is not None
    assert some.held_out_labels is not None
    keep = (whole.labels == 3) | (whole.labels == 8)
    assert torch.equal(some.train, whole.train[keep])
    assert set(some.labels.tolist()) == set(some.held_out_labels.tolist()) == {3, 8}


@pytest.mark.parametrize("classes", [(10,), (-1,), (1, 1)])
def test_bad_classes_are_refused(classes: tuple[int, ...]) -> None:
    """Classes that are not different digits are rejected when the plugin is built."""
    with pytest.raises(BadInput, match="must be different digits"):
        plugins.build("datasets", "mnist", {"classes": classes}, "x.yaml: data")


def test_full_reads_both_splits(mnist_root: Path, idx_files: dict[str, bytes]) -> None:
    """The source `full` trains on the training split and holds out the test split."""
    data = Mnist("full", str(mnist_root), download=False).load()
    assert data.train.shape == (40, 1, 28, 28)
    assert data.held_out.shape == (20, 1, 28, 28)
    header = 16  # bytes: magic number and three sizes
    pixels = np.frombuffer(idx_files["t10k-images-idx3-ubyte"][header:], np.uint8)
    expected = torch.from_numpy(pixels.copy()).reshape(20, 1, 28, 28) / 127.5 - 1
    torch.testing.assert_close(data.held_out, expected)
    assert data.labels is not None
    assert data.labels.tolist() == list(range(10)) * 4


def test_missing_folder_is_named(tmp_path: Path) -> None:
    """Without files and without a download, the message has the folder and an offline option."""
    root = tmp_path / "nowhere"
    with pytest.raises(BadInput) as caught:
        Mnist("full", str(root), download=False).load()
    assert caught.value.place == str(root)
    assert "mnist: {source: embedded} needs no network" in str(caught.value)
    assert not root.exists()


@pytest.mark.usefixtures("mirror")
def test_download_is_kept(tmp_path: Path) -> None:
    """A download stores the four files, and the next load reads them without a network."""
    root = tmp_path / "cache" / "mnist"
    first = Mnist("full", str(root)).load()
    again = Mnist("full", str(root), download=False).load()
    assert torch.equal(first.train, again.train)
    assert [path.name for path in root.iterdir()] == ["MNIST"]
    assert len(list((root / "MNIST" / "raw").iterdir())) == 4


@pytest.mark.parametrize("network", [True, False])
def test_failed_download_leaves_nothing(
    tmp_path: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch, network: bool
) -> None:
    """A failed download leaves no file; its message of one line has the folder and a hint."""
    last = mirror / "t10k-labels-idx1-ubyte.gz"
    last.write_bytes(last.read_bytes()[:10])
    if not network:
        monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", ["http://127.0.0.1:9/"])
    root = tmp_path / "cache"
    with pytest.raises(BadInput, match="cannot be downloaded") as caught:
        Mnist("full", str(root)).load()
    assert caught.value.place == str(root)
    assert "source: embedded" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(root.iterdir()) == []


def test_unwritable_root_is_named(tmp_path: Path) -> None:
    """A root that is no folder is rejected like a failed download."""
    root = tmp_path / "file"
    root.touch()
    with pytest.raises(BadInput, match="cannot be downloaded") as caught:
        Mnist("full", str(root)).load()
    assert caught.value.place == str(root)


@pytest.mark.parametrize("split", ["train", "t10k"])
def test_damaged_images_are_refused(mnist_root: Path, split: str) -> None:
    """For a truncated file of images, the message says which folder has a damaged split."""
    path = mnist_root / "MNIST" / "raw" / f"{split}-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BadInput, match="split is damaged") as caught:
        Mnist("full", str(mnist_root), download=False).load()
    assert caught.value.place == str(mnist_root)


def test_mixed_splits_are_refused(mnist_root: Path) -> None:
    """Images and labels of different number are reported as damage."""
    raw = mnist_root / "MNIST" / "raw"
    (raw / "t10k-labels-idx1-ubyte").rename(raw / "train-labels-idx1-ubyte")
    (raw / "t10k-labels-idx1-ubyte").write_bytes((raw / "train-labels-idx1-ubyte").read_bytes())
    with pytest.raises(BadInput, match=r"training split is damaged \(images .40, 28, 28."):
        Mnist("full", str(mnist_root), download=False).load()
