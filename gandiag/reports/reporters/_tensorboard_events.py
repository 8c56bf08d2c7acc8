"""A file of TensorBoard's events and what of a run has been put into it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis.diagnosis import Diagnosis
from gandiag.plugins.errors import BadInput
from gandiag.records.record import Row, Value
from gandiag.reports.formatting import by_weight, gate, holds, number, plain
from gandiag.reports.pictures import new_pictures
from gandiag.reports.report import Report, verdict
from gandiag.reports.reporters._rows import loggable

MINE = "events.out.tfevents.gandiag"  # names neither host nor process, as TensorBoard's own do


class Events:
    """One event file, made anew.

    Args:
        folder: where it goes.
        settings: the scenario as plain data; empty for a loop of somebody's own.
        run: the folder in which sample sheets appear; None where there are none.

    Raises:
        BadInput: TensorBoard is not installed.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], run: Path | None) -> None:
        try:
            from tensorboard.compat.proto import event_pb2
            from tensorboard.summary.writer.record_writer import RecordWriter
        except ImportError as error:
            way = 'pip install "gandiag[tensorboard]"'
            raise BadInput("reporters: tensorboard", f"is not installed: {way}") from error
        self.folder = folder
        self._run = run
        self._shown: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)
        self._file = RecordWriter((folder / MINE).open("wb"))
        version = event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2")
        self._file.write(version.SerializeToString())
        self._write_settings(settings)
        self._file.flush()

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows: numbers as scalars, NaN and infinity among them, vectors as histograms."""
        for row in rows:
            self._add(_summary(row.signals), row.step)
        self._file.flush()

    def write_sheets(self) -> None:
        """Write sample sheets that have appeared on disk since the last time."""
        from tensorboard.compat.proto import summary_pb2

        for picture in new_pictures(self._run, self._shown):
            size = {"height": picture.height, "width": picture.width, "colorspace": 3}
            image = summary_pb2.Summary.Image(**size, encoded_image_string=picture.png)
            value = summary_pb2.Summary.Value(tag=picture.name, image=image)
            self._add(summary_pb2.Summary(value=[value]), picture.step)
        self._file.flush()

    def alert(self, diagnosis: Diagnosis, step: int) -> None:
        """Write that a condition has appeared, or that it has cleared."""
        present = diagnosis.status == "present"
        name = plain(diagnosis.condition)
        title = verdict([diagnosis]) if present else f"{name} has cleared"
        text = f"**{title}**\n\n{diagnosis.summary}"
        self._write_text(f"alerts/{diagnosis.condition}", text, step)
        self.write([Row(step, {f"diagnosis/{diagnosis.condition}": float(present)})])

    def publish(self, report: Report) -> None:
        """Write verdict, evidence and environment as texts, and each condition as 0 or 1."""
        self.write_sheets()
        step = report.record.last_step
        self._write_text("verdict", verdict(report.diagnoses), step)
        for diagnosis in by_weight(report.diagnoses):
            self._write_text(f"diagnoses/{diagnosis.condition}", _as_markdown(diagnosis), step)
        about = report.record.environment
        told = "\n".join(f"- {key}: {value}" for key, value in sorted(about.items()))
        self._write_text("environment", told, step)
        known = [d for d in report.diagnoses if d.status != "inconclusive"]
        present = {f"diagnosis/{d.condition}": float(d.status == "present") for d in known}
        self.write([Row(step, present)])
        self._add(_session_end(), step)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write_settings(self, settings: Mapping[str, Any]) -> None:
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        flat = dict(_flat(settings))
        if flat:
            self._add(hparams_pb(flat), 0)

    def _write_text(self, tag: str, text: str, step: int) -> None:
        from tensorboard.plugins.text.summary_v2 import text_pb

        self._add(text_pb(tag, text), step)
        self._file.flush()

    def _add(self, summary: Any, step: int) -> None:
        from tensorboard.compat.proto import event_pb2

        event = event_pb2.Event(wall_time=time.time(), step=step, summary=summary)
        self._file.write(event.SerializeToString())


def _summary(signals: Mapping[str, Value]) -> Any:
    from tensorboard.compat.proto import summary_pb2

    values = [
        summary_pb2.Summary.Value(tag=name, simple_value=value)
        if isinstance(value, float)
        else summary_pb2.Summary.Value(tag=name, histo=_histogram(value))
        for name, value in loggable(signals)
    ]
    return summary_pb2.Summary(value=values)


def _histogram(bars: NDArray[np.float64]) -> Any:
    """A histogram with a bar of width 1 for each entry."""
    from tensorboard.compat.proto import histogram_pb2

    places = np.arange(len(bars), dtype=float)
    return histogram_pb2.HistogramProto(
        min=0.0,
        max=float(len(bars)),
        num=float(bars.sum()),
        sum=float((bars * places).sum()),
        sum_squares=float((bars * places**2).sum()),
        bucket_limit=(places + 1).tolist(),
        bucket=bars.tolist(),
    )


def _session_end() -> Any:
    """What closes a session of hyperparameters; TensorBoard's own maker of it needs TensorFlow."""
    from tensorboard.compat.proto import summary_pb2
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    end = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS, end_time_secs=time.time())
    about = metadata.create_summary_metadata(
        plugin_data_pb2.HParamsPluginData(session_end_info=end)
    )
    value = summary_pb2.Summary.Value(
        tag=metadata.SESSION_END_INFO_TAG, metadata=about, tensor=metadata.NULL_TENSOR
    )
    return summary_pb2.Summary(value=[value])


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, bool | float | str]]:
    """Settings by dotted key, as hyperparameters have to be.

    >>> dict(_flat({"training": {"steps": 5, "betas": [0.5, 0.9]}, "about": None}))
    {'training.steps': 5, 'training.betas': '0.5, 0.9', 'about': 'none'}
    """
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (bool, int, float, str)):
        yield name, value
    elif value is None:
        yield name, "none"
    else:
        yield name, ", ".join(str(item) for item in value)


def _as_markdown(diagnosis: Diagnosis) -> str:
    """A diagnosis with its evidence as a table."""
    kind = f", {plain(diagnosis.kind)}" if diagnosis.kind else ""
    since = "" if diagnosis.onset is None else f", since step {diagnosis.onset}"
    cause = f"\n\nCause: {plain(diagnosis.cause)}." if diagnosis.cause else ""
    head = "| what was measured | signal | observed | speaks for it if | does it? |\n|-|-|-|-|-|"
    lines = [
        f"| {e.meaning} | {e.signal} | {number(e.observed)} | {gate(e)} | {holds(e)} |"
        for e in diagnosis.evidence
    ]
    table = "\n\n" + "\n".join([head, *lines]) if lines else ""
    return f"**{diagnosis.status}{kind}{since}**\n\n{diagnosis.summary}{cause}{table}"
