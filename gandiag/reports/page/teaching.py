"""Lessons for a student's page: a formula, a question, and the scenario that fixes the failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from markupsafe import Markup

from gandiag.scenario.schema import Scenario, diff_scenarios
from gandiag.scenario.shipped import list_shipped


class Teaching(NamedTuple):
    """A short lesson about a failure.

    Attributes:
        formula: the formula behind the failure, as MathML, which browsers show without scripts.
        reading: explanation of the formula.
        question: a question to think about before opening the answer.
        answer: the answer to the question.
        failing: name of the shipped scenario that shows the failure.
        fixed_by: names of the shipped scenarios that fix it, the best one first.
    """

    formula: Markup
    reading: str
    question: str
    answer: str
    failing: str
    fixed_by: tuple[str, ...]


class FixedScenario(NamedTuple):
    """A shipped scenario that fixes a failing one, and the unified diff of their settings."""

    name: str
    diff: str


def load_fixed_scenarios(teaching: Teaching) -> tuple[FixedScenario, ...]:
    """Load the scenarios that fix the failing scenario of a lesson."""
    paths = list_shipped()
    failing = Scenario.load(paths[teaching.failing])
    fixed = {name: Scenario.load(paths[name]) for name in teaching.fixed_by}
    return tuple(FixedScenario(name, diff_settings(failing, each)) for name, each in fixed.items())


def diff_settings(first: Scenario, second: Scenario) -> str:
    """Compare two scenarios as a unified diff, without settings that do not change the training."""
    # Names and texts, and how a run is measured and reported, do not change its weights.
    ignored = ("name", "about", "expect", "probes", "reporters", "sample_grid_every")
    return diff_scenarios(first, second.model_copy(update={k: getattr(first, k) for k in ignored}))


def _wrap_math(body: str) -> Markup:
    return Markup(f'<math display="block">{body}</math>')


def _call(function: str, argument: str) -> str:
    return f"<mi>{function}</mi><mo>(</mo>{argument}<mo>)</mo>"


_SIGMA = "\N{GREEK SMALL LETTER SIGMA}"
_SIGMA_OF_SCORE = _call("&sigma;", "<mi>s</mi>")
_DERIVATIVE = "<mfrac><mi>d</mi><mrow><mi>d</mi><mi>s</mi></mrow></mfrac><mspace width='0.2em'/>"
_LOG_OF_REST = f"<mi>log</mi><mo>(</mo><mn>1</mn><mo>&minus;</mo>{_SIGMA_OF_SCORE}<mo>)</mo>"

TEACHING: Mapping[str, Teaching] = {
    # Goodfellow et al. 2014 (arXiv:1406.2661), section 3: the saturating objective.
    "vanishing_gradients": Teaching(
        formula=_wrap_math(
            f"{_DERIVATIVE}{_LOG_OF_REST}<mo>=</mo><mo>&minus;</mo>{_SIGMA_OF_SCORE}"
            "<mo>→</mo><mn>0</mn><mspace width='1em'/><mtext>as</mtext>"
            "<mspace width='0.5em'/><mi>s</mi><mo>→</mo><mo>&minus;</mo><mi>∞</mi>"
        ),
        reading=(
            "s is the discriminator's score of a generated sample, and its sigmoid "
            f"{_SIGMA}(s) is P(real). The more confident the discriminator is that the sample is "
            "generated, the smaller s is, and the smaller the derivative of the generator's loss: "
            f"at s = -10 it is -0.00005. With the loss -log {_SIGMA}(s) instead, the derivative is "
            f"-{_SIGMA}(-s), which tends to -1."
        ),
        question=(
            "The discriminator's loss is almost 0. Does this prove that the gradients have "
            "vanished?"
        ),
        answer=(
            "No. A confident discriminator leaves the generator without a gradient only if the "
            "objective saturates there, or if the discriminator itself has no gradient at the "
            "generated samples. With the non-saturating objective or with a critic, the samples "
            "may still improve. So measure the gradient, the displacement of the samples, and "
            "their distance from the data."
        ),
        failing="vanishing_gradients",
        fixed_by=("vanishing_gradients_cured", "vanishing_gradients_non_saturating"),
    ),
    # Metz et al. 2017 (arXiv:1611.02163): the best generator for a fixed discriminator.
    "mode_collapse": Teaching(
        formula=_wrap_math(
            "<mi>G</mi><mo>(</mo><mi>z</mi><mo>)</mo><mo>=</mo>"
            f"<munder><mi>arg max</mi><mi>x</mi></munder>{_call('D', '<mi>x</mi>')}"
            "<mspace width='1em'/><mtext>for every</mtext><mspace width='0.5em'/><mi>z</mi>"
        ),
        reading=(
            "Against a fixed discriminator, the best generator makes only the one sample x with "
            "the highest score, for every latent z. No term of its loss rewards other samples. "
            "Only a discriminator that keeps learning, or that compares many samples at once, "
            "makes this solution bad."
        ),
        question=(
            "Both losses look like those of a healthy run, and each single sample looks real. How "
            "can the generator have collapsed?"
        ),
        answer=(
            "A loss is a mean over single samples. Collapse cannot be seen in a single sample: it "
            "is the similarity of the samples. One perfect 8, generated for every latent, looks "
            "real each time. So count the modes among many samples, and compare with the same "
            "number of real samples."
        ),
        failing="mode_collapse",
        fixed_by=("mode_collapse_cured",),
    ),
    # Gidel et al. 2019 (arXiv:1802.10551): simultaneous gradient steps on the bilinear game xy.
    "non_convergence": Teaching(
        formula=_wrap_math(
            "<msubsup><mi>x</mi><mrow><mi>t</mi><mo>+</mo><mn>1</mn></mrow><mn>2</mn></msubsup>"
            "<mo>+</mo>"
            "<msubsup><mi>y</mi><mrow><mi>t</mi><mo>+</mo><mn>1</mn></mrow><mn>2</mn></msubsup>"
            "<mo>=</mo><mo>(</mo><mn>1</mn><mo>+</mo><msup><mi>η</mi><mn>2</mn></msup><mo>)</mo>"
            "<mo>(</mo><msubsup><mi>x</mi><mi>t</mi><mn>2</mn></msubsup><mo>+</mo>"
            "<msubsup><mi>y</mi><mi>t</mi><mn>2</mn></msubsup><mo>)</mo>"
        ),
        reading=(
            "This is the simplest two-player game: x minimises xy, y maximises it. The equilibrium "
            "is x = y = 0. If both take a gradient step of size η at the same time, their distance "
            "from the equilibrium grows at every step: they move around it in a growing spiral. A "
            "smaller η only makes the spiral slower."
        ),
        question="The losses of a GAN go up and down and never settle. Has it failed to converge?",
        answer=(
            "The losses cannot answer this, as each loss depends on the other network. What counts "
            "is whether the samples settle, or still improve. The losses of a GAN may oscillate "
            "although its samples have settled; and they may be constant although its samples keep "
            "changing."
        ),
        failing="non_convergence",
        fixed_by=("non_convergence_cured",),
    ),
}
