"""Diversity and fidelity of the generated samples, relative to real samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from gandiag.monitoring.reference import Reference
from gandiag.monitoring.sample_metrics import compute_sample_metrics
from gandiag.monitoring.snapshot import Snapshot

# Metrics that are divided by their real-vs-real baseline.
RATIO_METRICS = (
    "effective_modes",
    "coverage",
    "precision",
    "within_mode_variance",
    "pair_distance",
)


@dataclass(frozen=True)
class Diversity:
    """Metrics of the loop's newest generated samples, relative to the real-vs-real baseline.

    The metrics are those of `gandiag.monitoring.sample_metrics.compute_sample_metrics`. Fresh real
    samples have ratios of 1 and distances of 0 on average.
    """

    uses: ClassVar[frozenset[str]] = frozenset({"fake_stats", "reference"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the metrics in a generator step, once there are enough generated samples."""
        reference, fakes = snapshot.reference, snapshot.fake_stats
        if reference is None or fakes is None:
            return {}
        numbers = relate_to_baseline(reference, compute_sample_metrics(reference, fakes))
        # In data units, to find samples outside the range of the data.
        if reference.views is not None:
            # Adding 0 times a number that is NaN passes NaN on.
            invalid = 0 * numbers["effective_modes"]
            kept = reference.views.measure(fakes.view_cells, fakes.on_data)
            numbers |= {name: value + invalid for name, value in kept.items()}
        numbers["max_abs"] = fakes.max_abs.max() / reference.max_abs
        return {f"{name}/generator": value for name, value in numbers.items()}


def relate_to_baseline(reference: Reference, metrics: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Relate the result of `compute_sample_metrics` to the reference's real-vs-real baselines.

    A metric that is 0 for equal distributions, such as an energy distance, has the mean of the
    baseline subtracted. The Jensen-Shannon divergence is divided by the largest value of the
    baseline instead: above 1, chance does not explain it.
    """
    mean, sd = reference.baseline_mean, reference.baseline_sd
    numbers = {name: metrics[name] / mean[name] for name in RATIO_METRICS}
    numbers["missing_mass"] = metrics["missing_mass"] - mean["missing_mass"]
    numbers["js_divergence"] = metrics["js_divergence"] / reference.baseline_max["js_divergence"]
    numbers["energy_distance"] = metrics["energy_distance"] - mean["energy_distance"]
    numbers["energy_distance_z"] = numbers["energy_distance"] / sd["energy_distance"]
    numbers["mode_histogram"] = metrics["mode_histogram"]
    return numbers
