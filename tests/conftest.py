"""Networks, data and snapshots whose answers can be worked out by hand."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import settings
from torch import Tensor, nn

from gandiag.datasets.data import Data
from gandiag.datasets.ring import Ring
from gandiag.models.gan import GAN
from gandiag.models.losses import NON_SATURATING
from gandiag.models.networks import Scorer
from gandiag.monitoring.reference import Reference
from gandiag.monitoring.snapshot import Snapshot
from gandiag.plugins import errors
from gandiag.records.writer import Recorder

# How long an example takes is no law. A check that fails must fail again for whoever looks into it;
# `pytest --hypothesis-profile searching` draws other examples each time.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("searching", deadline=None)
settings.load_profile("repeatable")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Let each test begin with the same random numbers, alone and after others."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def unraised_warnings(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The warnings of gandiag that pytest's filters would raise; any of them fails the test.

    A test that expects some clears the list.
    """
    unraised: list[str] = []
    monkeypatch.setattr(errors, "print_instead", unraised.append)
    yield unraised
    assert not unraised


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Small tensors gain nothing from threads, and the machine may be shared."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _interruptible() -> None:
    """A shell starts what runs in the background deaf to Ctrl-C, and its children with it."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def ring() -> Data:
    """Eight Gaussians with sd 0.02 at radius 2."""
    return Ring(sd=0.02).load()


@pytest.fixture(scope="session")
def ring_reference(ring: Data) -> Reference:
    """Reference statistics of the ring, for 512 generated samples at a time."""
    return Reference.from_samples(ring.train, ring.held_out)


def random_points(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    """Normal numbers from a stream of their own."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def normal() -> Callable[..., Tensor]:
    """Normal numbers of a shape: ``normal((3, 2), seed=1)``."""
    return random_points


@pytest.fixture
def make_snapshot(ring_reference: Reference) -> Callable[..., Snapshot]:
    """Makes a snapshot of a generator step on the ring; keyword arguments set further fields."""
    generator = nn.Linear(4, 2)
    discriminator = Scorer(nn.Linear(2, 1))

    def make(**fields: Any) -> Snapshot:
        defaults: dict[str, Any] = {
            "step": 7,
            "network_name": "generator",
            "generator": generator,
            "discriminator": discriminator,
            "reference": ring_reference,
        }
        return Snapshot(**defaults | fields)

    return make


@pytest.fixture
def memory() -> Recorder:
    """A record that stays in memory."""
    return Recorder(None, {}, {})


def noisy_gan() -> GAN:
    """A small GAN for points whose players have everything that a look could disturb.

    BatchNorm has running statistics; dropout draws from torch's global generator.
    """
    generator = nn.Sequential(
        nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2)
    )
    body = nn.Sequential(
        nn.Linear(2, 16), nn.BatchNorm1d(16), nn.LeakyReLU(0.2), nn.Dropout(0.2), nn.Linear(16, 1)
    )
    return GAN(generator, Scorer(body), NON_SATURATING, latent_size=4)


@pytest.fixture
def build_noisy_gan() -> Callable[[], GAN]:
    """Builds a GAN with BatchNorm and dropout in both networks."""
    return noisy_gan
