"""Writes the signals, sample grids, alerts and diagnoses of a run to a TensorBoard event file."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandiag.diagnosis.diagnosis import Diagnosis, humanize
from gandiag.plugins.errors import BadInput
from gandiag.records.own_output import EVENTS_NAME, FACTS, UNCHARTED
from gandiag.records.record import Row
from gandiag.records.storage import Value, format_json
from gandiag.reports.formatting import (
    format_exceeded,
    format_number,
    format_threshold,
    sort_by_status,
)
from gandiag.reports.grid_pictures import read_new_grids
from gandiag.reports.report import Report, format_verdict
from gandiag.reports.reporters._rows import convert_for_logging, encode_uncharted

#: TensorBoard's own writer adds host, process and time to the name. With a fixed name, a new report
#: replaces the file, and no name of a machine is published.
FILE_NAME = EVENTS_NAME


class EventFile:
    """One new event file, which replaces an earlier one.

    Args:
        folder: folder of the event file.
        settings: the scenario as plain data; empty for a third-party loop.
        run_folder: folder of the run, where sample grids appear; None without sample grids.

    Raises:
        BadInput: TensorBoard is not installed.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], run_folder: Path | None) -> None:
        try:
            from tensorboard.compat.proto import event_pb2
            from tensorboard.summary.writer.record_writer import RecordWriter
        except ImportError as error:
            problem = 'is not installed: pip install "gandiag[tensorboard]"'
            raise BadInput("reporters: tensorboard", problem) from error
        self.folder = folder
        self._run_folder = run_folder
        self._written_grids: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)
        self._file = RecordWriter((folder / FILE_NAME).open("wb"))
        # The first event of a file gives the version of the format.
        version = event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2")
        self._file.write(version.SerializeToString())
        self._write_settings(settings)
        self._file.flush()

    def write_rows(self, rows: Sequence[Row]) -> None:
        """Write rows: numbers as scalars, NaN and infinity included, and vectors as histograms."""
        # The file is flushed after each call, because TensorBoard reads it during the run.
        for row in rows:
            self._add(_build_summary(row.signals), row.step)
            text = encode_uncharted(row)
            if text is not None:
                self._write_data(UNCHARTED, text, row.step)
        self._file.flush()

    def write_sample_grids(self) -> None:
        """Write the sample grids that have appeared on disk since the last call."""
        from tensorboard.compat.proto import summary_pb2

        for picture in read_new_grids(self._run_folder, self._written_grids):
            # Colour space 3 is RGB.
            size = {"height": picture.height, "width": picture.width, "colorspace": 3}
            image = summary_pb2.Summary.Image(**size, encoded_image_string=picture.png)
            value = summary_pb2.Summary.Value(tag=picture.name, image=image)
            self._add(summary_pb2.Summary(value=[value]), picture.step)
        self._file.flush()

    def alert(self, diagnosis: Diagnosis, step: int) -> None:
        """Write that a failure was detected, or that it is no longer present."""
        is_present = diagnosis.status == "present"
        name = humanize(diagnosis.condition)
        title = format_verdict([diagnosis]) if is_present else f"{name} is no longer present"
        text = f"**{title}**\n\n{diagnosis.summary}"
        self._write_text(f"alerts/{diagnosis.condition}", text, step)
        self.write_rows([Row(step, {f"diagnosis/{diagnosis.condition}": float(is_present)})])

    def publish(self, report: Report) -> None:
        """Write verdict, evidence and environment as texts, and each condition as 0 or 1."""
        self.write_sample_grids()
        step = report.record.last_step
        self._write_text("verdict", format_verdict(report.diagnoses), step)
        for diagnosis in sort_by_status(report.diagnoses):
            self._write_text(f"diagnoses/{diagnosis.condition}", _format_diagnosis(diagnosis), step)
        environment = sorted(report.record.environment.items())
        lines = "\n".join(f"- {key}: {value}" for key, value in environment)
        self._write_text("environment", lines, step)
        self._write_data(FACTS, format_json(report.record.facts), step)
        # An inconclusive diagnosis is neither 0 nor 1 and adds no point to the condition's curve.
        decided = [d for d in report.diagnoses if d.status != "inconclusive"]
        is_present = {f"diagnosis/{d.condition}": float(d.status == "present") for d in decided}
        self.write_rows([Row(step, is_present)])
        # Without this event, the table of hyperparameters shows the run as still running.
        self._add(_build_session_end(), step)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write_settings(self, settings: Mapping[str, Any]) -> None:
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        hyperparameters = dict(_flatten(settings))
        if hyperparameters:
            self._add(hparams_pb(hyperparameters), 0)

    def _write_text(self, tag: str, text: str, step: int) -> None:
        from tensorboard.plugins.text.summary_v2 import text_pb

        self._add(text_pb(tag, text), step)
        self._file.flush()

    def _write_data(self, tag: str, text: str, step: int) -> None:
        """Write a text for gandiag's reader, which no dashboard of TensorBoard shows."""
        from tensorboard.compat.proto import summary_pb2

        plugin = summary_pb2.SummaryMetadata.PluginData(plugin_name="gandiag")
        metadata = summary_pb2.SummaryMetadata(plugin_data=plugin)
        tensor = {"dtype": "DT_STRING", "string_val": [text.encode()]}
        value = summary_pb2.Summary.Value(tag=tag, metadata=metadata, tensor=tensor)
        self._add(summary_pb2.Summary(value=[value]), step)

    def _add(self, summary: Any, step: int) -> None:
        from tensorboard.compat.proto import event_pb2

        event = event_pb2.Event(wall_time=time.time(), step=step, summary=summary)
        self._file.write(event.SerializeToString())


def _build_summary(signals: Mapping[str, Value]) -> Any:
    from tensorboard.compat.proto import summary_pb2

    values = [
        summary_pb2.Summary.Value(tag=name, simple_value=value)
        if isinstance(value, float)
        else summary_pb2.Summary.Value(tag=name, histo=_build_histogram(value))
        for name, value in convert_for_logging(signals)
    ]
    return summary_pb2.Summary(value=values)


def _build_histogram(bars: NDArray[np.float64]) -> Any:
    """A histogram with a bar of width 1 for each entry."""
    from tensorboard.compat.proto import histogram_pb2

    positions = np.arange(len(bars), dtype=float)  # left end of each bar
    # Sums over bar positions, from which TensorBoard computes mean and variance.
    return histogram_pb2.HistogramProto(
        min=0.0,
        max=float(len(bars)),
        num=float(bars.sum()),
        sum=float((bars * positions).sum()),
        sum_squares=float((bars * positions**2).sum()),
        bucket_limit=(positions + 1).tolist(),
        bucket=bars.tolist(),
    )


def _build_session_end() -> Any:
    """The end of a session of hyperparameters; TensorBoard's own function needs TensorFlow."""
    from tensorboard.compat.proto import summary_pb2
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    end = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS, end_time_secs=time.time())
    plugin_metadata = metadata.create_summary_metadata(
        plugin_data_pb2.HParamsPluginData(session_end_info=end)
    )
    value = summary_pb2.Summary.Value(
        tag=metadata.SESSION_END_INFO_TAG, metadata=plugin_metadata, tensor=metadata.NULL_TENSOR
    )
    return summary_pb2.Summary(value=[value])


def _flatten(value: Any, name: str = "") -> Iterator[tuple[str, bool | float | str]]:
    """Settings by dotted key, each a single value, as TensorBoard's hyperparameters must be.

    >>> dict(_flatten({"training": {"steps": 5, "betas": [0.5, 0.9]}, "about": None}))
    {'training.steps': 5, 'training.betas': '0.5, 0.9', 'about': 'none'}
    """
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flatten(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (bool, int, float, str)):
        yield name, value
    elif value is None:
        yield name, "none"
    else:
        yield name, ", ".join(str(item) for item in value)


def _format_diagnosis(diagnosis: Diagnosis) -> str:
    """A diagnosis as Markdown, with its evidence as a table."""
    failure_type = f", {humanize(diagnosis.kind)}" if diagnosis.kind else ""
    since = "" if diagnosis.onset is None else f", since step {diagnosis.onset}"
    cause = f"\n\nCause: {humanize(diagnosis.cause)}." if diagnosis.cause else ""
    head = ["| measured | signal | observed | threshold | exceeded |", "|-|-|-|-|-|"]
    rows = [
        f"| {item.meaning} | {item.signal} | {format_number(item.observed)} "
        f"| {format_threshold(item)} | {format_exceeded(item)} |"
        for item in diagnosis.evidence
    ]
    table = "\n\n" + "\n".join(head + rows) if rows else ""
    return f"**{diagnosis.status}{failure_type}{since}**\n\n{diagnosis.summary}{cause}{table}"
