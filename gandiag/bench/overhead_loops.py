"""Who watches in the loops that are compared: nobody, gandiag with these probes or those, W&B."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import Tensor

from gandiag.attaching import PROBES, attach
from gandiag.attachment import Attachment
from gandiag.bench.overhead import Comparison, Make, Play
from gandiag.bench.overhead_games import GAMES, Game
from gandiag.scenario import Scenario

__all__ = ["BARE", "DEFAULT", "attached", "comparisons"]

BARE, DEFAULT, EVERY, HOOKS = "bare loop", "gandiag", "gandiag, every step", "hooks alone"
WANDB = (100, 1)  # log_freq of wandb.watch
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
    cadence: Mapping[str, Any] = {**Scenario().probes, **PROBES}
    off, every = dict.fromkeys(cadence, False), {probe: {"every": 1} for probe in cadence}

    def bare() -> Game:
        return GAMES[name](images)

    def watched(probes: Mapping[str, Any]) -> Make:
        return functools.partial(_watched, bare, probes)

    alone = {HOOKS: watched(off)} | {p: watched({**off, p: cadence[p]}) for p in cadence}
    nobody = {BARE: functools.partial(_left_alone, bare)}
    beside = nobody | {EVERY: watched(every)} | _wandb(bare, stack)
    fewer = max(1, rounds // 3)
    return [
        Comparison(name, "as it comes", BARE, nobody | {DEFAULT: watched({})}, rounds, JUDGED),
        Comparison(name, "looking at every step", BARE, beside, fewer, WARM),
        Comparison(name, "each probe alone", HOOKS, alone, fewer, WARM),
    ]


@contextmanager
def _left_alone(bare: Callable[[], Game]) -> Iterator[Play]:
    yield bare().play


@contextmanager
def _watched(bare: Callable[[], Game], probes: Mapping[str, Any]) -> Iterator[Play]:
    game = bare()
    with attached(game, probes):
        yield game.play


def attached(game: Game, probes: Mapping[str, Any]) -> Attachment:
    """Attach gandiag to a game, with these probes and the default ones that they do not name."""
    return attach(
        game.generator,
        game.discriminator,
        game.generator_optimizer,
        game.discriminator_optimizer,
        scores="logits",
        probes=probes,
    )


def _wandb(bare: Callable[[], Game], stack: ExitStack) -> dict[str, Make]:
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
        f"wandb.watch, log_freq={every}": functools.partial(_logged, bare, run, every)
        for every in WANDB
    }


@contextmanager
def _logged(bare: Callable[[], Game], run: Any, every: int) -> Iterator[Play]:
    game, played = bare(), 0
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
        yield play
    finally:
        run.unwatch(networks)
