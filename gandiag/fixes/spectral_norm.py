"""Spectral normalisation: a bound on the discriminator's gradient everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from gandiag.fixes._options import OptionFix


@dataclass(frozen=True)
class SpectralNorm(OptionFix):
    """Divide each weight of D by its largest singular value (Miyato et al. 2018, section 2.1)."""

    treats: ClassVar[frozenset[str]] = frozenset(
        {"vanishing_gradients", "mode_collapse", "non_convergence", "unbounded_critic"}
    )
    causes: ClassVar[frozenset[str]] = frozenset(
        {"saturated_objective", "discriminator_too_strong", "divergence", "no_bound"}
    )
    advice: ClassVar[str] = (
        "Wrap every linear and convolutional layer of the discriminator in "
        "torch.nn.utils.parametrizations.spectral_norm. The norm of D's gradient is then at most "
        "1, so that D cannot reject all generated samples with certainty."
    )

    replaces: ClassVar[Mapping[str, tuple[Any, ...]]] = {"spectral_norm": (False,)}
    sets: ClassVar[Mapping[str, Any]] = {"spectral_norm": True}
