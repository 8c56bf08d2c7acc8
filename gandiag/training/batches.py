"""All that is drawn while a game is played: batches, latents, labels, noise, from one stream."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from gandiag.scenario.training_settings import InstanceNoise, Training


class BatchSampler:
    """Draws from a stream of its own, so that nobody's random numbers are touched.

    Args:
        samples: ``(N, *shape)`` real samples.
        labels: ``(N,)`` int64 classes on the same device, or None for a game without.
        training: batch size, steps and noise.
        seed: of the stream.
    """

    def __init__(
        self, samples: Tensor, labels: Tensor | None, training: Training, seed: int
    ) -> None:
        self._samples, self._labels = samples, labels
        self._size, self._steps = training.batch_size, training.steps
        self._noise = training.instance_noise
        self._stream = torch.Generator(samples.device).manual_seed(seed)
        self._batches = self._shuffle_batches()
        self._scale = float(samples.std()) if self._noise.sd else 0.0

    def next_real_batch(self) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The next real batch and its labels, ``(B,)``, or no labels."""
        chosen = next(self._batches)
        labels = () if self._labels is None else (self._labels[chosen],)
        return self._samples[chosen], labels

    def sample_latents(self, latent_size: int) -> Tensor:
        """A batch of latents from N(0, I)."""
        size = (self._size, latent_size)
        return torch.randn(size, device=self._samples.device, generator=self._stream)

    def sample_labels(self) -> tuple[Tensor, ...]:
        """Labels of random real samples for a batch of fakes, or none."""
        if self._labels is None:
            return ()
        device, count = self._labels.device, len(self._labels)
        chosen = torch.randint(count, (self._size,), device=device, generator=self._stream)
        return (self._labels[chosen],)

    def add_noise(self, samples: Tensor, step: int) -> Tensor:
        """Samples with the instance noise of a step; the samples themselves where it has gone."""
        sd = self._scale * self._noise.sd * compute_noise_factor(self._noise, step, self._steps)
        if not sd:
            return samples
        noise = torch.randn(samples.shape, device=samples.device, generator=self._stream)
        return samples + sd * noise

    def _shuffle_batches(self) -> Iterator[Tensor]:
        """Shuffled batches of indices without end; a pass leaves out its incomplete last one."""
        device, count = self._samples.device, len(self._samples)
        size = min(self._size, count)
        while True:
            order = torch.randperm(count, device=device, generator=self._stream)
            for start in range(0, count - size + 1, size):
                yield order[start : start + size]


def compute_noise_factor(noise: InstanceNoise, step: int, steps: int) -> float:
    """Share of the instance noise that is left at a step: 1 at first, falling linearly to 0.

    >>> noise = InstanceNoise(sd=0.1, until=0.5)
    >>> [compute_noise_factor(noise, step, 100) for step in (0, 25, 50, 99)]
    [1.0, 0.5, 0.0, 0.0]
    """
    return max(0.0, 1 - step / (noise.until * steps))
