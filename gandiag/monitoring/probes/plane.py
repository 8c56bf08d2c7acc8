"""The whole game in a plane, where the samples are points of one."""

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

VIEW_MARGIN = 0.3  # of the real data's extent, looked at around it on each side


@dataclass(frozen=True)
class Plane:
    """What D answers all over the plane, where it pulls the fakes, and how G bends its latents.

    For samples of two coordinates, to be looked at as GAN Lab (Kahng et al. 2018) shows them;
    nothing is measured for others. A discriminator that looks at whole batches takes the grid for
    one, so its answer there says little; one that is told labels is not asked.

    Signals, vectors each:

    - ``view/generator``: lower and upper end of both axes, in data units, and the number of points
      of a path.
    - ``fake/generator``: x, y of the first fakes of the batch, in turn.
    - ``gradient/generator``: -dL_G/dx, dL_G/dy of each of them, times the batch's size: the direction
      and strength with which the objective moves it.
    - ``latent_path/generator``: x, y along closed paths of G, latents ``cos(t) z + sin(t) z'`` between
      fixed ones, for which each latent on the way is as likely as a drawn one.
    - ``probability/discriminator``: P(real) on a square grid over the view, rows from below.
    - ``score/discriminator``: the score instead, for a critic.
    """

    cells: PositiveInt = 24  # of the grid along a side
    fakes: PositiveInt = 64  # of a batch; more arrows hide one another
    paths: PositiveInt = 8  # between fixed latents
    points: PositiveInt = 16  # of a path

    uses: ClassVar[frozenset[str]] = frozenset({"latents", "reference"})

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the plane at the generator's turn."""
        fake, reference = snapshot.fake, snapshot.reference
        if snapshot.network_name != "generator" or fake is None or reference is None:
            return {}
        if fake.shape[1:] != (2,) or reference.embedding is not None:  # features are no places
            return {}
        view = _view(reference).to(fake)
        frame = torch.cat([view, view.new_tensor([float(self.points)])])
        seen: dict[str, float | Tensor] = {"view/generator": frame}
        seen["fake/generator"] = fake[: self.fakes].flatten()
        if snapshot.input_gradient is not None:
            pull = -snapshot.input_gradient[: self.fakes] * len(fake)
            seen["gradient/generator"] = pull.flatten()
        if snapshot.latents and _latents_alone(snapshot):
            seen["latent_path/generator"] = self._paths(snapshot)
            seen |= self._answer(snapshot, view)
        return seen

    def _answer(self, snapshot: Snapshot, view: Tensor) -> Mapping[str, Tensor]:
        along = torch.linspace(0, 1, self.cells).to(view) * (view[1] - view[0]) + view[0]
        y, x = torch.meshgrid(along, along, indexing="ij")
        with without_side_effects(snapshot.discriminator):
            scores = snapshot.discriminator(torch.stack([x.flatten(), y.flatten()], 1)).flatten()
        if snapshot.probability is None:
            return {"score/discriminator": scores}
        return {"probability/discriminator": snapshot.probability(scores)}

    def _paths(self, snapshot: Snapshot) -> Tensor:
        latents = snapshot.latents[0].args[0]
        others = latents.roll(1, 0)
        made = []
        with without_side_effects(snapshot.generator):
            for turn in range(self.points):
                angle = 2 * math.pi * turn / self.points
                between = math.cos(angle) * latents + math.sin(angle) * others
                made.append(first_tensor(snapshot.generator(between))[: self.paths])
        return torch.stack(made, 1).flatten()


def _view(reference: Reference) -> Tensor:
    """A range for both axes that holds all real points, with room around them."""
    real = reference.features + reference.mean
    low, high = real.min(), real.max()
    margin = VIEW_MARGIN * (high - low)
    return torch.stack([low - margin, high + margin])


def _latents_alone(snapshot: Snapshot) -> bool:
    """Whether the generator takes one tensor of latents, and nothing such as labels beside."""
    call = snapshot.latents[0]
    latents = call.args[0] if len(call.args) == 1 and not call.kwargs else None
    return isinstance(latents, Tensor) and latents.is_floating_point()
