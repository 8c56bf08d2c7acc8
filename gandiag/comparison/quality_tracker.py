"""Measures the quality of samples during a run of a comparison, and times its steps."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from torch import Tensor

from gandiag.comparison.sample_quality import QualityScores, SampleQuality, generate_samples
from gandiag.models.gan import GAN

MEASUREMENTS = 20  # Measurements along a run. Each takes about 0.1 s.


@dataclass
class QualityTracker:
    """An observer of a run: measures new samples at regular steps and times the steps in between.

    On a CPU the time is that of the process, which does not grow when other processes use the
    machine. On other devices it is wall-clock time, as the process waits for the device. The time
    of the tracker's own measurements is left out.

    Attributes:
        quality: compares samples with held-out real samples.
        labels: ``(n,)`` labels of the training samples, or None; see `generate_samples`.
        steps: number of generator steps of the run.
        seed: seed of the run. The tracker draws its latents from a stream of its own, so it does
            not change those of the training.
        distances: pairs of a step and the distance at that step, by rising step.
        last: all scores of the last measurement; NaN before it.
    """

    quality: SampleQuality
    labels: Tensor | None
    steps: int
    seed: int

    def __post_init__(self) -> None:
        """Set up a tracker that has not measured anything yet."""
        self.distances: list[tuple[int, float]] = []
        self.last = QualityScores(math.nan, math.nan, math.nan)
        self._interval = math.ceil(self.steps / MEASUREMENTS)
        self._clock = time.process_time
        self._step_began: float | None = None
        self._seconds, self._timed_steps = 0.0, 0

    def __call__(self, step: int, gan: GAN) -> None:
        """Count a generator step, and measure samples if the step is due."""
        if self._step_began is None:
            # The first step is not timed: it includes the loading of libraries and data.
            on_cpu = next(gan.generator.parameters()).device.type == "cpu"
            self._clock = time.process_time if on_cpu else time.perf_counter
        else:
            self._seconds += self._clock() - self._step_began
            self._timed_steps += 1
        # The last step is always measured, as the verdict compares the samples at the end.
        if step % self._interval == 0 or step == self.steps:
            self._measure(step, gan)
        self._step_began = self._clock()

    @property
    def seconds_per_step(self) -> float:
        """Mean seconds of all generator steps except the first; NaN for a run of one step."""
        return self._seconds / self._timed_steps if self._timed_steps else math.nan

    def _measure(self, step: int, gan: GAN) -> None:
        # The seed differs for each step of each run: runs have far fewer than 1,000,003 steps.
        samples = generate_samples(gan, self.labels, seed=1_000_003 * (self.seed + 1) + step)
        self.distances.append((step, self.quality.distance(samples)))
        if step + self._interval > self.steps:  # the last measurement, or the last but one
            self.last = self.quality.measure(samples)
