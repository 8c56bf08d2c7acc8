"""The oracle: looks at fresh samples while a game is played, and writes down what is true of them.

It draws 10,000 samples at its own latents, which the loop never sees, and leaves no trace in the
networks or in anybody's random numbers. Where the samples have stood still far from the data it
asks what would have happened otherwise: the game goes on for 200 steps with a loss that does not
saturate, or against a discriminator that begins anew, on copies. It imports no probe, no reference
and no detector; a test holds that.
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
from torch import Tensor

from gandiag.benchmarks.oracle.truths import Truth
from gandiag.datasets.data import Data
from gandiag.models.gan import GAN
from gandiag.monitoring.side_effects import without_side_effects
from gandiag.records.storage import decode_number, encode_number

SAMPLES = 10_000  # fresh ones a look
CHUNK = 1000  # samples a forward pass
FROZEN = 0.01  # relative change of the distance within `STILL` steps, below: nothing moves
STILL = 300  # generator steps
AGAIN = 1000  # generator steps until the same question is asked again
AFRESH = 2000  # real and as many fake samples for the classifier that is trained afresh

Replay = Callable[[GAN, bool], GAN]
"""``(gan, anew)`` plays copies on for 200 steps with -log D(G(z)), against a new D if `anew`."""


class Oracle:
    """Observes a run of `gandiag.training.pipeline.run` and appends a line to a file at each look.

    Args:
        truth: what is known of the data.
        data: what the game is played with, for the classifier that is trained afresh.
        path: where the lines go.
        every: generator steps between two looks.
        seed: of its own latents.
        replay: plays a copy of the game on, otherwise than it was.
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
        self._asked = -AGAIN
        path.write_text("", encoding="utf-8")
        self._write({"about": {"shares": truth.shares.tolist(), "every": every}})

    def __call__(self, step: int, gan: GAN) -> None:
        """Look where it is time."""
        if step % self.every == 0:
            row, samples = self.look(step, gan)
            if self._stands_still(step, row["distance"]):
                self._asked = step
                row["otherwise"] = self._otherwise(step, gan, row["distance"], samples)
            self._write(row)

    def look(self, step: int, gan: GAN) -> tuple[dict[str, Any], Tensor]:
        """What is true of fresh samples, and the finite ones among them."""
        samples = self._fresh(step, gan)
        flat = samples.flatten(1)
        finite = flat.isfinite().all(1)
        row: dict[str, Any] = {"step": step, "finite": float(finite.double().mean())}
        if not finite.all():  # a game that blew up has no shares
            return row | {"distance": math.inf}, samples[finite]
        row["extent"] = float(flat.abs().max()) / self._extent
        return row | self.truth.look(samples) | _folk(flat), samples

    def _fresh(self, step: int, gan: GAN) -> Tensor:
        stream = torch.Generator().manual_seed(1_000_003 * (self.seed + 1) + step)
        with without_side_effects(gan.evaluated_generator):
            parts = [self._draw(gan, stream) for _ in range(SAMPLES // CHUNK)]
        return torch.cat(parts).detach().float().cpu()

    def _draw(self, gan: GAN, stream: torch.Generator) -> Tensor:
        """Samples at fresh latents; a GAN with classes is asked for them in their true shares."""
        inputs = [torch.randn(CHUNK, gan.latent_size, generator=stream)]
        if gan.classes:
            mass = torch.from_numpy(self.truth.shares)
            inputs.append(torch.multinomial(mass, CHUNK, replacement=True, generator=stream))
        made: Tensor = gan.evaluated_generator(*inputs)
        return made

    def _stands_still(self, step: int, distance: float) -> bool:
        self._distances.append((step, distance))
        past = [d for at, d in self._distances if step - STILL <= at <= step]
        long = self._distances[0][0] <= step - STILL
        still = max(past) - min(past) < FROZEN * distance
        return bool(long and still and math.isfinite(distance) and step >= self._asked + AGAIN)

    def _otherwise(self, step: int, gan: GAN, distance: float, samples: Tensor) -> dict[str, float]:
        """By how much the distance would have fallen, as a share of it; and whether it matters."""
        found = {"auc": fresh_auc(self.truth, self.data.train, samples, self.seed)}
        for name, anew in (("swap", False), ("anew", True)):
            if found.get("swap", 0.0) < 0.2:
                with without_side_effects(gan.generator, gan.discriminator), torch.enable_grad():
                    played = self._replay(gan, anew)
                there = self.look(step, played)[0]["distance"]
                found[name] = 1 - there / distance
        return found

    def _write(self, row: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(_plain(row), allow_nan=False) + "\n")


def fresh_auc(truth: Truth, real: Tensor, fake: Tensor, seed: int) -> float:
    """How well a classifier that begins anew tells real from fake samples it did not learn from.

    Returns:
        Area under its ROC curve in [0, 1]; 0.5 is chance.
    """
    count = min(AFRESH, len(real), len(fake)) // 2 * 2
    both = np.concatenate([truth.plain(part[:count]) for part in (real, fake)])
    is_real = np.arange(len(both)) < count
    learn = np.arange(len(both)) % 2 == 0
    model = HistGradientBoostingClassifier(max_iter=50, early_stopping=False, random_state=seed)
    scores = model.fit(both[learn], is_real[learn]).predict_proba(both[~learn])[:, 1]
    ours, theirs = scores[is_real[~learn]], scores[~is_real[~learn]]
    difference = ours[:, None] - theirs[None]
    return float((np.sign(difference).mean() + 1) / 2)


def read_rows(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What an oracle wrote: the line about the data, and its looks; strings are numbers again."""
    about, *rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return about["about"], [{key: _number(value) for key, value in row.items()} for row in rows]


def _folk(flat: Tensor) -> dict[str, float]:
    """What folk rules ask of samples: mean cosine and distance of pairs, and the mean deviation."""
    half = flat[:1000]
    turned = torch.nn.functional.normalize(half, dim=1)
    cosine = (float((turned @ turned.T).sum()) - len(half)) / (len(half) * (len(half) - 1))
    return {
        "cosine": cosine,
        "pairs": float(torch.pdist(half[:500]).mean()),
        "deviation": float(flat.std(0).mean()),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | Sequence) and not isinstance(value, str):
        return [round(float(item), 6) for item in value]
    return encode_number(value) if isinstance(value, float) else value


def _number(value: Any) -> Any:
    if isinstance(value, str):
        return decode_number(value)
    return np.asarray(value, dtype=float) if isinstance(value, list) else value
