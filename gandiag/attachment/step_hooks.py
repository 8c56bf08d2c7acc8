"""Hooks on networks and optimizers that observe the steps of the user's training loop.

A step is measured immediately before its optimizer changes the weights, one network at a time. Only
there the gradients are complete and belong to the step: forward and backward hooks run a different
number of times in every loop, and the generator's backward pass adds to the discriminator's
gradients, too (see the tests).
"""

from __future__ import annotations

import functools
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from gandiag.attachment.calls import RECENT_BATCHES, DiscriminatorCall
from gandiag.attachment.gradient_tracking import GradientTracker, descent_sign
from gandiag.attachment.hooks import Hook, HookGuard, PausableHooks
from gandiag.attachment.real_samples import RealSampleBuffer
from gandiag.attachment.snapshots import FakeBatch, SnapshotBuilder
from gandiag.models.scores import ScoreFunctions
from gandiag.monitoring.snapshot import NetworkName, first_tensor
from gandiag.monitoring.torch_internals import has_compiled, loss_scale
from gandiag.monitoring.watch import Watch
from gandiag.records.facts import DISCRIMINATOR_STEPS_FIRST

# Generator steps before an evaluation at which the hooks come back: the fakes of the evaluation may
# have been generated that early, as loops call the generator about twice a step.
STEPS_AHEAD = RECENT_BATCHES // 2
# Discriminator steps at which the record notes that the generator has not been stepped yet. Each
# note writes a file, and the lint `idle_network` needs the order of magnitude only.
REPORTED_WAITS = (200, 1000, 10000)


class StepHooks:
    """Registers the hooks, pauses them between evaluations, and removes them.

    Most steps are not evaluated. The hooks then only count steps, and the networks carry no hook at
    all, except a critic (see `_register`).

    Args:
        generator: its outputs that require gradients are the loop's generated samples.
        discriminator: scores samples.
        optimizers: by network, the optimizers that step it, in the order of their steps.
        score_functions: how the discriminator's raw output is read.
        select: picks the scores from the discriminator's output.
        watch: shows the snapshots to the probes.
        real_samples: collects the loop's real batches and builds a reference from them; None if the
            watch has a reference.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        optimizers: Mapping[NetworkName, Sequence[Optimizer]],
        score_functions: ScoreFunctions,
        select: Callable[[Any], Tensor],
        watch: Watch,
        real_samples: RealSampleBuffer | None = None,
    ) -> None:
        self._generator = weakref.ref(generator)
        self._watch = watch
        self._real_samples = real_samples
        self._tracker = GradientTracker(generator, discriminator)
        self._snapshots = SnapshotBuilder(
            generator, discriminator, score_functions, select, self._tracker
        )
        self._generated: deque[tuple[Tensor, tuple[Any, ...], dict[str, Any]]] = deque(
            maxlen=RECENT_BATCHES
        )
        self._is_armed = True  # whether the current step may be evaluated
        self._is_traced = True  # whether a probe needs the trace of the loop in this step
        self._idle_until = 0  # generator step at which paused hooks come back
        self._guard = HookGuard(self.detach)
        self._pausable_hooks = PausableHooks()
        is_critic = score_functions.probability is None
        self._handles = self._register(generator, discriminator, optimizers, is_critic)

    def _register(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        optimizers: Mapping[NetworkName, Sequence[Optimizer]],
        is_critic: bool,
    ) -> list[RemovableHandle]:
        """Register every hook; return the handles of those that are never paused."""
        hook = self._guard.wrap
        on_discriminator_call = hook(self._on_discriminator_call, is_pausable=not is_critic)
        self._pausable_hooks.add(generator, hook(self._on_generator_call, is_pausable=True))
        if not is_critic:
            self._pausable_hooks.add(discriminator, on_discriminator_call)
        handles = [
            # Several optimizers of a network step one after the other: the step begins before the
            # first of them and is complete after the last.
            optimizers["discriminator"][0].register_step_pre_hook(
                hook(self._before_discriminator_step)
            ),
            optimizers["generator"][0].register_step_pre_hook(
                hook(self._before_generator_step, is_pausable=True)
            ),
            optimizers["generator"][-1].register_step_post_hook(hook(self._after_generator_step)),
        ]
        if is_critic:
            # A critic's hook stays: some loops compute the gradient penalty at every 16th step only
            # (lazy regularisation, Karras et al. 2020), which a paused hook would miss.
            handles.append(
                discriminator.register_forward_hook(on_discriminator_call, with_kwargs=True)
            )
        return handles

    @property
    def is_attached(self) -> bool:
        """Whether the hooks are registered."""
        return bool(self._handles)

    def detach(self) -> None:
        """Remove every hook and release every tensor."""
        self._pausable_hooks.remove()
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._generated.clear()
        self._snapshots.clear()
        self._tracker.clear()
        self._watch.ranks.leave()

    def label(self, real: Tensor | None, fake: Tensor | None) -> None:
        """Remember that a tensor holds real or generated samples, see `Attachment.label`."""
        self._snapshots.fakes.label(real, fake)

    def _on_generator_call(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> None:
        fake = first_tensor(output)
        detached = fake.detach()
        self._snapshots.fakes.fakes.append(detached)
        if fake.requires_grad:  # otherwise an evaluation, or fakes for a discriminator step only
            self._generated.append((detached, args, kwargs))

    def _on_discriminator_call(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> None:
        for value in args:
            if isinstance(value, Tensor) and value.requires_grad and value.is_leaf:
                self._tracker.mark_gradient_penalty()
        if not (self._is_armed or self._real_samples):
            return
        added = self._snapshots.add_call(args, kwargs, output)
        if added is None:
            return
        call, scores, samples = added
        if not call.to_generator and self._is_traced:
            self._tracker.record_largest_weight()
        scores.register_hook(  # type: ignore[no-untyped-call]  # torch leaves it untyped
            Hook(functools.partial(self._on_output_gradient, call))
        )
        if call.to_generator:
            samples.register_hook(  # type: ignore[no-untyped-call]
                functools.partial(_store_input_gradient, call)
            )

    def _on_output_gradient(self, call: DiscriminatorCall, gradient: Tensor) -> None:
        """A backward pass has reached the output of a call."""
        call.output_gradient = gradient.detach()
        if self.is_attached and self._is_traced:
            self._tracker.record_backward(call.to_generator, bool(call.is_fake))

    def _before_discriminator_step(self, optimizer: Optimizer, *_: Any) -> None:
        tracker = self._tracker
        if self._guard.is_paused:
            tracker.count_step("discriminator")
            return
        if self._is_armed or self._real_samples is not None:
            self._end_discriminator_step(optimizer)
        else:
            tracker.end_step("discriminator")
        if not tracker.steps("generator") and tracker.steps("discriminator") in REPORTED_WAITS:
            self._watch.recorder.add_facts(
                **{DISCRIMINATOR_STEPS_FIRST: tracker.steps("discriminator")}
            )

    def _end_discriminator_step(self, optimizer: Optimizer) -> None:
        """Collect the real samples of the step, and evaluate the step if a probe is due."""
        fake = self._snapshots.end_discriminator_step()
        if self._real_samples is not None:
            reference = self._real_samples.add(self._snapshots.discriminator_step.real)
            if reference is not None:
                self._watch.set_reference(reference)
                self._real_samples = None
        self._observe("discriminator", optimizer, fake)

    def _before_generator_step(self, optimizer: Optimizer, *_: Any) -> None:
        # Batches are passed on in groups: one by one they would cost twice the time.
        if self._is_armed or 2 * len(self._generated) > RECENT_BATCHES:
            for fake, args, kwargs in self._generated:
                self._watch.add_batch(fake, *args, **kwargs)
            self._generated.clear()
        if self._is_armed or self._snapshots.calls:
            self._observe("generator", optimizer, self._snapshots.end_generator_step())
        else:
            self._tracker.end_step("generator")

    def _after_generator_step(self, *_: Any) -> None:
        if self._guard.is_paused:  # four of five steps at batches of 128 and the default cadences
            self._tracker.count_step("generator")
            self._watch.step += 1
            if self._watch.step >= self._idle_until:
                self._guard.is_paused = False
                self._pausable_hooks.restore()
            return
        generator = self._generator()
        if generator is not None:
            self._watch.after_generator_step(self._watch.step + 1, generator)
        self._arm()
        self._pause_if_idle()

    def _observe(self, network_name: NetworkName, optimizer: Optimizer, fake: FakeBatch) -> None:
        """Show the step that ends to the probes, if one of them is due."""
        step, snapshot = self._watch.step, None
        if self._watch.is_due(step, network_name):
            # `loss_scale` searches the stack for a gradient scaler: called here, the way is short.
            scale, remaining_scale = loss_scale(optimizer)
            sign = descent_sign(optimizer) / scale
            snapshot = self._snapshots.build(
                step, network_name, fake, sign, remaining_scale, self._is_traced
            )
        self._tracker.end_step(network_name)
        if snapshot is not None:
            self._watch.observe(snapshot)
            self._arm()

    def _arm(self) -> None:
        """Decide whether the next steps are evaluated; most are not."""
        step = self._watch.step
        self._is_armed = self._watch.is_due(step, "generator") or self._watch.is_due(
            step, "discriminator"
        )
        self._is_traced = self._is_armed and self._watch.is_field_due("loop_trace", step)

    def _pause_if_idle(self) -> None:
        """Pause the hooks until shortly before the next evaluation.

        Called between two steps only: an evaluation needs all calls of its step.
        """
        self._idle_until = 0 if self._real_samples else self._watch.idle_until(STEPS_AHEAD)
        self._guard.is_paused = self._watch.step < self._idle_until
        if self._guard.is_paused and not has_compiled():
            self._pausable_hooks.remove()


def _store_input_gradient(call: DiscriminatorCall, gradient: Tensor) -> None:
    call.input_gradient = gradient.detach()
