"""From stored bytes to the range that generators end in."""

from __future__ import annotations

import torch
from torch import Tensor


def scale_pixels(images: Tensor) -> Tensor:
    """Scale uint8 pixels to float32 in [-1, 1]; the shape stays.

    >>> from_bytes(torch.tensor([0, 255], dtype=torch.uint8)).tolist()
    [-1.0, 1.0]
    """
    return images.to(torch.float32).div_(127.5).sub_(1.0)
