"""Laws of playing many games: paired, resumable, the same however they are played."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gandiag.cli.main import main
from gandiag.comparison.clusters import WorkersDied
from gandiag.comparison.compare import Plan, compare
from gandiag.comparison.parallel import Workers, run_tasks
from gandiag.comparison.scenarios import build_compared_scenarios
from gandiag.comparison.trial import OUTCOME_FILE, Trial, remove_attempts, run_trial
from gandiag.plugins.errors import BadInput
from gandiag.records.record import SIGNALS_FILE, Record
from gandiag.scenario.schema import Scenario
from gandiag.training import pipeline
from tests.comparison.tasks import dies_always, dies_once
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
    """A working folder that holds ``tiny.yaml``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A real comparison of two arms with two seeds, and what the command line said of it."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "tiny.yaml").write_text(TINY)
    words = f"compare {folder}/tiny.yaml --fix r1 --seeds 2 --jobs 1 --threads 1"
    return folder / "out", CliRunner().invoke(main, [*words.split(), "--out", str(folder / "out")])


def played(folder: Path) -> dict[str, int]:
    """Each finished game, and when it was finished."""
    files = folder.glob(f"*/*/{OUTCOME_FILE}")
    return {str(file.parent.relative_to(folder)): file.stat().st_mtime_ns for file in files}


def test_a_comparison_on_disk(whole: tuple[Path, Result]) -> None:
    """A real comparison leaves a page, JSON, and a whole record of each game, paired by seed."""
    folder, result = whole
    assert result.exit_code == 0, result.output
    assert set(played(folder)) == {"untreated/5", "untreated/6", "r1/5", "r1/6"}
    data = json.loads((folder / "comparison.json").read_text())
    assert data["seeds"] == [5, 6]
    assert data["distance"] == "energy distance"
    assert [len(run["distances"]) for run in data["arms"][1]["runs"]] == [STEPS, STEPS]
    page = (folder / "comparison.html").read_text()
    assert page.count("<svg") == 6  # rates, cost, course, real data, last samples of both arms
    assert '<p class="verdict">No evidence: r1.</p>' in page
    assert "no evidence" in result.stdout
    assert result.stderr.splitlines()[-1].startswith("4/4  ")
    assert Record.load(folder / "r1" / "6").environment["steps_played"] == STEPS


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_quiet_and_fits(whole: tuple[Path, Result], browser: Any, scheme: str) -> None:
    """Its page asks for nothing, fits a phone, and keeps nobody out, with all details open."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    context = browser.new_context(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    tab = Tab(context.new_page(), (whole[0] / "comparison.html").as_uri())
    tab.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 360
    found = axe.Axe().run(tab.page).response["violations"]
    assert [(each["id"], each["nodes"][0]["target"]) for each in found] == []
    assert tab.said == tab.wrong == []
    assert [url for url in tab.asked if not url.startswith(("file:", "data:"))] == []
    context.close()


def test_a_comparison_is_resumed(whole: tuple[Path, Result], here: Path) -> None:
    """What is finished is kept, and only the rest is played, with the same numbers."""
    shutil.copytree(whole[0], here / "out")
    before = played(here / "out")
    outcome = here / "out" / "r1" / "6" / OUTCOME_FILE
    first = json.loads(outcome.read_text())["outcome"]
    outcome.unlink()  # as if this game had been interrupted
    with pytest.raises(BadInput, match="--resume"):
        compare("tiny.yaml", ["r1"], "out", seeds=2, workers=ONE, threads=1)
    compare("tiny.yaml", ["r1"], "out", seeds=2, workers=ONE, threads=1, resume=True)
    after = played(here / "out")
    assert {name for name in after if after[name] != before[name]} == {"r1/6"}
    again = json.loads(outcome.read_text())["outcome"]
    assert again["distances"] == first["distances"]


def test_what_is_kept_is_judged_anew(whole: tuple[Path, Result], here: Path) -> None:
    """All games are judged by the same detectors, also one that an older version answered for."""
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


def test_what_others_left_is_cleared(whole: tuple[Path, Result], here: Path) -> None:
    """An attempt that came to no end is not taken for a game, and goes when that is played."""
    shutil.copytree(whole[0], here / "out")
    (here / "out" / "r1" / "6").rename(here / "out" / "r1" / "6.1a2b3c4d")
    (here / "out" / "r1" / "6.1a2b3c4d" / OUTCOME_FILE).unlink()
    scenario = Scenario.load("tiny.yaml")
    plan = Plan(scenario, here / "out", 2, ONE, threads=1)
    arms = build_compared_scenarios(scenario, ["r1"])
    assert plan.count_finished(arms) == (3, 4)
    list(plan.run(plan.trials(arms, plan.seeds)))
    assert plan.count_finished(arms) == (4, 4)
    assert {path.name for path in (here / "out" / "r1").iterdir()} == {"5", "6"}


def test_threads_play_a_game_once(here: Path) -> None:
    """Two threads of a process that are given the same game come to the same, and play it once."""
    scenario = Scenario.load("tiny.yaml")
    (game,) = Plan(scenario, here / "out", 1, ONE, threads=1).trials(
        build_compared_scenarios(scenario, []), [5]
    )
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(run_trial, [game, game])
    assert one == two
    assert [path.name for path in game.folder.parent.iterdir()] == ["5"]


def half_removed(game: Trial) -> None:
    """Remove an attempt as far as somebody has come who removes one file after the other."""
    (signals,) = game.folder.parent.glob(f"{game.folder.name}.*/{SIGNALS_FILE}")
    signals.unlink()


@pytest.mark.parametrize("remove", [remove_attempts, half_removed])
def test_a_dropped_attempt_is_no_game(
    here: Path, monkeypatch: pytest.MonkeyPatch, remove: Callable[[Trial], None]
) -> None:
    """An attempt that goes on while its folder is taken away leaves no game without a record."""
    scenario = Scenario.load("tiny.yaml")
    (game,) = Plan(scenario, here / "out", 1, ONE, threads=1).trials(
        build_compared_scenarios(scenario, []), [5]
    )
    run = pipeline.run

    def disturbed(*given: Any, **options: Any) -> Any:
        report = run(*given, **options)
        remove(game)
        return report

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "run", disturbed)
        with pytest.raises(FileNotFoundError):
            run_trial(game)
    assert list(game.folder.parent.iterdir()) == []
    run_trial(game)
    assert Record.load(game.folder).signals


def test_the_first_attempt_stays(
    whole: tuple[Path, Result], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another attempt at the same game ends first, that one is the game."""
    scenario = Scenario.load("tiny.yaml")
    (game,) = Plan(scenario, here / "out", 1, ONE, threads=1).trials(
        build_compared_scenarios(scenario, []), [5]
    )
    run = pipeline.run

    def overtaken(*given: Any, **options: Any) -> Any:
        shutil.copytree(whole[0] / "untreated" / "5", game.folder)
        return run(*given, **options)

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "run", overtaken)
        run_trial(game)
    assert (game.folder / OUTCOME_FILE).read_bytes() == (
        whole[0] / "untreated" / "5" / OUTCOME_FILE
    ).read_bytes()
    assert [path.name for path in game.folder.parent.iterdir()] == ["5"]


def test_a_changed_game_is_played_again(whole: tuple[Path, Result]) -> None:
    """What was kept of a game holds for its very scenario and seed, and for no other."""
    scenario = Scenario.load(whole[0].parent / "tiny.yaml")
    plan = Plan(scenario, whole[0], 2, ONE)
    other = Plan(scenario.set({"training.batch_size": 16}), whole[0], 2, ONE)
    assert plan.count_finished(build_compared_scenarios(scenario, ["r1"])) == (4, 4)
    assert other.count_finished(
        build_compared_scenarios(scenario.set({"training.batch_size": 16}), ["r1"])
    ) == (0, 4)


def test_interrupt_says_how_to_go_on(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends a comparison with status 130 and one line that says what is kept."""
    play, count = pipeline.run, iter(range(9))

    def interrupted(*given: Any, **options: Any) -> Any:
        if next(count) == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return play(*given, **options)

    monkeypatch.setattr(pipeline, "run", interrupted)
    arguments = "compare tiny.yaml --fix r1 --seeds 1 --jobs 1 --threads 1 --out out"
    result = CliRunner().invoke(main, arguments.split())
    assert result.exit_code == 130
    assert "1 finished runs are kept in out; --resume" in result.stderr
    assert CliRunner().invoke(main, [*arguments.split(), "--resume"]).exit_code == 0
    assert len(played(here / "out")) == 2


def test_processes_give_the_same_numbers(whole: tuple[Path, Result], here: Path) -> None:
    """Two processes at a time give the numbers of one, to the last bit."""
    compare("tiny.yaml", ["r1"], "two", seeds=1, workers=Workers(jobs=2), threads=1)
    for name in ("untreated/5", "r1/5"):
        one, two = (folder / name / "signals.jsonl" for folder in (whole[0], here / "two"))
        assert one.read_bytes() == two.read_bytes()


def test_a_killed_worker_loses_nothing(tmp_path: Path) -> None:
    """Where a worker is killed, its task is done by another, and every task has one result."""
    tasks = [tmp_path / name for name in ("a", "fatal", "b", "c")]
    found = list(run_tasks(dies_once, tasks, Workers(jobs=2)))
    assert sorted(name for _, name in found) == ["a", "b", "c", "fatal"]
    assert all(task.name == name for task, name in found)


def test_workers_that_keep_dying(tmp_path: Path) -> None:
    """Where workers die whatever they do, as of too little memory, it ends, and says so."""
    with pytest.raises(WorkersDied, match="this machine's processes keep dying"):
        list(run_tasks(dies_always, [tmp_path / "a", tmp_path / "b"], Workers(jobs=2)))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--fix r2", '--fix r2: no fix "r2"; nearest is "r1"'),
        ("--fix non_saturating", "--fix non_saturating: non_saturating changes nothing in tiny"),
        ("--fix r1 --fix r1", "--fix r1: is the same game as r1"),
        ("--fix r1 --address here", "--address: is that of a cluster"),
        ("--fix r1 --set probes.los=on", 'no probe "los"'),
        ("--fix r1 --out tiny.yaml", "tiny.yaml: is a file"),
        ("--fix r1 --to htm", 'no reporter "htm"'),
        ("", "--fix"),
    ],
)
def test_mistakes_are_one_line(here: Path, arguments: str, said: str) -> None:
    """Bad input is status 2 and one line, and nothing is written."""
    result = CliRunner().invoke(main, ["compare", "tiny.yaml", "--jobs", "1", *arguments.split()])
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    assert said in line
    assert [path.name for path in here.iterdir()] == ["tiny.yaml"]


def test_a_game_is_played_to_its_end() -> None:
    """No arm is stopped early, whatever the scenario says: its length would tell the arms apart."""
    scenario = Scenario().set({"detection.stop_on": ["mode_collapse"], "seed": 3})
    game = build_compared_scenarios(scenario, ["r1"])[1].trial_scenario(7)
    assert game.detection.stop_on == ()
    assert game.seed == 7
    assert game.variant.options["r1"] == 10.0


def test_weights_and_biases_are_grouped() -> None:
    """Runs that are shown at Weights & Biases are in one group, one for each arm and seed."""
    scenario = Scenario.parse({"reporters": [{"weights_and_biases": {"project": "mine"}}]})
    arms = build_compared_scenarios(scenario, ["r1"])
    (choice,) = [c for c in arms[1].trial_scenario(0, (), "here").reporters if c.name != "json"]
    assert choice.options == {"group": "here", "project": "mine"}
