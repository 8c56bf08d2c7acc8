"""Arrays that somebody saved with numpy."""

from __future__ import annotations

import os
import zipfile
import zlib
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
from gandiag.plugins.errors import BadInput, nearest

_FORMS = "samples are (N, d), (N, H, W), (N, H, W, C) or (N, C, H, W), with N at least 2"
_CHANNELS = (1, 3)  # grey and colour: by these a channel axis is recognised


@dataclass(frozen=True)
class Npz:
    """Points or images from an ``.npz`` or ``.npy`` file, which is never unpickled.

    Points are ``(N, d)`` numbers and stay in their own units. Images are ``(N, H, W)``,
    ``(N, H, W, C)`` or ``(N, C, H, W)``: uint8, which is scaled to [-1, 1], or floats that lie in
    [-1, 1] already and stay as they are.
    """

    path: str  # the file
    images: str = ""  # array of samples in an .npz; empty: the only one that is not the labels
    labels: str = ""  # array of integers in the .npz, one for each sample; empty: no labels
    channels: Literal["auto", "first", "last"] = "auto"  # axis of 4-dim images; auto: the 1 or 3
    held_out_share: float = 0.1  # of the samples, drawn at random
    seed: int = 0  # the same seed holds out the same samples

    def __post_init__(self) -> None:
        """Refuse a share or a seed that nothing can be held out by."""
        check_split_options(self.held_out_share, self.seed)

    def load(self) -> Data:
        """Read, check and split the samples.

        Raises:
            BadInput: there is no such file or array, or the array cannot be used as samples.
        """
        with _open_arrays(self.path) as arrays:
            name = self.images or self._choose_array(arrays)
            samples = self._get_array(arrays, name)
            labels = self._get_array(arrays, self.labels) if self.labels else None
        try:
            ready = (
                _convert_points(samples)
                if samples.ndim == 2
                else _convert_images(samples, self.channels)
            )
        except ValueError as error:
            raise self._describe_problem(name, str(error)) from error
        if labels is None:
            return split_held_out(ready, None, self.held_out_share, self.seed)
        if labels.shape != samples.shape[:1] or labels.dtype.kind not in "iu":
            problem = f"is {labels.dtype} {labels.shape}; labels are {len(samples)} integers"
            raise self._describe_problem(self.labels, problem)
        classes = torch.from_numpy(labels.astype(np.int64))
        return split_held_out(ready, classes, self.held_out_share, self.seed)

    def _choose_array(self, arrays: Mapping[str, Any]) -> str:
        found = [name for name in arrays if not self.labels or name != self.labels]
        if len(found) != 1:
            choices = ", ".join(sorted(found)) or "none"
            raise BadInput(self.path, f"set images to one of its arrays: {choices}")
        return found[0]

    def _get_array(self, arrays: Mapping[str, Any], name: str) -> NDArray[Any]:
        if name not in arrays and "" in arrays:
            raise BadInput(self.path, f'an .npy has one array and no names, so no "{name}"')
        if name not in arrays:
            raise BadInput(self.path, f'no array "{name}"; {nearest(name, arrays)}')
        array = arrays[name]
        if not isinstance(array, np.ndarray):  # a stray file in the archive comes as bytes
            raise self._describe_problem(name, "is not an array")
        return array

    def _describe_problem(self, name: str, problem: str) -> BadInput:
        return BadInput(self.path, f'array "{name}" {problem}' if name else f"the array {problem}")


@contextmanager
def _open_arrays(path: str) -> Iterator[Mapping[str, Any]]:
    """The arrays by name, each read when asked for; that of an ``.npy`` has the empty name."""
    try:
        with open(os.path.expanduser(path), "rb") as file:  # numpy leaves a damaged .npz open
            found = np.load(file, allow_pickle=False)
            yield {"": found} if isinstance(found, np.ndarray) else found
    except BadInput:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise BadInput(path, f"cannot be read as .npz or .npy: {reason}") from error


def _convert_points(array: NDArray[Any]) -> Tensor:
    """Points as float32, ``(N, d)``; raises `ValueError` saying how they are none."""
    if array.dtype == np.uint8:
        raise ValueError("is uint8 (N, d): reshape flat images to (N, H, W), make points floats")
    return _convert_numbers(array)


def _convert_images(array: NDArray[Any], channels: str) -> Tensor:
    """Images as float32 ``(N, C, H, W)`` in [-1, 1]; raises `ValueError` as `_convert_points`."""
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
    """1 or 3."""
    if channels != "auto":
        return 1 if channels == "first" else 3
    fitting = [axis for axis in (1, 3) if shape[axis] in _CHANNELS]
    if len(fitting) != 1:
        problem = "more than one axis" if fitting else "no axis"
        raise ValueError(f"has the shape {shape}, where {problem} can be channels; set channels")
    return fitting[0]


def _convert_numbers(array: NDArray[Any]) -> Tensor:
    """Any real numbers as finite float32."""
    if array.dtype.kind not in "iuf":
        raise ValueError(f"is {array.dtype}; samples are real numbers")
    _check_size(array)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
        numbers = np.ascontiguousarray(array, dtype=np.float32)
    bad = numbers.size - np.count_nonzero(np.isfinite(numbers))
    if bad:
        raise ValueError(f"has {bad} values that are not finite as float32")
    return torch.from_numpy(numbers)


def _check_size(array: NDArray[Any]) -> None:
    if len(array) < 2 or array.size == 0:
        raise ValueError(f"has the shape {array.shape}; {_FORMS}")
