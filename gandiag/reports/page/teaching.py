"""What a student's page adds to a condition: its formula, a question, the game that cures it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from markupsafe import Markup

from gandiag.scenario.schema import Scenario, diff_scenarios
from gandiag.scenario.shipped import list_shipped


class Teaching(NamedTuple):
    """A short lesson.

    Attributes:
        formula: the heart of the matter as MathML, which browsers show without scripts.
        reading: the formula in words.
        question: one to think about before opening the answer.
        answer: that answer.
        shown: the shipped scenario that fails so.
        cures: the shipped scenarios that cure it, the best first.
    """

    formula: Markup
    reading: str
    question: str
    answer: str
    failing: str
    fixed_by: tuple[str, ...]


class FixedScenario(NamedTuple):
    """A shipped scenario that cures one that fails, and what differs in how it is played."""

    name: str
    diff: str


def load_fixed_scenarios(taught: Teaching) -> tuple[FixedScenario, ...]:
    """The games that cure the taught one, each with its change as a unified diff."""
    known = list_shipped()
    ill = Scenario.load(known[taught.failing])
    return tuple(
        FixedScenario(name, diff_settings(ill, Scenario.load(known[name])))
        for name in taught.fixed_by
    )


def diff_settings(first: Scenario, second: Scenario) -> str:
    """What differs in how two games are played, whatever they are called, and however watched."""
    unplayed = ("name", "about", "expect", "probes", "reporters", "sample_grid_every")
    return diff_scenarios(first, second.model_copy(update={k: getattr(first, k) for k in unplayed}))


def _wrap_math(body: str) -> Markup:
    return Markup(f'<math display="block">{body}</math>')


def _format_function(name: str, argument: str) -> str:
    return f"<mi>{name}</mi><mo>(</mo>{argument}<mo>)</mo>"


_SIGMA_LETTER = "\N{GREEK SMALL LETTER SIGMA}"
_DERIVATIVE = "<mfrac><mi>d</mi><mrow><mi>d</mi><mi>s</mi></mrow></mfrac><mspace width='0.2em'/>"
_SIGMA_OF_SCORE = _format_function("&sigma;", "<mi>s</mi>")
_D_OF_SAMPLE = _format_function("D", "<mi>x</mi>")

TEACHING: Mapping[str, Teaching] = {
    "vanishing_gradients": Teaching(
        formula=_wrap_math(
            f"{_DERIVATIVE}<mi>log</mi><mo>(</mo><mn>1</mn><mo>&minus;</mo>{_SIGMA_OF_SCORE}<mo>)</mo><mo>=</mo>"
            f"<mo>&minus;</mo>{_SIGMA_OF_SCORE}<mo>→</mo><mn>0</mn><mspace width='1em'/><mtext>as</mtext>"
            "<mspace width='0.5em'/><mi>s</mi><mo>→</mo><mo>&minus;</mo><mi>∞</mi>"
        ),
        reading=(
            f"s is the discriminator's score of a fake, and {_SIGMA_LETTER}(s), the sigmoid, its "
            "P(real). The surer it is that the fake is made, the smaller s, and the flatter what "
            "the generator minimises: at s = -10 the slope is -0.00005. With "
            f"-log {_SIGMA_LETTER}(s) instead, the slope is -{_SIGMA_LETTER}(-s), which tends to -1."
        ),
        question=(
            "The discriminator's loss is almost 0. Is that proof that the gradients have vanished?"
        ),
        answer=(
            "No. A sure discriminator starves the generator only under an objective that is flat "
            "where it is sure, or where its own slope at the fakes is flat. Under the "
            "non-saturating objective or a critic the samples may improve all the while. So look "
            "at the slope, at whether the samples move, and at how far they are from the data."
        ),
        failing="vanishing_gradients",
        fixed_by=("vanishing_gradients_cured", "vanishing_gradients_non_saturating"),
    ),
    "mode_collapse": Teaching(
        formula=_wrap_math(
            "<mi>G</mi><mo>(</mo><mi>z</mi><mo>)</mo><mo>=</mo>"
            f"<munder><mi>arg max</mi><mi>x</mi></munder>{_D_OF_SAMPLE}"
            "<mspace width='1em'/><mtext>for every</mtext><mspace width='0.5em'/><mi>z</mi>"
        ),
        reading=(
            "Against a discriminator that stands still, the generator's best answer is to make the "
            "one sample x with the highest score, whatever the latent z. Nothing in its objective "
            "asks for another. Only a discriminator that keeps learning, or that sees many samples "
            "at once, takes that answer away."
        ),
        question=(
            "Both losses look as they do in a healthy run, and each single sample looks real. How "
            "can the generator have collapsed?"
        ),
        answer=(
            "A loss is a mean over single samples, and collapse is not in any single sample: it is "
            "in how alike they are. One perfect 8, made for every latent, passes one by one. So "
            "count the kinds among many samples and compare with the same number of real ones."
        ),
        failing="mode_collapse",
        fixed_by=("mode_collapse_cured",),
    ),
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
            "The smallest game of all: x wants xy small, y wants it large. Their equilibrium is 0. "
            "With both stepping at once at rate η, their distance from it grows at every step: "
            "they circle around it and drift outwards. A smaller η only makes it slower."
        ),
        question="The losses of a GAN go up and down and never settle. Has it failed to converge?",
        answer=(
            "The losses cannot tell: each depends on how good the other player is. What counts is "
            "whether the samples settle, or get better. A game may circle in its losses and be "
            "done with its samples, and may sit still in its losses while its samples keep turning "
            "into others."
        ),
        failing="non_convergence",
        fixed_by=("non_convergence_cured",),
    ),
}
