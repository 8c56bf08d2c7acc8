"""How diverse and how faithful the samples are, against the real data's own reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gandiag.monitoring.reference import Reference
from gandiag.monitoring.sample_metrics import compare
from gandiag.monitoring.snapshot import Snapshot

__all__ = ["Diversity", "against_null"]

RATIOS = ("effective_bins", "coverage", "precision", "dispersion", "spread")


@dataclass(frozen=True)
class Diversity:
    """The fakes that the loop itself made, against real samples, over the null at the same size.

    Signals, each ``/generator``; for fresh real samples the ratios are 1 on average:

    - ``effective_bins``, ``coverage``, ``precision``, ``dispersion``, ``spread``: see
      `sample_metrics.compare`, divided by their means over real-versus-real draws.
    - ``missing_mass``: real mass of the bins that the fakes miss, minus its null mean.
    - ``divergence``: Jensen-Shannon divergence over the largest of 100 real-versus-real draws.
    - ``energy``: squared energy distance over the real mean pair distance, minus its null mean.
    - ``energy_z``: the same in standard deviations of the null.
    - ``extent``: largest absolute value among the fakes over that of the real data.
    - ``bins``: the histogram itself, a vector.
    """

    uses: ClassVar[frozenset[str]] = frozenset({"placed", "reference"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the numbers of the generator's turn, once enough fakes have been made."""
        reference, placed = snapshot.reference, snapshot.placed
        if reference is None or placed is None:
            return {}
        seen = against_null(reference, compare(reference, placed))
        seen["extent"] = placed.largest.max() / reference.extent
        return {f"{name}/generator": value for name, value in seen.items()}


def against_null(reference: Reference, raw: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Divide what `compare` returned by the reference's nulls."""
    seen = {name: raw[name] / reference.null[name] for name in RATIOS}
    seen["missing_mass"] = raw["missing_mass"] - reference.null["missing_mass"]
    seen["divergence"] = raw["divergence"] / reference.null_high["divergence"]
    seen["energy"] = raw["energy"] - reference.null["energy"]
    seen["energy_z"] = seen["energy"] / reference.null_spread["energy"]
    seen["bins"] = raw["bins"]
    return seen
