"""The dataset `image_folder`: images in a folder, with or without classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from gandiag.datasets._progress import show_progress
from gandiag.datasets.image_folder import ImageFolder
from gandiag.plugins import registry as plugins
from gandiag.plugins.errors import BadInput


def paint(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (8, 8)) -> None:
    """Write an image of one colour; `size` is width and height in pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def store(path: Path, array: NDArray[Any]) -> None:
    """Write an image with these pixels."""
    Image.fromarray(array).save(path)


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """Ten grey images without classes; the k-th has the brightness 20 k."""
    for k in range(10):
        paint(tmp_path / f"{k}.png", (20 * k,) * 3)
    return tmp_path


def test_flat_folder_has_no_labels(flat: Path) -> None:
    """Images in the folder itself are read once each, in [-1, 1], without labels."""
    data = ImageFolder(str(flat), size=8).load()
    assert data.labels is None
    assert data.held_out_labels is None
    assert data.shape == (3, 8, 8)
    images = torch.cat([data.train, data.held_out])
    assert images.dtype == torch.float32
    found = sorted(images.flatten(1).mean(1).tolist())
    assert found == pytest.approx([20 * k / 127.5 - 1 for k in range(10)], abs=1e-6)


def test_subfolders_are_classes(tmp_path: Path) -> None:
    """Subfolders with images at any depth are classes in the order of their names."""
    for k in range(4):
        paint(tmp_path / "blue" / f"{k}.png", (0, 0, 255))
        paint(tmp_path / "red" / "deep" / f"{k}.jpg", (255, 0, 0))
    (tmp_path / "empty").mkdir()
    (tmp_path / "red" / "notes.txt").write_text("not an image")
    paint(tmp_path / ".hidden" / "a.png", (0, 0, 0))
    paint(tmp_path / "red" / ".trash" / "a.png", (0, 0, 0))
    paint(tmp_path / "red" / "._a.png", (0, 0, 0))
    data = ImageFolder(str(tmp_path), size=8, held_out_share=0.5).load()
    for images, labels in ((data.train, data.labels), (data.held_out, data.held_out_labels)):
        assert labels is not None
        assert labels.dtype == torch.int64
        assert len(labels) == 4
        redder = images[:, 0].mean((1, 2)) > images[:, 2].mean((1, 2))
        assert torch.equal(redder.long(), labels)


def test_channels_are_kept(tmp_path: Path) -> None:
    """Three channels are red, green and blue; one channel is the brightness."""
    for k in range(2):
        paint(tmp_path / f"{k}.png", (255, 0, 0))
    colour = ImageFolder(str(tmp_path), size=8).load().train[0]
    grey = ImageFolder(str(tmp_path), size=8, channels=1).load().train[0]
    assert colour.mean((1, 2)).tolist() == [1, -1, -1]
    assert grey.shape == (1, 8, 8)
    assert grey.mean().item() == pytest.approx(2 * 0.299 - 1, abs=0.01)  # ITU-R 601 weight of red


def test_centre_is_cut_out(tmp_path: Path) -> None:
    """Of an image twice as wide as high, the central square stays, undistorted."""
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, 8:24] = 255
    for k in range(2):
        store(tmp_path / f"{k}.png", pixels)
    image = ImageFolder(str(tmp_path), size=16).load().train[0]
    assert torch.equal(image, torch.ones(3, 16, 16))


def test_images_have_one_size(tmp_path: Path) -> None:
    """Images of any size, also smaller ones, become squares of the given size."""
    paint(tmp_path / "a.png", (9, 9, 9), (5, 90))
    paint(tmp_path / "b.png", (9, 9, 9), (70, 3))
    data = ImageFolder(str(tmp_path), size=12).load()
    assert data.shape == (3, 12, 12)
    assert torch.cat([data.train, data.held_out]).std() == 0


def test_limit_draws_at_random(flat: Path) -> None:
    """The option `limit` draws this number of different images, fixed by the seed."""

    def levels(seed: int) -> list[float]:
        data = ImageFolder(str(flat), size=8, limit=5, seed=seed).load()
        return sorted(torch.cat([data.train, data.held_out])[:, 0, 0, 0].tolist())

    assert levels(0) == levels(0)
    assert len(set(levels(0))) == 5
    assert len({tuple(levels(seed)) for seed in range(5)}) > 1


def test_load_leaves_random_state(flat: Path) -> None:
    """Loading leaves torch's global generator untouched."""
    before = torch.get_rng_state()
    ImageFolder(str(flat), size=8, limit=5).load()
    assert torch.equal(torch.get_rng_state(), before)


def test_unreadable_image_is_named(flat: Path) -> None:
    """The message has the first image that cannot be read, and the reason."""
    (flat / "3.png").write_bytes(b"not an image")
    (flat / "5.png").write_bytes((flat / "4.png").read_bytes()[:40])
    with pytest.raises(BadInput, match=r"cannot be read as an image: \w+") as caught:
        ImageFolder(str(flat)).load()
    assert caught.value.place == str(flat / "3.png")
    (flat / "3.png").unlink()
    with pytest.raises(BadInput) as caught:
        ImageFolder(str(flat)).load()
    assert caught.value.place == str(flat / "5.png")


def test_deep_pixels_are_refused(flat: Path) -> None:
    """Images with more than 8 bits are rejected, because they would be clipped."""
    store(flat / "3.png", np.full((8, 8), 40_000, np.uint16))
    with pytest.raises(BadInput, match="more than 8 bits") as caught:
        ImageFolder(str(flat)).load()
    assert caught.value.place == str(flat / "3.png")


def test_mixed_folder_is_refused(flat: Path) -> None:
    """Images beside classes are rejected; the message names one of each."""
    paint(flat / "cats" / "inner" / "a.png", (0, 0, 0))
    with pytest.raises(BadInput, match=r"0\.png lies beside the class cats/") as caught:
        ImageFolder(str(flat)).load()
    assert caught.value.place == str(flat)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_images_are_refused(tmp_path: Path, count: int) -> None:
    """Fewer than two images are rejected; the message lists the file endings of images."""
    for k in range(count):
        paint(tmp_path / f"{k}.png", (0, 0, 0))
    with pytest.raises(BadInput, match=r"fewer than 2 images \(\.jpg, ") as caught:
        ImageFolder(str(tmp_path)).load()
    assert caught.value.place == str(tmp_path)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    """A folder that does not exist is named in the message."""
    with pytest.raises(BadInput, match="nowhere: no such folder"):
        ImageFolder(str(tmp_path / "nowhere")).load()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size must be at least 1"),
        ({"limit": 1}, "limit must be at least 2, or 0 for all images"),
        ({"held_out_share": 1.0}, "held_out_share must lie between 0 and 1"),
        ({"seed": -1}, "seed must not be negative"),
        ({"channels": 2}, "image_folder.channels"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    """An option out of range is rejected when the plugin is built, with a message that names it."""
    with pytest.raises(BadInput, match=message):
        plugins.build("datasets", "image_folder", {"path": "x"} | options, "x.yaml: data")


@pytest.mark.parametrize("delay", [0.0, 60.0])
def test_progress_changes_nothing(capsys: pytest.CaptureFixture[str], delay: float) -> None:
    """With or without a visible bar, all items pass in order, and stdout stays empty."""
    assert list(show_progress(range(5), "counting", delay)) == [0, 1, 2, 3, 4]
    assert capsys.readouterr().out == ""


def test_progress_shows_on_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar is visible after its delay, and not before."""
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then treats any stream as a terminal
    shown = {}
    for delay in (0.0, 60.0):
        capture = _Stream()
        monkeypatch.setattr("sys.stderr", capture)
        list(show_progress(range(5), "counting", delay))
        shown[delay] = "counting" in "".join(capture.parts)
    assert shown == {0.0: True, 60.0: False}


class _Stream:
    """A text stream that stores all written text."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.parts: list[str] = []

    def write(self, text: str) -> int:
        self.parts.append(text)
        return len(text)

    def flush(self) -> None:
        """Do nothing: all text is stored at once."""

    def isatty(self) -> bool:
        return True
