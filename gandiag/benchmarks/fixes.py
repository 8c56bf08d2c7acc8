"""``gandiag bench fixes``: which fixes help against which of the shipped failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from gandiag.comparison.compare import compare
from gandiag.comparison.parallel import Workers
from gandiag.comparison.results import Comparison, ScenarioResult
from gandiag.comparison.statistics import Estimate, Rate
from gandiag.diagnosis.diagnosis import humanize
from gandiag.fixes._options import has_point_data
from gandiag.plugins.errors import BadInput, suggest_nearest
from gandiag.reports.fix_evidence import CONDITIONS
from gandiag.reports.saved_runs import reopen_report

# For each failure: fixes that its diagnoses name, fixes that the literature has against it, and
# label smoothing, which ganhacks (tip 6) recommends for every GAN.
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
HEADS = ("fix", "verdict", "distance", "coverage", "steps to quality")


def compare_fixes(
    root: Path, names: Sequence[str] = (), seeds: int = 10, jobs: int = 0
) -> Iterator[tuple[Comparison, Path]]:
    """Run the comparisons of the study one after the other; finished runs are kept.

    Args:
        root: folder of the comparisons; each has a folder with the name of its scenario.
        names: scenarios of `STUDY`; all if empty.
        seeds: number of runs of each baseline, and of each fix.
        jobs: number of runs at the same time, with one thread each; 0 for one per core.

    Yields:
        Each comparison, and its folder.

    Raises:
        BadInput: the study has no such scenario.
    """
    for name in names:
        if name not in STUDY:
            problem = f'no scenario "{name}" in the study; {suggest_nearest(name, STUDY)}'
            raise BadInput("--case", problem)
    for name in names or STUDY:
        # One thread each: results depend on the number of threads, so every machine uses one.
        folder, workers = root / name, Workers(jobs=jobs)
        comparison = compare(
            name, STUDY[name], folder, seeds=seeds, workers=workers, threads=1, resume=True
        )
        yield comparison, folder


def format_comparison(comparison: Comparison) -> str:
    """Format a comparison as Markdown: a row for the baseline and each fix, and the notes.

    Shares and medians have 95 % intervals. The cost of a step is left out: other programs may have
    used the machine during some of the runs, as an interrupted benchmark is continued later.
    """
    heads = [*HEADS[:2], *map(humanize, comparison.conditions), *HEADS[2:]]
    rows = [_format_row(comparison, result) for result in comparison.results]
    table = [f"| {' | '.join(row)} |" for row in [heads, ["---"] * len(heads), *rows]]
    notes = [f"Distance: {comparison.distance_name}.", *comparison.notes]
    return "\n".join([f"### `{comparison.name}`", "", *table, "", *notes])


def list_evidence(comparison: Comparison, folder: Path) -> Iterator[list[str]]:
    """Yield the rows of ``gandiag/reports/fix_evidence.csv`` that a comparison adds to it."""
    baseline = comparison.baseline.compared
    data = "points" if has_point_data(baseline.scenario) else "images"
    cause = _find_main_cause(folder / baseline.name, comparison)
    for result in comparison.results:
        rates = [result.rates.get(condition) for condition in CONDITIONS]
        cells = [f"{rate.present}/{rate.evaluated}" if rate else "" for rate in rates]
        fixes, runs = ",".join(result.compared.fixes), str(len(result.outcomes))
        yield [comparison.name, data, cause, fixes, runs, *cells]


def _find_main_cause(folder: Path, comparison: Comparison) -> str:
    """Return the most frequent cause in the runs of a folder; empty if most have none."""
    reports = [reopen_report(folder / str(seed)) for seed in comparison.baseline.outcomes]
    causes = Counter(
        diagnosis.cause or ""
        for report in reports
        for diagnosis in report.diagnoses
        if diagnosis.status == "present" and diagnosis.condition in comparison.targets
    )
    return causes.most_common(1)[0][0] if causes else ""


def _format_row(comparison: Comparison, result: ScenarioResult) -> list[str]:
    return [
        f"`{result.compared.name}`",
        result.verdict or "-",
        *(_format_rate(result.rates[condition]) for condition in comparison.conditions),
        _format_estimate(result.distance),
        _format_estimate(result.coverage),
        # An infinite median means that most runs never reached the quality of the baseline.
        f"{result.steps_to_quality.value:.0f}".replace("inf", "never"),
    ]


def _format_rate(rate: Rate) -> str:
    return f"{rate.present} of {rate.evaluated} ({rate.low:.0%} to {rate.high:.0%})"


def _format_estimate(estimate: Estimate) -> str:
    # Rounded twice, because ".3g" alone writes 1550 as 1.55e+03.
    value, low, high = (f"{float(f'{number:.3g}'):g}" for number in estimate)
    return f"{value} ({low} to {high})"
