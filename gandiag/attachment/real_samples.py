"""Real samples for the `Reference`: passed by the user, or collected from D's input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized
from dataclasses import fields
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from gandiag.monitoring.distributed import Message, Ranks
from gandiag.monitoring.features import Embedding, SampleFeatures
from gandiag.monitoring.reference import MAX_REAL_SAMPLES, SAMPLE_SIZE, Reference
from gandiag.monitoring.side_effects import without_side_effects
from gandiag.plugins.errors import BadInput, warn_user

# Samples for a reference: those it keeps, and two halves for its real-vs-real baseline. Images of
# 32 x 32 x 3 pixels take 37 MB while they are collected.
SAMPLES_NEEDED = MAX_REAL_SAMPLES + 2 * SAMPLE_SIZE
# The fewest samples that have modes: two k-means cells of about 10 samples each, and 10 samples for
# the baseline.
MIN_SAMPLES = 32
# Samples of a stream that are read to select `SAMPLES_NEEDED` of them: the data may be sorted, and
# this is an epoch of MNIST or CIFAR-10.
MAX_STREAMED = 60_000

#: Real samples: a tensor or array ``(N, *shape)``, a dataset, or a loader of batches.
RealSamples: TypeAlias = "Tensor | NDArray[Any] | Dataset[Any] | Iterable[Any]"


def build_reference(
    real: RealSamples, device: torch.device, embedding: Embedding | None = None
) -> Reference:
    """Build the reference from the real samples that the user passed to `gandiag.attach`.

    Args:
        real: samples ``(N, *shape)``, a dataset whose items are samples or begin with one, or a
            loader of batches. Of more than `SAMPLES_NEEDED`, a random subset of that size is used.
        device: device of the reference's tensors.
        embedding: computes the features in which samples are compared; None compares pixels.

    Raises:
        BadInput: there are fewer than `MIN_SAMPLES` samples, or the embedding raises.
    """
    samples = _load_samples(real)
    if len(samples) < MIN_SAMPLES:
        problem = f"{len(samples)} samples; at least {MIN_SAMPLES} are needed"
        raise BadInput("attach: real", problem)
    # A generator of its own: the global one belongs to the user's training.
    shuffled = torch.randperm(len(samples), generator=torch.Generator().manual_seed(0))
    order = shuffled[:SAMPLES_NEEDED]
    count = min(2 * SAMPLE_SIZE, len(order) // 3)
    try:
        chosen = SampleFeatures.gather(samples, order, embedding, device)
        held_out = _slice_samples(chosen, slice(count))
        return Reference.from_samples(
            _slice_samples(chosen, slice(count, None)), held_out, embedding=embedding
        )
    except Exception as error:
        if embedding is None:
            raise
        raise BadInput("attach: embed", f"{type(error).__name__}: {error}") from error


def _load_samples(real: RealSamples) -> Tensor:
    """The samples, or up to `SAMPLES_NEEDED` of them, ``(n, *shape)``.

    Transforms of a dataset may draw random numbers; the user's generators are restored.

    Raises:
        BadInput: these are no samples.
    """
    if isinstance(real, Tensor):
        return real
    if hasattr(real, "__array__"):
        return torch.as_tensor(np.asarray(real))
    dataset = real.dataset if isinstance(real, DataLoader) else real
    with without_side_effects():
        if isinstance(dataset, Sized) and hasattr(dataset, "__getitem__"):
            # Spread evenly over the dataset, which may be sorted.
            size = len(dataset)
            count = min(size, SAMPLES_NEEDED)
            items = [_first_part(dataset[i * size // count]) for i in range(count)]
            return torch.stack([torch.as_tensor(item) for item in items])
        if isinstance(real, Iterable):
            return _sample_stream(real)
    problem = f"a {type(real).__name__} is no tensor, array, dataset or loader of batches"
    raise BadInput("attach: real", problem)


def _sample_stream(batches: Iterable[Any]) -> Tensor:
    """A random subset of the samples of a stream of batches, read for at most one epoch.

    It is a reservoir sample (Vitter 1985, algorithm R): each sample read has the same chance.
    """
    stream = torch.Generator().manual_seed(0)
    kept: list[Tensor] = []
    count = 0
    for batch in batches:
        for sample in torch.as_tensor(_first_part(batch)):
            count += 1
            if len(kept) < SAMPLES_NEEDED:
                kept.append(sample)
                continue
            place = int(torch.randint(count, (1,), generator=stream))
            if place < SAMPLES_NEEDED:
                kept[place] = sample
        if count >= MAX_STREAMED:
            break
    return torch.stack(kept) if kept else torch.zeros(0)


def _first_part(item: Any) -> Any:
    """A sample, or a batch of them, without the labels behind it."""
    if isinstance(item, Mapping):
        return next(iter(item.values()))
    return item[0] if isinstance(item, (tuple, list)) else item


class RealSampleBuffer:
    """Collects the loop's real batches until there are enough for a reference.

    With several ranks, rank 0 collects the batches of all ranks, builds the reference, and sends
    it to the others.

    Args:
        ranks: the processes that train together; None for a single process.
        embedding: computes the features in which samples are compared, for a single process. If
            it raises, the buffer warns once and never builds a reference.
    """

    def __init__(self, ranks: Ranks | None = None, embedding: Embedding | None = None) -> None:
        self._ranks = ranks or Ranks()
        self._embedding = embedding
        self._has_failed = False
        self._steps = 0
        # Allocated once for all samples: joining batches at the end would take twice the memory.
        self._samples: SampleFeatures | None = None
        self._count = 0

    @property
    def progress(self) -> str:
        """How many samples are collected, what follows, and the remedy, for a reader."""
        return (
            f"{self._count:,} of {SAMPLES_NEEDED:,} real samples are collected, so diversity is "
            "not measured yet. Pass attach real=... (a tensor or a dataset) to measure it from "
            "the first step."
        )

    def add(self, real: Tensor | None) -> Reference | None:
        """Add a batch and return the reference when there are enough samples.

        To be called at every discriminator step, also without a batch: the messages of the ranks
        are matched by the number of the call. Building the reference takes about a second, once.

        Args:
            real: real samples ``(B, *shape)``; None if the step has none.
        """
        self._steps += 1
        message_name = f"real/{self._steps}"
        own = None if real is None or self._has_failed else self._compute_features(real)
        if not self._ranks.is_first:
            message = self._ranks.receive_broadcast("reference")
            if message is None:
                self._ranks.send(message_name, {} if own is None else {"real": own.flat})
                return None
            return _unpack_reference(message, None if real is None else real.device)
        if own is not None:
            self._append(own)
        for message in self._ranks.receive(message_name):
            if "real" in message:
                self._append(SampleFeatures(message["real"], message["real"]))
        return None if self._count < SAMPLES_NEEDED else self._build()

    def _compute_features(self, real: Tensor) -> SampleFeatures | None:
        try:
            samples = SampleFeatures.from_samples(real.detach(), self._embedding)
            if self._embedding is not None and not bool(samples.features.isfinite().all()):
                raise ValueError("the embedding returns features that are not finite")
            return samples
        except Exception as error:  # the embedding is the user's function
            self._has_failed = True
            warn_user(f"diversity is not measured: embed: {type(error).__name__}: {error}")
            return None

    def _append(self, samples: SampleFeatures) -> None:
        """Copy samples into the buffer; those beyond `SAMPLES_NEEDED` are dropped."""
        if self._samples is None:
            flat = _allocate(samples.flat)
            features = flat if self._embedding is None else _allocate(samples.features)
            self._samples = SampleFeatures(flat, features, samples.shape)
        added = min(SAMPLES_NEEDED - self._count, len(samples.flat))
        rows = slice(self._count, self._count + added)
        self._samples.flat[rows] = samples.flat[:added]
        if self._embedding is not None:
            self._samples.features[rows] = samples.features[:added]
        self._count += added

    def _build(self) -> Reference:
        assert self._samples is not None  # the buffer is full
        samples, self._samples = self._samples, None
        reference = Reference.from_samples(
            _slice_samples(samples, slice(None, MAX_REAL_SAMPLES)),
            _slice_samples(samples, slice(MAX_REAL_SAMPLES, None)),
            SAMPLE_SIZE,
            embedding=self._embedding,
        )
        self._ranks.broadcast("reference", _pack_reference(reference))
        return reference


def _slice_samples(samples: SampleFeatures, rows: slice) -> SampleFeatures:
    flat = samples.flat[rows]
    has_own_features = samples.features is not samples.flat
    features = samples.features[rows] if has_own_features else flat
    return SampleFeatures(flat, features, samples.shape)


def _allocate(rows: Tensor) -> Tensor:
    return rows.new_empty(SAMPLES_NEEDED, *rows.shape[1:])


def _pack_reference(reference: Reference) -> dict[str, float | Tensor]:
    """Every number of a reference by ``field``, or by ``field/name`` for a mapping."""
    message: dict[str, float | Tensor] = {}
    for field in fields(reference):
        value = getattr(reference, field.name)
        if isinstance(value, Mapping):
            message |= {f"{field.name}/{name}": number for name, number in value.items()}
        elif isinstance(value, (Tensor, int, float)):
            message[field.name] = value
    return message


def _unpack_reference(message: Message, device: torch.device | None) -> Reference:
    """The reference of a message, with its tensors on `device`."""
    values: dict[str, Any] = {
        # Missing in the message where it is None, as for data of few dimensions.
        "principal_directions": None,
        "baseline_mean": {},
        "baseline_sd": {},
        "baseline_max": {},
    }
    for key, value in message.items():
        name, _, inner = key.partition("/")
        if inner:
            values[name][inner] = float(value)
        else:
            values[name] = value.to(device) if value.ndim else float(value)
    return Reference(**values | {"sample_size": int(values["sample_size"])})
