"""Laws of pictures in a folder."""

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
    """A picture of one colour; `size` is width and height in pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def store(path: Path, array: NDArray[Any]) -> None:
    """A picture of these pixels."""
    Image.fromarray(array).save(path)


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """Ten grey pictures without classes, the k-th of brightness 20 k."""
    for k in range(10):
        paint(tmp_path / f"{k}.png", (20 * k,) * 3)
    return tmp_path


def test_flat_folder_has_no_labels(flat: Path) -> None:
    """Pictures in the folder itself are read once each, in [-1, 1], without labels."""
    data = ImageFolder(str(flat), size=8).load()
    assert data.labels is None
    assert data.held_out_labels is None
    assert data.shape == (3, 8, 8)
    images = torch.cat([data.train, data.held_out])
    assert images.dtype == torch.float32
    found = sorted(images.flatten(1).mean(1).tolist())
    assert found == pytest.approx([20 * k / 127.5 - 1 for k in range(10)], abs=1e-6)


def test_subfolders_are_classes(tmp_path: Path) -> None:
    """Subfolders with pictures at any depth are classes in the order of their names."""
    for k in range(4):
        paint(tmp_path / "blue" / f"{k}.png", (0, 0, 255))
        paint(tmp_path / "red" / "deep" / f"{k}.jpg", (255, 0, 0))
    (tmp_path / "empty").mkdir()
    (tmp_path / "red" / "notes.txt").write_text("not a picture")
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
    """Colours come as red, green, blue; one channel is their brightness."""
    for k in range(2):
        paint(tmp_path / f"{k}.png", (255, 0, 0))
    colour = ImageFolder(str(tmp_path), size=8).load().train[0]
    grey = ImageFolder(str(tmp_path), size=8, channels=1).load().train[0]
    assert colour.mean((1, 2)).tolist() == [1, -1, -1]
    assert grey.shape == (1, 8, 8)
    assert grey.mean().item() == pytest.approx(2 * 0.299 - 1, abs=0.01)  # ITU-R 601 weight of red


def test_middle_is_cut_out(tmp_path: Path) -> None:
    """Of a picture twice as wide as high, the middle half stays, in its proportions."""
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, 8:24] = 255
    for k in range(2):
        store(tmp_path / f"{k}.png", pixels)
    image = ImageFolder(str(tmp_path), size=16).load().train[0]
    assert torch.equal(image, torch.ones(3, 16, 16))


def test_size_is_met(tmp_path: Path) -> None:
    """Pictures of any size, smaller ones too, become squares of the asked side."""
    paint(tmp_path / "a.png", (9, 9, 9), (5, 90))
    paint(tmp_path / "b.png", (9, 9, 9), (70, 3))
    data = ImageFolder(str(tmp_path), size=12).load()
    assert data.shape == (3, 12, 12)
    assert torch.cat([data.train, data.held_out]).std() == 0


def test_limit_draws_at_random(flat: Path) -> None:
    """A limit takes so many different pictures, the same for the same seed."""

    def levels(seed: int) -> list[float]:
        data = ImageFolder(str(flat), size=8, limit=5, seed=seed).load()
        return sorted(torch.cat([data.train, data.held_out])[:, 0, 0, 0].tolist())

    assert levels(0) == levels(0)
    assert len(set(levels(0))) == 5
    assert len({tuple(levels(seed)) for seed in range(5)}) > 1


def test_load_draws_nothing(flat: Path) -> None:
    """Loading leaves torch's global generator where it was."""
    before = torch.get_rng_state()
    ImageFolder(str(flat), size=8, limit=5).load()
    assert torch.equal(torch.get_rng_state(), before)


def test_unreadable_picture_is_named(flat: Path) -> None:
    """The first picture that cannot be read is named with the reason."""
    (flat / "3.png").write_bytes(b"no picture at all")
    (flat / "5.png").write_bytes((flat / "4.png").read_bytes()[:40])
    with pytest.raises(BadInput, match=r"cannot be read as a picture: \w+") as caught:
        ImageFolder(str(flat)).load()
    assert caught.value.place == str(flat / "3.png")
    (flat / "3.png").unlink()
    with pytest.raises(BadInput) as caught:
        ImageFolder(str(flat)).load()
    assert caught.value.place == str(flat / "5.png")


def test_deep_pixels_are_refused(flat: Path) -> None:
    """Pixels of more than 8 bits are refused, as they would be clipped."""
    store(flat / "3.png", np.full((8, 8), 40_000, np.uint16))
    with pytest.raises(BadInput, match="more than 8 bits") as caught:
        ImageFolder(str(flat)).load()
    assert caught.value.place == str(flat / "3.png")


def test_mixed_folder_is_refused(flat: Path) -> None:
    """Pictures beside classes are refused, naming one of each."""
    paint(flat / "cats" / "inner" / "a.png", (0, 0, 0))
    with pytest.raises(BadInput, match=r"0\.png lies beside the class cats/") as caught:
        ImageFolder(str(flat)).load()
    assert caught.value.place == str(flat)


@pytest.mark.parametrize("pictures", [0, 1])
def test_too_few_pictures_are_refused(tmp_path: Path, pictures: int) -> None:
    """Fewer than two pictures are refused with the endings that were looked for."""
    for k in range(pictures):
        paint(tmp_path / f"{k}.png", (0, 0, 0))
    with pytest.raises(BadInput, match=r"fewer than 2 pictures \(\.jpg, ") as caught:
        ImageFolder(str(tmp_path)).load()
    assert caught.value.place == str(tmp_path)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    """A path that leads to no folder is named."""
    with pytest.raises(BadInput, match="nowhere: no such folder"):
        ImageFolder(str(tmp_path / "nowhere")).load()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"size": 0}, "size is at least 1"),
        ({"limit": 1}, "limit is at least 2, or 0 for all"),
        ({"held_out_share": 1.0}, "held_out_share lies between 0 and 1"),
        ({"seed": -1}, "seed is not negative"),
        ({"channels": 2}, "image_folder.channels"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], told: str) -> None:
    """Options that no picture can have are refused when the plugin is made."""
    with pytest.raises(BadInput, match=told):
        plugins.build("datasets", "image_folder", {"path": "x"} | options, "x.yaml: data")


@pytest.mark.parametrize("patience", [0.0, 60.0])
def test_progress_changes_nothing(capsys: pytest.CaptureFixture[str], patience: float) -> None:
    """Shown or not, progress passes every item on in order, and writes nothing to stdout."""
    assert list(show_progress(range(5), "counting", patience)) == [0, 1, 2, 3, 4]
    assert capsys.readouterr().out == ""


def test_progress_shows_on_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes longer than the patience is shown; what does not is not."""
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes any stream for a terminal
    shown = {}
    for patience in (0.0, 60.0):
        capture = _Stream()
        monkeypatch.setattr("sys.stderr", capture)
        list(show_progress(range(5), "counting", patience))
        shown[patience] = "counting" in "".join(capture.parts)
    assert shown == {0.0: True, 60.0: False}


class _Stream:
    """A stream that remembers what is written."""

    encoding = "utf-8"

    def __init__(self) -> None:
        self.parts: list[str] = []

    def write(self, text: str) -> int:
        self.parts.append(text)
        return len(text)

    def flush(self) -> None:
        """Nothing waits to be written."""

    def isatty(self) -> bool:
        return True
