"""``gandiag.attach``: checks the networks and optimizers of a training loop and monitors it."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from torch import Tensor, nn
from torch.optim import Optimizer

from gandiag.attachment.followers import AlertCallback, resolve_follower
from gandiag.attachment.loop_evidence import describe_unoptimised
from gandiag.attachment.outputs import select_only_tensor, select_scores
from gandiag.attachment.pairs import Networks, Optimizers, Pair, choose_option, list_pairs
from gandiag.attachment.real_samples import RealSampleBuffer, RealSamples, build_reference
from gandiag.attachment.several_handles import SeveralAttachments
from gandiag.attachment.step_hooks import StepHooks
from gandiag.attachment.unwrap import inner_network
from gandiag.attachment.watch_handle import Attachment
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.models.scores import SCORE_FUNCTIONS, ScoreType
from gandiag.monitoring.distributed import Ranks
from gandiag.monitoring.features import Embedding
from gandiag.monitoring.snapshot import NetworkName
from gandiag.plugins.builtin import DETECTORS, LINTS, PROBE_CADENCES, RENAMED_PLUGINS
from gandiag.plugins.errors import BadInput, suggest_nearest
from gandiag.plugins.protocols import Follower
from gandiag.records.facts import LOW_IS_REAL, SCORES, UNOPTIMISED
from gandiag.records.run_folder import claim_run_folder
from gandiag.scenario.schema import Scenario
from gandiag.training.components import Components
from gandiag.training.session import create_session

# The hooks that were ever attached, as far as they exist: two on one pair would measure each other.
_attached: weakref.WeakSet[StepHooks] = weakref.WeakSet()

P = ParamSpec("P")
T = TypeVar("T")


def _raises_only_bad_input(function: Callable[P, T]) -> Callable[P, T]:
    """Turn any other exception into `BadInput`, so that callers need to handle one only."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except BadInput:
            raise
        except Exception as error:
            raise BadInput("attach", f"{type(error).__name__}: {error}") from error

    return call


@_raises_only_bad_input
def attach(
    generator: Networks,
    discriminator: Networks,
    generator_optimizer: Optimizers,
    discriminator_optimizer: Optimizers,
    *,
    scores: ScoreType | Mapping[str, ScoreType] | None = None,
    real: RealSamples | Mapping[str, RealSamples] | None = None,
    folder: Path | str | None = None,
    overwrite: bool = False,
    select: Callable[[Any], Any] | Mapping[str, Callable[[Any], Any]] | None = None,
    samples: Callable[[Any], Tensor] | Mapping[str, Callable[[Any], Tensor]] | None = None,
    averaged: nn.Module | Mapping[str, nn.Module] | None = None,
    probes: Mapping[str, Any] | None = None,
    detection: Mapping[str, Any] | None = None,
    embed: Embedding | Mapping[str, Embedding] | None = None,
    followers: Sequence[Follower | str] = (),
    on_alert: Callable[[Diagnosis, int], None] | None = None,
) -> Attachment:
    """Monitor a training loop of your own without changing it.

    Call it after the networks and optimizers are created and before the loop. The trained weights
    have the same bits as without gandiag.

    Several networks are passed as mappings or lists. A single generator is judged with each of
    several discriminators; several generators are judged with the discriminators of the same names
    (or places in a list). Each pair has a record of its own, in a folder of its name below
    `folder`. The arguments `scores`, `real`, `select`, `samples`, `averaged` and `embed` may then
    be mappings from names of pairs, too.

    Where several processes train together (DistributedDataParallel), call it in each of them after
    the process group is initialised. Rank 0 keeps the record, with numbers averaged and samples
    gathered over all ranks; on the other ranks, `Attachment` diagnoses and publishes nothing.

    Args:
        generator: the loop calls it with latents (and labels); it returns samples
            ``(B, *shape)``. Or several generators: ``{"a": network, "b": network}``.
        discriminator: the loop calls it with samples (and labels); it returns scores of any shape.
            Or several discriminators.
        generator_optimizer: the optimizer that steps the generator, or several in the order of
            their steps. It may step other networks, too, but not the discriminator.
        discriminator_optimizer: the optimizer that steps the discriminator, likewise.
        scores: how the discriminator's output is read: ``logits``, ``probabilities`` (the network
            ends in a sigmoid), ``critic`` (Wasserstein, hinge, least squares) or ``energy`` (low
            values are real; the discriminator may be an autoencoder whose error is the energy).
            None: gandiag recognises it from the discriminator's last layer and loss within its
            first steps.
        real: real samples as the discriminator gets them, at least 32: a tensor or an array
            ``(N, *shape)``, a dataset or a DataLoader. With them, diversity is measured from the
            first step on; without them, gandiag first collects 3,024 real
            samples from the discriminator's input.
        folder: where the record is written while the loop runs; None keeps it in memory.
        overwrite: whether an earlier record in the folder may be replaced.
        select: picks the scores if the discriminator returns more than one tensor, such as
            ``lambda output: output[0]``. It returns a tensor, or a list of tensors for several
            heads or scales. Where one call takes real and generated samples as two inputs, it
            returns ``{"real": ..., "fake": ...}``.
        samples: from what the generator returns to samples ``(B, *shape)`` that are comparable with
            the real ones, such as ``torch.tanh`` where the loop applies this function to the
            generator's output. None: the first tensor that the generator returns; where the
            discriminator sees something else, what it sees is compared with what it sees of real
            samples.
        averaged: the network with the average of the generator's weights, if the loop keeps one.
            Its samples are compared with those of the generator, as are those in evaluation mode.
        probes: options of the probes, as in a scenario:
            ``{"diversity": {"every": 100}, "units": False}``.
        detection: options of the detection, as in a scenario:
            ``{"every": 200, "detectors": ["mode_collapse"]}``.
        embed: a function that computes the features in which diversity is measured, in place of
            pixels. It receives ``(n, *shape)`` float32 samples on their device and returns
            ``(n, ...)``, each row computed from its own sample; a network should be in evaluation
            mode. It runs without gradients and side effects. If it raises, diversity is not
            measured. It is available for a single process only.
        followers: objects that receive the measurements while the loop runs, and the report at
            the end, or names of reporters that can follow a run: ``console``, ``notebook``,
            ``tensorboard``, ``weights_and_biases``. They write into `folder`, or into the current
            directory if that is None.
        on_alert: called with ``(diagnosis, step)`` when a failure appears or disappears.

    Returns:
        The attachment, through which the loop reads the record and the diagnoses. It is a context
        manager that detaches at the end. For several networks, `SeveralAttachments` has one for
        each pair.

    Raises:
        BadInput: the loop cannot be monitored; the message states the reason.
    """
    pairs = list_pairs(generator, discriminator, generator_optimizer, discriminator_optimizer)
    options: dict[str, Any] = {"scores": scores, "real": real, "select": select}
    options |= {"samples": samples, "averaged": averaged, "embed": embed}
    shared: dict[str, Any] = {"probes": probes or {}, "detection": detection or {}}
    shared["overwrite"] = overwrite
    if "" in pairs:
        return _attach_pair(
            pairs[""], folder=folder, followers=followers, on_alert=on_alert, **options, **shared
        )
    if any(not isinstance(follower, str) for follower in followers):
        problem = "an object follows one pair; pass names of reporters, or attach to one pair"
        raise BadInput("attach: followers", problem)
    attached: dict[str, Attachment] = {}
    try:
        for name, pair in pairs.items():
            own = {key: choose_option(each, name, pairs, key) for key, each in options.items()}
            attached[name] = _attach_pair(
                pair,
                folder=None if folder is None else Path(folder) / name,
                followers=followers,
                on_alert=None if on_alert is None else _name_pair(on_alert, name),
                **own,
                **shared,
            )
    except Exception:
        SeveralAttachments(attached).detach()
        raise
    return SeveralAttachments(attached)


def _attach_pair(
    pair: Pair,
    *,
    scores: ScoreType | None,
    real: RealSamples | None,
    folder: Path | str | None,
    overwrite: bool,
    select: Callable[[Any], Any] | None,
    samples: Callable[[Any], Tensor] | None,
    averaged: nn.Module | None,
    probes: Mapping[str, Any],
    detection: Mapping[str, Any],
    embed: Embedding | None,
    followers: Sequence[Follower | str],
    on_alert: Callable[[Diagnosis, int], None] | None,
) -> Attachment:
    """Monitor one generator with one discriminator; see `attach` for the arguments."""
    generator, discriminator, optimizers = pair
    networks: dict[NetworkName, nn.Module] = {
        "generator": generator,
        "discriminator": discriminator,
    }
    if any(hooks.observes(generator, discriminator) for hooks in _attached):
        problem = "these two networks are monitored already; call detach() of the first attachment"
        raise BadInput("attach", problem)
    if scores is not None and scores not in SCORE_FUNCTIONS:
        raise BadInput(f"attach: scores={scores!r}", suggest_nearest(str(scores), SCORE_FUNCTIONS))
    scenario = Scenario.parse(
        {
            "probes": _merge_probe_options(probes),
            "detection": {"detectors": [*DETECTORS, *LINTS], **detection},
        },
        "attach",
    )
    components = Components.from_scenario(scenario, "attach")
    all_followers = [resolve_follower(follower, "attach: followers") for follower in followers]
    if on_alert is not None:
        all_followers.append(AlertCallback(on_alert))
    ranks = Ranks.current()
    if embed is not None and ranks.count > 1:
        problem = "works for a single process only; ranks exchange images averaged to 32 x 32"
        raise BadInput("attach: embed", problem)
    device = next(generator.parameters()).device
    reference = None if real is None else build_reference(real, device, embed)
    record_folder = Path(folder) if folder is not None and ranks.is_first else None
    # Claimed last, so that a mistake in the other arguments leaves no folder.
    claim = (
        claim_run_folder(record_folder, f"attach: {folder}", overwrite) if record_folder else None
    )
    session = create_session(
        scenario,
        components,
        record_folder,
        _collect_facts(scores, embed, networks, optimizers),
        device,
        SCORE_FUNCTIONS[scores or "critic"].probability,
        all_followers,
        ranks=ranks,
    )
    if reference is not None:
        session.watch.set_reference(reference)
    hooks = StepHooks(
        generator,
        discriminator,
        optimizers,
        scores,
        select_only_tensor if select is None else functools.partial(select_scores, select),
        session.watch,
        functools.partial(RealSampleBuffer, ranks, embed) if reference is None else None,
        samples,
    )
    _attached.add(hooks)
    if averaged is not None:
        session.watch.history.averaged = weakref.ref(inner_network(averaged))
    attachment = Attachment(hooks, session, components, claim)
    try:
        # None: an attached loop has no scenario.
        session.monitor.notify(lambda follower: follower.begin(None, record_folder))
    except Exception:
        attachment.detach()
        raise
    return attachment


def _collect_facts(
    scores: ScoreType | None,
    embed: Embedding | None,
    networks: Mapping[NetworkName, nn.Module],
    optimizers: Mapping[NetworkName, Sequence[Optimizer]],
) -> dict[str, Any]:
    """What the record states about a loop."""
    # Energies are read as the values of a critic with the opposite sign.
    facts: dict[str, Any] = {SCORES: "critic" if scores == "energy" else scores}
    if scores == "energy":
        facts[LOW_IS_REAL] = True
    if embed is not None:
        facts["embedding"] = getattr(embed, "__name__", type(embed).__name__)
    unoptimised = {
        name: described
        for name, network in networks.items()
        if (described := describe_unoptimised(network, optimizers[name])) is not None
    }
    if unoptimised:
        facts[UNOPTIMISED] = unoptimised
    return facts


def _name_pair(
    on_alert: Callable[[Diagnosis, int], None], name: str
) -> Callable[[Diagnosis, int], None]:
    """A function for alerts that puts the name of the pair before the summary."""
    return lambda diagnosis, step: on_alert(
        replace(diagnosis, summary=f"{name}: {diagnosis.summary}"), step
    )


def _merge_probe_options(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The probes of an attached loop with their default cadences, changed by the user's options.

    Options of a probe keep its cadence unless they set ``every``; False switches a probe off.
    """
    probes: dict[str, Any] = {name: {"every": n} for name, n in PROBE_CADENCES["attach"].items()}
    for chosen_name, options in chosen.items():
        name = RENAMED_PLUGINS["probes"].get(chosen_name, chosen_name)
        if isinstance(options, Mapping):
            probes[name] = {**probes.get(name, {}), **options}
        elif name not in probes or options is False:
            probes[name] = options
    return probes
