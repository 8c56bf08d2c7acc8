from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gandiag.plugins import registry as plugins
from gandiag.plugins.errors import BadInput
from gandiag.plugins.protocols import Follower, Reporter
from gandiag.records.readers.tensorboard import TensorBoard as Reader
from gandiag.records.record import Row
from gandiag.reports.report import Report
from gandiag.reports.reporters.tensorboard import TensorBoard
from gandiag.scenario.schema import Scenario
from tests.reports.conftest import make_report, rows

pytest.importorskip("tensorboard")


def events(folder: Path) -> Any:
    """Read an event file with TensorBoard's own reader."""
    path = folder if folder.name == "tensorboard" else folder / "tensorboard"
    from tensorboard.backend.event_processing import event_accumulator as reader

    found = reader.EventAccumulator(str(path), reader.STORE_EVERYTHING_SIZE_GUIDANCE)
    return found.Reload()


def text(found: Any, tag: str) -> str:
    """The newest text of a tag."""
    newest = found.Tensors(tag)[-1].tensor_proto
    return str(newest.string_val[0].decode())


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Any]:
    """A failing run that was logged during the run, and its event file."""
    folder = tmp_path_factory.mktemp("followed")
    report = make_report(folder, failing=True)
    reporter = TensorBoard()
    reporter.begin(report.scenario, folder)
    measured = list(rows(1000))
    reporter.follow(measured[:50], 500)
    reporter.alert(report.diagnoses[0], 400)
    reporter.follow(measured[50:], 1000)
    path = reporter.publish(report, folder)
    reporter.end()
    reporter.end()
    return report, events(Path(path))


def test_signals_are_scalars(followed: tuple[Report, Any]) -> None:
    """Each number is logged once at its step, to the seven digits of an event."""
    report, found = followed
    for name, (steps, values) in report.record.signals.items():
        if values.ndim == 1:
            seen = found.Scalars(name)
            np.testing.assert_array_equal([event.step for event in seen], steps)
            np.testing.assert_allclose([event.value for event in seen], values, rtol=1e-6)


def test_vectors_are_histograms(followed: tuple[Report, Any]) -> None:
    """Each vector of shares is a histogram with one bar per entry."""
    report, found = followed
    steps, values = report.record["classes/histogram/generator"]
    seen = found.Histograms("classes/histogram/generator")
    assert [event.step for event in seen] == steps.tolist()
    newest = seen[-1].histogram_value
    np.testing.assert_allclose(newest.bucket, values[-1])
    assert list(newest.bucket_limit) == list(range(1, 11))


def test_sample_grids_are_images(followed: tuple[Report, Any]) -> None:
    """Each sample grid is an image at its step; the real samples are another image."""
    report, found = followed
    seen = found.Images("samples/generator")
    assert [image.step for image in seen] == [step for step, _ in report.record.sample_grids()]
    (real,) = found.Images("samples/real")
    with Image.open(io.BytesIO(real.encoded_image_string)) as picture:
        assert picture.size == (real.width, real.height)


def test_verdict_and_diagnoses_are_texts(followed: tuple[Report, Any]) -> None:
    """Verdict, alert and each diagnosis with its evidence are texts."""
    report, found = followed
    assert text(found, "verdict") == "mode collapse (total) since step 350"
    diagnosis = text(found, "diagnoses/mode_collapse")
    for item in report.diagnoses[0].evidence:
        assert item.signal in diagnosis
    assert "mode collapse" in text(found, "alerts/mode_collapse")
    assert [e.step for e in found.Tensors("alerts/mode_collapse")] == [400]
    assert "python: 3" in text(found, "environment")
    assert [e.value for e in found.Scalars("diagnosis/mode_collapse")] == [1.0, 1.0]


def test_settings_are_hyperparameters(followed: tuple[Report, Any]) -> None:
    """The scenario's settings are TensorBoard's hyperparameters."""
    from tensorboard.plugins.hparams import metadata

    _, found = followed
    content = found.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    settings = metadata.parse_session_start_info_plugin_data(content).hparams
    assert settings["training.steps"].number_value == 2000
    assert settings["name"].string_value == "failing"
    content = found.SummaryMetadata(metadata.SESSION_END_INFO_TAG).plugin_data.content
    assert metadata.parse_session_end_info_plugin_data(content).status == 1


def test_non_finite_values_are_kept(tmp_path: Path) -> None:
    """NaN and infinity are scalars; those of a vector are counted."""
    reporter = TensorBoard()
    reporter.begin(None, tmp_path)
    not_finite = [float("nan"), float("inf"), float("-inf")]
    reporter.follow([Row(step, {"a": value}) for step, value in enumerate(not_finite)], 2)
    reporter.follow([Row(3, {"bins": [0.5, float("nan")], "signed": [-1.0, 1.0]})], 3)
    reporter.end()
    found = events(tmp_path)
    np.testing.assert_array_equal([e.value for e in found.Scalars("a")], not_finite)
    assert [e.value for e in found.Scalars("bins/not_finite")] == [1.0]
    assert found.Tags()["histograms"] == ["bins"]


def test_saved_record_replaces_the_file(tmp_path: Path, odd: Report) -> None:
    """A report that is published again replaces the file; it needs no scenario."""
    for _ in range(2):
        path = TensorBoard().publish(odd, tmp_path)
    found = events(Path(path))
    steps, values = odd.record["loss/value/generator"]
    np.testing.assert_array_equal([e.step for e in found.Scalars("loss/value/generator")], steps)
    np.testing.assert_array_equal([e.value for e in found.Scalars("loss/value/generator")], values)
    assert [image.step for image in found.Images("samples/generator")] == [20]


def test_gandiag_reads_its_own_file(tmp_path: Path, healthy: Report) -> None:
    """The event file can be diagnosed like any TensorBoard log."""
    record = Reader().read(Path(TensorBoard().publish(healthy, tmp_path)), {})
    name = "loss/value/discriminator"
    np.testing.assert_allclose(record[name].values, healthy.record[name].values, rtol=1e-6)


def test_rows_are_on_disk_at_once(tmp_path: Path) -> None:
    """Rows can be read before the run ends."""
    reporter = TensorBoard()
    reporter.begin(Scenario(), tmp_path)
    reporter.follow([Row(0, {"a": 1.0})], 0)
    assert [e.value for e in events(tmp_path).Scalars("a")] == [1.0]
    reporter.end()


def test_open_file_is_not_part_of_equality() -> None:
    """It is a reporter and a follower; equality depends on the options alone."""
    made = plugins.build("reporters", "tensorboard", {"subfolder": "mine"})
    assert isinstance(made, Reporter)
    assert isinstance(made, Follower)
    assert made == TensorBoard("mine")
    made.end()  # before any begin
    made.follow([], 0)


def test_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without TensorBoard, the error names the extra to install."""
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.record_writer", None)
    with pytest.raises(BadInput, match=r"gandiag\[tensorboard\]"):
        TensorBoard().begin(None, tmp_path)
