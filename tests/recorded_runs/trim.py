"""Trims a run's folder to a small record that the detectors judge as they judge the whole one.

    python tests/recorded_runs/trim.py RUN NAME [--until STEP]

It keeps the signals that detectors read, at the looks at the samples alone, and the facts of the
run. No version, time, path or machine comes along.

``healthy``, ``vanishing_gradients``, ``mode_collapse`` and ``non_convergence`` are seed 0 of the
scenarios of those names, ``mode_collapse_cured`` is seed 3; ``vanishing_gradients`` goes to step
600, the cured one to 2,150 and the others to 1,500. ``slow_start`` is seed 0 of the game
``slow_digits_r1`` of ``gandiag bench detection``, to step 2,000. The rings, all whole, have 8 modes
with sd 0.1 at radius 2, width 128, and

- ``ring_healthy``: Adam 1e-3, R1 0.1; ``ring_critic``: a linear critic with gradient penalty, five
  steps for each of the generator's;
- ``ring_collapse`` and ``ring_hopping``: Adam 5e-4, fifteen steps of the discriminator for each of
  the generator's, and the reverse;
- ``ring_regression``: Adam 3e-4 with betas .9 and .999, five steps of the discriminator for each of
  the generator's, width 64;
- ``ring_vanishing``: log(1 - D), Adam 1e-4 for the generator and 1e-3 for the discriminator, which
  takes ten steps for each of the generator's.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from gandiag.records.record import ENVIRONMENT, SIGNALS, Record

HERE = Path(__file__).parent
LOOKS = "diversity/effective_modes/generator"
READ = (
    "classes/histogram/generator",
    "confidence/auc/discriminator",
    "confidence/gap/discriminator",
    "confidence_after/gap/discriminator",
    "diversity/mode_histogram/generator",
    "diversity/within_mode_variance/generator",
    "diversity/js_divergence/generator",
    "diversity/effective_modes/generator",
    "diversity/energy_distance/generator",
    "diversity/max_abs/generator",
    "diversity/missing_mass/generator",
    "diversity/precision/generator",
    "diversity/pair_distance/generator",
    "gradient/first_to_last/generator",
    "gradient/non_finite/discriminator",
    "gradient/non_finite/generator",
    "gradient/parameter_norm/discriminator",
    "gradient/parameter_norm/generator",
    "gradient/backprop_gain/generator",
    "loss/value/discriminator",
    "loss/value/generator",
    "displacement/distance/generator",
    "displacement/relative/generator",
    "displacement/latent_spread/generator",
    "learning_signal/discriminator_gradient/generator",
    "learning_signal/score_gradient/generator",
    "learning_signal/score_sd/generator",
)
SELDOM = ("gradient/", "loss/value/", "learning_signal/score_sd/")  # asked for decades only
EVERY = 5  # looks between two rows of those
DIGITS = 3  # of a number that are kept; gates and effects lie further apart
PLACES = 3  # after the point that are kept of a histogram's shares
FACTS = (
    "steps", "batch_size", "shape", "scale", "sample_size", "turnover_baseline", "mean_energy_distance",
    "class_shares",
)  # fmt: skip


def trim(record: Record, until: int | None = None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the environment file's content and the rows that remain.

    At each look a row holds the newest value of each signal, as a detector sees it there.
    """
    record = record if until is None else record.until(until)
    steps = record[LOOKS].steps
    rows = []
    for count, step in enumerate(steps.tolist()):
        names = [n for n in READ if n in record.signals and (count % EVERY == 0 or not _seldom(n))]
        newest = {name: record[name].until(step).values[-1:] for name in names}
        signals = {name: _plain(value[0]) for name, value in newest.items() if len(value)}
        rows.append({"step": step, "signals": signals})
    facts = {name: record.facts[name] for name in FACTS if name in record.facts}
    return {"facts": facts}, rows


def _seldom(name: str) -> bool:
    return name.startswith(SELDOM)


def _plain(value: Any) -> Any:
    if np.ndim(value):
        return [round(float(share), PLACES) for share in value]
    if math.isfinite(value):
        return float(f"{value:.{DIGITS}g}")
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def main() -> None:
    """Trim one run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--until", type=int, help="last step that is kept")
    chosen = parser.parse_args()
    environment, rows = trim(Record.load(chosen.run), chosen.until)
    folder = HERE / chosen.name
    folder.mkdir(exist_ok=True)
    (folder / ENVIRONMENT).write_text(json.dumps(environment) + "\n", encoding="utf-8")
    lines = (json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    (folder / SIGNALS).write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
