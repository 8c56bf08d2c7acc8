"""Who watches in the loops that are compared: nobody, gandiag with these probes or those, W&B."""

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
from gandiag.benchmarks.overhead.measure import Comparison, Loop, Play
from gandiag.benchmarks.overhead.models import GAMES, BenchModel
from gandiag.plugins.builtin import PROBE_CADENCES
from gandiag.scenario.schema import Scenario

BARE, DEFAULT, EVERY, HOOKS = "bare loop", "gandiag", "gandiag, every step", "hooks alone"
WANDB = (100, 1)  # log_freq of wandb.watch
ALONE = 10  # steps before the clock, of a loop that nobody watches
WARM = 60  # steps before the clock: the reference is gathered from 24 batches of 128, or 48 of 64
JUDGED = 600  # the same where detectors are asked: before 500 steps they only say that it is early


def comparisons(name: str, images: Tensor, rounds: int, stack: ExitStack) -> list[Comparison]:
    """What is compared on a game; each loop has networks of its own.

    Args:
        name: of the game.
        images: what it is played with.
        rounds: blocks of the first comparison; the others, whose costs are larger or of less
            interest, get a third.
        stack: what ends W&B's run in the end.
    """
    cadence: Mapping[str, Any] = {
        **Scenario().probes,
        **{name: {"every": n} for name, n in PROBE_CADENCES["attach"].items()},
    }
    off, every = dict.fromkeys(cadence, False), {probe: {"every": 1} for probe in cadence}

    def watched(probes: Mapping[str, Any], warm: int) -> Loop:
        return functools.partial(_watched, probes=probes, warm=warm)

    make = functools.partial(GAMES[name], images)
    alone = {p: watched({**off, p: cadence[p]}, WARM) for p in cadence}
    beside: dict[str, Loop] = {BARE: _left_alone, EVERY: watched(every, WARM)}
    beside |= _wandb(stack)
    usual: dict[str, Loop] = {BARE: _left_alone, DEFAULT: watched({}, JUDGED)}
    fewer = max(1, rounds // 3)
    return [
        Comparison(name, "as it comes", BARE, make, usual, rounds, crossed=True),
        Comparison(name, "looking at every step", BARE, make, beside, fewer),
        Comparison(
            name, "each probe alone", HOOKS, make, {HOOKS: watched(off, WARM)} | alone, fewer
        ),
    ]


@contextmanager
def _left_alone(game: BenchModel) -> Iterator[Play]:
    game.play(ALONE)
    yield game.play


@contextmanager
def _watched(game: BenchModel, probes: Mapping[str, Any], warm: int) -> Iterator[Play]:
    with attached(game, probes):
        game.play(warm)
        yield game.play


def attached(game: BenchModel, probes: Mapping[str, Any]) -> Attachment:
    """Attach gandiag to a game, with these probes and the default ones that they do not name."""
    return attach(
        game.generator,
        game.discriminator,
        game.generator_optimizer,
        game.discriminator_optimizer,
        scores="logits",
        probes=probes,
    )


def _wandb(stack: ExitStack) -> dict[str, Loop]:
    """Loops under ``wandb.watch``, offline and in a folder that is thrown away.

    Each commits what was collected as often as it collects. Where W&B does not start, there are
    none, and a warning says so.
    """
    if not WANDB:
        return {}
    import wandb

    folder = Path(stack.enter_context(TemporaryDirectory()))
    settings = wandb.Settings(silent=True, console="off", disable_code=True, disable_git=True)
    try:
        run = wandb.init(dir=folder, mode="offline", settings=settings)
    except Exception as error:
        warnings.warn(f"left out: wandb.watch: {error}", RuntimeWarning, stacklevel=2)
        return {}
    stack.callback(run.finish)
    return {
        f"wandb.watch, log_freq={every}": functools.partial(_logged, run=run, every=every)
        for every in WANDB
    }


@contextmanager
def _logged(game: BenchModel, run: Any, every: int) -> Iterator[Play]:
    played = 0
    networks = (game.generator, game.discriminator)
    run.watch(networks, log="gradients", log_freq=every)

    def play(steps: int) -> None:
        nonlocal played
        for _ in range(steps):
            game.play(1)
            played += 1
            if played % every == 0:
                run.log({"step": played})

    try:
        play(WARM)
        yield play
    finally:
        run.unwatch(networks)
