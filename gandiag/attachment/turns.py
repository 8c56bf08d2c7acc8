"""Sees the turns of a loop that knows nothing of it: hooks on networks and optimizers.

Measured at the optimizer's step, one player at a time: forward and backward hooks fire a different
number of times in every loop, and the generator's backward pass adds to the discriminator's
gradients (see the tests).
"""

from __future__ import annotations

import functools
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from gandiag.attachment.calls import NO_STEP, DiscriminatorCall, FakeBatch, split_real_fake
from gandiag.attachment.gradient_tracking import (
    GradientTracker,
    OutputGradient,
    backward_scale,
    direction,
)
from gandiag.attachment.hooks import Guard, Hook, PausableHooks, has_compiled
from gandiag.attachment.origins import KEPT, FakeRegistry
from gandiag.attachment.real_samples import RealSampleBuffer
from gandiag.models.scores import ScoreFunctions
from gandiag.monitoring.forward_pass import ForwardPass
from gandiag.monitoring.snapshot import Player, Snapshot, first_tensor
from gandiag.monitoring.watch import Watch
from gandiag.records.facts import WAITED

CALLS = 16  # of the discriminator's calls since its last step; a loop that never steps adds no more
AHEAD = KEPT // 2  # steps before a look in which its fakes may have been made: two calls in each
WAITING = (200, 1000, 10000)  # D's steps without one of G's at which that is written down


class StepHooks:
    """Turns what hooks see into snapshots for the watch.

    Args:
        generator: makes samples; its calls with gradients are its turns' batches.
        discriminator: scores them.
        optimizers: by player, those that step it, in the order in which they step.
        reading: how the discriminator's output is to be read.
        select: picks the scores from the discriminator's output.
        watch: what is shown the snapshots.
        gathering: makes a reference for it of real batches; None where it has one.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        optimizers: Mapping[Player, Sequence[Optimizer]],
        reading: ScoreFunctions,
        select: Callable[[Any], Tensor],
        watch: Watch,
        gathering: RealSampleBuffer | None = None,
    ) -> None:
        self._generator, self._discriminator = weakref.ref(generator), weakref.ref(discriminator)
        self._reading, self._select, self._watch = reading, select, watch
        self._real_samples = gathering
        self._fakes = FakeRegistry()
        self._generated: deque[tuple[Tensor, tuple[Any, ...], dict[str, Any]]] = deque(maxlen=KEPT)
        self._calls: deque[DiscriminatorCall] = deque(maxlen=CALLS)
        self._discriminator_step = NO_STEP
        self._tracker = GradientTracker(generator, discriminator)
        self._armed = True
        self._guard = Guard(self.detach)
        self._idle_until = 0
        self._traced = True
        hook = self._guard.hook
        self._pausable_hooks = PausableHooks()
        self._pausable_hooks.add(generator, hook(self._on_generator_call, rests=True))
        if reading.probability is not None:
            self._pausable_hooks.add(discriminator, hook(self._on_discriminator_call, rests=True))
        self._handles = [
            optimizers["discriminator"][0].register_step_pre_hook(
                hook(self._before_discriminator_step)
            ),
            optimizers["generator"][0].register_step_pre_hook(
                hook(self._before_generator_step, rests=True)
            ),
            optimizers["generator"][-1].register_step_post_hook(hook(self._after_generator_step)),
        ]
        if reading.probability is None:  # a critic's penalty may be asked for every 16th time only
            always = discriminator.register_forward_hook(
                hook(self._on_discriminator_call), with_kwargs=True
            )
            self._handles.append(always)

    @property
    def attached(self) -> bool:
        """Whether hooks hang on the networks."""
        return bool(self._handles)

    def detach(self) -> None:
        """Take every hook away, and let go of every tensor."""
        self._pausable_hooks.remove()
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._fakes.clear()
        self._generated.clear()
        self._calls.clear()
        self._discriminator_step = NO_STEP
        self._tracker.clear()
        self._watch.ranks.leave()

    def label(self, real: Tensor | None, fake: Tensor | None) -> None:
        """Remember what a tensor is until the discriminator is called with it."""
        self._fakes.label(real, fake)

    def _on_generator_call(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> None:
        fake = first_tensor(output)
        kept = fake.detach()
        self._fakes.fakes.append(kept)
        if fake.requires_grad:
            self._generated.append((kept, args, kwargs))

    def _on_discriminator_call(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> None:
        for each in args:
            if isinstance(each, Tensor) and each.requires_grad and each.is_leaf:
                self._tracker.input_gradient_requested()
        if not (self._armed or self._real_samples):
            return
        scores = self._select(output)
        samples = self._fakes.samples(args, kwargs)
        if samples is None or not scores.requires_grad:  # such as an evaluation
            return
        call = DiscriminatorCall(
            samples=samples.detach(),
            output=scores.detach(),
            rescore=functools.partial(self._rescore, _detached(args), _detached(kwargs)),
            fake=self._fakes.is_fake(samples),
            needs_input_gradient=samples.requires_grad and samples.is_leaf,
            to_generator=samples.requires_grad and not samples.is_leaf,
            is_only_input=len(args) + len(kwargs) == 1,
            discriminator_steps=self._tracker.steps("discriminator"),
        )
        self._calls.append(call)
        if not call.to_generator and self._traced:
            self._tracker.before_discriminator_call()
        scores.register_hook(  # type: ignore[no-untyped-call]  # torch leaves it untyped
            Hook(functools.partial(self._on_output_gradient, call))
        )
        if call.to_generator:
            samples.register_hook(  # type: ignore[no-untyped-call]
                functools.partial(_keep, call, "input_gradient")
            )

    def _on_output_gradient(self, call: DiscriminatorCall, gradient: Tensor) -> None:
        """A backward pass has reached a call's output."""
        call.output_gradient = gradient.detach()
        if self.attached and self._traced:
            self._tracker.on_backward(call.to_generator, bool(call.fake))

    def _before_discriminator_step(self, optimizer: Optimizer, *_: Any) -> None:
        if self._guard.paused:
            self._tracker.count("discriminator")
            return
        if self._armed or self._real_samples is not None:
            self._end_discriminator_step(optimizer)
        else:
            self._tracker.stepped("discriminator")
        if not self._tracker.steps("generator") and self._tracker.steps("discriminator") in WAITING:
            self._watch.recorder.add_facts(**{WAITED: self._tracker.steps("discriminator")})

    def _end_discriminator_step(self, optimizer: Optimizer) -> None:
        """A turn of the discriminator ends, and somebody looks."""
        calls = tuple(self._calls)
        if calls:
            self._discriminator_step = split_real_fake(calls)
        for call in calls:
            if not call.to_generator or call.output_gradient is not None:
                self._calls.remove(call)
        if self._real_samples is not None:
            reference = self._real_samples.add(self._discriminator_step.real)
            if reference is not None:
                self._watch.set_reference(reference)
                self._real_samples = None
        turn = self._discriminator_step
        fake = FakeBatch(turn.fake, turn.fake_output, turn.fake_gradient)
        self._observe("discriminator", optimizer, fake)

    def _before_generator_step(self, optimizer: Optimizer, *_: Any) -> None:
        if (
            self._armed or 2 * len(self._generated) > KEPT
        ):  # one by one they would cost twice as much
            for made, args, kwargs in self._generated:
                self._watch.add_batch(made, *args, **kwargs)
            self._generated.clear()
        if self._armed or self._calls:
            self._end_generator_step(optimizer)
        else:
            self._tracker.stepped("generator")

    def _end_generator_step(self, optimizer: Optimizer) -> None:
        """A turn of the generator ends, and somebody looks."""
        calls = [call for call in self._calls if call.to_generator]
        self._calls.clear()
        fake = FakeBatch.from_calls(calls, self._reading, self._tracker.steps("discriminator"))
        self._observe("generator", optimizer, fake)

    def _after_generator_step(self, *_: Any) -> None:
        if self._guard.paused:  # four steps of five, with batches of 128
            self._tracker.count("generator")
            self._watch.step += 1
            if self._watch.step >= self._idle_until:
                self._guard.paused = False
                self._pausable_hooks.restore()
            return
        generator = self._generator()
        if generator is not None:
            self._watch.after_generator_step(self._watch.step + 1, generator)
        self._update_armed()
        self._pause_if_idle()

    def _observe(self, player: Player, optimizer: Optimizer, fake: FakeBatch) -> None:
        generator, discriminator = self._generator(), self._discriminator()
        step, turn = self._watch.step, self._discriminator_step
        if generator is None or discriminator is None or not self._watch.due(step, player):
            self._tracker.stepped(player)
            return
        score = self._reading.score
        scale, left = backward_scale(optimizer)
        sign = direction(optimizer) / scale
        raw, again = OutputGradient(fake.output, fake.gradient), turn.score_real
        snapshot = Snapshot(
            step=step,
            player=player,
            generator=generator,
            discriminator=discriminator,
            real=turn.real,
            fake=fake.samples,
            real_scores=None if turn.real_output is None else score(turn.real_output),
            fake_scores=None if fake.output is None else score(fake.output),
            real_pass=None if again is None else ForwardPass(discriminator, again),
            score_fake=self._score_fake(fake),
            score_gradient=_times(fake.score_gradient, sign),
            input_gradient=_times(fake.input_gradient, sign),
            gradient_scale=left,
            loop_trace=self._tracker.trace(player, turn, raw, sign) if self._traced else None,
        )
        self._tracker.stepped(player)
        self._watch.observe(snapshot)
        self._update_armed()

    def _score_fake(self, judged: FakeBatch) -> Callable[[], Tensor] | None:
        """Scores D's fakes again, or repeats what D has just said to them in G's turn."""
        fake, output = self._discriminator_step.fake, judged.output
        if fake is None or output is None or judged.samples is None or not judged.is_current:
            return self._discriminator_step.score_fake
        same = fake.data_ptr() == judged.samples.data_ptr() and fake.shape == judged.samples.shape
        return (
            functools.partial(self._reading.score, output)
            if same
            else self._discriminator_step.score_fake
        )

    def _update_armed(self) -> None:
        """Whether the coming turns are to be looked at closely; most are not, and cost nothing."""
        step = self._watch.step
        self._armed = self._watch.due(step, "generator") or self._watch.due(step, "discriminator")
        self._traced = self._armed and self._watch.wants("loop_trace", step)

    def _pause_if_idle(self) -> None:
        """Let most hooks rest until a look comes near; not within a step, of which all is seen."""
        self._idle_until = 0 if self._real_samples else self._watch.idle_until(AHEAD)
        self._guard.paused = self._watch.step < self._idle_until
        if self._guard.paused and not has_compiled():
            self._pausable_hooks.remove()

    def _rescore(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        discriminator = self._discriminator()
        assert discriminator is not None  # the turn that asks is being played by it
        return self._reading.score(self._select(discriminator(*args, **kwargs)))


def _detached(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, tuple):
        return tuple(_detached(item) for item in value)
    if isinstance(value, Mapping):
        return {key: _detached(item) for key, item in value.items()}
    return value


def _times(gradient: Tensor | None, factor: float | Tensor) -> Tensor | None:
    return None if gradient is None else gradient * factor


def _keep(call: DiscriminatorCall, name: str, gradient: Tensor) -> None:
    setattr(call, name, gradient.detach())
