"""Non-saturating objective: G gets a gradient although D rejects all of its samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from gandiag.fixes._options import OptionFix


@dataclass(frozen=True)
class NonSaturating(OptionFix):
    """Let G minimise -log D(G(z)), not log(1 - D(G(z))) (Goodfellow et al. 2014, section 3)."""

    treats: ClassVar[frozenset[str]] = frozenset({"vanishing_gradients"})
    causes: ClassVar[frozenset[str]] = frozenset({"saturated_objective"})
    advice: ClassVar[str] = (
        "Let the generator minimise -log D(G(z)): with logits, softplus(-scores).mean(). Where "
        "D(G(z)) is near 0, its derivative with respect to the score stays near 1; that of "
        "log(1 - D(G(z))) vanishes."
    )

    replaces: ClassVar[Mapping[str, tuple[Any, ...]]] = {"objective": ("saturating",)}
    sets: ClassVar[Mapping[str, Any]] = {"objective": "non_saturating"}
