"""The benchmark itself: one evaluation of known generators on each data set, and the tables."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gandiag.benchmarks.static.data_sets import DEVELOPMENT, HELD_OUT
from gandiag.benchmarks.static.generators import KEPT, LOST, draw_samples, generate
from gandiag.comparison.statistics import wilson_interval
from gandiag.monitoring.probes.diversity import relate_to_baseline
from gandiag.monitoring.reference import SAMPLE_SIZE, Reference
from gandiag.monitoring.sample_metrics import compute_sample_metrics
from gandiag.plugins.errors import BadInput

# Kinds are called lost below this share of modes kept, if chance does not explain it. With half of
# the kinds, 0.45 to 0.64 are kept on the development half; healthy runs that were looked at keep
# 0.67 or more once they no longer improve quickly.
KEPT_BELOW = 0.65
# The p-value of fresh real samples is at most this number once in a hundred evaluations.
P_BELOW = 0.01
PARTS = {"development": DEVELOPMENT, "held_out": HELD_OUT}


class Answer(NamedTuple):
    """One evaluation of one generator.

    Attributes:
        data: name of the data set.
        generator: what the samples are, a key of `LOST` or `KEPT`.
        seed: seed of the real and of the generated samples.
        by_modes: whether the effective number of modes alone says that kinds are lost.
        kept: modes kept in any view, relative to real samples.
        p: p-value of `kept`.
    """

    data: str
    generator: str
    seed: int
    by_modes: bool
    kept: float
    p: float

    @property
    def is_called(self) -> bool:
        """Whether kinds are said to be lost."""
        return self.kept < KEPT_BELOW and self.p <= P_BELOW


def evaluate(data: str, seed: int) -> Iterator[Answer]:
    """Evaluate every generator on one data set.

    Args:
        data: name of the data set.
        seed: seed of the real samples, of the kinds that are kept, and of the generated samples.
    """
    source = (DEVELOPMENT | HELD_OUT)[data]()
    stream = np.random.default_rng([seed, sum(map(ord, data))])
    kinds = np.arange(len(source.shares))
    real = draw_samples(source, kinds, source.real_samples, stream, fresh=0)
    held_out = min(2 * SAMPLE_SIZE, len(real) // 3)
    reference = Reference.from_samples(real[held_out:], real[:held_out])
    for name in (*LOST, *KEPT):
        if name == "no_tail" and source.shares.min() == source.shares.max():
            continue  # all kinds are equally frequent
        samples = generate(name, source, SAMPLE_SIZE, stream)
        fakes = reference.compute_fake_stats(samples)
        numbers = relate_to_baseline(reference, compute_sample_metrics(reference, fakes))
        few = float(numbers["effective_modes"]) < 0.7 and float(numbers["missing_mass"]) > 0.2
        assert reference.views is not None  # every reference of one process has views
        kept = reference.views.measure(fakes.view_cells, fakes.on_data)
        yield Answer(data, name, seed, few, float(kept["kept_modes"]), float(kept["kept_modes_p"]))


def run_benchmark(names: Sequence[str], part: str, seeds: int, out: Path | None) -> str:
    """Play the benchmark.

    Args:
        names: only these data sets; empty for all of the part.
        part: ``development`` or ``held_out``; empty for both.
        seeds: number of seeds of each data set.
        out: file to which every answer is written as CSV; None for no file.

    Returns:
        The tables of the old and the new answer as Markdown.

    Raises:
        BadInput: there is no data set of a name in the part.
    """
    known = PARTS[part] if part else DEVELOPMENT | HELD_OUT
    for name in names:
        if name not in known:
            raise BadInput("--data", f"no data set {name!r}; there are {', '.join(known)}")
    answers = [a for name in names or known for seed in range(seeds) for a in evaluate(name, seed)]
    if out is not None:
        with out.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow([*Answer._fields, "is_called"])
            rows.writerows([*answer, answer.is_called] for answer in answers)
    old = format_table(answers, lambda answer: answer.by_modes)
    new = format_table(answers, lambda answer: answer.is_called)
    return f"Modes in any view:\n\n{new}\n\nEffective modes alone:\n\n{old}"


def format_table(answers: Sequence[Answer], called: Callable[[Answer], bool]) -> str:
    """Format the number of calls by data set and generator as a Markdown table."""
    names = list(dict.fromkeys(answer.generator for answer in answers))
    rows = [f"| data | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    for data in (*dict.fromkeys(answer.data for answer in answers), "all"):
        chosen = [answer for answer in answers if data in (answer.data, "all")]
        cells = [_count([called(a) for a in chosen if a.generator == name], data) for name in names]
        rows.append(f"| {data} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _count(calls: Sequence[bool], data: str) -> str:
    if not calls:
        return ""
    if data != "all":
        return f"{sum(calls)} of {len(calls)}"
    low, high = wilson_interval(sum(calls), len(calls))
    return f"{sum(calls)} of {len(calls)} [{low:.3f}, {high:.3f}]"
