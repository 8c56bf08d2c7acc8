"""Images from a folder."""

from __future__ import annotations

import math
import os
import warnings
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

# The formats of torchvision's IMG_EXTENSIONS.
_FORMATS = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP")
#: Most pixels of an image, 192 MB as RGB. The largest cameras have 150 million, but a photograph
#: for a GAN has less than 64; ten bytes of a PNG can say 4 billion.
MAX_PIXELS = 2**26


@dataclass(frozen=True)
class ImageFolder:
    """Images in a folder as ``(channels, size, size)`` in [-1, 1].

    If the folder has subfolders with images at any depth, each direct subfolder is a class. Classes
    are labelled 0, 1, ... in the order of the folders' names. Otherwise the images lie in the
    folder itself and have no labels. The shorter side of an image is resized to `size`, and the
    central square is cut out.
    """

    path: str  # The images are in this folder; names that begin with a dot are skipped.
    size: int = 32  # Each side of an image has this number of pixels.
    channels: Literal[1, 3] = 3  # Images have 1 channel (grey) or 3 channels (colour).
    held_out_share: float = 0.1  # This share of the images is held out, at random.
    limit: int = 0  # At most this number of images is used, drawn at random; 0 uses all images.
    seed: int = 0  # The same seed draws and holds out the same images.

    def __post_init__(self) -> None:
        """Raise `ValueError` for an option that is out of range."""
        check_split_options(self.held_out_share, self.seed)
        if self.size < 1:
            raise ValueError("size must be at least 1")
        if self.limit != 0 and self.limit < 2:
            raise ValueError("limit must be at least 2, or 0 for all images")

    def load(self) -> Data:
        """Find, read and split the images.

        Raises:
            BadInput: the folder does not exist, it has fewer than 2 images, images lie beside
                subfolders with images, an image cannot be read, or torchvision cannot be imported.
        """
        folder = Path(os.path.expanduser(self.path))
        if not folder.is_dir():
            raise BadInput(self.path, "no such folder")
        labelled_paths = self._find_images(folder)
        if self.limit:
            stream = torch.Generator().manual_seed(self.seed)
            order = torch.randperm(len(labelled_paths), generator=stream)[: self.limit]
            labelled_paths = [labelled_paths[k] for k in sorted(order.tolist())]
        images = self._read_images([path for path, _ in labelled_paths])
        has_labels = labelled_paths[0][1] is not None
        labels = torch.tensor([label for _, label in labelled_paths]) if has_labels else None
        return split_held_out(images, labels, self.held_out_share, self.seed)

    def _find_images(self, folder: Path) -> list[tuple[Path, int | None]]:
        """Return each image with its class, or None, in the order of their names."""
        endings = import_torchvision("datasets.folder").IMG_EXTENSIONS
        unlabelled = [path for path in _list_visible(folder) if _is_image(path, endings)]
        subfolders = [
            _find_images_below(path, endings) for path in _list_visible(folder) if path.is_dir()
        ]
        classes = [paths for paths in subfolders if paths]
        if unlabelled and classes:
            class_name = classes[0][0].relative_to(folder).parts[0]
            problem = f"{unlabelled[0].name} lies beside the class {class_name}/"
            raise BadInput(self.path, f"{problem}; keep images here or in subfolders, not both")
        if len(unlabelled) + sum(map(len, classes)) < 2:
            raise BadInput(self.path, f"fewer than 2 images ({', '.join(endings)})")
        if classes:
            return [(path, label) for label, paths in enumerate(classes) for path in paths]
        return [(path, None) for path in unlabelled]

    def _read_images(self, paths: list[Path]) -> Tensor:
        # As bytes until all are read: float32 would need four times the memory meanwhile.
        images = torch.empty(len(paths), self.channels, self.size, self.size, dtype=torch.uint8)
        transform = self._build_transform()
        for k, path in enumerate(show_progress(paths, "reading images")):
            try:
                images[k] = transform(_decode_image(path))
            except Exception as error:  # Pillow raises a dozen types of errors on damaged files
                reason = " ".join(str(error).split()) or type(error).__name__
                raise BadInput(str(path), f"cannot be read as an image: {reason:.200}") from error
        return scale_pixels(images)

    def _build_transform(self) -> Callable[[Image], Tensor]:
        """Return a map from an image of any size and colour to uint8 ``(channels, size, size)``."""
        transforms = import_torchvision("transforms")
        transform: Callable[[Image], Tensor] = transforms.Compose(
            [
                *([transforms.Grayscale()] if self.channels == 1 else []),
                transforms.Resize(self.size, antialias=True),
                transforms.CenterCrop(self.size),
                transforms.PILToTensor(),
            ]
        )
        return transform


def _decode_image(path: Path) -> Image:
    """Read an image as 8-bit RGB.

    Raises:
        ValueError: the pixels have more than 8 bits.
    """
    from PIL import Image as pillow

    with warnings.catch_warnings():
        # Pillow warns of large pictures; the limit below is lower.
        warnings.simplefilter("ignore", pillow.DecompressionBombWarning)
        # Pillow knows further formats, some of which it passes to other programs (PostScript).
        image_file = pillow.open(path, formats=_FORMATS)
    with image_file as image:
        if math.prod(image.size) > MAX_PIXELS:
            raise ValueError(f"it has more than {MAX_PIXELS} pixels")
        if image.mode.startswith(("I", "F")):  # convert("RGB") would clip them to 255 silently
            raise ValueError("its pixels have more than 8 bits; convert it first")
        return image.convert("RGB")


def _list_visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _find_images_below(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """Return all images at any depth, sorted by name within each folder.

    Symbolic links to folders are not followed: a link to a parent folder would never end.
    """
    found: list[Path] = []
    for parent, folders, names in os.walk(folder):
        # os.walk visits the folders that remain in this list, in its order.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = (Path(parent, name) for name in sorted(names) if not name.startswith("."))
        found += [path for path in paths if _is_image(path, endings)]
    return found


def _is_image(path: Path, endings: tuple[str, ...]) -> bool:
    return path.is_file() and path.name.lower().endswith(endings)
