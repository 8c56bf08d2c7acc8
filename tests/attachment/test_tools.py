from __future__ import annotations

import copy
import os
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev
from torch.nn.functional import softplus
from torch.optim import Adam, Optimizer

import gandiag
from gandiag.attachment.watch_handle import Attachment

Networks = tuple[nn.Module, nn.Module, Optimizer, Optimizer]
OFTEN = {"confidence": {"every": 1}}


def build() -> Networks:
    """Two networks for points, and their optimizers."""
    torch.manual_seed(0)
    g = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    d = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
    return g, d, Adam(g.parameters(), 1e-3), Adam(d.parameters(), 1e-3)


def train(networks: Networks, steps: int) -> list[Tensor]:
    """Train for some steps; return the weights."""
    g, d, g_step, d_step = networks
    for _ in range(steps):
        fake = g(torch.randn(32, 4))
        d_step.zero_grad()
        on_real, on_fake = d(torch.randn(32, 2)), d(fake.detach())
        (softplus(-on_real).mean() + softplus(on_fake).mean()).backward()
        d_step.step()
        g_step.zero_grad()
        softplus(-d(fake)).mean().backward()
        g_step.step()
    return [p.detach().clone() for p in (*g.parameters(), *d.parameters())]


def attach(networks: Networks) -> Attachment:
    """Attach gandiag, with an evaluation at every step."""
    return gandiag.attach(*networks, scores="logits", probes=OFTEN)


def script(network: nn.Module, x: Tensor) -> Tensor:
    """The output of a scripted network."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls scripts deprecated
        return torch.jit.script(network)(x)


TOOLS: dict[str, Callable[[nn.Module, Tensor], Tensor]] = {
    "script": script,
    "script of a copy": lambda g, x: script(copy.deepcopy(g), x),
    "copy": lambda g, x: copy.copy(g)(x),
    "export": lambda g, x: torch.export.export(g, (x,)).module()(x),
    "vmap": lambda g, x: torch.vmap(g)(x),
    "functional": lambda g, x: torch.vmap(
        lambda row: functional_call(g, dict(g.named_parameters()), (row,))
    )(x),
    "grad": lambda g, x: torch.vmap(grad(lambda row: g(row).sum()))(x),
    "jacobian": lambda g, x: jacrev(g)(x),
}


@pytest.mark.parametrize("name", TOOLS)
def test_tools_of_torch_work_while_attached(name: str) -> None:
    """A tool gives the same result as without gandiag, and the monitoring goes on."""
    networks, x = build(), torch.randn(3, 4)
    with attach(networks) as watch:
        train(networks, 3)
        found = TOOLS[name](networks[0], x)
        plain = build()[0]
        plain.load_state_dict(networks[0].state_dict())
        assert torch.equal(found, TOOLS[name](plain, x))
        train(networks, 3)
        assert watch._hooks.is_attached
        assert watch.record["confidence/auc/discriminator"].steps.tolist() == list(range(6))


def test_preview_thread_misses_no_step() -> None:
    """A thread that draws previews all the time changes no bit, and every step is measured."""
    expected = train(build(), 60)
    networks = build()
    is_over = threading.Event()
    latents = torch.randn(64, 4, generator=torch.Generator().manual_seed(1))

    def draw() -> None:
        while not is_over.is_set():
            with torch.no_grad():
                networks[0](latents)

    with attach(networks) as watch:
        preview = threading.Thread(target=draw)
        preview.start()
        found = train(networks, 60)
        is_over.set()
        preview.join()
        steps = watch.record["confidence/auc/discriminator"].steps.tolist()
    assert steps == list(range(60))
    assert all(map(torch.equal, expected, found))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_forked_process_is_not_watched() -> None:
    """The networks of a forked process train as without gandiag, and add nothing to the record."""
    networks = build()
    with attach(networks) as watch:
        train(networks, 3)
        child = os.fork()
        if not child:
            train(networks, 3)
            os._exit(watch.step)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3


def test_swapped_networks_are_noticed(recwarn: pytest.WarningsRecorder) -> None:
    """Swapped networks with swapped optimizers are noticed at the first step, and said."""
    g, d, g_step, d_step = build()
    expected = train(build(), 5)
    g, d, g_step, d_step = build()
    with gandiag.attach(d, g, d_step, g_step) as watch:
        found = train((g, d, g_step, d_step), 5)
    assert "networks are swapped" in watch.verdict
    assert "monitoring has stopped" in watch.verdict
    assert sum("swapped" in str(each.message) for each in recwarn) == 1
    assert all(map(torch.equal, expected, found))


def test_report_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """`publish` warns where nothing can be written, as its caller may be a training."""
    networks = build()
    (tmp_path / "file").write_text("")
    with attach(networks) as watch:
        train(networks, 3)
        with pytest.warns(RuntimeWarning, match="cannot publish"):
            assert watch.publish(tmp_path / "file" / "below") == ()
