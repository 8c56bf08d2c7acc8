"""``gandiag bench fixes``: which fixes cure which of the shipped failures, ten seeds each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from gandiag.comparison.compare import compare
from gandiag.comparison.parallel import Workers
from gandiag.comparison.results import Comparison, ScenarioResult
from gandiag.comparison.statistics import Estimate, Rate
from gandiag.diagnosis.diagnosis import humanize
from gandiag.plugins.errors import BadInput, nearest

# Of each failure: what its diagnoses name, what is known against it, and label smoothing, which
# ganhacks (tip 6) advises to anyone.
STUDY = {
    "vanishing_gradients": (
        "non_saturating",
        "spectral_norm",
        "non_saturating,spectral_norm",
        "linear_critic",
        "instance_noise",
        "label_smoothing",
    ),
    "mode_collapse": (
        "more_discriminator_steps",
        "r1",
        "linear_critic",
        "minibatch_discrimination",
        "packing",
        "label_smoothing",
    ),
    "non_convergence": (
        "more_discriminator_steps",
        "two_time_scales",
        "r1",
        "learning_rate_decay",
        "averaged_generator",
        "label_smoothing",
    ),
}
HEADS = ("arm", "verdict", "distance", "coverage", "steps to quality")


def study(
    root: Path, names: Sequence[str] = (), seeds: int = 10, jobs: int = 0
) -> Iterator[tuple[Comparison, Path]]:
    """Play the comparisons of the study, one after the other; what has been played is kept.

    Args:
        root: folder of the comparisons, one a scenario.
        names: scenarios of `STUDY`; all if empty.
        seeds: how often each arm is played.
        jobs: games played at a time, of one thread each; 0 for as many as there are cores.

    Raises:
        BadInput: there is no such scenario in the study.
    """
    for name in names:
        if name not in STUDY:
            raise BadInput("--case", f'no scenario "{name}" in the study; {nearest(name, STUDY)}')
    for name in names or STUDY:
        folder, workers = root / name, Workers(jobs=jobs)
        yield (
            compare(
                name, STUDY[name], folder, seeds=seeds, workers=workers, threads=1, resume=True
            ),
            folder,
        )


def tables(found: Comparison) -> str:
    """A comparison as Markdown: a row for each arm, with 95 % intervals, and the notes.

    What a step costs is left out: games of an earlier attempt may have had other work beside them.
    """
    heads = [*HEADS[:2], *map(humanize, found.conditions), *HEADS[2:]]
    rows = [heads, ["---"] * len(heads), *(_row(found, result) for result in found.results)]
    lines = [f"### `{found.name}`", "", *(f"| {' | '.join(row)} |" for row in rows)]
    notes = [f"Distance: {found.distance_name}.", *found.notes]
    return "\n".join([*lines, "", *notes])


def _row(found: Comparison, result: ScenarioResult) -> list[str]:
    return [
        f"`{result.arm.name}`",
        result.verdict or "-",
        *(_rate(result.rates[condition]) for condition in found.conditions),
        _estimate(result.distance),
        _estimate(result.coverage),
        f"{result.steps_to_quality.value:.0f}".replace("inf", "never"),
    ]


def _rate(rate: Rate) -> str:
    return f"{rate.present} of {rate.judged} ({rate.low:.0%} to {rate.high:.0%})"


def _estimate(found: Estimate) -> str:
    value, low, high = (f"{float(f'{number:.3g}'):g}" for number in found)  # 1550, not 1.55e+03
    return f"{value} ({low} to {high})"
