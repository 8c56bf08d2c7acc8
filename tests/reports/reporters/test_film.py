"""Laws of the film: it shows what was kept in its order, fits, and says where there is nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageSequence

from gandiag.cli.main import main
from gandiag.plugins import registry as plugins
from gandiag.plugins.errors import BadInput
from gandiag.records.record import Record
from gandiag.records.sample_grids import write_grid
from gandiag.reports import republish as pages
from gandiag.reports.report import Report
from gandiag.reports.reporters._film_frames import Story, frame
from gandiag.reports.reporters.film import HELD, Film
from gandiag.scenario.schema import Scenario
from gandiag.scenario.source import Source


def played(path: str | Path) -> list[Image.Image]:
    """The pictures of a film, in colour."""
    with Image.open(path) as film:
        return [picture.convert("RGB") for picture in ImageSequence.Iterator(film)]


def durations(path: str | Path) -> list[int]:
    """Milliseconds that each picture stays."""
    with Image.open(path) as film:
        return [picture.info["duration"] for picture in ImageSequence.Iterator(film)]


def shades(folder: Path, values: list[float], size: int = 8) -> Report:
    """A run whose sheets are of one grey each, the step being its place in the list."""
    (folder / "samples").mkdir(parents=True)
    for step, value in enumerate(values):
        images = np.full((4, 1, size, size), value, np.float32)
        write_grid(folder / "samples" / f"step-{step:08d}", images)
    return Report(None, Record({}, folder=folder), ())


def test_sheets_follow_in_order(tmp_path: Path) -> None:
    """Each sheet is one picture, as light as its samples are, oldest first; the last one stays."""
    values = [-1.0, -0.5, 0.0, 0.5, 1.0]
    place = Film(seconds=2.0).publish(shades(tmp_path, values, size=32), tmp_path)
    pictures = played(place)
    middles = [picture.getpixel((picture.width // 2 - 20, 60)) for picture in pictures]
    expected = [round((value + 1) * 127.5) for value in values]
    assert [pixel[0] for pixel in middles] == pytest.approx(expected, abs=8)  # of 96 shades
    assert durations(place) == [400] * 4 + [HELD]


def test_real_data_stand_beside(sick: Report) -> None:
    """With images the real ones are at the left of every picture, and do not move."""
    first, *others = Film().frames(sick)
    left = (12, 40, 40, 70)
    assert len(others) == 9
    assert all(other.crop(left).tobytes() == first.crop(left).tobytes() for other in others)
    assert any(other.tobytes() != first.tobytes() for other in others)


def test_condition_is_told_from_its_onset_on() -> None:
    """The bar of time turns red where a condition began, and its name stands below from then."""
    samples, story = Image.new("RGB", (100, 100)), Story("run", 100, [("mode collapse", 50)])
    before, after = (frame(samples, None, step, story) for step in (40, 60))

    def red(picture: Image.Image) -> int:
        return int((np.asarray(picture) == (191, 79, 0)).all(axis=-1).sum())

    assert red(before) == 0
    assert red(after) > 100


def test_plane_is_filmed(plane: Report, tmp_path: Path) -> None:
    """A game in the plane is filmed look by look, with D's answer behind the points."""
    pictures = played(Film().publish(plane, tmp_path))
    assert len(pictures) == 11
    corner = [picture.getpixel((picture.width - 30, 60)) for picture in pictures]
    assert corner[0] != corner[-1]  # D's answer there goes from 0 to 1


def test_points_are_filmed(tmp_path: Path) -> None:
    """Points without a recorded plane are drawn over the real ones; no sheet, no picture."""
    (tmp_path / "samples").mkdir()
    points = np.random.default_rng(0).normal(size=(16, 2)).astype(np.float32)
    for name in ("real", "step-00000001", "step-00000002"):
        write_grid(tmp_path / "samples" / name, points)
    (tmp_path / "samples" / "step-00000003.npy").write_bytes(b"half")
    report = Report(None, Record({}, folder=tmp_path), ())
    assert len(Film().frames(report)) == 2


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_film_is_told(count: int, tmp_path: Path) -> None:
    """Without two sheets there is one line that says so, and no file."""
    report = shades(tmp_path, [0.0] * count)
    with pytest.raises(BadInput, match="nothing to film"):
        Film().publish(report, tmp_path)
    assert not (tmp_path / "film.gif").exists()


@pytest.mark.parametrize("megabytes", [1.0, 0.2])
def test_film_fits(megabytes: float, tmp_path: Path) -> None:
    """Noise in colour, the worst there is, gets fewer pictures, then smaller ones."""
    (tmp_path / "samples").mkdir()
    draw = np.random.default_rng(0)
    for step in range(40):
        noise = draw.uniform(-1, 1, (16, 3, 32, 32)).astype(np.float32)
        write_grid(tmp_path / "samples" / f"step-{step:08d}", noise)
    report = Report(None, Record({}, folder=tmp_path), ())
    place = Path(Film(megabytes=megabytes).publish(report, tmp_path))
    assert place.stat().st_size <= megabytes * 1e6
    assert len(played(place)) >= 12


def test_same_run_same_film(sick: Report, tmp_path: Path) -> None:
    """Nothing in it depends on when it is made."""
    first, second = (Film().publish(sick, tmp_path / name) for name in "ab")
    assert Path(first).read_bytes() == Path(second).read_bytes()


def test_options_keep_their_bounds() -> None:
    """A film of no pictures is refused where it is asked for."""
    with pytest.raises(BadInput, match="pictures"):
        plugins.build("reporters", "film", {"pictures": 0})


def test_command_makes_the_film(sick: Report) -> None:
    """``gandiag report RUN --film`` writes the film alone, and says where."""
    assert sick.record.folder is not None
    result = CliRunner().invoke(main, ["report", str(sick.record.folder), "--film"])
    assert result.exit_code == 0, result.output
    assert result.output.strip().endswith("film.gif")
    assert not (sick.record.folder / "report.html").exists()
    (sick.record.folder / "film.gif").unlink()


def test_run_for_a_film_is_looked_at_often() -> None:
    """Sheets and looks at the plane come sixty times a run, or as often as they did."""
    rare = Source({"training": {"steps": 6000}})
    pages.evaluate_for_film(rare)
    scenario = Scenario.of(rare)
    assert (scenario.sample_grid_every, scenario.probes["plane"]["every"]) == (100, 100)
    often = Source(
        {"training": {"steps": 6000}, "sample_grid_every": 20, "probes": {"plane": False}}
    )
    pages.evaluate_for_film(often)
    assert Scenario.of(often).sample_grid_every == 20
    assert "plane" not in Scenario.of(often).probes
    short = Source({"training": {"steps": 30}})
    pages.evaluate_for_film(short)
    assert Scenario.of(short).sample_grid_every == 1
