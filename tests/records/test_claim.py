"""Claims of folders: one writer at a time, and none after its process has ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

import gandiag
from gandiag.plugins.errors import BadInput
from gandiag.records.claim import CLAIM_FILE, Claim, FolderInUse, is_used
from gandiag.records.record import Record
from gandiag.records.run_folder import choose_folder, claim_run_folder
from gandiag.scenario.schema import Scenario

ATTEMPTS = 20
# Twenty times, claims a folder like `gandiag run` at a moment that both processes know, writes a
# record and prints the folder's name.
CLAIMANT = f"""
import os, sys, time
from pathlib import Path
from gandiag.plugins.errors import BadInput
from gandiag.records.run_folder import choose_folder
print("ready", flush=True)
begin = float(input())
for attempt in range({ATTEMPTS}):
    here = Path(sys.argv[1], str(attempt))
    here.mkdir(exist_ok=True)
    os.chdir(here)
    while time.time() < begin + 0.05 * attempt:
        pass
    try:
        claim, _ = choose_folder("tiny", 0, Path("mine") if attempt % 2 else None, False)
    except BadInput as error:
        print("refused:", error)
    else:
        with claim, (claim.folder / "signals.jsonl").open("x"):
            time.sleep(0.002)
            print(claim.folder.name)
"""


def test_two_runs_never_share_a_folder(tmp_path: Path) -> None:
    """Of two runs begun together, one gets the next name, or, with --out, is refused."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMANT, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    begin = f"{time.time() + 0.1}\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(begin)
        process.stdin.flush()
    one, other = (process.communicate()[0].splitlines() for process in processes)
    for attempt, results in enumerate(zip(one, other, strict=True)):
        first, second = sorted(results)
        if attempt % 2:
            assert first == "mine"
            assert second.startswith("refused: --out mine: ")
        else:
            assert (first, second) == ("0", "0-2")
    assert len(one) == ATTEMPTS


def test_claim_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    """A claim names its process; after `kill -9` the folder can be claimed again."""
    code = f"""
import os, signal
from pathlib import Path
from gandiag.records.claim import Claim
claim = Claim(Path({str(tmp_path)!r}), "here")
print((claim.folder / {CLAIM_FILE!r}).read_text(), flush=True)
input()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        owner = json.loads(process.stdout.readline())
        assert owner["process"] == process.pid
        with pytest.raises(FolderInUse, match=rf"process {process.pid}, since {owner['started']}"):
            Claim(tmp_path, "here")
        process.kill()
        process.wait()
    assert (tmp_path / CLAIM_FILE).is_file()
    assert not is_used(tmp_path)
    with Claim(tmp_path, "here"):
        assert json.loads((tmp_path / CLAIM_FILE).read_text())["process"] == os.getpid()
    assert not (tmp_path / CLAIM_FILE).exists()


def test_released_claim_leaves_no_empty_folder(tmp_path: Path) -> None:
    """Without a file of the run, the folder is gone again; with one, only the claim is."""
    with Claim(tmp_path / "empty", "here"):
        pass
    assert not (tmp_path / "empty").exists()
    with Claim(tmp_path / "full", "here") as claim:
        (claim.folder / "page.html").touch()
        claim.release()
    assert os.listdir(tmp_path / "full") == ["page.html"]


@pytest.mark.parametrize("name", ["", "signals.jsonl", "samples", "checkpoints", CLAIM_FILE])
def test_links_are_refused(tmp_path: Path, name: str) -> None:
    """A folder that is a link, or has a link in place of a file of a run, is refused."""
    outside, folder = tmp_path / "outside", tmp_path / "run"
    outside.mkdir()
    if name:
        folder.mkdir()
    (folder / name if name else folder).symlink_to(outside)
    with pytest.raises((BadInput, OSError)):
        claim_run_folder(folder, "here", overwrite=True)
    assert os.listdir(outside) == []


def attach(folder: Path, overwrite: bool = False) -> gandiag.Attachment:
    """Attach to two networks of its own, with a record in the folder."""
    generator, discriminator = nn.Linear(2, 2), nn.Linear(2, 1)
    steps = [torch.optim.SGD(each.parameters(), 0.1) for each in (generator, discriminator)]
    networks = (generator, discriminator, *steps)
    return gandiag.attach(*networks, scores="logits", folder=folder, overwrite=overwrite)


def test_attach_keeps_what_is_there(tmp_path: Path) -> None:
    """`attach` refuses a folder in use or with a record; `overwrite` replaces a record only."""
    first = attach(tmp_path)
    for overwrite in (False, True):
        with pytest.raises(BadInput, match="another run writes into this folder"):
            attach(tmp_path, overwrite)
    first.detach()
    with pytest.raises(BadInput, match="holds a record; add --overwrite"):
        attach(tmp_path)
    attach(tmp_path, overwrite=True).detach()
    assert Record.load(tmp_path).environment["steps_played"] == 0


def test_python_run_claims_its_folder(tmp_path: Path) -> None:
    """`gandiag.run` and `gandiag.compare` refuse a folder into which another run writes."""
    with Claim(tmp_path / "mine", "here"):
        with pytest.raises(FolderInUse):
            gandiag.run(Scenario(), tmp_path / "mine")
        with pytest.raises(FolderInUse):
            gandiag.compare(Scenario(), ["r1"], tmp_path / "mine", seeds=1, resume=True)
        with pytest.raises(FolderInUse):
            gandiag.treat(Scenario(), tmp_path / "mine", resume=True)


def test_second_run_takes_the_next_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is claimed, but still empty, counts as in use."""
    monkeypatch.chdir(tmp_path)
    first, note = choose_folder("tiny", 0, None, overwrite=False)
    assert not note
    second, note = choose_folder("tiny", 0, None, overwrite=False)
    assert second.folder.name == "0-2"
    assert "earlier run" in note
    first.release()
    second.release()
