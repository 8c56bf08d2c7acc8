"""A folder of pictures."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from gandiag.datasets._pixels import scale_pixels
from gandiag.datasets._progress import show_progress
from gandiag.datasets._split import check_split_options, split_held_out
from gandiag.datasets._torchvision import import_torchvision
from gandiag.datasets.data import Data
from gandiag.plugins.errors import BadInput

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class ImageFolder:
    """Pictures in a folder as ``(channels, size, size)`` in [-1, 1].

    Where the folder has subfolders with pictures at any depth, these are the classes, labelled 0,
    1, ... in the order of their names; else the pictures lie in the folder itself and have no
    labels. The shorter side is resized to `size`, and the middle is cut out.
    """

    path: str  # the folder; names that begin with a dot are passed over
    size: int = 32  # pixels a side
    channels: Literal[1, 3] = 3  # 1: grey, 3: colour
    held_out_share: float = 0.1  # of the pictures, drawn at random
    limit: int = 0  # use so many pictures, drawn at random; 0 uses all
    seed: int = 0  # the same seed draws and holds out the same pictures

    def __post_init__(self) -> None:
        """Refuse sizes and shares that no picture can have."""
        check_split_options(self.held_out_share, self.seed)
        if self.size < 1:
            raise ValueError("size is at least 1")
        if self.limit != 0 and self.limit < 2:
            raise ValueError("limit is at least 2, or 0 for all")

    def load(self) -> Data:
        """Find, read and split the pictures.

        Raises:
            BadInput: there is no such folder, it has too few pictures, pictures lie beside
                classes, or one cannot be read; or torchvision cannot be imported.
        """
        folder = Path(os.path.expanduser(self.path))
        if not folder.is_dir():
            raise BadInput(self.path, "no such folder")
        pictures = self._find_pictures(folder)
        if self.limit:
            stream = torch.Generator().manual_seed(self.seed)
            order = torch.randperm(len(pictures), generator=stream)[: self.limit]
            pictures = [pictures[k] for k in sorted(order.tolist())]
        images = self._read_pictures([path for path, _ in pictures])
        labelled = pictures[0][1] is not None
        labels = torch.tensor([label for _, label in pictures]) if labelled else None
        return split_held_out(images, labels, self.held_out_share, self.seed)

    def _find_pictures(self, folder: Path) -> list[tuple[Path, int | None]]:
        """Every picture with its class, in the order of their names."""
        endings = import_torchvision("datasets.folder").IMG_EXTENSIONS
        flat = [path for path in _list_visible(folder) if _is_picture(path, endings)]
        inner = [
            _find_pictures_below(path, endings) for path in _list_visible(folder) if path.is_dir()
        ]
        classes = [pictures for pictures in inner if pictures]
        if flat and classes:
            first = classes[0][0].relative_to(folder).parts[0]
            problem = f"{flat[0].name} lies beside the class {first}/"
            raise BadInput(self.path, f"{problem}; keep pictures here or in subfolders, not both")
        if len(flat) + sum(map(len, classes)) < 2:
            raise BadInput(self.path, f"fewer than 2 pictures ({', '.join(endings)})")
        found: list[tuple[Path, int | None]] = [(path, None) for path in flat]
        return found or [(path, k) for k, pictures in enumerate(classes) for path in pictures]

    def _read_pictures(self, paths: list[Path]) -> Tensor:
        images = torch.empty(len(paths), self.channels, self.size, self.size, dtype=torch.uint8)
        cut = self._build_transform()
        for k, path in enumerate(show_progress(paths, "reading pictures")):
            try:
                images[k] = cut(_decode_picture(path))
            except Exception as error:  # Pillow's decoders raise a dozen kinds on damaged files
                reason = " ".join(str(error).split()) or type(error).__name__
                raise BadInput(str(path), f"cannot be read as a picture: {reason}") from error
        return scale_pixels(images)

    def _build_transform(self) -> Callable[[Image], Tensor]:
        """From a picture of any size and colour to uint8 ``(channels, size, size)``."""
        transforms = import_torchvision("transforms")
        grey = [transforms.Grayscale()] if self.channels == 1 else []
        resize = transforms.Resize(self.size, antialias=True)
        middle = transforms.CenterCrop(self.size)
        cut: Callable[[Image], Tensor] = transforms.Compose(
            [*grey, resize, middle, transforms.PILToTensor()]
        )
        return cut


def _decode_picture(path: Path) -> Image:
    """A picture in 8-bit colour."""
    from PIL import Image as pillow

    with pillow.open(path) as picture:
        if picture.mode.startswith(("I", "F")):  # Pillow would clip them to 255
            raise ValueError("its pixels have more than 8 bits; convert it first")
        return picture.convert("RGB")


def _list_visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _find_pictures_below(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """Pictures at any depth; links to folders are not followed, as they may lead back up."""
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = (Path(place, name) for name in sorted(names) if not name.startswith("."))
        found += [path for path in paths if _is_picture(path, endings)]
    return found


def _is_picture(path: Path, endings: tuple[str, ...]) -> bool:
    return path.is_file() and path.name.lower().endswith(endings)
