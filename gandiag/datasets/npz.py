"""Points or images from a file that was saved with numpy."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gandiag.datasets._pixels import scale_pixels
from gandiag.datasets._split import check_split_options, split_held_out
from gandiag.datasets.data import Data
from gandiag.plugins.errors import BadInput, suggest_nearest

_FORMS = "samples are (N, d), (N, H, W), (N, H, W, C) or (N, C, H, W), with N at least 2"
# Deflate makes constant data 1,032 times smaller; MNIST, mostly background, becomes 5 times smaller
# and one-hot vectors of 100 classes 60 times.
MAX_RATIO = 200
LARGE = 2**26  # bytes; an array below this size fits into the memory of any machine that trains
_CHANNELS = (1, 3)  # grey and colour; an axis of this length may be the channel axis


@dataclass(frozen=True)
class Npz:
    """Points or images from an ``.npz`` or ``.npy`` file, which is never unpickled.

    Points are ``(N, d)`` numbers and keep their units. Images are ``(N, H, W)``, ``(N, H, W, C)``
    or ``(N, C, H, W)``. Images of uint8 are scaled to [-1, 1]; images of floats must lie in [-1, 1]
    and keep their values.
    """

    path: str  # The samples are read from this .npz or .npy file.
    # The samples are the array of this name in an .npz file; by default, the only array besides the
    # labels.
    images: str = ""
    # The classes are the array of this name, with one integer for each sample; by default, the
    # data have no classes.
    labels: str = ""
    # The channel axis of (N, C, H, W) images is "first" and of (N, H, W, C) images "last"; "auto"
    # takes the axis of length 1 or 3.
    channels: Literal["auto", "first", "last"] = "auto"
    held_out_share: float = 0.1  # This share of the samples is held out, at random.
    seed: int = 0  # The same seed holds out the same samples.

    def __post_init__(self) -> None:
        """Raise `ValueError` for an option that is out of range."""
        check_split_options(self.held_out_share, self.seed)

    def load(self) -> Data:
        """Read, check and split the samples.

        Raises:
            BadInput: the file or the array does not exist, or the array has no usable samples.
        """
        with _open_arrays(self.path) as arrays:
            name = self.images or self._choose_array(arrays)
            samples = self._get_array(arrays, name)
            labels = self._get_array(arrays, self.labels) if self.labels else None
        try:
            if samples.ndim == 2:
                tensor = _convert_points(samples)
            else:
                tensor = _convert_images(samples, self.channels)
        except ValueError as error:
            raise self._build_error(name, str(error)) from error
        if labels is None:
            return split_held_out(tensor, None, self.held_out_share, self.seed)
        if labels.shape != samples.shape[:1] or labels.dtype.kind not in "iu":
            problem = f"is {labels.dtype} {labels.shape}; labels are {len(samples)} integers"
            raise self._build_error(self.labels, problem)
        classes = torch.from_numpy(labels.astype(np.int64))
        return split_held_out(tensor, classes, self.held_out_share, self.seed)

    def _choose_array(self, arrays: Mapping[str, Any]) -> str:
        """Return the name of the only array besides the labels."""
        names = [name for name in arrays if not self.labels or name != self.labels]
        if len(names) != 1:
            choices = ", ".join(sorted(names)) or "none"
            raise BadInput(self.path, f"set images to one of its arrays: {choices}")
        return names[0]

    def _get_array(self, arrays: Mapping[str, Any], name: str) -> NDArray[Any]:
        if name not in arrays and "" in arrays:
            raise BadInput(self.path, f'an .npy file has one array without a name, no "{name}"')
        if name not in arrays:
            raise BadInput(self.path, f'no array "{name}"; {suggest_nearest(name, arrays)}')
        _check_member(arrays, name)
        array = arrays[name]
        if not isinstance(array, np.ndarray):  # numpy returns other files in the archive as bytes
            raise self._build_error(name, "is not an array")
        return array

    def _build_error(self, name: str, problem: str) -> BadInput:
        return BadInput(self.path, f'array "{name}" {problem}' if name else f"the array {problem}")


@contextmanager
def _open_arrays(path: str) -> Iterator[Mapping[str, Any]]:
    """Open the arrays by name. Each one is read on access; that of an ``.npy`` file has no name.

    Errors inside the ``with`` block count, too, because damage may show only when a member is read.
    """
    try:
        # Opened here, because np.load leaves a damaged .npz file open.
        with open(os.path.expanduser(path), "rb") as file:
            arrays = np.load(file, allow_pickle=False)
            yield {"": arrays} if isinstance(arrays, np.ndarray) else arrays
    except BadInput:
        raise
    # A header may say a shape that no memory can hold, or a compression that Python does not know;
    # zipfile and numpy raise a dozen types of errors on damaged files.
    except Exception as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        reason = reason or type(error).__name__
        raise BadInput(path, f"cannot be read as .npz or .npy: {reason:.200}") from error


def _check_member(arrays: Mapping[str, Any], name: str) -> None:
    """Refuse an array that a small file unpacks to; its size in the file limits what is unpacked.

    Raises:
        ValueError: the array takes at least `LARGE` bytes and `MAX_RATIO` times its bytes in the
            file.
    """
    archive = getattr(arrays, "zip", None)
    if not isinstance(archive, zipfile.ZipFile):
        return
    for info in archive.infolist():
        is_large = info.file_size >= LARGE and info.file_size >= MAX_RATIO * info.compress_size
        if info.filename in (name, f"{name}.npy") and is_large:
            raise ValueError(
                f'"{name}" unpacks from {info.compress_size} to {info.file_size} bytes; save it '
                "with numpy.save"
            )


def _convert_points(array: NDArray[Any]) -> Tensor:
    """Return points as float32, ``(N, d)``.

    Raises:
        ValueError: the array has no points. The message completes "array x ...".
    """
    if array.dtype == np.uint8:
        raise ValueError("is uint8 (N, d): reshape flat images to (N, H, W), make points floats")
    return _convert_numbers(array)


def _convert_images(array: NDArray[Any], channels: str) -> Tensor:
    """Return images as float32 ``(N, C, H, W)`` in [-1, 1].

    Raises:
        ValueError: the array has no images. The message completes "array x ...".
    """
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and _find_channel_axis(array.shape, channels) == 3:
        array = np.moveaxis(array, 3, 1)
    elif array.ndim != 4:
        raise ValueError(f"has the shape {array.shape}; {_FORMS}")
    if array.dtype == np.uint8:
        _check_size(array)
        return scale_pixels(torch.from_numpy(np.ascontiguousarray(array)))
    if array.dtype.kind != "f":
        raise ValueError(f"is {array.dtype}; images are uint8, or floats in [-1, 1]")
    images = _convert_numbers(array)
    low, high = images.min().item(), images.max().item()
    if low < -1 or high > 1:
        raise ValueError(f"ranges over [{low:.6g}, {high:.6g}]; images of floats lie in [-1, 1]")
    return images


def _find_channel_axis(shape: tuple[int, ...], channels: str) -> int:
    """Return the channel axis of 4-dimensional images: 1 or 3."""
    if channels != "auto":
        return 1 if channels == "first" else 3
    candidates = [axis for axis in (1, 3) if shape[axis] in _CHANNELS]
    if len(candidates) != 1:
        problem = "more than one axis" if candidates else "no axis"
        raise ValueError(f"has the shape {shape}, where {problem} can be channels; set channels")
    return candidates[0]


def _convert_numbers(array: NDArray[Any]) -> Tensor:
    """Return integers or floats of any width as finite float32.

    Raises:
        ValueError: the array has other values.
    """
    if array.dtype.kind not in "iuf":
        raise ValueError(f"is {array.dtype}; samples are real numbers")
    _check_size(array)
    with np.errstate(over="ignore"):  # values beyond float32 become infinite: rejected below
        numbers = np.ascontiguousarray(array, dtype=np.float32)
    non_finite = numbers.size - np.count_nonzero(np.isfinite(numbers))
    if non_finite:
        raise ValueError(f"has {non_finite} values that are not finite as float32")
    return torch.from_numpy(numbers)


def _check_size(array: NDArray[Any]) -> None:
    """Raise `ValueError` for fewer than 2 samples: one is trained on, and one is held out."""
    if len(array) < 2 or array.size == 0:
        raise ValueError(f"has the shape {array.shape}; {_FORMS}")
