"""Known causes of errors: they end neither a training nor a script, and never in silence."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.optim import SGD

import gandiag
from gandiag.attachment.watch_handle import Attachment
from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.records.record import Record

Networks = tuple[nn.Module, nn.Module]
Step = Callable[[nn.Module, nn.Module, Tensor, SGD, SGD], None]


class TwoHeads(nn.Module):
    """A discriminator whose scores are one part of a split output."""

    def __init__(self) -> None:
        """Create the layer."""
        super().__init__()
        self.layer = nn.Linear(2, 9)

    def forward(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """``(B, 2)`` to scores ``(B, 1)`` and classes ``(B, 8)``."""
        scores, classes = torch.split(self.layer(points), [1, 8], 1)
        return scores, classes


class Chunks(nn.Module):
    """A generator that returns two parts of one output."""

    def __init__(self) -> None:
        """Create the layer."""
        super().__init__()
        self.layer = nn.Linear(2, 4)

    def forward(self, latents: Tensor) -> tuple[Tensor, ...]:
        """``(B, 2)`` to two batches of points."""
        return self.layer(latents).chunk(2, 1)  # type: ignore[no-any-return]


class NoGradient(torch.autograd.Function):
    """The identity; its backward pass gives no gradient."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        """Return the values."""
        return values.clone()

    @staticmethod
    def backward(context: Any, *gradients: Any) -> None:
        """Return no gradient."""


def _scores(output: Any) -> Tensor:
    scores: Tensor = output[0] if isinstance(output, tuple) else output
    return scores


def separate_losses(g: nn.Module, d: nn.Module, real: Tensor, g_step: SGD, d_step: SGD) -> None:
    """The losses of both heads have backward passes of their own."""
    fake = _scores(g(torch.randn(32, 2)))
    d_step.zero_grad()
    for samples, sign in ((real, -1), (fake.detach(), 1)):
        scores, classes = d(samples)
        softplus(sign * scores).mean().backward(retain_graph=True)
        classes.square().mean().backward()
    d_step.step()
    g_step.zero_grad()
    scores, classes = d(fake)
    softplus(-scores).mean().backward(retain_graph=True)
    classes.square().mean().backward()
    g_step.step()


def simple(g: nn.Module, d: nn.Module, real: Tensor, g_step: SGD, d_step: SGD) -> None:
    """Cross-entropy."""
    fake = _scores(g(torch.randn(32, 2)))
    d_step.zero_grad()
    loss = softplus(-_scores(d(real))).mean() + softplus(_scores(d(fake.detach()))).mean()
    loss.backward()
    d_step.step()
    g_step.zero_grad()
    softplus(-_scores(d(fake))).mean().backward()
    g_step.step()


def unused_chunk(g: nn.Module, d: nn.Module, real: Tensor, g_step: SGD, d_step: SGD) -> None:
    """Only the second part of G's output goes on to a loss in some backward passes."""
    first, second = g(torch.randn(32, 2))
    d_step.zero_grad()
    (softplus(-d(real)).mean() + softplus(d(first.detach())).mean()).backward()
    d_step.step()
    g_step.zero_grad()
    on_first, on_second = d(first), d(second)
    softplus(-on_second).mean().backward(retain_graph=True)
    softplus(-on_first).mean().backward()
    g_step.step()


def no_gradient(g: nn.Module, d: nn.Module, real: Tensor, g_step: SGD, d_step: SGD) -> None:
    """D's scores get no gradient from a function of the user's own."""
    fake = g(torch.randn(32, 2))
    d_step.zero_grad()
    (softplus(-d(real)).mean() + softplus(d(fake.detach())).mean()).backward()
    d_step.step()
    g_step.zero_grad()
    (NoGradient.apply(d(fake)).mean() + fake.square().mean()).backward()  # type: ignore[no-untyped-call]
    g_step.step()


def build(name: str) -> Networks:
    """Two small networks."""
    torch.manual_seed(0)
    generator = Chunks() if name == "unused_chunk" else nn.Linear(2, 2)
    return generator, TwoHeads() if name == "separate_losses" else nn.Linear(2, 1)


STEPS: Mapping[str, Step] = {
    step.__name__: step for step in (separate_losses, simple, unused_chunk, no_gradient)
}


def train(name: str = "simple", steps: int = 30, **options: Any) -> tuple[list[Tensor], Any]:
    """Train, watched if there are options; return the weights and the attachment."""
    generator, discriminator = build(name)
    g_step, d_step = SGD(generator.parameters(), 0.05), SGD(discriminator.parameters(), 0.05)
    watch = None
    if options:
        networks = (generator, discriminator, g_step, d_step)
        watch = gandiag.attach(*networks, **{"scores": "logits", **options})
    for _ in range(steps):
        STEPS[name](generator, discriminator, torch.randn(32, 2), g_step, d_step)
    if watch is not None:
        watch.detach()
    return [p.detach() for p in (*generator.parameters(), *discriminator.parameters())], watch


EVERY_STEP = {name: {"every": 1} for name in ("loss", "gradient", "learning_signal", "objective")}


@pytest.mark.parametrize("name", STEPS)
def test_autograd_may_pass_none(name: str) -> None:
    """A tensor's hook that gets None instead of a gradient ends nothing and stops nothing."""
    expected, _ = train(name)
    options: dict[str, Any] = {"probes": EVERY_STEP | {"loop": {"every": 1}}}
    if name == "separate_losses":
        options["select"] = lambda output: output[0]
    weights, watch = train(name, **options)
    assert all(map(torch.equal, weights, expected))
    assert watch.record["gradient/norm/generator"].steps[-1] == 29


def test_folder_may_vanish(tmp_path: Path, unraised_warnings: list[str]) -> None:
    """Without its folder, the record continues in memory; one warning, and no exception."""
    generator, discriminator = build("simple")
    g_step, d_step = SGD(generator.parameters(), 0.05), SGD(discriminator.parameters(), 0.05)
    folder = tmp_path / "run"

    def loop(steps: int) -> None:
        for _ in range(steps):
            simple(generator, discriminator, torch.randn(32, 2), g_step, d_step)

    def break_off() -> None:
        with gandiag.attach(
            generator, discriminator, g_step, d_step, scores="logits", folder=folder
        ) as watch:
            kept.append(watch)
            loop(60)
            shutil.rmtree(folder)
            loop(100)
            raise ZeroDivisionError

    kept: list[Attachment] = []
    with pytest.raises(ZeroDivisionError):  # the user's own, not an OSError
        break_off()
    assert kept[0].record["gradient/norm/generator"].steps.tolist() == [0, 50, 100, 150]
    assert [text for text in unraised_warnings if "only that in memory" in text]
    assert len(unraised_warnings) <= 2  # the sample grids have a warning of their own
    unraised_warnings.clear()


@dataclass(frozen=True)
class BrokenDetector:
    """Raises."""

    condition: ClassVar[str] = "broken"
    needs: ClassVar[frozenset[str]] = frozenset()

    def detect(self, record: Record) -> Diagnosis:
        """Raise."""
        raise ValueError("broken")


class BrokenFollower:
    """Raises at every call."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("not comparable")

    __hash__ = object.__hash__

    def begin(self, *_: Any) -> None:
        """Do nothing."""

    def follow(self, *_: Any) -> None:
        """Raise."""
        raise ValueError("follow")

    alert = follow

    def end(self) -> None:
        """Raise."""
        raise ValueError("end")


def test_third_party_code_may_raise(unraised_warnings: list[str]) -> None:
    """A detector or follower that raises is alone in that; the rest goes on."""
    expected, _ = train(steps=120)
    torch.manual_seed(0)
    generator, discriminator = build("simple")
    g_step, d_step = SGD(generator.parameters(), 0.05), SGD(discriminator.parameters(), 0.05)
    watch = gandiag.attach(
        *(generator, discriminator, g_step, d_step),
        scores="logits",
        followers=[BrokenFollower()],
        detection={"every": 50},
    )
    watch._session.monitor.detectors = (*watch._session.monitor.detectors, BrokenDetector())
    for _ in range(120):
        simple(generator, discriminator, torch.randn(32, 2), g_step, d_step)
    watch.detach()
    weights = [p.detach() for p in (*generator.parameters(), *discriminator.parameters())]
    assert all(map(torch.equal, weights, expected))
    assert watch.record["gradient/norm/generator"].steps[-1] == 100
    assert [text for text in unraised_warnings if "BrokenFollower" in text]
    unraised_warnings.clear()


def test_end_is_told(monkeypatch: pytest.MonkeyPatch, unraised_warnings: list[str]) -> None:
    """After an error, followers are ended, measurements kept, and every diagnosis says why."""
    calls: list[str] = []

    class Ended(BrokenFollower):
        def follow(self, *_: Any) -> None:
            """Do nothing."""

        alert = follow

        def end(self) -> None:
            """Note the call."""
            calls.append("end")

    generator, discriminator = build("simple")
    g_step, d_step = SGD(generator.parameters(), 0.05), SGD(discriminator.parameters(), 0.05)
    networks = (generator, discriminator, g_step, d_step)
    watch = gandiag.attach(*networks, scores="logits", followers=[Ended()])
    for step in range(80):
        if step == 60:
            monkeypatch.setattr(watch._session.watch, "is_due", lambda *_: 1 / 0)
        simple(generator, discriminator, torch.randn(32, 2), g_step, d_step)
    assert calls == ["end"]
    watch.detach()
    assert calls == ["end"]
    assert watch.record["gradient/norm/generator"].steps.tolist() == [0, 50]
    for diagnosis in watch.diagnose():
        assert "Nothing was measured since step" in diagnosis.summary
        assert "ZeroDivisionError" in diagnosis.summary
    assert len(unraised_warnings) == 1
    unraised_warnings.clear()


def test_two_attachments_share_an_optimizer(unraised_warnings: list[str]) -> None:
    """An attachment that gives up within a step leaves the hooks of the other one in place."""
    generator, discriminator = build("simple")
    g_step, d_step = SGD(generator.parameters(), 0.05), SGD(discriminator.parameters(), 0.05)
    other = nn.Linear(2, 1)  # two attachments to one pair are refused
    other_step = SGD(other.parameters(), 0.05)
    first = gandiag.attach(generator, discriminator, g_step, d_step, scores="logits")
    second = gandiag.attach(generator, other, g_step, other_step, scores="logits")
    first._hooks._arm = lambda: 1 / 0  # type: ignore[assignment, return-value, method-assign]
    for _ in range(5):
        simple(generator, discriminator, torch.randn(32, 2), g_step, d_step)
    assert second.step == 5
    first.detach()
    second.detach()
    assert not g_step._optimizer_step_post_hooks
    assert len(unraised_warnings) == 1
    unraised_warnings.clear()


def test_warnings_may_be_errors(tmp_path: Path) -> None:
    """Under ``python -W error``, a warning of gandiag is printed and ends nothing."""
    script = tmp_path / "script.py"
    script.write_text(
        "import torch, gandiag\n"
        "from torch import nn\n"
        "g, d = nn.Linear(2, 2), nn.Linear(2, 1)\n"
        "steps = [torch.optim.SGD(n.parameters(), 0.1) for n in (g, d)]\n"
        "with gandiag.attach(g, d, *steps, scores='logits', select=lambda x: x.missing):\n"
        "    for _ in range(3):\n"
        "        d(g(torch.randn(4, 2)).detach()).mean().backward(); steps[1].step()\n"
        "        d(g(torch.randn(4, 2))).mean().backward(); steps[0].step()\n"
        "print('next line')\n"
    )
    command = [sys.executable, "-W", "error::RuntimeWarning", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "next line\n", done.stderr
    assert "gandiag stops monitoring" in done.stderr
