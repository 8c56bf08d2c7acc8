"""Least-squares objective: G's gradient grows with the distance from the target score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from gandiag.fixes._options import OptionFix


@dataclass(frozen=True)
class LeastSquares(OptionFix):
    """Minimise squared distances of scores from targets 0 and 1 (Mao et al. 2017, equation 9)."""

    treats: ClassVar[frozenset[str]] = frozenset({"vanishing_gradients"})
    causes: ClassVar[frozenset[str]] = frozenset({"saturated_objective"})
    advice: ClassVar[str] = (
        "Use no sigmoid. Let D minimise the squared distances of real scores from 1 and of "
        "generated scores from 0, and G that of generated scores from 1: a rejected sample gives G "
        "a large gradient. D stays unbounded: it may still diverge."
    )

    replaces: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "objective": ("saturating", "non_saturating")
    }
    sets: ClassVar[Mapping[str, Any]] = {"objective": "least_squares"}
