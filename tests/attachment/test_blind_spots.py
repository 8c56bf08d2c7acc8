"""gandiag sees calls past `Module.__call__` and steps with a closure, or says that it is blind."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, softplus
from torch.optim import SGD

import gandiag
from gandiag.attachment.watch_handle import Attachment

EVERY_STEP = {
    name: {"every": 1} for name in ("gradient", "learning_signal", "objective", "displacement")
}


class Named(nn.Module):
    """A linear network with further methods that compute the same."""

    def __init__(self, out: int) -> None:
        """Create the layer."""
        super().__init__()
        self.layer = nn.Linear(2, out)

    def forward(self, inputs: Tensor) -> Tensor:
        """``(B, 2)`` to ``(B, out)``."""
        outputs: Tensor = self.layer(inputs)
        return outputs

    def sample(self, count: int) -> Tensor:
        """Samples from random latents."""
        return self.forward(torch.randn(count, 2))

    def score(self, samples: Tensor) -> Tensor:
        """Scores."""
        return self.forward(samples)

    def penalty(self, samples: Tensor) -> Tensor:
        """A loss, not scores."""
        return 0 * self.score(samples).square().mean()


def train(
    style: str, steps: int = 20, **options: Any
) -> tuple[Named, Named, Attachment | None, list[Tensor]]:
    """Train two networks that are called in a style; watched if there are options."""
    torch.manual_seed(0)
    g, d = Named(2), Named(1)
    g_step, d_step = SGD(g.parameters(), 0.05), SGD(d.parameters(), 0.05)
    watch = gandiag.attach(g, d, g_step, d_step, **options) if options else None
    for _ in range(steps):
        # Looked up at each call, as a loop does.
        score = {"forward": d.forward, "methods": d.score}.get(style, d)
        if style == "forward":
            fake = g.forward(torch.randn(32, 2))
        else:
            fake = g.sample(32) if style in ("methods", "sampled") else g(torch.randn(32, 2))
        d_step.zero_grad()
        loss = softplus(-score(torch.randn(32, 2))).mean() + softplus(score(fake.detach())).mean()
        (loss + (d.penalty(fake.detach()) if style == "methods" else 0)).backward()
        d_step.step()
        g_step.zero_grad()
        softplus(-score(fake)).mean().backward()
        g_step.step()
    return g, d, watch, [p.detach() for p in (*g.parameters(), *d.parameters())]


@pytest.mark.parametrize("style", ["forward", "methods", "sampled"])
def test_methods_are_watched(style: str) -> None:
    """Calls of ``forward`` and of named methods are measured, with the same bits; then undone."""
    *_, expected = train(style)
    g, d, watch, weights = train(style, scores="logits", probes=EVERY_STEP)
    assert watch is not None
    assert all(map(torch.equal, weights, expected))
    for network in (g, d):
        duplicate = copy.deepcopy(network)
        assert torch.equal(duplicate.forward(torch.ones(1, 2)), network.forward(torch.ones(1, 2)))
        again = pickle.loads(pickle.dumps(network))
        assert torch.equal(again(torch.ones(1, 2)), network(torch.ones(1, 2)))
        buffer = io.BytesIO()
        torch.save(network, buffer)
        assert b"gandiag" not in buffer.getvalue()
    with torch.no_grad():
        duplicate.layer.weight.zero_()  # the copy's own method uses the copy's own weights
        assert float(duplicate.score(torch.ones(1, 2)) - duplicate.layer.bias) == 0
    steps = watch.record["learning_signal/score_gradient/generator"].steps.tolist()
    assert steps[-19:] == list(range(1, 20))  # the first step shows that they need wrappers
    assert watch._session.watch.history.latents.count == 64
    watch.detach()
    assert not {"forward", "sample", "score", "penalty"} & (vars(g).keys() | vars(d).keys())


def test_uncalled_network_is_reported(unraised_warnings: list[str]) -> None:
    """A network that is never called gives one warning, and the diagnoses repeat the remedy."""
    g, d = nn.Sequential(nn.Linear(2, 2)), nn.Linear(2, 1)
    g_step, d_step = SGD(g.parameters(), 0.05), SGD(d.parameters(), 0.05)
    watch = gandiag.attach(g, d, g_step, d_step, scores="logits")
    for _ in range(10):
        fake = g[0](torch.randn(8, 2))
        (softplus(-d(torch.randn(8, 2))).mean() + softplus(d(fake.detach())).mean()).backward()
        d_step.step()
        softplus(-d(fake)).mean().backward()
        g_step.step()
    watch.detach()
    assert len(unraised_warnings) == 1
    assert "generator has been stepped 3 times" in unraised_warnings.pop()
    summaries = {d.condition: d.summary for d in watch.diagnose()}
    assert "Pass attach the module that the loop itself calls" in summaries["mode_collapse"]


def train_by_closures(positional: bool, watched: bool) -> tuple[list[Tensor], list[float], Any]:
    """Train through closures; return the weights, G's gradient norms, and the attachment."""
    torch.manual_seed(0)
    g, d = nn.Linear(2, 2), nn.Linear(2, 1)
    g_step, d_step = SGD(g.parameters(), 0.05), SGD(d.parameters(), 0.05)
    options: dict[str, Any] = {"scores": "logits", "probes": {"gradient": {"every": 1}}}
    watch = gandiag.attach(g, d, g_step, d_step, **options) if watched else None

    def d_loss() -> Tensor:
        d_step.zero_grad()
        fake = g(torch.randn(8, 2)).detach()
        loss = softplus(-d(torch.randn(8, 2))).mean() + softplus(d(fake)).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    def g_loss() -> Tensor:
        g_step.zero_grad()
        loss = softplus(-d(g(torch.randn(8, 2)))).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    norms = []
    for _ in range(20):
        for optimizer, closure in ((d_step, d_loss), (g_step, g_loss)):
            loss = optimizer.step(closure) if positional else optimizer.step(closure=closure)
            assert isinstance(loss, Tensor)
        gradients = [p.grad.flatten() for p in g.parameters() if p.grad is not None]
        norms.append(float(torch.cat(gradients).norm()))
    if watch is not None:
        watch.detach()
    return [p.detach() for p in (*g.parameters(), *d.parameters())], norms, watch


@pytest.mark.parametrize("positional", [True, False])
def test_closures_are_watched(positional: bool) -> None:
    """A step through a closure is measured with the gradients that the closure computes."""
    expected, norms, _ = train_by_closures(positional, watched=False)
    weights, _, watch = train_by_closures(positional, watched=True)
    assert all(map(torch.equal, weights, expected))
    found = watch.record["gradient/norm/generator"].values
    assert found.tolist() == pytest.approx(norms, rel=1e-5)


def test_unknown_split_is_reported(unraised_warnings: list[str]) -> None:
    """If no call of D has samples that G made, and signs do not tell, one warning says so."""
    torch.manual_seed(0)
    g, d = nn.Linear(2, 2), nn.Linear(2, 1)
    g_step, d_step = SGD(g.parameters(), 0.05), SGD(d.parameters(), 0.05)
    watch = gandiag.attach(g, d, g_step, d_step, scores="logits")
    for _ in range(10):
        g(torch.randn(8, 2))
        softplus(d(torch.randn(8, 2))).mean().backward()
        d_step.step()
        softplus(-d(g(torch.randn(8, 2)))).mean().backward()
        g_step.step()
    watch.detach()
    assert len([text for text in unraised_warnings if "watch.label" in text]) == 1
    unraised_warnings.clear()


def test_missing_real_samples_are_reported() -> None:
    """While real samples are collected, the diagnoses that need them say how many there are."""
    *_, watch, _ = train("call", scores="logits")
    assert watch is not None
    watch.detach()
    summaries = {d.condition: d.summary for d in watch.diagnose()}
    assert "640 of 3,024 real samples are collected" in summaries["mode_collapse"]
    assert "640 of 3,024" not in summaries["generator_ascends"]


LOSSES = {
    "logits": lambda out, real: softplus(-out if real else out).mean(),
    "critic": lambda out, real: (torch.relu(1 - out) if real else torch.relu(1 + out)).mean(),
    "probabilities": lambda out, real: binary_cross_entropy(out, torch.full_like(out, float(real))),
    "least squares": lambda out, real: (out - float(real)).square().mean(),
}


@pytest.mark.parametrize("is_module", [True, False])
@pytest.mark.parametrize("name", LOSSES)
def test_scores_are_recognised(name: str, is_module: bool) -> None:
    """Without `scores`, D's last layer and its loss tell how the outputs are read."""

    class Scores(nn.Module):
        """Two layers, with a sigmoid for probabilities."""

        def __init__(self) -> None:
            """Create the layers."""
            super().__init__()
            sigmoid = [nn.Sigmoid()] if is_module and name == "probabilities" else []
            self.layers = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1), *sigmoid)

        def forward(self, points: Tensor) -> Tensor:
            """Scores."""
            out: Tensor = self.layers(points)
            return torch.sigmoid(out) if name == "probabilities" and not is_module else out

    torch.manual_seed(0)
    g, d, loss = nn.Linear(2, 2), Scores(), LOSSES[name]
    g_step, d_step = SGD(g.parameters(), 0.05), SGD(d.parameters(), 0.05)
    watch = gandiag.attach(g, d, g_step, d_step)
    for _ in range(120):
        fake = g(torch.randn(32, 2))
        d_step.zero_grad()
        (loss(d(torch.randn(32, 2) + 1), True) + loss(d(fake.detach()), False)).backward()
        d_step.step()
        g_step.zero_grad()
        loss(d(fake), True).backward()
        g_step.step()
    watch.detach()
    assert watch.record.facts["scores"] == ("critic" if name == "least squares" else name)
    assert len(watch.record["gradient/norm/generator"].steps) >= 2
    assert ("confidence/real/discriminator" in watch.record.signals) == (
        name in ("logits", "probabilities")
    )


def test_unknown_loss_says_what_to_write(unraised_warnings: list[str]) -> None:
    """If neither layer nor loss tells how outputs are read, the warning says what to write."""
    torch.manual_seed(0)
    g, d = nn.Linear(2, 2), nn.Linear(2, 1)
    g_step, d_step = SGD(g.parameters(), 0.01), SGD(d.parameters(), 0.01)
    watch = gandiag.attach(g, d, g_step, d_step)
    for _ in range(60):
        fake = g(torch.randn(32, 2))
        d_step.zero_grad()
        on_real, on_fake = d(torch.randn(32, 2)), d(fake.detach())
        (on_real.sin().mean() - (on_fake**3).tanh().mean() + on_fake.cos().mean()).backward()
        d_step.step()
        g_step.zero_grad()
        d(fake).sin().mean().backward()
        g_step.step()
    watch.detach()
    assert 'scores="logits"' in " ".join(unraised_warnings)
    unraised_warnings.clear()
