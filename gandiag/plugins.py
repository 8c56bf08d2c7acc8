"""The catalogue: one door for every plugin, ours and strangers'.

A name leads to ``module:Class``. Ours stand in `BUILT_IN`; a stranger's package declares an entry
point in the group ``gandiag.<family>``. Nothing is imported before it is used: `describe` reads a
plugin's docstring and options from its source.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from gandiag import contracts
from gandiag.conformance import breach, make
from gandiag.descriptions import Description, Option, read_description
from gandiag.errors import BadInput, nearest

__all__ = [
    "BUILT_IN",
    "Description",
    "Option",
    "build",
    "build_all",
    "describe",
    "families",
    "load",
    "names",
]

BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "datasets": {
        "mnist": "gandiag.datasets.mnist:Mnist",
        "ring": "gandiag.datasets.ring:Ring",
        "grid": "gandiag.datasets.grid:Grid",
        "gaussian": "gandiag.datasets.gaussian:Gaussian",
        "sine": "gandiag.datasets.sine:Sine",
        "npz": "gandiag.datasets.npz:Npz",
        "image_folder": "gandiag.datasets.image_folder:ImageFolder",
    },
    "variants": {
        "vanilla": "gandiag.variants.vanilla:Vanilla",
        "minibatch_discrimination": (
            "gandiag.variants.minibatch_discrimination:MinibatchDiscrimination"
        ),
        "linear_critic": "gandiag.variants.linear_critic:LinearCritic",
        "dcgan": "gandiag.variants.dcgan:DCGAN",
        "conditional": "gandiag.variants.conditional:Conditional",
        "dirac": "gandiag.variants.dirac:Dirac",
    },
    "probes": {
        "loss": "gandiag.probes.loss:Loss",
        "gradient": "gandiag.probes.gradient:Gradient",
        "confidence": "gandiag.probes.confidence:Confidence",
        "confidence_after": "gandiag.probes.confidence_after:ConfidenceAfter",
        "slope": "gandiag.probes.slope:Slope",
        "diversity": "gandiag.probes.diversity:Diversity",
        "classes": "gandiag.probes.classes:Classes",
        "motion": "gandiag.probes.motion:Motion",
        "plane": "gandiag.probes.plane:Plane",
        "units": "gandiag.probes.units:Units",
        "update": "gandiag.probes.update:Update",
        "objective": "gandiag.probes.objective:Objective",
        "loop": "gandiag.probes.loop:Loop",
    },
    "detectors": {
        "vanishing_gradients": "gandiag.detectors.vanishing_gradients:VanishingGradients",
        "mode_collapse": "gandiag.detectors.mode_collapse:ModeCollapse",
        "non_convergence": "gandiag.detectors.non_convergence:NonConvergence",
        "discriminator_saturation": (
            "gandiag.detectors.discriminator_saturation:DiscriminatorSaturation"
        ),
        "generator_ascends": "gandiag.lints.generator_ascends:GeneratorAscends",
        "double_sigmoid": "gandiag.lints.double_sigmoid:DoubleSigmoid",
        "misread_scores": "gandiag.lints.misread_scores:MisreadScores",
        "unbounded_critic": "gandiag.lints.unbounded_critic:UnboundedCritic",
        "misplaced_clipping": "gandiag.lints.misplaced_clipping:MisplacedClipping",
        "saturated_clipping": "gandiag.lints.saturated_clipping:SaturatedClipping",
        "mixed_batch_norm": "gandiag.lints.mixed_batch_norm:MixedBatchNorm",
        "leftover_gradients": "gandiag.lints.leftover_gradients:LeftoverGradients",
        "idle_player": "gandiag.lints.idle_player:IdlePlayer",
        "evaluation_mode": "gandiag.lints.evaluation_mode:EvaluationMode",
        "unscaled_data": "gandiag.lints.unscaled_data:UnscaledData",
    },
    "readers": {
        "csv": "gandiag.readers.csv:Csv",
        "json_lines": "gandiag.readers.json_lines:JsonLines",
        "weights_and_biases": "gandiag.readers.weights_and_biases:WeightsAndBiases",
        "tensorboard": "gandiag.readers.tensorboard:TensorBoard",
    },
    "fixes": {
        "non_saturating": "gandiag.fixes.non_saturating:NonSaturating",
        "leaky_units": "gandiag.fixes.leaky_units:LeakyUnits",
        "fewer_discriminator_steps": (
            "gandiag.fixes.fewer_discriminator_steps:FewerDiscriminatorSteps"
        ),
        "more_discriminator_steps": (
            "gandiag.fixes.more_discriminator_steps:MoreDiscriminatorSteps"
        ),
        "two_time_scales": "gandiag.fixes.two_time_scales:TwoTimeScales",
        "r1": "gandiag.fixes.r1:R1",
        "spectral_norm": "gandiag.fixes.spectral_norm:SpectralNorm",
        "gradient_penalty": "gandiag.fixes.gradient_penalty:GradientPenalty",
        "minibatch_discrimination": (
            "gandiag.fixes.minibatch_discrimination:MinibatchDiscrimination"
        ),
        "minibatch_stddev": "gandiag.fixes.minibatch_stddev:MinibatchStddev",
        "packing": "gandiag.fixes.packing:Packing",
        "linear_critic": "gandiag.fixes.linear_critic:LinearCritic",
        "hinge": "gandiag.fixes.hinge:Hinge",
        "least_squares": "gandiag.fixes.least_squares:LeastSquares",
        "instance_noise": "gandiag.fixes.instance_noise:InstanceNoise",
        "label_smoothing": "gandiag.fixes.label_smoothing:LabelSmoothing",
        "lower_learning_rate": "gandiag.fixes.lower_learning_rate:LowerLearningRate",
        "lower_momentum": "gandiag.fixes.lower_momentum:LowerMomentum",
        "learning_rate_decay": "gandiag.fixes.learning_rate_decay:LearningRateDecay",
        "averaged_generator": "gandiag.fixes.averaged_generator:AveragedGenerator",
    },
    "instruments": {
        "optimal_discriminator": "gandiag.instruments.optimal_discriminator:OptimalDiscriminator",
        "jacobian": "gandiag.instruments.jacobian:Jacobian",
        "update_map": "gandiag.instruments.update_map:UpdateMap",
        "path_angle": "gandiag.instruments.path_angle:PathAngle",
        "duality_gap": "gandiag.instruments.duality_gap:DualityGap",
    },
    "reporters": {
        "console": "gandiag.reporters.console:Console",
        "html": "gandiag.reporters.html:Html",
        "json": "gandiag.reporters.json:Json",
        "film": "gandiag.reporters.film:Film",
        "weights_and_biases": "gandiag.reporters.weights_and_biases:WeightsAndBiases",
        "weights_and_biases_report": (
            "gandiag.reporters.weights_and_biases_report:WeightsAndBiasesReport"
        ),
        "tensorboard": "gandiag.reporters.tensorboard:TensorBoard",
        "notebook": "gandiag.reporters.notebook:Notebook",
    },
}

_CONTRACTS: Mapping[str, type] = {
    "datasets": contracts.Dataset,
    "variants": contracts.Variant,
    "probes": contracts.Probe,
    "readers": contracts.Reader,
    "detectors": contracts.Detector,
    "fixes": contracts.Fix,
    "instruments": contracts.Instrument,
    "reporters": contracts.Reporter,
}


def families() -> tuple[str, ...]:
    """The plugin families, in the order of the data's way."""
    return tuple(BUILT_IN)


def names(family: str) -> tuple[str, ...]:
    """All plugin names of a family, ours first."""
    return tuple(_entries(family))


def load(family: str, name: str, place: str = "") -> type:
    """Import a plugin's class and check it against its contract.

    Raises:
        BadInput: there is no such plugin, it cannot be imported, or it breaks its contract.
    """
    entry = _entry(family, name, place)
    called = f"{family}.{name} ({entry.value})"
    try:
        found = entry.load()
    except BadInput:
        raise
    except Exception as error:  # a stranger's module may raise anything while it is imported
        reason = f"{type(error).__name__}: {error}"
        raise BadInput(place, f"{called} cannot be imported: {reason}") from error
    problem = breach(found, _CONTRACTS[family])
    if problem:
        raise BadInput(place, f"{called} {problem}")
    kind: type = found
    return kind


def build(family: str, name: str, options: Mapping[str, Any] | None = None, place: str = "") -> Any:
    """Make a plugin from its options.

    Args:
        family: one of `families`.
        name: the plugin's name in the catalogue.
        options: its fields by name; those left out keep their defaults.
        place: what a mistake is blamed on, such as ``scenario.yaml: variant``.

    Raises:
        BadInput: as `load`, or an option is unknown or has a bad value.
    """
    return make(load(family, name, place), options or {}, name, place)


def build_all(family: str) -> tuple[tuple[str, Any], ...]:
    """Make every plugin of a family with its defaults; warn of those that cannot be, and go on."""
    made = []
    for name in names(family):
        try:
            made.append((name, build(family, name)))
        except BadInput as error:
            warnings.warn(f"left out: {error}", RuntimeWarning, stacklevel=2)
    return tuple(made)


def describe(family: str, name: str) -> Description:
    """Read a plugin's summary and options from its source, without importing it."""
    return read_description(family, name, _entry(family, name))


def _entry(family: str, name: str, place: str = "") -> EntryPoint:
    entries = _entries(family)
    if name not in entries:
        raise BadInput(place, f'no {_singular(family)} "{name}"; {nearest(name, entries)}')
    first, *others = entries[name]
    if others and name not in BUILT_IN[family]:
        owners = ", ".join(_owner(entry) for entry in entries[name])
        raise BadInput(place, f"{family}.{name} is brought by {owners}; uninstall all but one")
    for other in others:
        problem = f"{family}.{name} of {_owner(other)} is left out: the name is gandiag's own"
        warnings.warn(problem, RuntimeWarning, stacklevel=3)
    return first


@functools.cache
def _entries(family: str) -> dict[str, list[EntryPoint]]:
    """Who claims each name, ours first."""
    group = f"gandiag.{family}"
    found = {name: [EntryPoint(name, value, group)] for name, value in BUILT_IN[family].items()}
    for entry in sorted(entry_points(group=group), key=lambda entry: (entry.name, _owner(entry))):
        found.setdefault(entry.name, []).append(entry)
    return found


def _owner(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.value


def _singular(family: str) -> str:
    return "fix" if family == "fixes" else family.removesuffix("s")
