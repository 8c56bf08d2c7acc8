"""``gandiag.attach``: checks the networks and optimizers of a training loop and monitors it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from torch import Tensor, nn
from torch.optim import LBFGS, Optimizer
from torch.utils.data import Dataset

from gandiag.attachment.followers import AlertCallback, resolve_follower
from gandiag.attachment.loop_evidence import describe_unoptimised
from gandiag.attachment.real_samples import RealSampleBuffer, build_reference
from gandiag.attachment.step_hooks import StepHooks
from gandiag.attachment.unwrap import inner_network, inner_optimizer
from gandiag.attachment.watch_handle import Attachment
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.models.scores import SCORE_FUNCTIONS, ScoreFunctions, ScoreType
from gandiag.monitoring.distributed import Ranks
from gandiag.monitoring.features import Embedding
from gandiag.monitoring.snapshot import NetworkName
from gandiag.plugins.builtin import DETECTORS, LINTS, PROBE_CADENCES, RENAMED_PLUGINS
from gandiag.plugins.errors import BadInput, suggest_nearest, warn_user
from gandiag.plugins.protocols import Follower
from gandiag.records.facts import SCORES, UNOPTIMISED
from gandiag.scenario.schema import Scenario
from gandiag.training.components import Components
from gandiag.training.session import create_session

Optimizers = Optimizer | Sequence[Optimizer]

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
    generator: nn.Module,
    discriminator: nn.Module,
    generator_optimizer: Optimizers,
    discriminator_optimizer: Optimizers,
    *,
    scores: ScoreType | None = None,
    real: Tensor | Dataset[Any] | None = None,
    folder: Path | str | None = None,
    select: Callable[[Any], Tensor] | None = None,
    probes: Mapping[str, Any] | None = None,
    detection: Mapping[str, Any] | None = None,
    embed: Embedding | None = None,
    followers: Sequence[Follower | str] = (),
    on_alert: Callable[[Diagnosis, int], None] | None = None,
) -> Attachment:
    """Monitor a training loop of your own without changing it.

    Call it after the networks and optimizers are created and before the loop. The trained weights
    have the same bits as without gandiag. One call monitors one generator and one discriminator;
    for several pairs, call it once for each pair.

    Where several processes train together (DistributedDataParallel), call it in each of them after
    the process group is initialised. Rank 0 keeps the record, with numbers averaged and samples
    gathered over all ranks; on the other ranks, `Attachment` diagnoses and publishes nothing.

    Args:
        generator: the loop calls it with latents (and labels); it returns samples
            ``(B, *shape)``.
        discriminator: the loop calls it with samples (and labels); it returns scores of any shape.
        generator_optimizer: the optimizer that steps the generator, or several in the order of
            their steps.
        discriminator_optimizer: the optimizer that steps the discriminator, likewise.
        scores: how the discriminator's output is read: ``logits``, ``probabilities`` (the network
            ends in a sigmoid) or ``critic`` (Wasserstein, hinge, least squares). None: gandiag
            recognises it from the discriminator's last layer and loss within its first steps.
        real: real samples ``(N, *shape)`` or a dataset of them, at least 600. With them, diversity
            is measured from the first step on; without them, gandiag first collects 3,024 real
            samples from the discriminator's input.
        folder: where the record is written while the loop runs; None keeps it in memory.
        select: picks the scores if the discriminator returns more than one tensor, such as
            ``lambda output: output[0]``.
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
        manager that detaches at the end.

    Raises:
        BadInput: the loop cannot be monitored; the message states the reason.
    """
    # The hooks are registered on the inner networks and optimizers: the wrappers call these.
    generator, discriminator = inner_network(generator), inner_network(discriminator)
    networks: dict[NetworkName, nn.Module] = {
        "generator": generator,
        "discriminator": discriminator,
    }
    optimizers: dict[NetworkName, Sequence[Optimizer]] = {
        "generator": _unwrap_optimizers(generator_optimizer),
        "discriminator": _unwrap_optimizers(discriminator_optimizer),
    }
    score_functions = _find_score_functions(scores)
    for name, network in networks.items():
        _check_optimizers(name, network, optimizers[name])
    scenario = Scenario.parse(
        {
            "probes": _merge_probe_options(probes or {}),
            "detection": {"detectors": [*DETECTORS, *LINTS], **(detection or {})},
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
    facts: dict[str, Any] = {SCORES: scores}
    if embed is not None:
        facts["embedding"] = getattr(embed, "__name__", type(embed).__name__)
    unoptimised = {
        name: described
        for name, network in networks.items()
        if (described := describe_unoptimised(network, optimizers[name])) is not None
    }
    if unoptimised:
        facts[UNOPTIMISED] = unoptimised
    session = create_session(
        scenario,
        components,
        record_folder,
        facts,
        device,
        score_functions.probability if score_functions else None,
        all_followers,
        ranks=ranks,
    )
    if reference is not None:
        session.watch.set_reference(reference)
    hooks = StepHooks(
        generator,
        discriminator,
        optimizers,
        score_functions,
        _require_tensor if select is None else functools.partial(_select_scores, select),
        session.watch,
        RealSampleBuffer(ranks, embed) if reference is None else None,
    )
    attachment = Attachment(hooks, session, components)
    session.recorder.on_disk_error = lambda error: warn_user(
        f"gandiag: the record in {record_folder} is not continued, only that in memory: "
        f"{type(error).__name__}: {error}"
    )
    try:
        # None: an attached loop has no scenario.
        session.monitor.notify(lambda follower: follower.begin(None, record_folder))
    except Exception:
        hooks.detach()
        raise
    return attachment


def _find_score_functions(scores: ScoreType | None) -> ScoreFunctions | None:
    """How the discriminator's output is read; None to recognise it later."""
    if scores is None:
        return None
    if scores not in SCORE_FUNCTIONS:
        raise BadInput(f"attach: scores={scores!r}", suggest_nearest(str(scores), SCORE_FUNCTIONS))
    return SCORE_FUNCTIONS[scores]


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


def _unwrap_optimizers(optimizers: Optimizers) -> Sequence[Optimizer]:
    """One or several optimizers as a tuple, without the wrappers of frameworks."""
    several = (optimizers,) if isinstance(optimizers, Optimizer) else tuple(optimizers)
    return tuple(inner_optimizer(optimizer) for optimizer in several)


def _check_optimizers(
    network_name: NetworkName, network: nn.Module, optimizers: Sequence[Optimizer]
) -> None:
    """Check that the optimizers step this network, and no other.

    Raises:
        BadInput: they do not, or one of them has no single gradient per step.
    """
    place = f"attach: {network_name}_optimizer"
    if any(isinstance(optimizer, LBFGS) for optimizer in optimizers):
        problem = "LBFGS computes several gradients in one step, so no single one can be measured"
        raise BadInput(place, problem)
    # Compared by identity: tensors compare element by element.
    stepped = {id(p) for o in optimizers for group in o.param_groups for p in group["params"]}
    own = {id(parameter) for parameter in network.parameters()}
    if not stepped & own:
        raise BadInput(
            place, f"has no parameter of the {network_name}; are the two optimizers swapped?"
        )
    if stepped - own:
        # One optimizer for both networks would step them with the gradients of both losses.
        raise BadInput(place, f"also steps parameters that do not belong to the {network_name}")


def _require_tensor(output: Any) -> Tensor:
    """The discriminator's output, if it is a single tensor.

    Raises:
        TypeError: the output has several parts; the message says how to select one.
    """
    if isinstance(output, Tensor):
        return output
    raise TypeError(
        f"the discriminator returns {_describe_output(output)}; pass attach a function that "
        f"selects the scores, such as {_suggest_selection(output)}"
    )


def _select_scores(select: Callable[[Any], Tensor], output: Any) -> Tensor:
    """The scores that the user's function selects.

    Raises:
        TypeError: the function raises, or returns no tensor; the message shows the output.
    """
    try:
        scores = select(output)
    except Exception as error:
        reason = f"raises {type(error).__name__}: {error}"
    else:
        if isinstance(scores, Tensor):
            return scores
        reason = f"returns a {type(scores).__name__}, not a tensor"
    raise TypeError(
        f"attach: select {reason}; the discriminator returns {_describe_output(output)}, of which "
        f"{_suggest_selection(output)} selects a tensor"
    )


def _describe_output(output: Any) -> str:
    """What the discriminator returns, such as ``a dict with the keys 'scores', 'classes'``."""
    name = f"a {type(output).__name__}"
    if isinstance(output, Mapping):
        return f"{name} with the keys {', '.join(map(repr, output))}"
    return f"{name} of {len(output)}" if isinstance(output, (tuple, list)) else name


def _suggest_selection(output: Any) -> str:
    """An option of `attach` that selects the first tensor of an output."""
    if isinstance(output, Mapping):
        tensors = [key for key, value in output.items() if isinstance(value, Tensor)]
        return f"select=lambda output: output[{(tensors or list(output) or ['scores'])[0]!r}]"
    if isinstance(output, (tuple, list)):
        places = [place for place, value in enumerate(output) if isinstance(value, Tensor)]
        return f"select=lambda output: output[{(places or [0])[0]}]"
    return "select=lambda output: output.scores"
