"""The handle that `gandiag.attach` returns: gives access to the record, diagnoses and reports."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from torch import Tensor

from gandiag.attachment.step_hooks import StepHooks
from gandiag.diagnosis.diagnosis import Diagnosis, diagnose
from gandiag.diagnosis.objective import Objectives, recognise_objectives
from gandiag.plugins.protocols import Follower, Reporter
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

    def __init__(self, hooks: StepHooks, session: Session, components: Components) -> None:
        self._hooks = hooks
        self._session = session
        self._components = components

    @property
    def step(self) -> int:
        """Number of generator steps since the attachment."""
        return self._session.watch.step

    @property
    def record(self) -> Record:
        """The record so far, including the measurements since the last flush."""
        watch = self._session.watch
        # A flush waits for the GPU once, and may evaluate the detectors.
        watch.flush(watch.step)
        return self._session.recorder.record()

    def label(self, *, real: Tensor | None = None, fake: Tensor | None = None) -> None:
        """State what a tensor contains, before the discriminator is called with it.

        Only needed where gandiag cannot distinguish real from generated samples: the summary of an
        inconclusive diagnosis says so.

        Args:
            real: real samples ``(B, *shape)``.
            fake: generated samples ``(B, *shape)``.
        """
        self._hooks.label(real, fake)

    def diagnose(self) -> tuple[Diagnosis, ...]:
        """Evaluate every detector on the record so far."""
        return diagnose(self.record, self._components.detectors)

    @property
    def verdict(self) -> str:
        """The diagnoses so far in one line, such as ``mode collapse (total) since step 800``."""
        return format_verdict(self.diagnose())

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
            The places of what was written; none on other ranks than 0.
        """
        if not self._session.watch.ranks.is_first:
            return ()
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        report = self.report()
        return tuple(reporter.publish(report, folder) for reporter in self._components.reporters)

    def _repr_html_(self) -> str:
        """The state of the run at the time of the call, for a notebook."""
        diagnoses, record = self.diagnose(), self.record
        state = "" if self._hooks.is_attached else ", detached"
        title = f"Attached training loop at step {self.step}{state}"
        return render_run(title, format_verdict(diagnoses), record, diagnoses)

    def detach(self) -> None:
        """Remove every hook and end the record. A second call does nothing."""
        if not self._hooks.is_attached:
            return
        self._hooks.detach()
        watch, monitor = self._session.watch, self._session.monitor
        watch.flush(watch.step)
        # The number of steps in the environment marks a record as complete.
        self._session.recorder.add_environment(steps_played=watch.step)
        self._publish_to_followers()
        monitor.notify(lambda follower: follower.end())
        # Reading `record` later flushes again; the followers' run has ended.
        monitor.followers.clear()

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
