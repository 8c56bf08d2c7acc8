"""How diverse and how faithful the samples are, against the real data's own reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gandiag.monitoring.reference import Reference
from gandiag.monitoring.sample_metrics import compute_sample_metrics
from gandiag.monitoring.snapshot import Snapshot

RATIO_METRICS = (
    "effective_modes",
    "coverage",
    "precision",
    "within_mode_variance",
    "pair_distance",
)


@dataclass(frozen=True)
class Diversity:
    """The fakes that the loop itself made, against real samples, over the null at the same size.

    Signals, each ``/generator``; for fresh real samples the ratios are 1 on average:

    - ``effective_modes``, ``coverage``, ``precision``, ``within_mode_variance``, ``pair_distance``: see
      `sample_metrics.compare`, divided by their means over real-versus-real draws.
    - ``missing_mass``: real mass of the bins that the fakes miss, minus its null mean.
    - ``js_divergence``: Jensen-Shannon divergence over the largest of 100 real-versus-real draws.
    - ``energy_distance``: squared energy distance over the real mean pair distance, minus its null mean.
    - ``energy_distance_z``: the same in standard deviations of the null.
    - ``max_abs``: largest absolute value among the fakes over that of the real data.
    - ``mode_histogram``: the histogram itself, a vector.
    """

    uses: ClassVar[frozenset[str]] = frozenset({"fake_stats", "reference"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the numbers of the generator's turn, once enough fakes have been made."""
        reference, placed = snapshot.reference, snapshot.fake_stats
        if reference is None or placed is None:
            return {}
        seen = relate_to_baseline(reference, compute_sample_metrics(reference, placed))
        seen["max_abs"] = placed.max_abs.max() / reference.max_abs
        return {f"{name}/generator": value for name, value in seen.items()}


def relate_to_baseline(reference: Reference, raw: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Divide what `compute_sample_metrics` returned by the reference's nulls."""
    seen = {name: raw[name] / reference.baseline_mean[name] for name in RATIO_METRICS}
    seen["missing_mass"] = raw["missing_mass"] - reference.baseline_mean["missing_mass"]
    seen["js_divergence"] = raw["js_divergence"] / reference.baseline_max["js_divergence"]
    seen["energy_distance"] = raw["energy_distance"] - reference.baseline_mean["energy_distance"]
    seen["energy_distance_z"] = seen["energy_distance"] / reference.baseline_sd["energy_distance"]
    seen["mode_histogram"] = raw["mode_histogram"]
    return seen
