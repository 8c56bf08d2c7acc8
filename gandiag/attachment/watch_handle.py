"""What a watched loop of somebody's own is asked with: the record so far, diagnoses, reports."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from torch import Tensor

from gandiag.attachment.followers import publish_to
from gandiag.attachment.turns import StepHooks
from gandiag.diagnosis.diagnosis import Diagnosis, diagnose
from gandiag.diagnosis.objective import Objectives, recognise_objectives
from gandiag.diagnosis.online import Monitor
from gandiag.monitoring.watch import Watch
from gandiag.plugins.protocols import Reporter
from gandiag.records.record import Record
from gandiag.reports.html_repr import run_as_html
from gandiag.reports.report import Report, build_report, verdict
from gandiag.training.components import Components


class Attachment:
    """What `gandiag.attach` returns: a watch over somebody's own loop.

    Use it with ``with``, or call `detach` when the loop is over; until then the networks carry
    hooks. It holds no network alive.
    """

    def __init__(self, turns: StepHooks, watch: Watch, monitor: Monitor, parts: Components) -> None:
        self._hooks = turns
        self._watch = watch
        self._monitor = monitor
        self._components = parts

    @property
    def step(self) -> int:
        """Generator steps seen so far."""
        return self._watch.step

    @property
    def record(self) -> Record:
        """The record so far, with what was measured since the last flush."""
        self._watch.flush(self._watch.step)
        return self._watch.recorder.record()

    def label(self, *, real: Tensor | None = None, fake: Tensor | None = None) -> None:
        """Say what a tensor is before the discriminator is called with it.

        Only needed where gandiag cannot tell: see `Diagnosis.summary` of an inconclusive answer.
        """
        self._hooks.label(real, fake)

    def diagnose(self) -> tuple[Diagnosis, ...]:
        """Ask every detector about what has been seen so far."""
        return diagnose(self.record, self._components.detectors)

    @property
    def objectives(self) -> Objectives:
        """The objectives that the loop really uses, recognised from its scores and slopes."""
        return recognise_objectives(self.record)

    def report(self) -> Report:
        """All that a page needs, as it is now."""
        return build_report(self.record, None, self._components.detectors, self._components.fixes)

    def publish(self, folder: Path | str) -> tuple[str, ...]:
        """Write the reports (a page and JSON unless told otherwise) and return where they lie.

        Ranks other than 0 write nothing.
        """
        if not self._watch.ranks.is_first:
            return ()
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        report = self.report()
        return tuple(reporter.publish(report, folder) for reporter in self._components.reporters)

    def _repr_html_(self) -> str:
        """What a notebook shows: how it stands now. Show it again to see more."""
        found, record = self.diagnose(), self.record
        title = f"a watch at step {self.step}{'' if self._hooks.attached else ', detached'}"
        return run_as_html(title, verdict(found), record, found)

    def detach(self) -> None:
        """Take every hook away; what was measured stays. Calling it again does nothing."""
        if self._hooks.attached:
            self._hooks.detach()
            self._watch.flush(self._watch.step)
            self._watch.recorder.add_environment(steps_played=self._watch.step)  # that it is over
            self._publish_to_followers()
            self._monitor.notify(lambda follower: follower.end())
            self._monitor.followers.clear()  # to look at the record later is none of theirs

    def _publish_to_followers(self) -> None:
        """Give the report to those followers that are reporters too."""
        if any(isinstance(follower, Reporter) for follower in self._monitor.followers):
            report = self.report()
            folder = self._watch.recorder.folder or Path()
            self._monitor.notify(lambda follower: publish_to(follower, report, folder))

    def __enter__(self) -> Attachment:
        """Go on watching."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Detach, however the loop ended."""
        self.detach()
