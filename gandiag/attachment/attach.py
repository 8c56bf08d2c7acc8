"""The side door: what somebody's own loop gives is checked, and a watch is put over it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.optim import LBFGS, Optimizer
from torch.utils.data import Dataset

from gandiag.attachment.followers import AlertCallback, follower_of
from gandiag.attachment.real_samples import RealSampleBuffer, reference_of
from gandiag.attachment.turns import StepHooks
from gandiag.attachment.unwrap import inner_network, inner_optimizer
from gandiag.attachment.watch_handle import Attachment
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.diagnosis.online import Monitor
from gandiag.models.scores import SCORE_FUNCTIONS, Scores
from gandiag.monitoring.distributed import Ranks
from gandiag.monitoring.environment import describe_environment
from gandiag.monitoring.features import Embedding
from gandiag.monitoring.snapshot import Player
from gandiag.monitoring.watch import Watch
from gandiag.plugins.builtin import DETECTORS, LINTS, PROBE_CADENCES, RENAMED
from gandiag.plugins.errors import BadInput, nearest
from gandiag.plugins.protocols import Follower
from gandiag.records.facts import SCORES
from gandiag.records.record import SAMPLES
from gandiag.records.sample_grids import write_grid
from gandiag.records.writer import Recorder
from gandiag.scenario.schema import Scenario
from gandiag.training.components import Components

Optimizers = Optimizer | Sequence[Optimizer]


def attach(
    generator: nn.Module,
    discriminator: nn.Module,
    generator_optimizer: Optimizers,
    discriminator_optimizer: Optimizers,
    *,
    scores: Scores,
    real: Tensor | Dataset[Any] | None = None,
    folder: Path | str | None = None,
    select: Callable[[Any], Tensor] | None = None,
    probes: Mapping[str, Any] | None = None,
    detection: Mapping[str, Any] | None = None,
    embed: Embedding | None = None,
    followers: Sequence[Follower | str] = (),
    on_alert: Callable[[Diagnosis, int], None] | None = None,
) -> Attachment:
    """Watch a training loop of your own without touching it.

    Call it after networks and optimizers are made and before the loop. The trained weights are the
    same bits as without it. It watches one generator and one discriminator; for several, attach one
    watch to each pair.

    Where several processes train together (DistributedDataParallel), call it in each of them once
    the process group is there. Rank 0 then keeps the record, with numbers averaged and samples
    gathered over all ranks; the other ranks' watches diagnose and publish nothing.

    Args:
        generator: called by the loop with latents (and labels, if it likes); gives samples.
        discriminator: called by the loop with samples (and labels); gives scores of any shape.
        generator_optimizer: what steps the generator; a sequence if several do, in their order.
        discriminator_optimizer: what steps the discriminator.
        scores: what the discriminator's output is: ``logits``, ``probabilities`` (it ends in a
            sigmoid), or ``critic``.
        real: real samples, ``(N, *shape)`` or a dataset of them, to know the data from at once;
            otherwise the first 3,024 that the discriminator sees are gathered.
        folder: where the record goes while the loop runs; in memory only if None.
        select: picks the scores where the discriminator gives more than one tensor, such as
            ``lambda output: output[0]``.
        probes: as in a scenario: ``{"diversity": {"every": 100}, "units": False}``.
        detection: as in a scenario: ``{"every": 200, "detectors": ["mode_collapse"]}``.
        embed: features to measure diversity in, in place of pixels: takes ``(n, *shape)`` float32
            samples where they are and gives ``(n, ...)``, each row from its own sample. A network
            should be in evaluation mode. It is called without gradients and leaves no trace; where
            it raises, diversity is not measured. For one process only.
        followers: shown the run while it happens, and its report when the watch ends: objects, or
            names of reporters that can follow: ``console``, ``notebook``, ``tensorboard``,
            ``weights_and_biases``. They write into `folder`, or the current one where that is None.
        on_alert: called with ``(diagnosis, step)`` when a condition appears or clears.

    Raises:
        BadInput: what was given cannot be watched; the message says why.
    """
    generator, discriminator = inner_network(generator), inner_network(discriminator)
    players: dict[Player, tuple[nn.Module, Sequence[Optimizer]]] = {
        "generator": (generator, _listed(generator_optimizer)),
        "discriminator": (discriminator, _listed(discriminator_optimizer)),
    }
    _check(players, scores)
    scenario = Scenario.parse(
        {
            "probes": _probes(probes or {}),
            "detection": {"detectors": [*DETECTORS, *LINTS], **(detection or {})},
        },
        "attach",
    )
    parts = Components.of(scenario, "attach")
    following = [follower_of(follower, "attach: followers") for follower in followers]
    ranks = Ranks.current()
    if embed is not None and ranks.count > 1:
        raise BadInput("attach: embed", "is for one process; ranks share samples averaged down")
    device = next(generator.parameters()).device
    reference = None if real is None else reference_of(real, device, embed)
    where = None if folder is None or not ranks.is_first else Path(folder)
    recorder = Recorder(where, {SCORES: scores}, describe_environment(device))
    told = [*following, *([AlertCallback(on_alert)] if on_alert else [])] if ranks.is_first else []
    monitor = Monitor(recorder, parts.detectors, scenario.detection.every, told)
    reading = SCORE_FUNCTIONS[scores]

    def save_sheet(step: int, sheet: Tensor) -> None:
        if where is not None:
            write_grid(where / SAMPLES / f"step-{step:08d}", sheet.float().cpu().numpy())

    watch = Watch(
        parts.probes,
        recorder,
        reading.probability,
        sample_grid_every=scenario.sample_grid_every if where is not None else 0,
        save_sheet=save_sheet,
        after_flush=monitor.on_flush if ranks.is_first else None,
        ranks=ranks,
    )
    gathering = RealSampleBuffer(ranks, embed) if reference is None else None
    if reference is not None:
        watch.set_reference(reference)
    if embed is not None:
        recorder.add_facts(embedding=getattr(embed, "__name__", type(embed).__name__))
    optimizers = {player: listed for player, (_, listed) in players.items()}
    turns = StepHooks(
        generator, discriminator, optimizers, reading, select or _only_tensor, watch, gathering
    )
    monitor.notify(lambda follower: follower.begin(None, where))
    return Attachment(turns, watch, monitor, parts)


def _probes(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """What to measure, and when: as chosen, and at the cadence here where that is left open."""
    probes: dict[str, Any] = {name: {"every": n} for name, n in PROBE_CADENCES["attach"].items()}
    for chosen_name, options in chosen.items():
        name = RENAMED["probes"].get(chosen_name, chosen_name)
        if isinstance(options, Mapping):
            probes[name] = {**probes.get(name, {}), **options}
        elif name not in probes or options is False:
            probes[name] = options
    return probes


def _listed(optimizers: Optimizers) -> Sequence[Optimizer]:
    given = (optimizers,) if isinstance(optimizers, Optimizer) else tuple(optimizers)
    return tuple(inner_optimizer(optimizer) for optimizer in given)


def _check(players: Mapping[Player, tuple[nn.Module, Sequence[Optimizer]]], scores: str) -> None:
    if scores not in SCORE_FUNCTIONS:
        raise BadInput(f"attach: scores={scores!r}", nearest(str(scores), SCORE_FUNCTIONS))
    for player, (network, optimizers) in players.items():
        place = f"attach: {player}_optimizer"
        if any(isinstance(optimizer, LBFGS) for optimizer in optimizers):
            problem = "LBFGS evaluates its closure many times a step; no one gradient is its step's"
            raise BadInput(place, problem)
        theirs = {id(p) for o in optimizers for group in o.param_groups for p in group["params"]}
        own = {id(parameter) for parameter in network.parameters()}
        if not theirs & own:
            raise BadInput(place, f"holds no parameter of the {player}; are the two swapped?")
        if theirs - own:
            raise BadInput(place, f"also steps parameters that are not the {player}'s")


def _only_tensor(output: Any) -> Tensor:
    if isinstance(output, Tensor):
        return output
    raise TypeError(
        f"the discriminator gives a {type(output).__name__}; tell attach which part is the score, "
        "such as select=lambda output: output[0]"
    )
