"""The handle that `gandiag.attach` returns: gives access to the record, diagnoses and reports."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from torch import Tensor

from gandiag.attachment.step_hooks import StepHooks
from gandiag.diagnosis.diagnosis import Diagnosis, diagnose
from gandiag.diagnosis.objective import Objectives, recognise_objectives
from gandiag.plugins.errors import warn_user
from gandiag.plugins.protocols import Follower, Reporter
from gandiag.records.claim import Claim
from gandiag.records.facts import NOT_MEASURED, STOPPED
from gandiag.records.record import Record
from gandiag.reports.html_repr import render_run
from gandiag.reports.report import Report, build_report, format_verdict
from gandiag.training.components import Components
from gandiag.training.session import Session


class Attachment:
    """Monitors a training loop of the user's own; `gandiag.attach` returns it.

    Use it in a ``with`` statement, or call `detach` after the loop: until then the networks carry
    hooks. It does not keep the networks alive.
    """

    def __init__(
        self,
        hooks: StepHooks,
        session: Session,
        components: Components,
        claim: Claim | None = None,
    ) -> None:
        self._hooks = hooks
        self._claim = claim  # of the record's folder, held until the record ends
        self._session = session
        self._components = components
        self._has_ended = False
        hooks.after_error = self.end_after_error

    @property
    def step(self) -> int:
        """Number of generator steps since the attachment."""
        return self._session.watch.step

    @property
    def record(self) -> Record:
        """The record so far, including the measurements since the last flush."""
        # A flush waits for the GPU once, and may evaluate the detectors.
        self._hooks.guard.call(self._flush)
        return self._session.recorder.record()

    def label(self, *, real: Tensor | None = None, fake: Tensor | None = None) -> None:
        """State what a tensor contains, before the discriminator is called with it.

        Only needed where gandiag cannot distinguish real from generated samples: the summary of an
        inconclusive diagnosis says so.

        Args:
            real: real samples ``(B, *shape)``.
            fake: generated samples ``(B, *shape)``.
        """
        self._hooks.guard.call(lambda: self._hooks.label(real, fake))

    def diagnose(self) -> tuple[Diagnosis, ...]:
        """Evaluate every detector on the record so far."""
        return diagnose(self.record, self._components.detectors)

    @property
    def verdict(self) -> str:
        """The diagnoses so far in one line, such as ``mode collapse (total) since step 800``.

        It says, too, that an error has ended the monitoring.
        """
        verdict = format_verdict(self.diagnose())
        stop = self._session.recorder.facts.get(NOT_MEASURED, {}).get(STOPPED)
        return verdict if stop is None else f"{verdict}; monitoring has stopped: {stop['text']}"

    @property
    def objectives(self) -> Objectives:
        """The objectives that the loop minimises, recognised from the gradients at the scores."""
        return recognise_objectives(self.record)

    def report(self) -> Report:
        """The report of the run so far, as the reporters publish it."""
        return build_report(self.record, None, self._components.detectors, self._components.fixes)

    def publish(self, folder: Path | str) -> tuple[str, ...]:
        """Publish the report with the reporters, by default as a page and as JSON.

        Args:
            folder: where the reporters write; created if it does not exist.

        Returns:
            The places of what was written; none on other ranks than 0. Where nothing can be
            written, as on a full disk, one warning says so: the caller may be a training.
        """
        if not self._session.watch.ranks.is_first:
            return ()
        folder, report = Path(folder), self.report()
        places: list[str] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for reporter in self._components.reporters:
                places.append(reporter.publish(report, folder))
        except OSError as error:
            warn_user(f"gandiag cannot publish in {folder}: {type(error).__name__}: {error}")
        return tuple(places)

    def _repr_html_(self) -> str:
        """The state of the run at the time of the call, for a notebook."""
        diagnoses, record = self.diagnose(), self.record
        state = "" if self._hooks.is_attached else ", detached"
        title = f"Attached training loop at step {self.step}{state}"
        return render_run(title, format_verdict(diagnoses), record, diagnoses)

    def detach(self) -> None:
        """Remove every hook and end the record. A second call does nothing.

        Nothing is raised: an error is reported by a warning, and the rest is done nevertheless.
        """
        with contextlib.suppress(Exception):
            self._hooks.note_progress()
        self._do(self._hooks.detach)
        if self._has_ended:
            return
        self._has_ended = True
        self._do(self._flush)
        # The number of steps in the environment marks a record as complete.
        self._do(lambda: self._session.recorder.add_environment(steps_played=self.step))
        self._end()

    def end_after_error(self, _: Exception) -> None:
        """Keep what was measured, and end the followers, after an error has ended the monitoring.

        The environment does not get the number of steps: the record is not complete.
        """
        if self._has_ended:
            return
        self._has_ended = True
        self._do(self._flush)
        self._end()

    def _end(self) -> None:
        self._do(self._rescue)
        self._do(self._end_followers)
        if self._claim is not None:
            self._do(self._claim.release)

    def _rescue(self) -> None:
        recorder = self._session.recorder
        if recorder.disk_error is None:
            return
        if recorder.rescue():
            warn_user(f"gandiag: the whole record has been written to {recorder.folder}")
        else:
            warn_user("gandiag: the record could not be written anywhere; it is in memory only")

    def _do(self, action: Callable[[], None]) -> None:
        """Do something that must not raise; report an error by a warning."""
        try:
            action()
        except Exception as error:
            warn_user(f"gandiag: {type(error).__name__}: {error}")

    def _flush(self) -> None:
        watch = self._session.watch
        self._hooks.note_progress()
        watch.flush(watch.step)

    def _end_followers(self) -> None:
        monitor = self._session.monitor
        try:
            self._publish_to_followers()
        finally:
            followers, monitor.followers = monitor.followers, []
            for follower in followers:
                # Reading `record` later flushes again; the followers' run has ended.
                self._do(follower.end)

    def _publish_to_followers(self) -> None:
        """Publish the report with those followers that are reporters, too."""
        monitor = self._session.monitor
        if not any(isinstance(follower, Reporter) for follower in monitor.followers):
            return
        report = self.report()
        folder = self._session.recorder.folder or Path()

        def publish(follower: Follower) -> None:
            if isinstance(follower, Reporter):
                follower.publish(report, folder)

        monitor.notify(publish)

    def __enter__(self) -> Attachment:
        """Return the attachment itself; monitoring has already started."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Detach, also if the loop has raised an exception."""
        self.detach()
