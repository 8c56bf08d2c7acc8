"""Minibatch standard deviation: D gets a measure of the variety of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from gandiag.fixes._options import OptionFix


@dataclass(frozen=True)
class MinibatchStddev(OptionFix):
    """Give D the standard deviation of features over the batch (Karras et al. 2018, section 3)."""

    treats: ClassVar[frozenset[str]] = frozenset({"mode_collapse"})
    causes: ClassVar[frozenset[str]] = frozenset()
    advice: ClassVar[str] = (
        "Before the discriminator's last layer, append the standard deviation of the features over "
        "the batch, averaged to one number. It costs little, and D can then detect a batch of "
        "similar samples."
    )

    replaces: ClassVar[Mapping[str, tuple[Any, ...]]] = {"minibatch": ("none",)}
    sets: ClassVar[Mapping[str, Any]] = {"minibatch": "stddev"}
