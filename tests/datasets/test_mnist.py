"""Laws of the MNIST data set, shipped and whole."""

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
    """The shipped subset is float32 over the whole of [-1, 1] with int64 labels."""
    data = Mnist().load()
    assert data.train.shape == (10_000, 1, 28, 28)
    assert data.held_out.shape == (2_000, 1, 28, 28)
    assert data.shape == (1, 28, 28)
    for images, labels in ((data.train, data.labels), (data.held_out, data.held_out_labels)):
        assert images.dtype == torch.float32
        assert (images.min().item(), images.max().item()) == (-1.0, 1.0)
        assert labels is not None
        assert (labels.dtype, labels.shape) == (torch.int64, images.shape[:1])


def test_embedded_has_moments_of_whole() -> None:
    """The subset's mean and sd, on a scale of [0, 1], are within 1 % of the published ones."""
    images = (Mnist().load().train + 1) / 2
    assert images.mean().item() == pytest.approx(0.1307, rel=0.01)
    assert images.std().item() == pytest.approx(0.3081, rel=0.01)


def test_embedded_keeps_class_shares() -> None:
    """Each class of the subset is within one image of its share in the whole split."""
    data = Mnist().load()
    for labels, whole in ((data.labels, TRAINING), (data.held_out_labels, TEST)):
        assert labels is not None
        quota = np.array(whole) * (len(labels) / sum(whole))
        assert np.abs(np.bincount(labels.numpy()) - quota).max() < 1


def test_embedded_shares_no_image() -> None:
    """No image stands both in the training part and in the held-out part."""
    data = Mnist().load()
    train, held_out = ({bytes(image.numpy()) for image in part} for part in data[:2])
    assert not train & held_out


def test_embedded_is_small() -> None:
    """The shipped file is at most 2.5 MB."""
    assert len((files("gandiag.datasets.assets") / "mnist.npz").read_bytes()) <= 2_500_000


def test_embedded_needs_no_torchvision() -> None:
    """Loading the subset imports nothing of torchvision."""
    program = (
        "import sys; from gandiag.datasets.mnist import Mnist; Mnist().load();"
        "sys.exit(any(name.startswith('torchvision') for name in sys.modules))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)


def test_load_draws_nothing() -> None:
    """Loading leaves torch's global generator where it was."""
    before = torch.get_rng_state()
    Mnist().load()
    assert torch.equal(torch.get_rng_state(), before)


def test_classes_select_digits() -> None:
    """Only the named digits stay, all of them, in both parts."""
    whole, some = Mnist().load(), Mnist(classes=(3, 8)).load()
    assert whole.labels is not None
    assert some.labels is not None
    assert some.held_out_labels is not None
    keep = (whole.labels == 3) | (whole.labels == 8)
    assert torch.equal(some.train, whole.train[keep])
    assert set(some.labels.tolist()) == set(some.held_out_labels.tolist()) == {3, 8}


@pytest.mark.parametrize("classes", [(10,), (-1,), (1, 1)])
def test_bad_classes_are_refused(classes: tuple[int, ...]) -> None:
    """Classes that are not different digits are refused when the plugin is made."""
    with pytest.raises(BadInput, match="different digits"):
        plugins.build("datasets", "mnist", {"classes": classes}, "x.yaml: data")


def test_full_reads_both_splits(mnist_root: Path, idx_files: dict[str, bytes]) -> None:
    """`full` plays with the training split and holds out the test split, pixel by pixel."""
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
    """Without a folder and a download, the error names the root and the offline way."""
    root = tmp_path / "nowhere"
    with pytest.raises(BadInput) as caught:
        Mnist("full", str(root), download=False).load()
    assert caught.value.place == str(root)
    assert "mnist: {source: embedded} needs no network" in str(caught.value)
    assert not root.exists()


@pytest.mark.usefixtures("mirror")
def test_download_is_kept(tmp_path: Path) -> None:
    """A download leaves the four files, which the next load reads without a network."""
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
    """A download that breaks off leaves no file, and one line with the root and a way out."""
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
    """A root that cannot be a folder is refused like a failed download."""
    root = tmp_path / "file"
    root.touch()
    with pytest.raises(BadInput, match="cannot be downloaded") as caught:
        Mnist("full", str(root)).load()
    assert caught.value.place == str(root)


@pytest.mark.parametrize("split", ["train", "t10k"])
def test_damaged_images_are_refused(mnist_root: Path, split: str) -> None:
    """A truncated file of images is named as damage of its split."""
    path = mnist_root / "MNIST" / "raw" / f"{split}-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BadInput, match="split is damaged") as caught:
        Mnist("full", str(mnist_root), download=False).load()
    assert caught.value.place == str(mnist_root)


def test_mixed_splits_are_refused(mnist_root: Path) -> None:
    """Images and labels of different number are named as damage."""
    raw = mnist_root / "MNIST" / "raw"
    (raw / "t10k-labels-idx1-ubyte").rename(raw / "train-labels-idx1-ubyte")
    (raw / "t10k-labels-idx1-ubyte").write_bytes((raw / "train-labels-idx1-ubyte").read_bytes())
    with pytest.raises(BadInput, match=r"training split is damaged \(images .40, 28, 28."):
        Mnist("full", str(mnist_root), download=False).load()
