"""Leaky ReLU: hidden units that pass a gradient at any input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from gandiag.fixes._options import OptionFix


@dataclass(frozen=True)
class LeakyUnits(OptionFix):
    """Use LeakyReLU(0.2) in the hidden layers of both networks (Radford et al. 2016, section 4)."""

    treats: ClassVar[frozenset[str]] = frozenset({"vanishing_gradients"})
    causes: ClassVar[frozenset[str]] = frozenset({"generator_layers", "flat_discriminator"})
    advice: ClassVar[str] = (
        "Use LeakyReLU(0.2) in the hidden layers. A ReLU unit can output 0 for all samples, and "
        "tanh and sigmoid units saturate; a leaky unit passes a gradient at any input."
    )

    replaces: ClassVar[Mapping[str, tuple[Any, ...]]] = {"activation": ("relu", "tanh", "sigmoid")}
    sets: ClassVar[Mapping[str, Any]] = {"activation": "leaky_relu"}
