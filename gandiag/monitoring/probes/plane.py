"""Pictures of the training for samples with two coordinates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import PositiveInt
from torch import Tensor

from gandiag.monitoring.reference import Reference
from gandiag.monitoring.side_effects import without_side_effects
from gandiag.monitoring.snapshot import Snapshot, first_tensor

# Margin of the view on each side, relative to the extent of the real data.
VIEW_MARGIN = 0.3


@dataclass(frozen=True)
class Plane:
    """The discriminator's output over the plane, and the generator's samples and their gradients.

    For samples with two coordinates, to be drawn as in GAN Lab (Kahng et al. 2018); no numbers for
    other samples. A discriminator that compares the samples of a batch gets the grid as one batch,
    so its output there is of little use. A discriminator that needs labels, or returns more than
    its scores, is not evaluated.

    The closed paths are G(cos(t) z + sin(t) z') between two fixed latents z and z'. Each latent on
    such a path has the same distribution as z, if latents are normal.
    """

    # Points of the grid along each side of the view, at which D is evaluated.
    cells: PositiveInt = 24
    # Generated samples of a batch that are shown; more arrows would hide one another.
    fakes: PositiveInt = 64
    # Closed paths between fixed latents that are shown.
    paths: PositiveInt = 8
    # Points on each closed path.
    points: PositiveInt = 16

    uses: ClassVar[frozenset[str]] = frozenset({"latents", "reference"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the vectors of a picture in a generator step."""
        fake, reference = snapshot.fake, snapshot.reference
        if snapshot.network_name != "generator" or fake is None or reference is None:
            return {}
        if fake.shape[1:] != (2,) or reference.embedding is not None:
            return {}  # the features of an embedding are not positions in the plane
        ends = _view_ends(reference).to(fake)
        view = torch.cat([ends, ends.new_tensor([float(self.points)])])
        numbers: dict[str, float | Tensor] = {"view/generator": view}
        numbers["fake/generator"] = fake[: self.fakes].flatten()
        if snapshot.input_gradient is not None:
            # Times the batch size: the gradient of each sample's own term of a mean.
            descent = -snapshot.input_gradient[: self.fakes] * len(fake)
            numbers["gradient/generator"] = descent.flatten()
        if snapshot.latents and _is_unconditional(snapshot):
            numbers["latent_path/generator"] = self._trace_paths(snapshot)
            numbers |= self._evaluate_grid(snapshot, ends)
        return numbers

    def _evaluate_grid(self, snapshot: Snapshot, ends: Tensor) -> Mapping[str, Tensor]:
        """D's P(real), or a critic's score, on the grid, row by row from below."""
        axis = torch.linspace(0, 1, self.cells).to(ends) * (ends[1] - ends[0]) + ends[0]
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        with without_side_effects(snapshot.discriminator):
            try:
                output = snapshot.discriminator(torch.stack([x.flatten(), y.flatten()], 1))
            except TypeError:  # an argument is missing, such as labels or timesteps
                return {}
        if not isinstance(output, Tensor) or output.numel() != x.numel():
            return {}
        scores = output.flatten()
        if snapshot.probability is None:
            return {"score/discriminator": scores}
        return {"probability/discriminator": snapshot.probability(scores)}

    def _trace_paths(self, snapshot: Snapshot) -> Tensor:
        """Coordinates of the closed paths, ``(paths * points * 2,)``, one path after another."""
        latents = snapshot.latents[0].args[0]
        others = latents.roll(1, 0)
        samples = []
        with without_side_effects(snapshot.generator):
            for point in range(self.points):
                angle = 2 * math.pi * point / self.points
                between = math.cos(angle) * latents + math.sin(angle) * others
                samples.append(first_tensor(snapshot.generator(between))[: self.paths])
        return torch.stack(samples, 1).flatten()


def _view_ends(reference: Reference) -> Tensor:
    """Lower and upper end of both axes ``(2,)``: all real samples, with a margin around them."""
    real = reference.features + reference.mean
    low, high = real.min(), real.max()
    margin = VIEW_MARGIN * (high - low)
    return torch.stack([low - margin, high + margin])


def _is_unconditional(snapshot: Snapshot) -> bool:
    """Whether the generator's only argument is a tensor of latents, without labels."""
    call = snapshot.latents[0]
    latents = call.args[0] if len(call.args) == 1 and not call.kwargs else None
    return isinstance(latents, Tensor) and latents.is_floating_point()
