"""Fault injection: makes one function of gandiag raise at one of its calls.

``python -m tests.reliability.faults`` makes every function of four packages raise at its calls 1,
2, 10 and 100 (minutes); the suite plays a sample of them.
"""

from __future__ import annotations

import gc
import pkgutil
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.optim import SGD

import gandiag

PACKAGES = ("monitoring", "records", "attachment", "diagnosis")
CALLS = (1, 2, 10, 100)
STEPS = 150
# The doors: whatever is called through them may raise; they themselves stand between it and the
# loop, and have no other code.
DOORS = frozenset(
    {
        "_GuardedHook.__call__",
        "_MethodWrapper.__call__",
        "defer_to_closure.<locals>.closure_with_hook",
        "Attachment.__enter__",
        "Attachment.__exit__",
        "Attachment.detach",
        "Attachment._do",
        "_raises_only_bad_input.<locals>.call",
    }
)


class Fault(RuntimeError):
    """The injected error."""


class Injector:
    """Raises `Fault` when one function is called for the n-th time, by the interpreter's profiler.

    No reference to the function needs to be replaced: hooks and partial functions raise, too.
    """

    def __init__(self, code: CodeType, call: int) -> None:
        """Raise at this call of the function with this code; the first call is 1."""
        self.code, self.left = code, call

    def __enter__(self) -> Injector:
        """Begin to count."""
        sys.setprofile(self._on_event)
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        sys.setprofile(None)

    def _on_event(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code is self.code:
            self.left -= 1
            if self.left == 0:
                raise Fault(self.code.co_qualname)


def list_functions() -> list[CodeType]:
    """The code of every function, method, property and inner function of the packages."""
    for package in PACKAGES:
        root = import_module(f"gandiag.{package}")
        for module in pkgutil.walk_packages(root.__path__, f"gandiag.{package}."):
            if ".readers" not in module.name:  # readers of other tools' logs: no loop calls them
                import_module(module.name)
    folders = tuple(str(Path(gandiag.__file__).parent / package) for package in PACKAGES)
    functions = (each for each in gc.get_objects() if type(each) is type(list_functions))
    codes = {
        code
        for function in functions
        if function.__code__.co_filename.startswith(folders)
        for code in _walk(function.__code__)
    }
    chosen = [code for code in codes if code.co_qualname not in DOORS]
    return sorted(chosen, key=lambda code: (code.co_filename, code.co_firstlineno, code.co_name))


def _walk(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _walk(constant)


class CallCounter:
    """Counts the calls of every function, in place of an `Injector`."""

    def __init__(self) -> None:
        """Start without calls."""
        self.counts: Counter[CodeType] = Counter()

    def __enter__(self) -> CallCounter:
        """Begin to count."""
        sys.setprofile(self._on_event)
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        sys.setprofile(None)

    def _on_event(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            self.counts[frame.f_code] += 1


def list_faults(folder: Path) -> tuple[list[tuple[CodeType, int]], int]:
    """The functions and calls that a run without faults reaches, and the number of all."""
    counter = CallCounter()
    train(folder, counter)
    every = [(code, call) for code in list_functions() for call in CALLS]
    return [(code, call) for code, call in every if counter.counts[code] >= call], len(every)


def train(
    folder: Path | None, injector: Injector | CallCounter | None = None
) -> tuple[list[Tensor], bool]:
    """Train a tiny GAN for `STEPS` steps, watched where there is a folder.

    Returns:
        The weights at the end, and whether the script's own next line was reached.
    """
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
    discriminator = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.1), nn.ReLU(), nn.Linear(8, 1))
    g_step, d_step = SGD(generator.parameters(), 0.05), SGD(discriminator.parameters(), 0.05)
    real = torch.randn(640, 2, generator=torch.Generator().manual_seed(1))
    watch = None
    if injector is not None:
        injector.__enter__()
    try:
        if folder is not None:
            try:
                watch = gandiag.attach(
                    *(generator, discriminator, g_step, d_step),
                    scores="logits",
                    real=real,
                    folder=folder,
                    followers=["console"],
                    probes={"diversity": {"every": 50}, "loop": {"every": 50}},
                )
            except gandiag.BadInput:
                watch = None
        for index in range(STEPS):
            batch = real[32 * (index % 20) : 32 * (index % 20) + 32]
            fake = generator(torch.randn(32, 2))
            d_step.zero_grad()
            loss = softplus(-discriminator(batch)).mean()
            (loss + softplus(discriminator(fake.detach())).mean()).backward()
            d_step.step()
            g_step.zero_grad()
            softplus(-discriminator(fake)).mean().backward()
            g_step.step()
        if watch is not None:
            watch.__exit__(None, None, None)
    finally:
        if injector is not None:
            injector.__exit__()
    return [*generator.state_dict().values(), *discriminator.state_dict().values()], True


def play(cases: Sequence[tuple[CodeType, int]], folder: Path) -> tuple[Counter[str], list[str]]:
    """Play faults; return counts, and descriptions of those that were not survived."""
    expected, _ = train(None)
    counts: Counter[str] = Counter()
    failures = []
    for number, (code, call) in enumerate(cases):
        injector = Injector(code, call)
        name = f"{Path(code.co_filename).name}:{code.co_firstlineno} {code.co_qualname} call {call}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                weights, _ = train(folder / str(number), injector)
            except Exception as error:
                counts["ended the training"] += 1
                failures.append(f"{name}: {type(error).__name__}: {error}")
                continue
        counts["raised" if injector.left <= 0 else "not reached"] += 1
        if not all(map(torch.equal, weights, expected)):
            counts["other bits"] += 1
            failures.append(f"{name}: other bits")
    return counts, failures


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        reached, size = list_faults(Path(temporary) / "counted")
        found, lost = play(reached, Path(temporary))
    text = f"{len(reached)} of {size} faults are reached: {dict(found)}\n"
    sys.stderr.write(text + "".join(f"{line}\n" for line in lost))
