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
from gandiag.attachment.real_samples import SAMPLES_NEEDED, RealSampleBuffer
from gandiag.monitoring.distributed import (
    CHUNK_BYTES,
    Ranks,
    average_messages,
    merge_shares,
    rank_share,
)
from gandiag.monitoring.features import flatten_samples
from gandiag.monitoring.reference import SAMPLE_SIZE
from gandiag.monitoring.schedule import ScheduledProbe
from gandiag.monitoring.snapshot import Snapshot
from gandiag.monitoring.watch import Watch
from gandiag.records.writer import Recorder
from tests.conftest import random_points

ROOT = Path(__file__).parents[2]
JOB_TIMEOUT = 300  # seconds; the job takes a few seconds unless a rank hangs
FOREVER = 1e9  # seconds of patience: a test that waits for a message does not end


def create_ranks(count: int = 2, patience: float = FOREVER) -> tuple[HashStore, list[Ranks]]:
    """All ranks of a training in one process, and the store through which they communicate."""
    store = HashStore()
    store.set_timeout(timedelta(seconds=1))
    return store, [Ranks(rank, count, store, patience) for rank in range(count)]


@settings(deadline=None, max_examples=25)
@given(
    shape=st.lists(st.integers(0, 5), max_size=3),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.int64]),
)
def test_messages_arrive_whole(shape: list[int], dtype: torch.dtype) -> None:
    """Rank 0 receives the bits that a rank has sent, and the store keeps nothing of the message."""
    store, (first, second) = create_ranks()
    before = store.num_keys()
    sent = torch.arange(torch.Size(shape).numel()).reshape(shape).to(dtype)
    second.send("0/generator", {"a": sent, "b": sent, "number": 0.1})
    (received,) = first.receive("0/generator")
    assert received.keys() == {"a", "b", "number"}
    assert torch.equal(received["a"], sent)
    assert received["a"].dtype == dtype
    assert float(received["number"]) == 0.1
    assert store.num_keys() == before


def test_large_messages_are_sent_in_parts() -> None:
    """A message may be larger than the largest value of the store (1 MiB)."""
    _, (first, second) = create_ranks()
    sent = random_points((3 * CHUNK_BYTES // 4 + 1,))
    second.send("fakes", {"fakes": sent})
    assert torch.equal(first.receive("fakes")[0]["fakes"], sent)


def test_rank_that_left_is_not_awaited() -> None:
    """Rank 0 receives what a rank sent before it left, and does not wait for it afterwards."""
    _, (first, second) = create_ranks()
    second.send("0", {"x": 1.0})
    second.leave()
    assert len(first.receive("0")) == 1
    assert first.receive("1") == []


def test_silent_rank_is_awaited_once() -> None:
    """A rank that sends nothing costs one wait and one warning; its later messages are ignored."""
    store, (first, second, third) = create_ranks(3, patience=0.02)
    third.send("0", {"x": 3.0})
    with pytest.warns(RuntimeWarning, match="no message from rank 1") as warned:
        assert [float(message["x"]) for message in first.receive("0")] == [3.0]
    assert len(warned) == 1
    third.send("1", {"x": 4.0})
    assert len(first.receive("1")) == 1
    before = store.num_keys()
    second.send("1", {"x": 2.0})
    assert store.num_keys() == before


def test_no_message_is_sent_after_rank_0_has_left() -> None:
    """After rank 0 has left, the other ranks send no more messages."""
    store, (first, second) = create_ranks()
    first.leave()
    before = store.num_keys()
    second.send("0", {"x": 1.0})
    assert store.num_keys() == before
    second.leave()
    second.send("1", {"x": 1.0})


@dataclass(frozen=True)
class ConstantProbe:
    """A probe that returns a constant, or raises an exception."""

    number: float | Exception
    uses: ClassVar[frozenset[str]] = frozenset()

    def observe(self, snapshot: Snapshot) -> Mapping[str, float | Tensor]:
        """Return the constant, or raise the exception."""
        if isinstance(self.number, Exception):
            raise self.number
        return {f"number/{snapshot.network_name}": self.number}


def test_failing_probe_keeps_ranks_together() -> None:
    """A probe that fails on one rank is measured on the others, and no rank waits for another."""
    _, ranks = create_ranks(patience=0.02)
    snapshot = Snapshot(0, "generator", nn.Linear(1, 1), nn.Linear(1, 1))
    record = Recorder(None, {}, {})
    probes: list[list[float | Exception]] = [[1.0, 2.0], [5.0, ValueError("broken")]]
    watches = [
        Watch(
            [ScheduledProbe(f"p{i}", ConstantProbe(n), 1) for i, n in enumerate(numbers)],
            record,
            ranks=rank,
        )
        for numbers, rank in zip(probes, ranks, strict=True)
    ]
    for step in range(3):
        for watch in reversed(watches):
            assert watch.is_due(step, "generator")
            now = Snapshot(step, "generator", snapshot.generator, snapshot.discriminator)
            if step == 0 and watch is watches[1]:
                with pytest.warns(RuntimeWarning, match="p1 is switched off"):
                    watch.observe(now)
            else:
                watch.observe(now)
    watches[0].flush(3)
    assert record.record()["p0/number/generator"].values.tolist() == [3.0] * 3
    assert record.record()["p1/number/generator"].values.tolist() == [2.0] * 3


def test_mean_is_over_the_ranks_that_measured() -> None:
    """Numbers are averaged by name, and a NaN of a rank stays NaN; vectors are those of rank 0."""
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
def test_fakes_of_all_ranks_are_merged(shape: tuple[int, ...]) -> None:
    """Rank 0 measures the latest fakes of every rank; shrinking large images changes no number."""
    generated = [random_points((9, *shape), seed) for seed in range(3)]
    sent = [rank_share(fakes, 8, 3) for fakes in generated[1:]]
    seen = merge_shares(generated[0], sent, 8)
    wanted = torch.cat([generated[0][-2:], generated[1][-3:], generated[2][-3:]])
    assert torch.allclose(flatten_samples(seen), flatten_samples(wanted), atol=1e-6)


def test_copies_are_not_diversity() -> None:
    """Ranks that draw the same latents give a warning, and their fakes are counted once."""
    own = random_points((6, 2))
    with pytest.warns(RuntimeWarning, match="same latents"):
        seen = merge_shares(own, [own[-2:]], 4)
    assert torch.equal(seen, own[-4:])


def test_real_data_of_all_ranks() -> None:
    """The reference is built from the real batches of all ranks, and every rank receives it.

    The batches may differ in size, and no rank needs all samples itself.
    """
    _, ranks = create_ranks()
    buffers = [RealSampleBuffer(rank) for rank in ranks]
    stream = torch.Generator().manual_seed(0)
    known = None
    for step in range(SAMPLES_NEEDED):
        batches = [torch.randn(100, 2, generator=stream), torch.randn(300, 2, generator=stream)]
        assert buffers[1].add(batches[1] + 5 if step else None) is None
        known = buffers[0].add(batches[0])
        if known is not None:
            break
    assert known is not None
    assert step == 8  # 9 batches of rank 0 and 8 of rank 1: 3,300 samples; 2,900 before
    assert float(known.mean[0]) == pytest.approx(5 * 1400 / 2000, abs=0.1)  # of the first 2,000
    received = buffers[1].add(None)
    assert received is not None
    assert received.baseline_mean == known.baseline_mean
    assert received.to_facts() == known.to_facts()
    assert torch.equal(received.centres, known.centres)


def launch(folder: Path, what: str) -> subprocess.CompletedProcess[str]:
    """Run a job with two ranks."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "-m", "tests.attachment.ranks_job", str(folder), what]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=JOB_TIMEOUT, check=False
    )


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a job that trained the same loop without and with gandiag."""
    folder = tmp_path_factory.mktemp("compared")
    done = launch(folder, "compare")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("how", ["watched", "bare"])
def test_no_bit_changes_on_any_rank(compared: Path, rank: int, how: str) -> None:
    """Weights, buffers and random numbers of each rank end as without gandiag."""
    unwatched = load_file(compared / f"unwatched-{rank}.safetensors")
    watched = load_file(compared / f"{how}-{rank}.safetensors")
    assert unwatched.keys() == watched.keys()
    assert all(torch.equal(unwatched[name], watched[name]) for name in unwatched)


def test_one_record_of_all_ranks(compared: Path) -> None:
    """Rank 0 writes the only record, without the wrapper's names; numbers are means over ranks."""
    record = gandiag.load(compared / "run")
    assert set(record["which/rank/generator"].values) == {0.5}
    assert set(record["which/rank/discriminator"].values) == {0.5}
    assert len(record["which/rank/generator"].steps) == 6
    assert "diversity/coverage/generator" in record.signals
    assert "learning_signal/discriminator_gradient/generator" in record.signals
    assert not [name for name in record.signals if "module." in name]


def test_newest_fakes_of_both_ranks(compared: Path) -> None:
    """At the evaluation of step 50, half of the fakes are rank 0's latest, half rank 1's."""
    shown = load_file(compared / "fakes-0.safetensors")["shown"]
    generated = [load_file(compared / f"fakes-{rank}.safetensors")["generated"] for rank in (0, 1)]
    newest = torch.cat([fakes[-SAMPLE_SIZE // 2 :] for fakes in generated])
    assert torch.equal(shown, newest)


def test_failing_rank_ends_the_job(tmp_path: Path) -> None:
    """If a rank raises, the job ends with its error, and the record on disk can be loaded."""
    done = launch(tmp_path, "fail")
    assert done.returncode != 0
    assert "rank 1 fails" in done.stderr
    assert gandiag.load(tmp_path / "run").last_step == 0
