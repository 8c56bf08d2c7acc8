"""Oracle: measures fresh samples while a training run goes on, and writes the results to a file.

The oracle draws 10,000 samples at its own latent vectors, which the training never uses, and
changes neither the networks nor the global random generators. If the samples have not moved for a
while, far from the data, the oracle tests what would help: copies of the networks are trained for
200 more steps with a non-saturating loss, first with the same discriminator, then with a newly
initialised one. The oracle imports no probe, no reference statistics, no detector and nothing that
reads or writes records; a test checks this.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from torch import Tensor

from gandiag.benchmarks.oracle.truths import Truth
from gandiag.datasets.data import Data
from gandiag.models.gan import GAN
from gandiag.monitoring.side_effects import without_side_effects

SAMPLES = 10_000  # Fresh samples of each measurement.
CHUNK = 1000  # Samples of a forward pass; more would need more memory and save no time.
# The distance counts as frozen if its range over `FROZEN_STEPS` generator steps stays below this
# share of it. The protocol in reports/detection.md fixed both numbers before the first run.
FROZEN_CHANGE = 0.01
FROZEN_STEPS = 300
# Generator steps between two counterfactuals. Each of them trains copies for up to 400 steps, so it
# must stay rare.
COUNTERFACTUAL_INTERVAL = 1000
CLASSIFIER_SAMPLES = 2000  # Real samples, and as many generated ones, for `fresh_auc`.
# A counterfactual with the same discriminator that lowers the distance by this share explains the
# frozen samples. The second counterfactual, with a new discriminator, is then left out.
CLEAR_GAIN = 0.2

Replay = Callable[[GAN, bool], GAN]
"""Trains copies of a GAN for 200 steps with -log D(G(z)); with a new D if the flag is true."""


class Oracle:
    """Observer of `gandiag.training.pipeline.run` that appends a line to a file per measurement.

    Args:
        truth: what is known about the data.
        data: the data of the training run, for a classifier of real and generated samples.
        path: file of the lines; an older file is overwritten.
        every: generator steps between two measurements.
        seed: seed of the oracle's own latent vectors.
        replay: trains a copy of the GAN for a counterfactual.
    """

    def __init__(
        self,
        truth: Truth,
        data: Data,
        path: Path,
        every: int,
        seed: int,
        replay: Replay,
    ) -> None:
        self.truth, self.data, self.path, self.every, self.seed = truth, data, path, every, seed
        self._replay = replay
        self._extent = float(data.train.abs().max())
        self._distances: list[tuple[int, float]] = []
        self._last_counterfactual = -COUNTERFACTUAL_INTERVAL
        path.write_text("", encoding="utf-8")
        self._write({"about": {"shares": truth.shares.tolist(), "every": every}})

    def __call__(self, step: int, gan: GAN) -> None:
        """Measure if a measurement is due at this generator step."""
        if step % self.every == 0:
            row, samples = self.measure(step, gan)
            if self._is_frozen(step, row["distance"]):
                self._last_counterfactual = step
                row["otherwise"] = self._run_counterfactuals(step, gan, row["distance"], samples)
            self._write(row)

    def measure(self, step: int, gan: GAN) -> tuple[dict[str, Any], Tensor]:
        """Measure fresh samples; return the numbers, and the finite samples ``(n, *shape)``."""
        samples = self._draw_samples(step, gan)
        flat = samples.flatten(1)
        finite = flat.isfinite().all(1)
        row: dict[str, Any] = {"step": step, "finite": float(finite.double().mean())}
        if not finite.all():  # The run has diverged, and shares of modes mean nothing.
            return row | {"distance": math.inf}, samples[finite]
        row["extent"] = float(flat.abs().max()) / self._extent
        return row | self.truth.measure(samples) | _plain_statistics(flat), samples

    def _draw_samples(self, step: int, gan: GAN) -> Tensor:
        # The stream depends on seed and step alone, so a repeated measurement gives equal samples.
        stream = torch.Generator().manual_seed(1_000_003 * (self.seed + 1) + step)
        with without_side_effects(gan.evaluated_generator):
            parts = [self._draw_chunk(gan, stream) for _ in range(SAMPLES // CHUNK)]
        return torch.cat(parts).detach().float().cpu()

    def _draw_chunk(self, gan: GAN, stream: torch.Generator) -> Tensor:
        """Generate samples; those of a GAN with classes have the true shares of the classes."""
        inputs = [torch.randn(CHUNK, gan.latent_size, generator=stream)]
        if gan.classes:
            mass = torch.from_numpy(self.truth.shares)
            inputs.append(torch.multinomial(mass, CHUNK, replacement=True, generator=stream))
        generated: Tensor = gan.evaluated_generator(*inputs)
        return generated

    def _is_frozen(self, step: int, distance: float) -> bool:
        """Whether the distance has hardly changed for a while, and a counterfactual is due."""
        self._distances.append((step, distance))
        recent = [d for at, d in self._distances if step - FROZEN_STEPS <= at <= step]
        # At the start of a run the range covers less time and would be small for that reason alone.
        is_long_enough = self._distances[0][0] <= step - FROZEN_STEPS
        is_steady = max(recent) - min(recent) < FROZEN_CHANGE * distance
        is_due = step >= self._last_counterfactual + COUNTERFACTUAL_INTERVAL
        return bool(is_long_enough and is_steady and math.isfinite(distance) and is_due)

    def _run_counterfactuals(
        self, step: int, gan: GAN, distance: float, samples: Tensor
    ) -> dict[str, float]:
        """Train copies in another way; return by which share of it the distance falls.

        Returns:
            How well a new classifier separates real and generated samples, in [0, 1]; the relative
            decrease of the distance with the same discriminator; and, only if that is small, the
            decrease with a newly initialised discriminator.
        """
        found = {"auc": fresh_auc(self.truth, self.data.train, samples, self.seed)}
        for name, with_new_discriminator in (("swap", False), ("anew", True)):
            if found.get("swap", 0.0) < CLEAR_GAIN:
                with without_side_effects(gan.generator, gan.discriminator), torch.enable_grad():
                    replayed = self._replay(gan, with_new_discriminator)
                found[name] = 1 - self.measure(step, replayed)[0]["distance"] / distance
        return found

    def _write(self, row: dict[str, Any]) -> None:
        # Opened for each row, so that an interrupted run keeps its rows.
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(_encode(row), allow_nan=False) + "\n")


def fresh_auc(truth: Truth, real: Tensor, fake: Tensor, seed: int) -> float:
    """Measure how well a newly trained classifier separates real from generated samples.

    The classifier learns from one half of the samples and is evaluated on the other half. It shows
    whether a discriminator could learn something, whatever the GAN's own discriminator has learned.

    Args:
        truth: reduces samples to a few numbers each.
        real: ``(N, *shape)`` real samples.
        fake: ``(n, *shape)`` generated samples.
        seed: seed of the classifier.

    Returns:
        Area under the ROC curve in [0, 1]; 0.5 is chance.
    """
    # Even, so that both halves have equally many real and generated samples.
    count = min(CLASSIFIER_SAMPLES, len(real), len(fake)) // 2 * 2
    features = np.concatenate([truth.reduce(part[:count]) for part in (real, fake)])
    is_real = np.arange(len(features)) < count
    is_training = np.arange(len(features)) % 2 == 0
    # Early stopping would set samples aside at random; so few trees do not need it.
    model = HistGradientBoostingClassifier(max_iter=50, early_stopping=False, random_state=seed)
    model.fit(features[is_training], is_real[is_training])
    scores = model.predict_proba(features[~is_training])[:, 1]
    return float(roc_auc_score(is_real[~is_training], scores))


def read_rows(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read the file of an oracle.

    Returns:
        The line about the data, and a row for each measurement; lists are arrays again, and strings
        such as "NaN" are numbers.
    """
    about, *rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return about["about"], [{key: _decode(value) for key, value in row.items()} for row in rows]


def _plain_statistics(flat: Tensor) -> dict[str, float]:
    """Statistics of samples ``(n, d)`` that common rules of thumb use.

    Returns:
        ``cosine``: mean cosine of the angle between two samples; ``pairs``: mean distance between
        two samples; ``deviation``: mean standard deviation of a coordinate.
    """
    # Part of the samples: the number of pairs, and with it the time, grows with the square.
    half = flat[:1000]
    unit = torch.nn.functional.normalize(half, dim=1)
    # The sum over all pairs includes each sample with itself, whose cosine is 1.
    cosine = (float((unit @ unit.T).sum()) - len(half)) / (len(half) * (len(half) - 1))
    return {
        "cosine": cosine,
        "pairs": float(torch.pdist(half[:500]).mean()),
        "deviation": float(flat.std(0).mean()),
    }


def _encode(value: Any) -> Any:
    """Plain data for JSON, which has no NaN and no infinity: they are written as strings.

    `gandiag.records.storage` does the same for records. The oracle has its own two functions so
    that it depends on no code that the detectors use.
    """
    if isinstance(value, dict):
        return {key: _encode(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | Sequence) and not isinstance(value, str):
        return [round(float(item), 6) for item in value]  # Six digits keep the files small.
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(value)  # Python spells them NaN, Infinity and -Infinity.
    return value


def _decode(value: Any) -> Any:
    if isinstance(value, str):
        return float(value)
    return np.asarray(value, dtype=float) if isinstance(value, list) else value
