"""Scaling of 8-bit pixels to [-1, 1], the range of a generator that ends in tanh."""

from __future__ import annotations

import torch
from torch import Tensor


def scale_pixels(images: Tensor) -> Tensor:
    """Scale uint8 pixels of any shape to float32 in [-1, 1]: 0 becomes -1, and 255 becomes 1.

    >>> scale_pixels(torch.tensor([0, 255], dtype=torch.uint8)).tolist()
    [-1.0, 1.0]
    """
    # In place after the copy to float32: a large data set is in memory only once more.
    return images.to(torch.float32).div_(127.5).sub_(1.0)
