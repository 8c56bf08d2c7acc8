"""Hinge objective: G's gradient does not depend on the score of a sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from gandiag.fixes._options import OptionFix


@dataclass(frozen=True)
class Hinge(OptionFix):
    """Use the hinge loss, with a constant derivative for G (Lim & Ye 2017, Miyato et al. 2018)."""

    treats: ClassVar[frozenset[str]] = frozenset({"vanishing_gradients"})
    causes: ClassVar[frozenset[str]] = frozenset({"saturated_objective"})
    advice: ClassVar[str] = (
        "Use the hinge loss without a sigmoid: D minimises relu(1 - D(x)) + relu(1 + D(G(z))), G "
        "minimises -D(G(z)), whose derivative is -1 at any score. Bound D as well, by spectral "
        "norm or R1: the hinge alone is unstable."
    )

    replaces: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "objective": ("saturating", "non_saturating")
    }
    # The hinge has margins, not targets, so that there are no labels to smooth.
    sets: ClassVar[Mapping[str, Any]] = {"objective": "hinge", "label_smoothing": 0.0}
