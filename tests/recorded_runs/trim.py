"""Trim the folder of a run to a small record that has the same diagnoses.

    python tests/recorded_runs/trim.py RUN NAME [--until STEP]

The result has the signals that detectors read, at the evaluations of the samples only, and the
facts of the run. It has no version, time, path or machine.

Records from scenarios: ``healthy``, ``vanishing_gradients``, ``mode_collapse`` and
``non_convergence`` are seed 0 of the scenarios of these names, and ``mode_collapse_cured`` is seed
3. ``vanishing_gradients`` ends at step 600, ``mode_collapse_cured`` at 2,150, the others at 1,500.
``slow_start`` is seed 0 of the case ``slow_digits_r1`` of ``gandiag bench detection``, until step
2,000.

The records of rings are complete runs on 8 modes with standard deviation 0.1 at radius 2, with
networks of width 128:

- ``ring_healthy``: Adam 1e-3, R1 0.1. ``ring_critic``: a linear critic with gradient penalty, five
  discriminator steps per generator step;
- ``ring_collapse`` and ``ring_hopping``: Adam 5e-4, fifteen discriminator steps per generator step,
  and fifteen generator steps per discriminator step;
- ``ring_regression``: Adam 3e-4 with betas 0.9 and 0.999, five discriminator steps per generator
  step, width 64;
- ``ring_vanishing``: log(1 - D), Adam 1e-4 for the generator and 1e-3 for the discriminator, ten
  discriminator steps per generator step.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from gandiag.monitoring import signals
from gandiag.records.record import ENVIRONMENT_FILE, SIGNALS_FILE, Record
from gandiag.records.storage import encode_number

HERE = Path(__file__).parent
#: Signals that detectors read.
READ = (
    signals.CLASS_HISTOGRAM,
    signals.AUC,
    signals.SCORE_GAP,
    signals.SCORE_GAP_AFTER,
    signals.MODE_HISTOGRAM,
    signals.WITHIN_MODE_VARIANCE,
    signals.JS_DIVERGENCE,
    signals.EFFECTIVE_MODES,
    signals.ENERGY_DISTANCE,
    signals.MAX_ABS,
    signals.MISSING_MASS,
    signals.PRECISION,
    signals.PAIR_DISTANCE,
    signals.FIRST_TO_LAST,
    signals.DISCRIMINATOR_NON_FINITE,
    signals.GENERATOR_NON_FINITE,
    signals.DISCRIMINATOR_PARAMETER_NORM,
    signals.GENERATOR_PARAMETER_NORM,
    signals.BACKPROP_GAIN,
    signals.DISCRIMINATOR_LOSS,
    signals.GENERATOR_LOSS,
    signals.DISPLACEMENT,
    signals.RELATIVE_DISPLACEMENT,
    signals.LATENT_SPREAD,
    signals.DISCRIMINATOR_GRADIENT,
    signals.SCORE_GRADIENT,
    signals.SCORE_SD,
)
# Signals whose thresholds are decades away in healthy runs: few of their values are kept.
RARE = ("gradient/", "loss/value/", "learning_signal/score_sd/")
EVERY = 5  # evaluations between two values of rare signals
DIGITS = 3  # significant digits; thresholds and effects differ by more
PLACES = 3  # decimal places of the shares in a histogram
FACTS = (
    "steps",
    "batch_size",
    "shape",
    "real_pair_distance",
    "sample_size",
    "turnover_baseline",
    "mean_energy_distance",
    "class_shares",
)


def trim(record: Record, until: int | None = None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Select the facts and the rows of a small record.

    Each row has the newest value of each signal at an evaluation of the samples, which is what a
    detector reads there.

    Returns:
        the content of the environment file, and the rows.
    """
    record = record if until is None else record.until(until)
    rows = []
    for index, step in enumerate(record[signals.EFFECTIVE_MODES].steps.tolist()):
        names = [
            name
            for name in READ
            if name in record.signals and (index % EVERY == 0 or not name.startswith(RARE))
        ]
        newest = {name: record[name].until(step).values[-1:] for name in names}
        values = {name: _round(value[0]) for name, value in newest.items() if len(value)}
        rows.append({"step": step, "signals": values})
    facts = {name: record.facts[name] for name in FACTS if name in record.facts}
    return {"facts": facts}, rows


def _round(value: Any) -> Any:
    if np.ndim(value):
        return [round(float(share), PLACES) for share in value]
    return encode_number(float(f"{value:.{DIGITS}g}"))


def main() -> None:
    """Trim the run that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--until", type=int, help="last step that is kept")
    chosen = parser.parse_args()
    environment, rows = trim(Record.load(chosen.run), chosen.until)
    folder = HERE / chosen.name
    folder.mkdir(exist_ok=True)
    (folder / ENVIRONMENT_FILE).write_text(json.dumps(environment) + "\n", encoding="utf-8")
    lines = (json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    (folder / SIGNALS_FILE).write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
