"""Loops that are compared: unwatched, watched by gandiag with some probes, or watched by W&B."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import Tensor

from gandiag.attachment.attach import attach
from gandiag.attachment.watch_handle import Attachment
from gandiag.benchmarks.overhead.measure import Comparison, Loop, Train
from gandiag.benchmarks.overhead.models import MODELS, BenchModel
from gandiag.plugins.builtin import PROBE_CADENCES
from gandiag.scenario.schema import Scenario

UNWATCHED, DEFAULT = "unwatched", "gandiag"
EVERY_STEP, HOOKS = "gandiag, every step", "hooks alone"
WANDB_LOG_FREQUENCIES = (100, 1)  # Values of `log_freq` of wandb.watch.
UNWATCHED_WARM_UP = 10  # Steps of an unwatched loop before the clock starts.
# Steps of a watched loop before the clock starts: the reference statistics are built from 24
# batches of 128 samples, or 48 batches of 64.
WARM_UP = 60
# The same if detectors are evaluated. Before step 500 they only report that it is early, which
# costs less than an evaluation.
DETECTOR_WARM_UP = 600


def build_comparisons(name: str, images: Tensor, rounds: int, stack: ExitStack) -> list[Comparison]:
    """Build the comparisons of a model: with defaults, with every probe, and each probe alone.

    Args:
        name: one of `MODELS`.
        images: ``(N, 1, 28, 28)`` training images.
        rounds: number of blocks of each loop in the first comparison. The other comparisons take a
            third of it: their costs are larger, so fewer blocks measure them well enough.
        stack: ends the run of W&B when it is closed.
    """
    # The intervals of `gandiag.attach`, because the measured loops are loops of a user.
    cadence: Mapping[str, Any] = {
        **Scenario().probes,
        **{probe: {"every": n} for probe, n in PROBE_CADENCES["attach"].items()},
    }
    off = dict.fromkeys(cadence, False)
    every_step = {probe: {"every": 1} for probe in cadence}

    def watched(probes: Mapping[str, Any], warm_up: int) -> Loop:
        return functools.partial(_watched_loop, probes=probes, warm_up=warm_up)

    build = functools.partial(MODELS[name], images)
    defaults: dict[str, Loop] = {
        UNWATCHED: _unwatched_loop,
        DEFAULT: watched({}, DETECTOR_WARM_UP),
    }
    frequent: dict[str, Loop] = {
        UNWATCHED: _unwatched_loop,
        EVERY_STEP: watched(every_step, WARM_UP),
        **_build_wandb_loops(stack),
    }
    single: dict[str, Loop] = {
        HOOKS: watched(off, WARM_UP),
        **{probe: watched({**off, probe: cadence[probe]}, WARM_UP) for probe in cadence},
    }
    fewer = max(1, rounds // 3)
    return [
        Comparison(name, "defaults", UNWATCHED, build, defaults, rounds, crossed=True),
        Comparison(name, "every probe at every step", UNWATCHED, build, frequent, fewer),
        Comparison(name, "each probe alone", HOOKS, build, single, fewer),
    ]


@contextmanager
def _unwatched_loop(model: BenchModel) -> Iterator[Train]:
    model.train(UNWATCHED_WARM_UP)
    yield model.train


@contextmanager
def _watched_loop(model: BenchModel, probes: Mapping[str, Any], warm_up: int) -> Iterator[Train]:
    with attach_gandiag(model, probes):
        model.train(warm_up)
        yield model.train


def attach_gandiag(model: BenchModel, probes: Mapping[str, Any]) -> Attachment:
    """Attach gandiag to a model, with these probes and the defaults of all others."""
    return attach(
        model.generator,
        model.discriminator,
        model.generator_optimizer,
        model.discriminator_optimizer,
        scores="logits",
        probes=probes,
    )


def _build_wandb_loops(stack: ExitStack) -> dict[str, Loop]:
    """Build loops with ``wandb.watch``, offline and in a temporary folder.

    Each loop commits its data as often as it collects them. If W&B does not start, a warning says
    why, and there are no such loops.
    """
    if not WANDB_LOG_FREQUENCIES:
        return {}
    import wandb

    folder = Path(stack.enter_context(TemporaryDirectory()))
    settings = wandb.Settings(silent=True, console="off", disable_code=True, disable_git=True)
    try:
        run = wandb.init(dir=folder, mode="offline", settings=settings)
    except Exception as error:  # W&B raises its own exceptions; gandiag is measured without it.
        warnings.warn(f"wandb.watch is left out: {error}", RuntimeWarning, stacklevel=2)
        return {}
    stack.callback(run.finish)
    return {
        f"wandb.watch, log_freq={every}": functools.partial(_wandb_loop, run=run, every=every)
        for every in WANDB_LOG_FREQUENCIES
    }


@contextmanager
def _wandb_loop(model: BenchModel, run: Any, every: int) -> Iterator[Train]:
    step = 0
    networks = (model.generator, model.discriminator)
    run.watch(networks, log="gradients", log_freq=every)

    def train(steps: int) -> None:
        nonlocal step
        for _ in range(steps):
            model.train(1)
            step += 1
            if step % every == 0:
                run.log({"step": step})

    try:
        train(WARM_UP)
        yield train
    finally:
        run.unwatch(networks)
