from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.distributed import HashStore

import gandiag
from gandiag.attachment.real_samples import NEEDED, RealSampleBuffer
from gandiag.monitoring.distributed import CHUNK, Ranks
from gandiag.monitoring.features import flatten
from gandiag.monitoring.reference import SIZE
from gandiag.monitoring.schedule import ScheduledProbe
from gandiag.monitoring.sharing import average_messages, merge_shares, rank_share
from gandiag.monitoring.snapshot import Snapshot
from gandiag.monitoring.watch import Watch
from gandiag.records.writer import Recorder
from tests.conftest import random_points

ROOT = Path(__file__).parents[2]
HANGS = 300  # seconds; a job of seconds that is still there has hung
FOREVER = 1e9  # seconds of patience: a test that waited for them would not end


def company(count: int = 2, patience: float = FOREVER) -> tuple[HashStore, list[Ranks]]:
    """All ranks of a training in one process, with the store between them."""
    store = HashStore()
    store.set_timeout(timedelta(seconds=1))
    return store, [Ranks(rank, count, store, patience) for rank in range(count)]


@settings(deadline=None, max_examples=25)
@given(
    shape=st.lists(st.integers(0, 5), max_size=3),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.int64]),
)
def test_messages_arrive_whole(shape: list[int], dtype: torch.dtype) -> None:
    """What a rank tells is what rank 0 hears, to the bit, and nothing of it is left behind."""
    store, (first, second) = company()
    before = store.num_keys()
    sent = torch.arange(torch.Size(shape).numel()).reshape(shape).to(dtype)
    second.send("0/generator", {"a": sent, "b": sent, "number": 0.1})
    (heard,) = first.receive("0/generator")
    assert heard.keys() == {"a", "b", "number"}
    assert torch.equal(heard["a"], sent)
    assert heard["a"].dtype == dtype
    assert float(heard["number"]) == 0.1
    assert store.num_keys() == before


def test_large_messages_come_in_parts() -> None:
    """A store that takes a mebibyte at a time carries more."""
    _, (first, second) = company()
    sent = random_points((3 * CHUNK // 4 + 1,))
    second.send("fakes", {"fakes": sent})
    assert torch.equal(first.receive("fakes")[0]["fakes"], sent)


def test_rank_that_left_is_not_awaited() -> None:
    """Rank 0 hears what a rank told before it left, and after that nobody, at once."""
    _, (first, second) = company()
    second.send("0", {"x": 1.0})
    second.leave()
    assert len(first.receive("0")) == 1
    assert first.receive("1") == []


def test_silent_rank_is_awaited_once() -> None:
    """A rank that says nothing costs one wait and one warning; then it may as well be silent."""
    store, (first, second, third) = company(3, patience=0.02)
    third.send("0", {"x": 3.0})
    with pytest.warns(RuntimeWarning, match="nothing more is heard of rank 1") as told:
        assert [float(message["x"]) for message in first.receive("0")] == [3.0]
    assert len(told) == 1
    third.send("1", {"x": 4.0})
    assert len(first.receive("1")) == 1
    before = store.num_keys()
    second.send("1", {"x": 2.0})
    assert store.num_keys() == before


def test_nobody_talks_to_nobody() -> None:
    """Once rank 0 has left, the others leave no messages that nobody would collect."""
    store, (first, second) = company()
    first.leave()
    before = store.num_keys()
    second.send("0", {"x": 1.0})
    assert store.num_keys() == before
    second.leave()
    second.send("1", {"x": 1.0})


@dataclass(frozen=True)
class Says:
    """A probe that says a number."""

    number: float | Exception
    uses: ClassVar[frozenset[str]] = frozenset()

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return it, or raise it."""
        if isinstance(self.number, Exception):
            raise self.number
        return {f"number/{snapshot.player}": self.number}


def test_failing_probe_keeps_ranks_together() -> None:
    """A probe that fails on one rank is measured on the others, and nobody waits or lags."""
    _, ranks = company(patience=0.02)
    turn = Snapshot(0, "generator", nn.Linear(1, 1), nn.Linear(1, 1))
    record = Recorder(None, {}, {})
    probes: list[list[float | Exception]] = [[1.0, 2.0], [5.0, ValueError("broken")]]
    watches = [
        Watch(
            [ScheduledProbe(f"p{i}", Says(n), 1) for i, n in enumerate(numbers)], record, ranks=rank
        )
        for numbers, rank in zip(probes, ranks, strict=True)
    ]
    for step in range(3):
        for watch in reversed(watches):
            assert watch.due(step, "generator")
            now = Snapshot(step, "generator", turn.generator, turn.discriminator)
            if step == 0 and watch is watches[1]:
                with pytest.warns(RuntimeWarning, match="p1 is switched off"):
                    watch.observe(now)
            else:
                watch.observe(now)
    watches[0].flush(3)
    assert record.record()["p0/number/generator"].values.tolist() == [3.0] * 3
    assert record.record()["p1/number/generator"].values.tolist() == [2.0] * 3


def test_mean_is_over_those_who_measured() -> None:
    """Numbers are averaged name by name; one NaN among them shows. Vectors stay rank 0's own."""
    own = {"a": torch.tensor(1.0), "b": 4.0, "c": torch.tensor(1.0), "d": torch.tensor([1.0, 2.0])}
    others = [
        {"a": torch.tensor(3.0), "d": torch.tensor([3.0, 6.0])},
        {"c": torch.tensor(float("nan"))},
    ]
    means = average_messages(own, others)
    assert float(means["a"]) == 2.0
    assert torch.equal(torch.as_tensor(means["d"]), torch.tensor([1.0, 2.0]))
    assert means["b"] == 4.0
    assert torch.as_tensor(means["c"]).isnan()


@pytest.mark.parametrize("shape", [(3,), (1, 8, 8), (3, 48, 48)])
def test_fakes_of_all_ranks_are_seen(shape: tuple[int, ...]) -> None:
    """Rank 0 looks at the newest of every rank; averaging large images down changes no number."""
    made = [random_points((9, *shape), seed) for seed in range(3)]
    sent = [rank_share(fakes, 8, 3) for fakes in made[1:]]
    seen = merge_shares(made[0], sent, 8)
    wanted = torch.cat([made[0][-2:], made[1][-3:], made[2][-3:]])
    assert torch.allclose(flatten(seen), flatten(wanted), atol=1e-6)


def test_copies_are_no_variety() -> None:
    """Ranks that draw the same latents are told so, and their fakes counted once."""
    own = random_points((6, 2))
    with pytest.warns(RuntimeWarning, match="same latents"):
        seen = merge_shares(own, [own[-2:]], 4)
    assert torch.equal(seen, own[-4:])


def test_real_data_of_all_ranks() -> None:
    """The reference is made of what all ranks saw, batches of different sizes too, and all get it.

    No rank need see as much as is needed.
    """
    _, ranks = company()
    gatherings = [RealSampleBuffer(rank) for rank in ranks]
    stream = torch.Generator().manual_seed(0)
    known = None
    for turn in range(NEEDED):
        batches = [torch.randn(100, 2, generator=stream), torch.randn(300, 2, generator=stream)]
        assert gatherings[1].add(batches[1] + 5 if turn else None) is None
        known = gatherings[0].add(batches[0])
        if known is not None:
            break
    assert known is not None
    assert turn == 8  # 9 of rank 0's batches and 8 of rank 1's: 3,300 samples; 2,900 a turn before
    assert float(known.mean[0]) == pytest.approx(5 * 1400 / 2000, abs=0.1)  # of the first 2,000
    given_on = gatherings[1].add(None)
    assert given_on is not None
    assert given_on.baseline_mean == known.baseline_mean
    assert given_on.facts() == known.facts()
    assert torch.equal(given_on.centres, known.centres)


def launch(folder: Path, what: str) -> subprocess.CompletedProcess[str]:
    """Run a job of two ranks."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "-m", "tests.attachment.ranks_job", str(folder), what]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=HANGS, check=False
    )


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a job that played the same game without and with a watch."""
    folder = tmp_path_factory.mktemp("compared")
    done = launch(folder, "compare")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("how", ["watched", "bare"])
def test_no_bit_changes_on_any_rank(compared: Path, rank: int, how: str) -> None:
    """Weights, buffers and random numbers of each rank end as without a watch."""
    alone = load_file(compared / f"alone-{rank}.safetensors")
    watched = load_file(compared / f"{how}-{rank}.safetensors")
    assert alone.keys() == watched.keys()
    assert all(torch.equal(alone[name], watched[name]) for name in alone)


def test_one_record_of_all_ranks(compared: Path) -> None:
    """Rank 0 writes one record, without the wrapper's names; numbers are means over the ranks."""
    record = gandiag.load(compared / "run")
    assert set(record["which/rank/generator"].values) == {0.5}
    assert set(record["which/rank/discriminator"].values) == {0.5}
    assert len(record["which/rank/generator"].steps) == 6
    assert "diversity/coverage/generator" in record.signals
    assert "learning_signal/discriminator_gradient/generator" in record.signals
    assert not [name for name in record.signals if "module." in name]


def test_newest_fakes_of_both_ranks(compared: Path) -> None:
    """At the look at step 50 half of the fakes shown are rank 0's newest, half rank 1's."""
    shown = load_file(compared / "fakes-0.safetensors")["shown"]
    made = [load_file(compared / f"fakes-{rank}.safetensors")["made"] for rank in (0, 1)]
    newest = torch.cat([fakes[-SIZE // 2 :] for fakes in made])
    assert torch.equal(shown, newest)


def test_failing_rank_ends_the_job(tmp_path: Path) -> None:
    """Where a rank raises, the job ends with its error, and the record on disk opens."""
    done = launch(tmp_path, "fail")
    assert done.returncode != 0
    assert "rank 1 stumbles" in done.stderr
    assert gandiag.load(tmp_path / "run").last_step == 0
