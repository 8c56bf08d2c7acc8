"""A session connects recorder, monitor and watch in the same way for both entry points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import nn

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.monitoring.distributed import Ranks
from gandiag.records.record import Record
from gandiag.scenario.schema import Scenario
from gandiag.training.components import Components
from gandiag.training.session import Session, create_session
from gandiag.training.trainer import StopTraining


@dataclass(frozen=True)
class AlwaysPresent:
    """A detector that reports its condition for every record."""

    condition: ClassVar[str] = "always_present"
    needs: ClassVar[frozenset[str]] = frozenset()

    def detect(self, record: Record) -> Diagnosis:
        """Report the condition."""
        return Diagnosis(self.condition, "present", summary="Always.")


class AlertCounter:
    """A follower that counts the alerts."""

    def __init__(self) -> None:
        """Start at 0."""
        self.count = 0

    def begin(self, *_: object) -> None:
        """Do nothing."""

    def follow(self, *_: object) -> None:
        """Do nothing."""

    def alert(self, *_: object) -> None:
        """Count the alert."""
        self.count += 1

    def end(self) -> None:
        """Do nothing."""


def open_session(
    folder: Path | None = None,
    follower: AlertCounter | None = None,
    stop_on: tuple[str, ...] = (),
    ranks: Ranks | None = None,
) -> Session:
    """A session whose only detector always reports its condition."""
    settings: Mapping[str, object] = {"detection": {"every": 1}, "sample_grid_every": 1}
    scenario = Scenario.parse(dict(settings))
    components = replace(Components.from_scenario(scenario), detectors=(AlwaysPresent(),))
    followers = [] if follower is None else [follower]
    device = torch.device("cpu")
    return create_session(
        scenario, components, folder, {}, device, None, followers, stop_on, ranks=ranks
    )


@pytest.mark.parametrize(("stop_on", "stops"), [(("always_present",), True), ((), False)])
def test_condition_stops_only_if_listed(stop_on: tuple[str, ...], stops: bool) -> None:
    """A condition in `stop_on` raises StopTraining at a flush; others only alert the followers."""
    follower = AlertCounter()
    session = open_session(follower=follower, stop_on=stop_on)
    if stops:
        with pytest.raises(StopTraining):
            session.watch.flush(1)
    else:
        session.watch.flush(1)
    assert follower.count == 1


def test_only_rank_0_diagnoses() -> None:
    """On other ranks than 0, whose records are empty, no detector and no follower is called."""
    follower = AlertCounter()
    session = open_session(follower=follower, stop_on=("always_present",), ranks=Ranks(1, 2))
    session.watch.flush(1)
    assert follower.count == 0
    assert session.monitor.followers == []


def count_calls(network: nn.Module) -> Callable[[], int]:
    """A function that returns how often the network has been called since."""
    calls: list[object] = []
    network.register_forward_hook(lambda *_: calls.append(None))
    return lambda: len(calls)


@pytest.mark.parametrize("has_folder", [True, False])
def test_sample_grids_need_a_folder(has_folder: bool, tmp_path: Path) -> None:
    """Sample grids are written to the run's folder; without one, no samples are generated."""
    session = open_session(tmp_path if has_folder else None)
    generator = nn.Linear(2, 2)
    latents = torch.randn(8, 2)
    session.watch.add_batch(generator(latents).detach(), latents)
    calls = count_calls(generator)
    session.watch.after_generator_step(1, generator)
    assert calls() == int(has_folder)
    written = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("step-*")]
    assert written == (["samples/step-00000001.npy"] if has_folder else [])
