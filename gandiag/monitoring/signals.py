"""The registry of signals: name, meaning, unit, range and baseline of each measured number.

A signal is named ``probe/quantity/network``: the probe that measures it, the measured quantity, and
the network whose step or samples are measured. Detectors, figures, pages, dashboards and the guide
take names and texts from here.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple


class SignalInfo(NamedTuple):
    """What one signal is.

    Attributes:
        quantity: ``probe/quantity``, the name without its network.
        networks: the networks that the signal is recorded for.
        label: name of the quantity for a chart or a table, without its network.
        meaning: what the number is, in one line.
        unit: unit of the number; ``1`` for ratios, shares and counts.
        low: least value that the signal can take.
        high: largest value that the signal can take.
        better: which direction is better for the samples or the training; ``-`` where neither is.
        baseline: mean value for fresh real samples in place of generated ones (the real-vs-real
            baseline); None for signals that are not compared with real samples.
        vector: whether each value is a vector.
    """

    quantity: str
    networks: tuple[str, ...]
    label: str
    meaning: str
    unit: str = "1"
    low: float = 0.0
    high: float = math.inf
    better: Literal["higher", "lower", "-"] = "-"
    baseline: float | None = None
    vector: bool = False


#: Every signal that gandiag's own probes and readers record, by ``probe/quantity``.
SIGNALS: dict[str, SignalInfo] = {}


def _both(quantity: str, label: str, meaning: str, **other: Any) -> tuple[str, str]:
    """Register a signal of both networks; names of the discriminator's and the generator's."""
    networks = ("discriminator", "generator")
    SIGNALS[quantity] = SignalInfo(quantity, networks, label, meaning, **other)
    return f"{quantity}/discriminator", f"{quantity}/generator"


def _discriminator(quantity: str, label: str, meaning: str, **other: Any) -> str:
    SIGNALS[quantity] = SignalInfo(quantity, ("discriminator",), label, meaning, **other)
    return f"{quantity}/discriminator"


def _generator(quantity: str, label: str, meaning: str, **other: Any) -> str:
    SIGNALS[quantity] = SignalInfo(quantity, ("generator",), label, meaning, **other)
    return f"{quantity}/generator"


# Losses, in the units of the objective: context for a reader, never a verdict.
DISCRIMINATOR_LOSS, GENERATOR_LOSS = _both(
    "loss/value", "loss", "loss that the network minimises", unit="loss", low=-math.inf
)
REAL_LOSS = _discriminator(
    "loss/real",
    "loss on real samples",
    "part of D's loss on real samples",
    unit="loss",
    low=-math.inf,
)
FAKE_LOSS = _discriminator(
    "loss/fake",
    "loss on generated samples",
    "part of D's loss on generated samples",
    unit="loss",
    low=-math.inf,
)
CLASS_LOSS = _discriminator(
    "loss/class", "class loss", "class or contrastive term of D's loss", unit="loss", low=-math.inf
)

# Gradients as each network's optimizer will use them.
DISCRIMINATOR_GRADIENT_NORM, GENERATOR_GRADIENT_NORM = _both(
    "gradient/norm",
    "gradient norm",
    "Euclidean norm of the gradient over all parameters; gradient/norm.NAME: of one weight",
    unit="loss / parameter",
)
DISCRIMINATOR_RELATIVE_GRADIENT, GENERATOR_RELATIVE_GRADIENT = _both(
    "gradient/relative",
    "relative gradient norm",
    "gradient norm over the norm of the parameters",
    unit="loss / parameter²",
)
DISCRIMINATOR_FIRST_TO_LAST, FIRST_TO_LAST = _both(
    "gradient/first_to_last",
    "gradient norm, first over last layer",
    "gradient norm at the first weight tensor over that at the last",
)
BACKPROP_GAIN = _generator(
    "gradient/backprop_gain",
    "backpropagation gain",
    "G's gradient norm over the norm of the gradient at its output, dL_G/dsample",
    unit="data unit / parameter",
)
DISCRIMINATOR_NON_FINITE, GENERATOR_NON_FINITE = _both(
    "gradient/non_finite",
    "non-finite gradient entries",
    "number of gradient entries that are NaN or infinite",
    better="lower",
)
DISCRIMINATOR_PARAMETER_NORM, GENERATOR_PARAMETER_NORM = _both(
    "gradient/parameter_norm",
    "parameter norm",
    "Euclidean norm of the parameters",
    unit="parameter",
)

# Whether the weights move: Adam hides small gradients here.
DISCRIMINATOR_UPDATE, GENERATOR_UPDATE = _both(
    "update/relative",
    "relative update",
    "distance that the weights moved per generator step over the weights' norm",
    unit="1 / step",
)

# Whether the discriminator tells real from generated samples, before its step.
P_REAL_OF_REAL = _discriminator(
    "confidence/real",
    "mean P(real) of real samples",
    "mean P(real) of the real batch before D's step",
    high=1.0,
)
P_REAL_OF_FAKE = _discriminator(
    "confidence/fake",
    "mean P(real) of generated samples",
    "mean P(real) of the generated batch before D's step",
    high=1.0,
)
SCORE_GAP = _discriminator(
    "confidence/gap",
    "score gap",
    "mean score of real minus mean score of generated samples, before D's step",
    unit="score",
    low=-math.inf,
)
AUC = _discriminator(
    "confidence/auc",
    "discriminator AUC",
    "share of (real, generated) pairs that D ranks correctly; chance is 0.5",
    high=1.0,
)

# The discriminator's answers on the same batches, once it has stepped.
P_REAL_OF_REAL_AFTER = _discriminator(
    "confidence_after/real",
    "mean P(real) of real samples after D's step",
    "mean P(real) of the same real batch, after D's step",
    high=1.0,
)
P_REAL_OF_FAKE_AFTER = _discriminator(
    "confidence_after/fake",
    "mean P(real) of generated samples after D's step",
    "mean P(real) of the same generated batch, after D's step",
    high=1.0,
)
SCORE_GAP_AFTER = _discriminator(
    "confidence_after/gap",
    "score gap after D's step",
    "mean score of real minus mean score of generated samples, after D's step",
    unit="score",
    low=-math.inf,
)

# The generator's learning signal, from its loss to its output.
SCORE_GRADIENT = _generator(
    "learning_signal/score_gradient",
    "gradient of G's loss at D's scores",
    "sum over the batch of |dL_G/dscore|; small where D is saturated under this loss",
    unit="loss / score",
)
DISCRIMINATOR_GRADIENT = _generator(
    "learning_signal/discriminator_gradient",
    "gradient of D at the samples",
    "D's mean gradient norm at generated samples, times the mean distance between two real samples, over the standard deviation of D's scores; near 0 for a flat D",
)
SAMPLE_GRADIENT = _generator(
    "learning_signal/sample_gradient",
    "gradient of G's loss at the samples",
    "sum over the batch of ||dL_G/dsample||, times the mean distance between two real samples",
    unit="loss",
)
SCORE_SD = _generator(
    "learning_signal/score_sd",
    "relative spread of D's scores",
    "standard deviation of D's scores over 1 + |mean score|; near 0 for a constant D",
)

# Generated samples beside real ones; most are relative to real-vs-real draws of equal size.
EFFECTIVE_MODES = _generator(
    "diversity/effective_modes",
    "effective number of modes",
    "exp(entropy) of the samples' mode histogram over that of real samples",
    better="higher",
    baseline=1.0,
)
COVERAGE = _generator(
    "diversity/coverage",
    "coverage",
    "share of real neighbourhoods that hold a generated sample (Naeem et al. 2020)",
    better="higher",
    baseline=1.0,
)
PRECISION = _generator(
    "diversity/precision",
    "precision",
    "share of generated samples inside a real neighbourhood (Kynkäänniemi et al. 2019)",
    better="higher",
    baseline=1.0,
)
WITHIN_MODE_VARIANCE = _generator(
    "diversity/within_mode_variance",
    "variance within a mode",
    "median over modes of the samples' squared distance from the mode's centre, over real",
    baseline=1.0,
)
PAIR_DISTANCE = _generator(
    "diversity/pair_distance",
    "mean distance between samples",
    "mean distance between two generated samples over that of two real samples",
    baseline=1.0,
)
MISSING_MASS = _generator(
    "diversity/missing_mass",
    "share of the real data missed",
    "real share of the modes that hold less than a fifth of their share of samples",
    low=-1.0,
    high=1.0,
    better="lower",
    baseline=0.0,
)
JS_DIVERGENCE = _generator(
    "diversity/js_divergence",
    "Jensen-Shannon divergence",
    "Jensen-Shannon divergence of the mode histograms over the largest of 100 real-vs-real",
    better="lower",
)
ENERGY_DISTANCE = _generator(
    "diversity/energy_distance",
    "energy distance",
    "squared energy distance from the real data over the mean distance of two real samples",
    low=-1.0,
    better="lower",
    baseline=0.0,
)
ENERGY_DISTANCE_Z = _generator(
    "diversity/energy_distance_z",
    "energy distance, in standard deviations",
    "the energy distance in standard deviations of real-vs-real draws",
    unit="sd",
    low=-math.inf,
    better="lower",
    baseline=0.0,
)
MAX_ABS = _generator(
    "diversity/max_abs",
    "largest absolute value",
    "largest absolute value among generated samples over that of the real data",
)
MODE_HISTOGRAM = _generator(
    "diversity/mode_histogram",
    "mode histogram",
    "share of the generated samples in each mode (k-means cell of the real data)",
    high=1.0,
    vector=True,
)

# Classes of generated digits.
CLASS_HISTOGRAM = _generator(
    "classes/histogram",
    "class histogram",
    "share of the generated samples in each class, by the shipped MNIST classifier",
    high=1.0,
    vector=True,
)
EFFECTIVE_CLASSES = _generator(
    "classes/effective_classes",
    "effective number of classes",
    "exp(entropy) of the class histogram",
    unit="classes",
    low=1.0,
    high=10.0,
    better="higher",
)
CLASS_CERTAINTY = _generator(
    "classes/certainty",
    "class probability",
    "mean largest class probability; low for samples that are no digits",
    high=1.0,
)

# Whether the generator moves, in the space of its samples.
DISPLACEMENT = _generator(
    "displacement/distance",
    "displacement of the samples",
    "mean distance that samples at fixed latents moved per 100 generator steps, over the mean distance between two real samples",
    unit="1 / 100 steps",
)
RELATIVE_DISPLACEMENT = _generator(
    "displacement/relative",
    "displacement over the samples' spread",
    "the displacement over the mean distance between the samples themselves",
    unit="1 / 100 steps",
)
LATENT_SPREAD = _generator(
    "displacement/latent_spread",
    "spread of the samples over latents",
    "mean distance between samples at different fixed latents over that of two real samples",
)

# Hidden units that no longer take part.
DISCRIMINATOR_DEAD_UNITS, GENERATOR_DEAD_UNITS = _both(
    "units/dead",
    "dead units",
    "largest share, over layers, of units whose output does not vary over a batch",
    high=1.0,
    better="lower",
)
DISCRIMINATOR_SATURATED_UNITS, GENERATOR_SATURATED_UNITS = _both(
    "units/saturated",
    "saturated units",
    "largest share, over layers, of tanh or sigmoid outputs with a derivative below 3 %",
    high=1.0,
    better="lower",
)

# Pairs of D's outputs and loss gradients there, by which a loss is recognised.
REAL_OUTPUTS = _discriminator(
    "objective/outputs_real",
    "D's outputs on real samples",
    "raw outputs of D on real samples, sorted",
    unit="output",
    low=-math.inf,
    vector=True,
)
REAL_OUTPUT_GRADIENTS = _discriminator(
    "objective/gradients_real",
    "gradients at D's outputs on real samples",
    "gradient of the loss at D's outputs on real samples, times their number, sorted",
    unit="loss / output",
    low=-math.inf,
    vector=True,
)
FAKE_OUTPUTS, FAKE_OUTPUTS_AT_G = _both(
    "objective/outputs_fake",
    "D's outputs on generated samples",
    "raw outputs of D on generated samples, sorted",
    unit="output",
    low=-math.inf,
    vector=True,
)
FAKE_OUTPUT_GRADIENTS, FAKE_OUTPUT_GRADIENTS_AT_G = _both(
    "objective/gradients_fake",
    "gradients at D's outputs on generated samples",
    "gradient of the loss at D's outputs on generated samples, times their number, sorted",
    unit="loss / output",
    low=-math.inf,
    vector=True,
)

# What a user's own loop does to gradients, weights and modes between two steps.
DISCRIMINATOR_STEPS, GENERATOR_STEPS = _both(
    "loop/steps", "optimizer steps", "optimizer steps so far", unit="steps"
)
DISCRIMINATOR_LEFTOVER, GENERATOR_LEFTOVER = _both(
    "loop/leftover_gradient",
    "gradient left over",
    "norm of the gradients before the step's first backward pass over that at the step",
    better="lower",
)
FOREIGN_GRADIENT = _discriminator(
    "loop/foreign_gradient",
    "gradient added by G's backward pass",
    "1 where G's backward pass added to D's gradients before D's step",
    high=1.0,
    better="lower",
)
DISCRIMINATOR_WITHOUT_GRADIENT, GENERATOR_WITHOUT_GRADIENT = _both(
    "loop/without_gradient",
    "parameters without a gradient",
    "share of the trainable parameters whose gradient is missing or exactly 0",
    high=1.0,
    better="lower",
)
DISCRIMINATOR_EVAL_MODE, GENERATOR_EVAL_MODE = _both(
    "loop/eval_mode",
    "layers in evaluation mode",
    "share of the batch norm and dropout layers in evaluation mode at the step",
    high=1.0,
    better="lower",
)
MIXED_BATCH = _discriminator(
    "loop/mixed_batch",
    "mixed batches",
    "1 where one call of D held real and generated samples",
    high=1.0,
)
BATCH_NORMS = _discriminator(
    "loop/batch_norms", "batch norm layers", "batch norm layers of D in training mode"
)
GRADIENT_PENALTY = _discriminator(
    "loop/gradient_penalty",
    "gradient penalty seen",
    "1 once the loop has asked for D's gradient at its input, as gradient penalties do",
    high=1.0,
)
SPECTRAL_NORM = _discriminator(
    "loop/spectral_norm",
    "spectral norm seen",
    "1 where D's weights are spectrally normalised",
    high=1.0,
)
SIGMOID_OUTPUT = _discriminator(
    "loop/sigmoid", "sigmoid output", "1 where D's last layer is a sigmoid", high=1.0
)
MAX_WEIGHT, MAX_WEIGHT_AT_G = _both(
    "loop/max_weight",
    "D's largest absolute weight",
    "D's largest absolute weight at the step of the network",
    unit="parameter",
)
MAX_WEIGHT_BEFORE = _discriminator(
    "loop/max_weight_before",
    "D's largest absolute weight before its step",
    "D's largest absolute weight at the forward pass of its step",
    unit="parameter",
)
AT_CLIP_BOUND = _discriminator(
    "loop/at_clip_bound",
    "weights at the bound",
    "share of D's weights as large as the largest one",
    high=1.0,
)
KNOWN_SPLIT = _discriminator(
    "loop/known_split",
    "real and generated samples known",
    "1 where real and generated samples were told apart by memory or labels, not by gradients",
    high=1.0,
)

# The whole training in a plane, where the samples are points of one.
PLANE_VIEW = _generator(
    "plane/view", "view", "ends of both axes, and points of a path", low=-math.inf, vector=True
)
PLANE_SAMPLES = _generator(
    "plane/fake",
    "samples",
    "x, y of generated samples",
    unit="data unit",
    low=-math.inf,
    vector=True,
)
PLANE_GRADIENT = _generator(
    "plane/gradient",
    "pull",
    "-dL_G/dx, -dL_G/dy of each, times the batch size",
    unit="loss / data unit",
    low=-math.inf,
    vector=True,
)
PLANE_PATHS = _generator(
    "plane/latent_path",
    "latent paths",
    "x, y of G along closed paths of latents",
    unit="data unit",
    low=-math.inf,
    vector=True,
)
PLANE_PROBABILITY = _discriminator(
    "plane/probability",
    "P(real) on a grid",
    "P(real) on a square grid over the view",
    high=1.0,
    vector=True,
)
PLANE_SCORE = _discriminator(
    "plane/score",
    "score on a grid",
    "D's score on a square grid over the view",
    unit="score",
    low=-math.inf,
    vector=True,
)


def signal_info(name: str) -> SignalInfo | None:
    """What a signal is, by its full name; None for a signal of a third-party probe.

    >>> signal_info("diversity/energy_distance/generator").label
    'energy distance'
    """
    quantity = name.rpartition("/")[0]
    return SIGNALS.get(quantity) or SIGNALS.get(quantity.partition(".")[0])
