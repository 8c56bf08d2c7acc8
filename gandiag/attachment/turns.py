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

from gandiag.attachment.calls import NOTHING, Fakes, Scored, tell_apart
from gandiag.attachment.gradient_tracking import Bookkeeping, Side, backward_scale, direction
from gandiag.attachment.hooks import CallHooks, Guard, Hook, compiles
from gandiag.attachment.origins import KEPT, Origins
from gandiag.attachment.real_samples import Gathering
from gandiag.models.scores import Reading
from gandiag.monitoring.forward_pass import ForwardPass
from gandiag.monitoring.snapshot import Player, Snapshot, first_tensor
from gandiag.monitoring.watch import Watch
from gandiag.records.facts import WAITED

__all__ = ["Turns"]

CALLS = 16  # of the discriminator's calls since its last step; a loop that never steps adds no more
AHEAD = KEPT // 2  # steps before a look in which its fakes may have been made: two calls in each
WAITING = (200, 1000, 10000)  # D's steps without one of G's at which that is written down


class Turns:
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
        reading: Reading,
        select: Callable[[Any], Tensor],
        watch: Watch,
        gathering: Gathering | None = None,
    ) -> None:
        self._generator, self._discriminator = weakref.ref(generator), weakref.ref(discriminator)
        self._reading, self._select, self._watch = reading, select, watch
        self._gathering = gathering
        self._origins = Origins()
        self._made: deque[tuple[Tensor, tuple[Any, ...], dict[str, Any]]] = deque(maxlen=KEPT)
        self._calls: deque[Scored] = deque(maxlen=CALLS)
        self._turn = NOTHING
        self._books = Bookkeeping(generator, discriminator)
        self._armed = True
        self._guard = Guard(self.detach)
        self._idle_until = 0
        self._by_the_book = True
        hook = self._guard.hook
        self._resting_hooks = CallHooks()
        self._resting_hooks.add(generator, hook(self._generated, rests=True))
        if reading.probability is not None:
            self._resting_hooks.add(discriminator, hook(self._scored, rests=True))
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
            always = discriminator.register_forward_hook(hook(self._scored), with_kwargs=True)
            self._handles.append(always)

    @property
    def attached(self) -> bool:
        """Whether hooks hang on the networks."""
        return bool(self._handles)

    def detach(self) -> None:
        """Take every hook away, and let go of every tensor."""
        self._resting_hooks.take_off()
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._origins.forget()
        self._made.clear()
        self._calls.clear()
        self._turn = NOTHING
        self._books.forget()
        self._watch.ranks.leave()

    def label(self, real: Tensor | None, fake: Tensor | None) -> None:
        """Remember what a tensor is until the discriminator is called with it."""
        self._origins.label(real, fake)

    def _generated(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> None:
        fake = first_tensor(output)
        kept = fake.detach()
        self._origins.fakes.append(kept)
        if fake.requires_grad:
            self._made.append((kept, args, kwargs))

    def _scored(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> None:
        for each in args:
            if isinstance(each, Tensor) and each.requires_grad and each.is_leaf:
                self._books.slope_asked()
        if not (self._armed or self._gathering):
            return
        scores = self._select(output)
        samples = self._origins.samples(args, kwargs)
        if samples is None or not scores.requires_grad:  # such as an evaluation
            return
        call = Scored(
            samples=samples.detach(),
            output=scores.detach(),
            again=functools.partial(self._again, _detached(args), _detached(kwargs)),
            fake=self._origins.is_fake(samples),
            asks_slope=samples.requires_grad and samples.is_leaf,
            to_generator=samples.requires_grad and not samples.is_leaf,
            alone=len(args) + len(kwargs) == 1,
            after=self._books.steps("discriminator"),
        )
        self._calls.append(call)
        if not call.to_generator and self._by_the_book:
            self._books.called()
        scores.register_hook(  # type: ignore[no-untyped-call]  # torch leaves it untyped
            Hook(functools.partial(self._reached, call))
        )
        if call.to_generator:
            samples.register_hook(  # type: ignore[no-untyped-call]
                functools.partial(_keep, call, "sample_gradient")
            )

    def _reached(self, call: Scored, gradient: Tensor) -> None:
        """A backward pass has reached a call's output."""
        call.output_gradient = gradient.detach()
        if self.attached and self._by_the_book:
            self._books.went_backward(call.to_generator, bool(call.fake))

    def _before_discriminator_step(self, optimizer: Optimizer, *_: Any) -> None:
        if self._guard.resting:
            self._books.count("discriminator")
            return
        if self._armed or self._gathering is not None:
            self._judge(optimizer)
        else:
            self._books.stepped("discriminator")
        if not self._books.steps("generator") and self._books.steps("discriminator") in WAITING:
            self._watch.recorder.know(**{WAITED: self._books.steps("discriminator")})

    def _judge(self, optimizer: Optimizer) -> None:
        """A turn of the discriminator ends, and somebody looks."""
        calls = tuple(self._calls)
        if calls:
            self._turn = tell_apart(calls)
        for call in calls:
            if not call.to_generator or call.output_gradient is not None:
                self._calls.remove(call)
        if self._gathering is not None:
            reference = self._gathering.add(self._turn.real)
            if reference is not None:
                self._watch.refer_to(reference)
                self._gathering = None
        turn = self._turn
        fake = Fakes(turn.fake, turn.fake_output, turn.fake_slope)
        self._show("discriminator", optimizer, fake)

    def _before_generator_step(self, optimizer: Optimizer, *_: Any) -> None:
        if self._armed or 2 * len(self._made) > KEPT:  # one by one they would cost twice as much
            for made, args, kwargs in self._made:
                self._watch.made(made, *args, **kwargs)
            self._made.clear()
        if self._armed or self._calls:
            self._be_judged(optimizer)
        else:
            self._books.stepped("generator")

    def _be_judged(self, optimizer: Optimizer) -> None:
        """A turn of the generator ends, and somebody looks."""
        calls = [call for call in self._calls if call.to_generator]
        self._calls.clear()
        fake = Fakes.judged(calls, self._reading, self._books.steps("discriminator"))
        self._show("generator", optimizer, fake)

    def _after_generator_step(self, *_: Any) -> None:
        if self._guard.resting:  # four steps of five, with batches of 128
            self._books.count("generator")
            self._watch.step += 1
            if self._watch.step >= self._idle_until:
                self._guard.resting = False
                self._resting_hooks.put_back()
            return
        generator = self._generator()
        if generator is not None:
            self._watch.stepped(self._watch.step + 1, generator)
        self._arm()
        self._rest()

    def _show(self, player: Player, optimizer: Optimizer, fake: Fakes) -> None:
        generator, discriminator = self._generator(), self._discriminator()
        step, turn = self._watch.step, self._turn
        if generator is None or discriminator is None or not self._watch.due(step, player):
            self._books.stepped(player)
            return
        score = self._reading.score
        scale, left = backward_scale(optimizer)
        sign = direction(optimizer) / scale
        raw, again = Side(fake.output, fake.slope), turn.score_real
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
            conduct=self._books.conduct(player, turn, raw, sign) if self._by_the_book else None,
        )
        self._books.stepped(player)
        self._watch.turn(snapshot)
        self._arm()

    def _score_fake(self, judged: Fakes) -> Callable[[], Tensor] | None:
        """Scores D's fakes again, or repeats what D has just said to them in G's turn."""
        fake, output = self._turn.fake, judged.output
        if fake is None or output is None or judged.samples is None or not judged.newest:
            return self._turn.score_fake
        same = fake.data_ptr() == judged.samples.data_ptr() and fake.shape == judged.samples.shape
        return functools.partial(self._reading.score, output) if same else self._turn.score_fake

    def _arm(self) -> None:
        """Whether the coming turns are to be looked at closely; most are not, and cost nothing."""
        step = self._watch.step
        self._armed = self._watch.due(step, "generator") or self._watch.due(step, "discriminator")
        self._by_the_book = self._armed and self._watch.asked("conduct", step)

    def _rest(self) -> None:
        """Let most hooks rest until a look comes near; not within a step, of which all is seen."""
        self._idle_until = 0 if self._gathering else self._watch.idle_until(AHEAD)
        self._guard.resting = self._watch.step < self._idle_until
        if self._guard.resting and not compiles():
            self._resting_hooks.take_off()

    def _again(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
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


def _keep(call: Scored, name: str, gradient: Tensor) -> None:
    setattr(call, name, gradient.detach())
