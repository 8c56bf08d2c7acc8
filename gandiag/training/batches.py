"""Random draws of the training loop: real batches, latents, labels and instance noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gandiag.scenario.training_settings import InstanceNoise, Training


class BatchSampler:
    """Draws everything that a training step needs from one random stream of its own.

    PyTorch's global generators stay untouched: the draws do not depend on the networks (dropout),
    nor on what a user has drawn before. Any change in the order of the calls changes every run.

    Args:
        samples: ``(N, *shape)`` real samples.
        labels: ``(N,)`` int64 classes on the same device, or None for a GAN without classes.
        training: batch size B, number of steps and instance noise.
        seed: seed of the stream.
    """

    def __init__(
        self, samples: Tensor, labels: Tensor | None, training: Training, seed: int
    ) -> None:
        self._samples, self._labels = samples, labels
        self._size, self._steps = training.batch_size, training.steps
        self._noise = training.instance_noise
        self._stream = torch.Generator(samples.device).manual_seed(seed)
        # The order of the current pass, (N,), and the next place in it. The pass begins when its
        # first batch is drawn.
        self._order, self._place = torch.empty(0, dtype=torch.int64, device=samples.device), 0
        # Instance noise is given in units of the data's standard deviation over all entries.
        self._data_sd = float(samples.std()) if self._noise.sd else 0.0

    def next_real_batch(self) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return the next real batch, ``(B, *shape)``, and its ``(B,)`` labels as a 1-tuple.

        The tuple is empty for a GAN without classes, so that ``network(batch, *labels)`` fits both
        cases. The batch has N samples if the data set has fewer than B.
        """
        indices = self._next_indices()
        labels = () if self._labels is None else (self._labels[indices],)
        return self._samples[indices], labels

    def sample_latents(self, latent_size: int) -> Tensor:
        """Return ``(B, latent_size)`` latents from N(0, I)."""
        size = (self._size, latent_size)
        return torch.randn(size, device=self._samples.device, generator=self._stream)

    def sample_labels(self) -> tuple[Tensor, ...]:
        """Return ``(B,)`` labels as a 1-tuple, in the class shares of the data; empty if none."""
        if self._labels is None:
            return ()
        device, count = self._labels.device, len(self._labels)
        indices = torch.randint(count, (self._size,), device=device, generator=self._stream)
        return (self._labels[indices],)

    def add_noise(self, samples: Tensor, step: int) -> Tensor:
        """Return the samples plus the instance noise of a step (Sønderby et al. 2017).

        Without noise, or after the noise has faded out, the same tensor is returned and no random
        number is drawn.
        """
        sd = self._data_sd * self._noise.sd * compute_noise_factor(self._noise, step, self._steps)
        if not sd:
            return samples
        noise = torch.randn(samples.shape, device=samples.device, generator=self._stream)
        return samples + sd * noise

    def _next_indices(self) -> Tensor:
        """Return ``(B,)`` sample indices; all samples are shuffled again before each pass.

        A pass drops its incomplete last batch, so that all batches have one size.
        """
        device, count = self._samples.device, len(self._samples)
        size = min(self._size, count)  # a data set smaller than a batch is one batch
        if self._place + size > len(self._order):
            self._order = torch.randperm(count, device=device, generator=self._stream)
            self._place = 0
        start = self._place
        self._place += size
        return self._order[start : self._place]

    def state(self) -> dict[str, Any]:
        """Return what decides all further draws, for `load_state`."""
        stream = self._stream.get_state()
        return {"stream": stream, "order": self._order, "place": self._place}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on where the sampler that gave this `state` was."""
        self._stream.set_state(state["stream"])
        self._order = state["order"].to(self._samples.device)
        self._place = state["place"]


def compute_noise_factor(noise: InstanceNoise, step: int, steps: int) -> float:
    """Return the factor of the instance noise at a step: 1 at step 0, falling linearly to 0.

    Args:
        noise: ``noise.until`` is the share of the run at which the factor reaches 0.
        step: completed generator steps.
        steps: generator steps of the whole run.

    >>> noise = InstanceNoise(sd=0.1, until=0.5)
    >>> [compute_noise_factor(noise, step, 100) for step in (0, 25, 50, 99)]
    [1.0, 0.5, 0.0, 0.0]
    """
    return max(0.0, 1 - step / (noise.until * steps))
