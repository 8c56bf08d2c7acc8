"""The benchmark itself: one evaluation of known generators on each data set, and the tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from gandiag.benchmarks.static.data_sets import DEVELOPMENT, HELD_OUT
from gandiag.benchmarks.static.generators import KEPT, LOST, draw_samples, generate
from gandiag.comparison.statistics import wilson_interval
from gandiag.monitoring.probes.diversity import relate_to_baseline
from gandiag.monitoring.reference import SAMPLE_SIZE, Reference
from gandiag.monitoring.sample_metrics import compute_sample_metrics

PARTS = {"development": DEVELOPMENT, "held_out": HELD_OUT}


class Answer(NamedTuple):
    """One evaluation of one generator.

    Attributes:
        data: name of the data set.
        generator: what the samples are, a key of `LOST` or `KEPT`.
        seed: seed of the real and of the generated samples.
        by_modes: whether the effective number of modes alone says that kinds are lost.
    """

    data: str
    generator: str
    seed: int
    by_modes: bool


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
        metrics = compute_sample_metrics(reference, reference.compute_fake_stats(samples))
        numbers = relate_to_baseline(reference, metrics)
        few = float(numbers["effective_modes"]) < 0.7 and float(numbers["missing_mass"]) > 0.2
        yield Answer(data, name, seed, few)


def format_table(answers: Sequence[Answer]) -> str:
    """Format the number of calls by data set and generator as a Markdown table."""
    names = list(dict.fromkeys(answer.generator for answer in answers))
    rows = [f"| data | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    for data in (*dict.fromkeys(answer.data for answer in answers), "all"):
        cells = [_count(answers, data, name) for name in names]
        rows.append(f"| {data} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _count(answers: Sequence[Answer], data: str, generator: str) -> str:
    calls = [a.by_modes for a in answers if a.generator == generator and data in (a.data, "all")]
    if not calls:
        return ""
    if data != "all":
        return f"{sum(calls)} of {len(calls)}"
    low, high = wilson_interval(sum(calls), len(calls))
    return f"{sum(calls)} of {len(calls)} [{low:.3f}, {high:.3f}]"
