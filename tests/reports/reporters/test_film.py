"""The film shows the sample grids in order, and its file is small enough."""

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
from gandiag.records.sample_grids import write_sample_grid
from gandiag.reports import republish as pages
from gandiag.reports.report import Report
from gandiag.reports.reporters._film_frames import FilmFacts, draw_frame
from gandiag.reports.reporters.film import LAST_FRAME_DURATION, Film
from gandiag.scenario.schema import Scenario
from gandiag.scenario.source import Source


def read_frames(path: str | Path) -> list[Image.Image]:
    """The frames of a film, in colour."""
    with Image.open(path) as film:
        return [picture.convert("RGB") for picture in ImageSequence.Iterator(film)]


def durations(path: str | Path) -> list[int]:
    """Duration of each frame in milliseconds."""
    with Image.open(path) as film:
        return [picture.info["duration"] for picture in ImageSequence.Iterator(film)]


def make_grey_run(folder: Path, values: list[float], size: int = 8) -> Report:
    """A run whose sample grids have one grey each, at steps 0, 1, 2 and so on."""
    (folder / "samples").mkdir(parents=True)
    for step, value in enumerate(values):
        images = np.full((4, 1, size, size), value, np.float32)
        write_sample_grid(folder / "samples" / f"step-{step:08d}", images)
    return Report(None, Record({}, folder=folder), ())


def test_sample_grids_are_in_order(tmp_path: Path) -> None:
    """Each sample grid is one frame, oldest first; the last frame lasts longer."""
    values = [-1.0, -0.5, 0.0, 0.5, 1.0]
    place = Film(seconds=2.0).publish(make_grey_run(tmp_path, values, size=32), tmp_path)
    pictures = read_frames(place)
    middles = [picture.getpixel((picture.width // 2 - 20, 60)) for picture in pictures]
    expected = [round((value + 1) * 127.5) for value in values]
    # The palette has 96 colours for samples, so the greys are not exact.
    assert [pixel[0] for pixel in middles] == pytest.approx(expected, abs=8)
    assert durations(place) == [400] * 4 + [LAST_FRAME_DURATION]


def test_real_samples_are_beside(failing: Report) -> None:
    """Real images are at the left of every frame and never change."""
    first, *others = Film().draw_frames(failing)
    left = (12, 40, 40, 70)
    assert len(others) == 9
    assert all(other.crop(left).tobytes() == first.crop(left).tobytes() for other in others)
    assert any(other.tobytes() != first.tobytes() for other in others)


def test_failure_is_shown_from_its_onset_on() -> None:
    """From the onset on, the progress bar is red and the failure's name is below it."""
    samples, facts = Image.new("RGB", (100, 100)), FilmFacts("run", 100, [("mode collapse", 50)])
    before, after = (draw_frame(samples, None, step, facts) for step in (40, 60))

    def red(picture: Image.Image) -> int:
        return int((np.asarray(picture) == (191, 79, 0)).all(axis=-1).sum())

    assert red(before) == 0
    assert red(after) > 100


def test_plane_is_filmed(plane: Report, tmp_path: Path) -> None:
    """A run in the plane has one frame per evaluation, with D's P(real) behind the points."""
    pictures = read_frames(Film().publish(plane, tmp_path))
    assert len(pictures) == 11
    corner = [picture.getpixel((picture.width - 30, 60)) for picture in pictures]
    assert corner[0] != corner[-1]  # P(real) at this place goes from 0 to 1


def test_points_are_filmed(tmp_path: Path) -> None:
    """Points without a recorded plane are drawn over real points; a damaged grid is left out."""
    (tmp_path / "samples").mkdir()
    points = np.random.default_rng(0).normal(size=(16, 2)).astype(np.float32)
    for name in ("real", "step-00000001", "step-00000002"):
        write_sample_grid(tmp_path / "samples" / name, points)
    (tmp_path / "samples" / "step-00000003.npy").write_bytes(b"half")
    report = Report(None, Record({}, folder=tmp_path), ())
    assert len(Film().draw_frames(report)) == 2


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_grids_are_an_error(count: int, tmp_path: Path) -> None:
    """With fewer than two sample grids there is an error and no file."""
    report = make_grey_run(tmp_path, [0.0] * count)
    with pytest.raises(BadInput, match="nothing to film"):
        Film().publish(report, tmp_path)
    assert not (tmp_path / "film.gif").exists()


@pytest.mark.parametrize("megabytes", [1.0, 0.2])
def test_film_keeps_its_limit(megabytes: float, tmp_path: Path) -> None:
    """Coloured noise, which compresses worst, gets fewer frames, then smaller ones."""
    (tmp_path / "samples").mkdir()
    rng = np.random.default_rng(0)
    for step in range(40):
        noise = rng.uniform(-1, 1, (16, 3, 32, 32)).astype(np.float32)
        write_sample_grid(tmp_path / "samples" / f"step-{step:08d}", noise)
    report = Report(None, Record({}, folder=tmp_path), ())
    place = Path(Film(megabytes=megabytes).publish(report, tmp_path))
    assert place.stat().st_size <= megabytes * 1e6
    assert len(read_frames(place)) >= 12


def test_same_run_same_film(failing: Report, tmp_path: Path) -> None:
    """The same run always gives the same file."""
    first, second = (Film().publish(failing, tmp_path / name) for name in "ab")
    assert Path(first).read_bytes() == Path(second).read_bytes()


def test_options_keep_their_bounds() -> None:
    """A film of no frames is an error when the reporter is built."""
    with pytest.raises(BadInput, match="pictures"):
        plugins.build("reporters", "film", {"pictures": 0})


def test_command_writes_the_film(failing: Report) -> None:
    """``gandiag report RUN --film`` writes only the film and prints its path."""
    assert failing.record.folder is not None
    result = CliRunner().invoke(main, ["report", str(failing.record.folder), "--film"])
    assert result.exit_code == 0, result.output
    assert result.output.strip().endswith("film.gif")
    assert not (failing.record.folder / "report.html").exists()
    (failing.record.folder / "film.gif").unlink()


def test_run_for_a_film_keeps_many_grids() -> None:
    """There are sixty sample grids and views of the plane per run, or more if set so."""
    rare = Source({"training": {"steps": 6000}})
    pages.schedule_film_grids(rare)
    scenario = Scenario.from_source(rare)
    assert (scenario.sample_grid_every, scenario.probes["plane"]["every"]) == (100, 100)
    often = Source(
        {"training": {"steps": 6000}, "sample_grid_every": 20, "probes": {"plane": False}}
    )
    pages.schedule_film_grids(often)
    assert Scenario.from_source(often).sample_grid_every == 20
    assert "plane" not in Scenario.from_source(often).probes
    short = Source({"training": {"steps": 30}})
    pages.schedule_film_grids(short)
    assert Scenario.from_source(short).sample_grid_every == 1
