"""The registry of signals: name, meaning, unit, range and baseline of each measured number.

A signal is named ``probe/quantity/network``: the probe that measures it, the measured quantity, and
the network whose step or samples are measured. Detectors, figures, pages, dashboards and the guide
take names and texts from here. D is the discriminator or Wasserstein critic, G the generator, L_G
its loss. `gandiag list signals` prints this table.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple


class SignalInfo(NamedTuple):
    """The description of one signal.

    Attributes:
        quantity: ``probe/quantity``, the name without its network.
        networks: the networks that the signal is recorded for.
        label: name of the quantity for a chart or a table, without its network.
        meaning: definition of the number, as a noun phrase without a full stop.
        unit: unit of the number; ``1`` for ratios, shares and counts.
        low: least value that the signal can take.
        high: largest value that the signal can take.
        better: which direction is better for the samples or the training; ``-`` where neither is.
        baseline: mean value for fresh real samples in place of generated ones (the real-vs-real
            baseline); None for signals that are not relative to real samples.
        is_vector: whether each value is a vector.
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
    is_vector: bool = False


#: Every signal that gandiag's own probes and readers record, by ``probe/quantity``.
SIGNALS: dict[str, SignalInfo] = {}


def _both(quantity: str, label: str, meaning: str, **other: Any) -> tuple[str, str]:
    """Register a signal of both networks; return its names for discriminator and generator."""
    networks = ("discriminator", "generator")
    SIGNALS[quantity] = SignalInfo(quantity, networks, label, meaning, **other)
    return f"{quantity}/discriminator", f"{quantity}/generator"


def _discriminator(quantity: str, label: str, meaning: str, **other: Any) -> str:
    """Register a signal of the discriminator; return its name."""
    SIGNALS[quantity] = SignalInfo(quantity, ("discriminator",), label, meaning, **other)
    return f"{quantity}/discriminator"


def _generator(quantity: str, label: str, meaning: str, **other: Any) -> str:
    """Register a signal of the generator; return its name."""
    SIGNALS[quantity] = SignalInfo(quantity, ("generator",), label, meaning, **other)
    return f"{quantity}/generator"


# Losses: context for a reader. No detector uses their values, as they depend on the objective.
DISCRIMINATOR_LOSS, GENERATOR_LOSS = _both(
    "loss/value", "loss", "loss that the network minimises in its step", unit="loss", low=-math.inf
)
REAL_LOSS = _discriminator(
    "loss/real",
    "loss on real samples",
    "term of D's loss that is computed from real samples",
    unit="loss",
    low=-math.inf,
)
FAKE_LOSS = _discriminator(
    "loss/fake",
    "loss on generated samples",
    "term of D's loss that is computed from generated samples",
    unit="loss",
    low=-math.inf,
)
CLASS_LOSS = _discriminator(
    "loss/class",
    "class loss",
    "term of D's loss for classes, or contrastive term",
    unit="loss",
    low=-math.inf,
)

# Qualities of the samples that other tools measured and wrote into a log.
FID = _generator(
    "quality/fid", "FID", "Fréchet inception distance to real samples, from a log", better="lower"
)
KID = _generator(
    "quality/kid",
    "KID",
    "kernel inception distance to real samples, from a log",
    low=-math.inf,  # the estimate is unbiased, so it may be negative
    better="lower",
)
INCEPTION_SCORE = _generator(
    "quality/inception_score",
    "inception score",
    "inception score of the samples, from a log",
    better="higher",
)
QUALITY_PRECISION = _generator(
    "quality/precision",
    "precision in a log",
    "share of samples that lie among real ones, from a log",
    better="higher",
)
RECALL = _generator(
    "quality/recall",
    "recall in a log",
    "share of real samples that lie among generated ones, from a log",
    better="higher",
)
QUALITY_COVERAGE = _generator(
    "quality/coverage",
    "coverage in a log",
    "share of real samples with a generated one nearby, from a log",
    better="higher",
)
LPIPS = _generator(
    "quality/lpips",
    "LPIPS",
    "learned perceptual distance to the target images, from a log",
    better="lower",
)

# Gradients, as each network's optimizer will use them.
DISCRIMINATOR_GRADIENT_NORM, GENERATOR_GRADIENT_NORM = _both(
    "gradient/norm",
    "gradient norm",
    "Euclidean norm of the gradient over all parameters, or (gradient/norm.NAME) of one weight",
    unit="loss / parameter",
)
DISCRIMINATOR_RELATIVE_GRADIENT, GENERATOR_RELATIVE_GRADIENT = _both(
    "gradient/relative",
    "relative gradient norm",
    "gradient norm divided by the Euclidean norm of the parameters",
    unit="loss / parameter²",
)
DISCRIMINATOR_FIRST_TO_LAST, FIRST_TO_LAST = _both(
    "gradient/first_to_last",
    "gradient norm, first over last layer",
    "gradient norm of the first weight tensor divided by that of the last",
)
BACKPROP_GAIN = _generator(
    "gradient/backprop_gain",
    "backpropagation gain",
    "G's gradient norm divided by the norm of the gradient at its output, dL_G/dsample",
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

# Updates: Adam divides by the gradient's size, so it hides small gradients here.
DISCRIMINATOR_UPDATE, GENERATOR_UPDATE = _both(
    "update/relative",
    "relative update",
    "distance that the weights moved per generator step, divided by the weights' norm",
    unit="1 / step",
)

# How well the discriminator separates real from generated samples, before its step.
P_REAL_OF_REAL = _discriminator(
    "confidence/real",
    "mean P(real) of real samples",
    "mean probability of being real that D gives to the real batch before its step",
    high=1.0,
)
P_REAL_OF_FAKE = _discriminator(
    "confidence/fake",
    "mean P(real) of generated samples",
    "mean probability of being real that D gives to the generated batch before its step",
    high=1.0,
)
SCORE_GAP = _discriminator(
    "confidence/gap",
    "score gap",
    "mean score of the real batch minus that of the generated batch, before D's step",
    unit="score",
    low=-math.inf,
)
AUC = _discriminator(
    "confidence/auc",
    "discriminator AUC",
    "share of (real, generated) pairs in which D scores the real sample higher; 0.5 is chance",
    high=1.0,
)

# The same numbers on the same batches, after the discriminator's step.
P_REAL_OF_REAL_AFTER = _discriminator(
    "confidence_after/real",
    "mean P(real) of real samples after D's step",
    "mean probability of being real that D gives to the same real batch after its step",
    high=1.0,
)
P_REAL_OF_FAKE_AFTER = _discriminator(
    "confidence_after/fake",
    "mean P(real) of generated samples after D's step",
    "mean probability of being real that D gives to the same generated batch after its step",
    high=1.0,
)
SCORE_GAP_AFTER = _discriminator(
    "confidence_after/gap",
    "score gap after D's step",
    "mean score of the real batch minus that of the generated batch, after D's step",
    unit="score",
    low=-math.inf,
)

# The generator's learning signal: the gradients from its loss back to its output.
SCORE_GRADIENT = _generator(
    "learning_signal/score_gradient",
    "gradient of G's loss at D's scores",
    "sum over the batch of |dL_G/dscore|; small if D is saturated under this loss",
    unit="loss / score",
)
DISCRIMINATOR_GRADIENT = _generator(
    "learning_signal/discriminator_gradient",
    "gradient of D at the samples",
    "D's mean gradient norm at generated samples, times the mean distance between two "
    "real samples, divided by the standard deviation of D's scores; near 0 for a constant D",
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
    "standard deviation of D's scores divided by 1 + |mean score|; near 0 for a constant D",
)

# Generated samples compared with real ones. Ratios are divided by their mean over real-vs-real
# draws of the same size, and this mean is subtracted from distances: real samples have 1 and 0 on
# average.
EFFECTIVE_MODES = _generator(
    "diversity/effective_modes",
    "effective number of modes",
    "exp(entropy) of the mode histogram of generated samples, divided by that of real samples",
    better="higher",
    baseline=1.0,
)
KEPT_MODES = _generator(
    "diversity/kept_modes",
    "modes kept in any view",
    "fewest modes in any view of the samples (pixels, spectrum, points without order, standardised "
    "columns; coarse and fine cells), divided by those of real samples; 1 - share of the real data "
    "missed if that is more",
    better="higher",
    baseline=1.0,
)
KEPT_MODES_P = _generator(
    "diversity/kept_modes_p",
    "p-value of the modes kept",
    "probability that fresh real samples keep as few modes in any view, from a permutation test",
    high=1.0,
    better="-",
)
COVERAGE = _generator(
    "diversity/coverage",
    "coverage",
    "share of real neighbourhoods that contain a generated sample (Naeem et al. 2020), divided "
    "by the share for real samples",
    better="higher",
    baseline=1.0,
)
PRECISION = _generator(
    "diversity/precision",
    "precision",
    "share of generated samples inside a real neighbourhood (Kynkäänniemi et al. 2019), divided "
    "by the share for real samples",
    better="higher",
    baseline=1.0,
)
WITHIN_MODE_VARIANCE = _generator(
    "diversity/within_mode_variance",
    "variance within a mode",
    "median over modes of the mean squared distance from the mode's centre, generated divided "
    "by real samples",
    baseline=1.0,
)
PAIR_DISTANCE = _generator(
    "diversity/pair_distance",
    "mean distance between samples",
    "mean distance between two generated samples divided by that between two real samples",
    baseline=1.0,
)
MISSING_MASS = _generator(
    "diversity/missing_mass",
    "share of the real data missed",
    "share of the real data in modes in which generated samples are less than a fifth as "
    "frequent as real ones",
    low=-1.0,
    high=1.0,
    better="lower",
    baseline=0.0,
)
JS_DIVERGENCE = _generator(
    "diversity/js_divergence",
    "Jensen-Shannon divergence",
    "Jensen-Shannon divergence between the mode histograms of generated and real samples, "
    "divided by the largest of 100 real-vs-real draws",
    better="lower",
)
ENERGY_DISTANCE = _generator(
    "diversity/energy_distance",
    "energy distance",
    "squared energy distance from the real data (Székely & Rizzo 2013), divided by the mean "
    "distance between two real samples",
    low=-1.0,
    better="lower",
    baseline=0.0,
)
ENERGY_DISTANCE_Z = _generator(
    "diversity/energy_distance_z",
    "energy distance, in standard deviations",
    "energy distance in standard deviations of real-vs-real draws",
    unit="sd",
    low=-math.inf,
    better="lower",
    baseline=0.0,
)
MAX_ABS = _generator(
    "diversity/max_abs",
    "largest absolute value",
    "largest absolute value among generated samples divided by that of the real data",
)
MODE_HISTOGRAM = _generator(
    "diversity/mode_histogram",
    "mode histogram",
    "share of the generated samples in each mode (k-means cell of the real data)",
    high=1.0,
    is_vector=True,
)

# Classes of generated digits, for MNIST data.
CLASS_HISTOGRAM = _generator(
    "classes/histogram",
    "class histogram",
    "share of the generated samples in each class, by the shipped MNIST classifier",
    high=1.0,
    is_vector=True,
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
    "mean of the largest class probability of each sample; low for images of no digit",
    low=0.1,  # the largest of ten probabilities
    high=1.0,
)
CLASSIFIER_SCORE = _generator(
    "classes/classifier_score",
    "Inception Score by the digit classifier",
    "exp(mean KL divergence of a sample's class probabilities from their mean): the Inception "
    "Score (Salimans et al. 2016) with the shipped MNIST classifier in place of Inception",
    low=1.0,
    high=10.0,
    better="higher",
)

# Displacement of the generator, in the space of its samples.
DISPLACEMENT = _generator(
    "displacement/distance",
    "displacement of the samples",
    "mean distance that samples at fixed latents moved per 100 generator steps, divided by the "
    "mean distance between two real samples",
    unit="1 / 100 steps",
)
RELATIVE_DISPLACEMENT = _generator(
    "displacement/relative",
    "displacement over the samples' spread",
    "displacement divided by the mean distance between two samples at different fixed latents",
    unit="1 / 100 steps",
)
LATENT_SPREAD = _generator(
    "displacement/latent_spread",
    "spread of the samples over latents",
    "mean distance between two samples at different fixed latents, divided by that between two "
    "real samples",
)

# Hidden units that contribute nothing to the output, or pass no gradient on.
DISCRIMINATOR_DEAD_UNITS, GENERATOR_DEAD_UNITS = _both(
    "units/dead",
    "dead units",
    "share of units whose output does not vary over a batch, in the layer with the most",
    high=1.0,
    better="lower",
)
DISCRIMINATOR_SATURATED_UNITS, GENERATOR_SATURATED_UNITS = _both(
    "units/saturated",
    "saturated units",
    "share of tanh or sigmoid outputs where the derivative is below 3 % of its maximum, in the "
    "layer with the most",
    high=1.0,
    better="lower",
)

# D's outputs and the gradients of the loss there, from which the objective is recognised.
REAL_OUTPUTS = _discriminator(
    "objective/outputs_real",
    "D's outputs on real samples",
    "raw outputs of D on real samples, in ascending order",
    unit="output",
    low=-math.inf,
    is_vector=True,
)
REAL_OUTPUT_GRADIENTS = _discriminator(
    "objective/gradients_real",
    "gradients at D's outputs on real samples",
    "gradients of the loss at these outputs, times their number, in the order of the outputs",
    unit="loss / output",
    low=-math.inf,
    is_vector=True,
)
FAKE_OUTPUTS, FAKE_OUTPUTS_AT_G = _both(
    "objective/outputs_fake",
    "D's outputs on generated samples",
    "raw outputs of D on generated samples, in ascending order",
    unit="output",
    low=-math.inf,
    is_vector=True,
)
FAKE_OUTPUT_GRADIENTS, FAKE_OUTPUT_GRADIENTS_AT_G = _both(
    "objective/gradients_fake",
    "gradients at D's outputs on generated samples",
    "gradients of the loss at these outputs, times their number, in the order of the outputs",
    unit="loss / output",
    low=-math.inf,
    is_vector=True,
)

# What a user's own loop does to gradients, weights and train or eval modes between two steps.
DISCRIMINATOR_STEPS, GENERATOR_STEPS = _both(
    "loop/steps", "optimizer steps", "optimizer steps so far, this step included", unit="steps"
)
DISCRIMINATOR_LEFTOVER, GENERATOR_LEFTOVER = _both(
    "loop/leftover_gradient",
    "gradient left over",
    "norm of the gradients before the step's first backward pass, divided by their norm at the "
    "step; 0 if they were cleared",
    better="lower",
)
FOREIGN_GRADIENT = _discriminator(
    "loop/foreign_gradient",
    "gradient added by G's backward pass",
    "1 if G's backward pass added to D's gradients between D's backward pass and its step",
    high=1.0,
    better="lower",
)
DISCRIMINATOR_WITHOUT_GRADIENT, GENERATOR_WITHOUT_GRADIENT = _both(
    "loop/without_gradient",
    "parameters without a gradient",
    "share of the trainable parameter tensors whose gradient is missing or exactly 0",
    high=1.0,
    better="lower",
)
DISCRIMINATOR_FROZEN, GENERATOR_FROZEN = _both(
    "loop/frozen",
    "frozen parameters",
    "share of the parameter tensors that require no gradient, or have none at the step",
    high=1.0,
)
DISCRIMINATOR_UNOPTIMISED, GENERATOR_UNOPTIMISED = _both(
    "loop/unoptimised",
    "parameters in no optimizer",
    "number of parameters that get a gradient, but are in no optimizer and have never changed",
    better="lower",
)
CUT_OFF = _generator(
    "loop/cut_off",
    "D's scores without a gradient for G",
    "1 if D scored samples in G's step, and no gradient can flow from the scores to G",
    high=1.0,
    better="lower",
)
DISCRIMINATOR_EVAL_MODE, GENERATOR_EVAL_MODE = _both(
    "loop/eval_mode",
    "layers in evaluation mode",
    "share of the batch norm and dropout layers that are in evaluation mode at the step",
    high=1.0,
    better="lower",
)
# The generator as its samples will be drawn.
TRAINING_DISTANCE, EVALUATION_DISTANCE, AVERAGED_DISTANCE = (
    _generator(
        f"sampling/{way}_distance",
        f"distance {label}",
        "squared energy distance of the samples at the fixed latents from the real ones, over that "
        f"of total mode collapse, {label}",
        low=-math.inf,
        better="lower",
    )
    for way, label in (
        ("training", "in training mode"),
        ("evaluation", "in evaluation mode"),
        ("averaged", "with averaged weights"),
    )
)
MIXED_BATCH = _discriminator(
    "loop/mixed_batch",
    "mixed batches",
    "1 if one call of D contained both real and generated samples",
    high=1.0,
)
BATCH_NORMS = _discriminator(
    "loop/batch_norms", "batch norm layers", "number of batch norm layers of D in training mode"
)
GRADIENT_PENALTY = _discriminator(
    "loop/gradient_penalty",
    "gradient penalty used",
    "1 once the loop has computed D's gradient at its input, as gradient penalties do",
    high=1.0,
)
UNGRAPHED_PENALTY = _discriminator(
    "loop/ungraphed_penalty",
    "gradient penalty without a graph",
    "1 if D's gradient at its input was computed without a graph, and D's loss has a constant term",
    high=1.0,
    better="lower",
)
SPECTRAL_NORM = _discriminator(
    "loop/spectral_norm",
    "spectral normalisation used",
    "1 if D's weights are spectrally normalised",
    high=1.0,
)
SIGMOID_OUTPUT = _discriminator(
    "loop/sigmoid", "sigmoid output", "1 if D's last layer is a sigmoid", high=1.0
)
MAX_WEIGHT, MAX_WEIGHT_AT_G = _both(
    "loop/max_weight",
    "D's largest absolute weight",
    "largest absolute weight of D at the step of the network",
    unit="parameter",
)
MAX_WEIGHT_BEFORE = _discriminator(
    "loop/max_weight_before",
    "D's largest absolute weight before its step",
    "largest absolute weight of D at the forward pass of its step",
    unit="parameter",
)
AT_CLIP_BOUND = _discriminator(
    "loop/at_clip_bound",
    "weights at the clipping bound",
    "share of D's weights whose absolute value equals the largest one",
    high=1.0,
)
KNOWN_SPLIT = _discriminator(
    "loop/known_split",
    "real and generated samples identified",
    "1 if real and generated samples were identified by their tensors or by the user, not by "
    "the signs of the gradients",
    high=1.0,
)

# What a user's own loop passes to the networks.
SAME_REAL_CONDITION, SAME_CONDITION = _both(
    "inputs/same_condition",
    "equal conditions",
    "for each condition (such as class labels): 1 if it is the same for all samples of the batch, "
    "real ones in D's step and generated ones in G's",
    high=1.0,
    is_vector=True,
)
REAL_CONDITION, CONDITION = _both(
    "inputs/condition",
    "condition of the first sample",
    "for each condition: weighted mean of its entries for the first sample of the batch",
    unit="condition",
    low=-math.inf,
    is_vector=True,
)
REAL_BATCH_MEAN = _discriminator(
    "inputs/real_mean",
    "mean of the real batch",
    "mean of the real batch in each of eight random directions",
    unit="data unit",
    low=-math.inf,
    is_vector=True,
)
REAL_BATCH_VARIANCE = _discriminator(
    "inputs/real_variance",
    "variance of the real batch",
    "variance of the real batch in each of eight random directions",
    unit="data unit²",
    is_vector=True,
)
REAL_BATCH_SIZE = _discriminator(
    "inputs/real_count", "size of the real batch", "number of real samples in D's step"
)
SAME_LATENTS = _generator(
    "inputs/same_latents",
    "equal latents",
    "1 if all latents of G's batch are equal, and all its samples, too",
    high=1.0,
    better="lower",
)

REAL_LOW = _discriminator(
    "loop/real_low",
    "smallest real value",
    "smallest value in the real batch of D's step, as D sees it",
    unit="data unit",
    low=-math.inf,
)
FAKE_LOW, FAKE_LOW_AT_G = _both(
    "loop/fake_low",
    "smallest generated value, as D sees it",
    "smallest value in the generated batch that D scores in the step",
    unit="data unit",
    low=-math.inf,
)
GENERATED_LOW = _generator(
    "loop/generated_low",
    "smallest generated value",
    "smallest value in G's newest output of the step",
    unit="data unit",
    low=-math.inf,
)
OUTPUT_LOW = _discriminator(
    "loop/output_low",
    "smallest value that G can generate",
    "smallest value of the bounded function at G's end: a hyperbolic tangent or a sigmoid",
    unit="data unit",
    low=-math.inf,
)
REAL_HIGH = _discriminator(
    "loop/real_high",
    "largest real value",
    "largest value in the real batch of D's step, as D sees it",
    unit="data unit",
    low=-math.inf,
)
FAKE_HIGH, FAKE_HIGH_AT_G = _both(
    "loop/fake_high",
    "largest generated value, as D sees it",
    "largest value in the generated batch that D scores in the step",
    unit="data unit",
    low=-math.inf,
)
GENERATED_HIGH = _generator(
    "loop/generated_high",
    "largest generated value",
    "largest value in G's newest output of the step",
    unit="data unit",
    low=-math.inf,
)
OUTPUT_HIGH = _discriminator(
    "loop/output_high",
    "largest value that G can generate",
    "largest value of the bounded function at G's end: a hyperbolic tangent or a sigmoid",
    unit="data unit",
    low=-math.inf,
)
OUT_OF_REACH = _discriminator(
    "loop/out_of_reach",
    "real values out of G's reach",
    "share of the values in the real batch that exceed the bounds of G's last layer by more than a "
    "tenth of their difference",
    high=1.0,
    better="lower",
)

# Pictures of the training for samples with two coordinates.
PLANE_VIEW = _generator(
    "plane/view",
    "view",
    "lower and upper end of both axes, and the number of points of a path",
    unit="data unit",
    low=-math.inf,
    is_vector=True,
)
PLANE_SAMPLES = _generator(
    "plane/fake",
    "samples",
    "coordinates x, y of generated samples, one sample after another",
    unit="data unit",
    low=-math.inf,
    is_vector=True,
)
PLANE_GRADIENT = _generator(
    "plane/gradient",
    "descent direction of G's loss",
    "-dL_G/dx, -dL_G/dy of each of these samples, times the batch size",
    unit="loss / data unit",
    low=-math.inf,
    is_vector=True,
)
PLANE_PATHS = _generator(
    "plane/latent_path",
    "latent paths",
    "coordinates x, y of G's output along closed paths of latents",
    unit="data unit",
    low=-math.inf,
    is_vector=True,
)
PLANE_PROBABILITY = _discriminator(
    "plane/probability",
    "P(real) on a grid",
    "P(real) at the points of a square grid over the view, row by row from below",
    high=1.0,
    is_vector=True,
)
PLANE_SCORE = _discriminator(
    "plane/score",
    "score on a grid",
    "score of a Wasserstein critic at the points of a square grid over the view",
    unit="score",
    low=-math.inf,
    is_vector=True,
)


def signal_info(name: str) -> SignalInfo | None:
    """The description of a signal by its full name; None for a signal of a third-party probe.

    >>> signal_info("diversity/energy_distance/generator").label
    'energy distance'
    >>> signal_info("gradient/norm.body.0.weight/generator").label
    'gradient norm'
    """
    quantity = name.rpartition("/")[0]
    return SIGNALS.get(quantity) or SIGNALS.get(quantity.partition(".")[0])
