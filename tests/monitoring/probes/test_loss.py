"""Tests of the loss probe."""

from __future__ import annotations

from collections.abc import Callable

import torch

from gandiag.monitoring.probes.loss import Loss
from gandiag.monitoring.snapshot import Snapshot

MakeSnapshot = Callable[..., Snapshot]


def test_loss_is_recorded(make_snapshot: MakeSnapshot) -> None:
    """The loss is recorded unchanged, under the name of the stepping network; NaN too."""
    for network in ("generator", "discriminator"):
        for loss in (torch.tensor(0.7), torch.tensor(torch.nan)):
            found = Loss().observe(make_snapshot(network_name=network, loss=loss))
            assert list(found) == [f"value/{network}"]
            torch.testing.assert_close(found[f"value/{network}"], loss, equal_nan=True)


def test_unknown_loss_is_no_signal(make_snapshot: MakeSnapshot) -> None:
    """A loop that does not pass its loss gives no signal."""
    assert Loss().observe(make_snapshot()) == {}
