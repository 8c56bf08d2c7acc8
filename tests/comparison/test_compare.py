"""Tests of comparisons: paired runs, resumption, and equal numbers with every kind of worker."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gandiag.cli.main import main
from gandiag.comparison.clusters import WorkersDied
from gandiag.comparison.compare import Plan, compare
from gandiag.comparison.parallel import Workers, run_tasks
from gandiag.comparison.scenarios import BASELINE, OLD_BASELINE, build_compared_scenarios
from gandiag.comparison.trial import OUTCOME_FILE, Trial, remove_attempts, run_trial
from gandiag.plugins.errors import BadInput
from gandiag.records.record import SIGNALS_FILE, Record
from gandiag.scenario.schema import Scenario
from gandiag.training import pipeline
from tests.comparison.tasks import die_always, die_once
from tests.reports.conftest import Tab

STEPS = 6
TINY = f"""\
data: {{ring: {{samples: 300, held_out: 300}}}}
variant: {{vanilla: {{width: 8, latent_size: 2}}}}
training: {{steps: {STEPS}, batch_size: 32}}
sample_grid_every: {STEPS}
probes: {{plane: off}}
seed: 5
"""
ONE = Workers(jobs=1)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of the test, with ``tiny.yaml`` in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A real comparison of the baseline and one fix with two seeds, and the command's output."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "tiny.yaml").write_text(TINY)
    command = f"compare {folder}/tiny.yaml --fix r1 --seeds 2 --jobs 1 --threads 1"
    return folder / "out", CliRunner().invoke(
        main, [*command.split(), "--out", str(folder / "out")]
    )


def finished_runs(folder: Path) -> dict[str, int]:
    """Return the finished runs, each with the time at which it finished."""
    files = folder.glob(f"*/*/{OUTCOME_FILE}")
    return {str(file.parent.relative_to(folder)): file.stat().st_mtime_ns for file in files}


def test_comparison_writes_page_json_and_records(whole: tuple[Path, Result]) -> None:
    """A comparison writes a page, a JSON file, and a complete record of each run."""
    folder, result = whole
    assert result.exit_code == 0, result.output
    assert set(finished_runs(folder)) == {"baseline/5", "baseline/6", "r1/5", "r1/6"}
    data = json.loads((folder / "comparison.json").read_text())
    assert data["seeds"] == [5, 6]
    assert data["distance"] == "energy distance"
    assert [len(run["distances"]) for run in data["arms"][1]["runs"]] == [STEPS, STEPS]
    page = (folder / "comparison.html").read_text()
    assert page.count("<svg") == 6  # rates, cost, course; real, baseline's and fix's samples
    assert '<p class="verdict">No evidence: r1.</p>' in page
    assert "no evidence" in result.stdout
    assert result.stderr.splitlines()[-1].startswith("4/4  ")
    assert Record.load(folder / "r1" / "6").environment["steps_played"] == STEPS


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_accessible_and_loads_nothing(
    whole: tuple[Path, Result], browser: Any, scheme: str
) -> None:
    """The page loads no other file, fits a phone and has no accessibility errors."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    context = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    tab = Tab(context.new_page(), (whole[0] / "comparison.html").as_uri())
    tab.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 360
    found = axe.Axe().run(tab.page).response["violations"]
    assert [(each["id"], each["nodes"][0]["target"]) for each in found] == []
    assert tab.messages == tab.errors == []
    assert [url for url in tab.requests if not url.startswith(("file:", "data:"))] == []
    context.close()


def test_comparison_is_resumed(whole: tuple[Path, Result], here: Path) -> None:
    """With --resume finished runs are kept, and a missing run gets the same numbers again."""
    shutil.copytree(whole[0], here / "out")
    before = finished_runs(here / "out")
    outcome = here / "out" / "r1" / "6" / OUTCOME_FILE
    first = json.loads(outcome.read_text())["outcome"]
    outcome.unlink()  # as if this run had been interrupted
    with pytest.raises(BadInput, match="--resume"):
        compare("tiny.yaml", ["r1"], "out", seeds=2, workers=ONE, threads=1)
    compare("tiny.yaml", ["r1"], "out", seeds=2, workers=ONE, threads=1, resume=True)
    after = finished_runs(here / "out")
    assert {name for name in after if after[name] != before[name]} == {"r1/6"}
    again = json.loads(outcome.read_text())["outcome"]
    assert again["distances"] == first["distances"]


def test_finished_runs_are_diagnosed_again(whole: tuple[Path, Result], here: Path) -> None:
    """Current detectors diagnose every run, also one that an older version has diagnosed."""
    shutil.copytree(whole[0], here / "out")
    outcome = here / "out" / "r1" / "6" / OUTCOME_FILE
    data = json.loads(outcome.read_text())
    older = dict.fromkeys(data["outcome"]["statuses"], "present")
    assert older != data["outcome"]["statuses"]
    outcome.write_text(json.dumps({**data, "outcome": {**data["outcome"], "statuses": older}}))
    compare("tiny.yaml", ["r1"], "out", seeds=2, workers=ONE, threads=1, resume=True)
    now, then = (
        json.loads((place / "comparison.json").read_text()) for place in (here / "out", whole[0])
    )
    assert now == then


def test_older_baseline_folder_is_kept(whole: tuple[Path, Result], here: Path) -> None:
    """Runs of a baseline that an older version called "untreated" are kept and renamed."""
    shutil.copytree(whole[0], here / "out")
    (here / "out" / BASELINE).rename(here / "out" / OLD_BASELINE)
    baseline = build_compared_scenarios(Scenario.load("tiny.yaml"), [])[0]
    for seed in (5, 6):
        path = here / "out" / OLD_BASELINE / str(seed) / OUTCOME_FILE
        data = json.loads(path.read_text())
        data["game"] = replace(baseline, name=OLD_BASELINE).digest(seed)
        data["outcome"]["arm"] = OLD_BASELINE
        path.write_text(json.dumps(data))
    before = [
        path.stat().st_mtime_ns for path in sorted((here / "out").glob(f"*/*/{OUTCOME_FILE}"))
    ]
    compare("tiny.yaml", ["r1"], "out", seeds=2, workers=ONE, threads=1, resume=True)
    assert sorted(finished_runs(here / "out").values()) == sorted(before)
    assert not (here / "out" / OLD_BASELINE).exists()
    old, new = (json.loads((f / "comparison.json").read_text()) for f in (whole[0], here / "out"))
    assert old == new


def test_unfinished_attempt_is_removed(whole: tuple[Path, Result], here: Path) -> None:
    """An unfinished attempt does not count as a run and is removed when the run is trained."""
    shutil.copytree(whole[0], here / "out")
    (here / "out" / "r1" / "6").rename(here / "out" / "r1" / "6.1a2b3c4d")
    (here / "out" / "r1" / "6.1a2b3c4d" / OUTCOME_FILE).unlink()
    scenario = Scenario.load("tiny.yaml")
    plan = Plan(scenario, here / "out", 2, ONE, threads=1)
    compared = build_compared_scenarios(scenario, ["r1"])
    assert plan.count_finished(compared) == (3, 4)
    list(plan.run(plan.trials(compared, plan.seeds)))
    assert plan.count_finished(compared) == (4, 4)
    assert {path.name for path in (here / "out" / "r1").iterdir()} == {"5", "6"}


def test_threads_train_a_run_once(here: Path) -> None:
    """Two threads of a process that get the same run train it once, with the same outcome."""
    scenario = Scenario.load("tiny.yaml")
    (trial,) = Plan(scenario, here / "out", 1, ONE, threads=1).trials(
        build_compared_scenarios(scenario, []), [5]
    )
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(run_trial, [trial, trial])
    assert one == two
    assert [path.name for path in trial.folder.parent.iterdir()] == ["5"]


def remove_half(trial: Trial) -> None:
    """Remove one file of an attempt, like a process that removes one file after the other."""
    (signals,) = trial.folder.parent.glob(f"{trial.folder.name}.*/{SIGNALS_FILE}")
    signals.unlink()


@pytest.mark.parametrize("remove", [remove_attempts, remove_half])
def test_removed_attempt_is_no_run(
    here: Path, monkeypatch: pytest.MonkeyPatch, remove: Callable[[Trial], None]
) -> None:
    """An attempt whose folder is removed during training leaves no run without a record."""
    scenario = Scenario.load("tiny.yaml")
    (trial,) = Plan(scenario, here / "out", 1, ONE, threads=1).trials(
        build_compared_scenarios(scenario, []), [5]
    )
    run = pipeline.run

    def disturbed(*given: Any, **options: Any) -> Any:
        report = run(*given, **options)
        remove(trial)
        return report

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "run", disturbed)
        with pytest.raises(FileNotFoundError):
            run_trial(trial)
    assert list(trial.folder.parent.iterdir()) == []
    run_trial(trial)
    assert Record.load(trial.folder).signals


def test_first_attempt_wins(
    whole: tuple[Path, Result], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If another attempt at the same run finishes first, its files stay."""
    scenario = Scenario.load("tiny.yaml")
    (trial,) = Plan(scenario, here / "out", 1, ONE, threads=1).trials(
        build_compared_scenarios(scenario, []), [5]
    )
    run = pipeline.run

    def overtaken(*given: Any, **options: Any) -> Any:
        shutil.copytree(whole[0] / "baseline" / "5", trial.folder)
        return run(*given, **options)

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "run", overtaken)
        run_trial(trial)
    assert (trial.folder / OUTCOME_FILE).read_bytes() == (
        whole[0] / "baseline" / "5" / OUTCOME_FILE
    ).read_bytes()
    assert [path.name for path in trial.folder.parent.iterdir()] == ["5"]


def test_changed_scenario_is_trained_again(whole: tuple[Path, Result]) -> None:
    """A finished run counts for its own scenario and seed only."""
    scenario = Scenario.load(whole[0].parent / "tiny.yaml")
    plan = Plan(scenario, whole[0], 2, ONE)
    other = Plan(scenario.set({"training.batch_size": 16}), whole[0], 2, ONE)
    assert plan.count_finished(build_compared_scenarios(scenario, ["r1"])) == (4, 4)
    assert other.count_finished(
        build_compared_scenarios(scenario.set({"training.batch_size": 16}), ["r1"])
    ) == (0, 4)


def test_interrupt_names_resume(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends a comparison with status 130 and one line on the finished runs."""
    train, count = pipeline.run, iter(range(9))

    def interrupted(*given: Any, **options: Any) -> Any:
        if next(count) == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return train(*given, **options)

    monkeypatch.setattr(pipeline, "run", interrupted)
    arguments = "compare tiny.yaml --fix r1 --seeds 1 --jobs 1 --threads 1 --out out"
    result = CliRunner().invoke(main, arguments.split())
    assert result.exit_code == 130
    assert "1 finished runs are kept in out; --resume" in result.stderr
    assert CliRunner().invoke(main, [*arguments.split(), "--resume"]).exit_code == 0
    assert len(finished_runs(here / "out")) == 2


def test_processes_give_the_same_numbers(whole: tuple[Path, Result], here: Path) -> None:
    """Two processes at a time give the same numbers as one, bit by bit."""
    compare("tiny.yaml", ["r1"], "two", seeds=1, workers=Workers(jobs=2), threads=1)
    for name in ("baseline/5", "r1/5"):
        one, two = (folder / name / "signals.jsonl" for folder in (whole[0], here / "two"))
        assert one.read_bytes() == two.read_bytes()


def test_killed_worker_loses_nothing(tmp_path: Path) -> None:
    """If a worker is killed, another one repeats its task, and each task has one result."""
    tasks = [tmp_path / name for name in ("a", "fatal", "b", "c")]
    found = list(run_tasks(die_once, tasks, Workers(jobs=2)))
    assert sorted(name for _, name in found) == ["a", "b", "c", "fatal"]
    assert all(task.name == name for task, name in found)


def test_workers_that_keep_dying(tmp_path: Path) -> None:
    """If workers die on every attempt, for example for lack of memory, an error is raised."""
    with pytest.raises(WorkersDied, match="this machine's processes keep dying"):
        list(run_tasks(die_always, [tmp_path / "a", tmp_path / "b"], Workers(jobs=2)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--fix r2", '--fix r2: no fix "r2"; nearest is "r1"'),
        ("--fix non_saturating", "--fix non_saturating: non_saturating changes nothing in tiny"),
        ("--fix r1 --fix r1", "--fix r1: gives the same scenario as r1"),
        ("--fix r1 --address here", "--address: is the address of a cluster"),
        ("--fix r1 --set probes.los=on", 'no probe "los"'),
        ("--fix r1 --out tiny.yaml", "tiny.yaml: is a file"),
        ("--fix r1 --to htm", 'no reporter "htm"'),
        ("", "--fix"),
    ],
)
def test_mistakes_are_one_line(here: Path, arguments: str, message: str) -> None:
    """Bad input gives status 2 and one line, and nothing is written."""
    result = CliRunner().invoke(main, ["compare", "tiny.yaml", "--jobs", "1", *arguments.split()])
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    assert message in line
    assert [path.name for path in here.iterdir()] == ["tiny.yaml"]


def test_runs_never_stop_early() -> None:
    """Runs ignore ``detection.stop_on``, as runs of different length cannot be compared."""
    scenario = Scenario().set({"detection.stop_on": ["mode_collapse"], "seed": 3})
    trained = build_compared_scenarios(scenario, ["r1"])[1].trial_scenario(7)
    assert trained.detection.stop_on == ()
    assert trained.seed == 7
    assert trained.variant.options["r1"] == 10.0


def test_weights_and_biases_are_grouped() -> None:
    """All runs of a comparison are in one group at Weights & Biases."""
    scenario = Scenario.parse({"reporters": [{"weights_and_biases": {"project": "mine"}}]})
    compared = build_compared_scenarios(scenario, ["r1"])
    (choice,) = [c for c in compared[1].trial_scenario(0, (), "here").reporters if c.name != "json"]
    assert choice.options == {"group": "here", "project": "mine"}
