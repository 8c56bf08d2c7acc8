"""Hooks on networks and optimizers that observe the steps of the user's training loop.

A step is measured immediately before its optimizer changes the weights, one network at a time. Only
there the gradients are complete and belong to the step: forward and backward hooks run a different
number of times in every loop, and the generator's backward pass adds to the discriminator's
gradients, too (see the tests).
"""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from gandiag.attachment.blind_spots import NO_PATH, NO_SPLIT, BlindSpots
from gandiag.attachment.calls import NO_STEP, RECENT_BATCHES, DiscriminatorCall, is_penalty_alone
from gandiag.attachment.closures import StepArguments, defer_to_closure
from gandiag.attachment.gradient_tracking import GradientTracker, descent_sign
from gandiag.attachment.hooks import HookGuard, PausableHooks
from gandiag.attachment.iterations import IterationCounter
from gandiag.attachment.loop_evidence import LoopEvidence
from gandiag.attachment.method_hooks import MethodHooks
from gandiag.attachment.orientation import Orientation
from gandiag.attachment.outputs import ScoreSelection
from gandiag.attachment.real_samples import RealSampleBuffer
from gandiag.attachment.sample_view import (
    NO_DISPLACEMENT,
    NOT_COMPARABLE,
    SampleView,
    sees_reference,
)
from gandiag.attachment.score_guess import PATIENCE, UNKNOWN, ScoreGuess
from gandiag.attachment.snapshots import FakeBatch, SnapshotBuilder
from gandiag.models.scores import SCORE_FUNCTIONS, ScoreType, reverse_scores
from gandiag.monitoring.side_effects import without_side_effects
from gandiag.monitoring.snapshot import Call, NetworkName, first_tensor
from gandiag.monitoring.torch_internals import has_compiled, has_memory, loss_scale
from gandiag.monitoring.watch import NETWORKS, Watch
from gandiag.plugins.errors import BadInput, warn_user
from gandiag.records.facts import (
    DISCRIMINATOR_STEPS_FIRST,
    LOW_IS_REAL,
    RELATIVISTIC,
    SCORES,
    STOPPED,
)

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
        scores: how the discriminator's raw output is read; None to recognise it from the
            discriminator's loss.
        select: picks the scores from the discriminator's output.
        watch: shows the snapshots to the probes.
        real_samples: creates what collects the loop's real batches and builds a reference from
            them; None if the watch has a reference.
        to_samples: the user's function from what the generator returns to its samples; None for
            the first tensor that it returns.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        optimizers: Mapping[NetworkName, Sequence[Optimizer]],
        scores: ScoreType | None,
        select: ScoreSelection,
        watch: Watch,
        real_samples: Callable[[], RealSampleBuffer] | None = None,
        to_samples: Callable[[Any], Tensor] | None = None,
    ) -> None:
        self._networks: dict[NetworkName, weakref.ref[nn.Module]] = {
            "generator": weakref.ref(generator),
            "discriminator": weakref.ref(discriminator),
        }
        self._watch = watch
        self._iterations = IterationCounter()
        self._is_adversarial = False  # whether D has scored samples with a path to the generator
        self._is_further = False  # whether G's step belongs to the iteration before
        self._create_buffer = real_samples
        self._real_samples = None if real_samples is None else real_samples()
        self._to_samples = to_samples
        if to_samples is not None:
            watch.history.latents.to_samples = to_samples
        self._view = SampleView(
            is_mapped=to_samples is not None,
            is_known=to_samples is not None and real_samples is None,
        )
        self._tracker = GradientTracker(
            generator, discriminator, optimizers, lambda function: self.guard.wrap(function)
        )
        self._evidence = LoopEvidence(
            {"generator": generator, "discriminator": discriminator}, optimizers
        )
        self._snapshots = SnapshotBuilder(
            generator,
            discriminator,
            SCORE_FUNCTIONS[scores or "critic"],
            select,
            self._tracker,
        )
        self._snapshots.is_energy = scores == "energy"
        self._scores = scores
        self._orientation = Orientation()
        self._score_guess = ScoreGuess(discriminator) if scores is None else None
        self._blind_spots = BlindSpots(watch.recorder)
        self._uncalled: set[NetworkName] = set(NETWORKS)  # networks whose calls were never seen
        self._method_hooks: dict[NetworkName, MethodHooks] = {}
        self._generated: deque[tuple[Tensor, Call]] = deque(maxlen=RECENT_BATCHES)
        self._is_armed = True  # whether the current step may be evaluated
        self._is_traced = True  # whether a probe needs the trace of the loop in this step
        self._idle_until = 0  # generator step at which paused hooks come back
        #: Called with the error after an error has ended the monitoring.
        self.after_error: Callable[[Exception], None] | None = None
        self.guard = HookGuard(self._give_up)
        self._pausable_hooks = PausableHooks()
        self._handles: list[RemovableHandle] = []
        self._call_handles: list[RemovableHandle] = []  # those of a critic's forward hook
        is_critic = SCORE_FUNCTIONS[scores or "critic"].probability is None
        try:
            self._register(generator, discriminator, optimizers, is_critic)
        except Exception:
            self.detach()
            raise

    def _register(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        optimizers: Mapping[NetworkName, Sequence[Optimizer]],
        is_critic: bool,
    ) -> None:
        """Register every hook; `_handles` are those of the hooks that are never paused."""
        hook, handles = self.guard.wrap, self._handles
        on_discriminator_call = hook(
            self._on_discriminator_call, is_pausable=not is_critic, is_call=True
        )
        self._pausable_hooks.add(generator, hook(self._on_generator_call, True, is_call=True))
        if not is_critic:
            self._pausable_hooks.add(discriminator, on_discriminator_call)
        handles += [
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
            self._call_handles = [
                discriminator.register_forward_hook(on_discriminator_call, with_kwargs=True)
            ]
            handles += self._call_handles

    @property
    def is_attached(self) -> bool:
        """Whether the hooks are registered and observe the loop."""
        return bool(self._handles) and not self.guard.is_stopped

    def observes(self, generator: nn.Module, discriminator: nn.Module) -> bool:
        """Whether the hooks observe this very pair of networks."""
        own = [self._networks[name]() for name in NETWORKS]
        return self.is_attached and own[0] is generator and own[1] is discriminator

    def detach(self) -> None:
        """Remove every hook and release every tensor."""
        # An optimizer runs through the table of its hooks: while one of them runs, it stays there.
        is_inside = self.guard.is_running and not self.guard.is_stopped
        self.guard.stop()
        self._pausable_hooks.remove()
        for hooks in self._method_hooks.values():
            hooks.remove()
        if not is_inside:
            self._remove_handles()
        for part in (self._generated, self._snapshots, self._tracker, self._evidence):
            part.clear()
        self._watch.ranks.leave()

    def note_progress(self) -> None:
        """Note in the record how many real samples are still missing."""
        if self._real_samples is not None and not self.guard.is_stopped:
            # Those probes compare samples with the real ones.
            probes = ("diversity", "displacement", "learning_signal", "classes")
            self._watch.recorder.add_limit("real", self._real_samples.progress, probes)

    def _remove_handles(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _give_up(self, error: Exception) -> None:
        """End the monitoring because of an error: in every step of this, another may be raised."""
        reason = f"{type(error).__name__}: {error}"
        step = self._watch.step
        # The hooks of the optimizers stay until `detach`; they do nothing any more.
        handles, self._handles = self._handles, []
        text = f"gandiag stops monitoring at step {step}: {reason}"
        limit = f"Nothing was measured since step {step}, because gandiag raised {reason}."
        for action in (
            self.detach,
            lambda: self._watch.recorder.add_limit(STOPPED, limit),
            lambda: self.after_error(error) if self.after_error is not None else None,
            lambda: warn_user(text),
        ):
            with contextlib.suppress(Exception):
                action()
        self._handles = handles

    def label(self, real: Tensor | None, fake: Tensor | None) -> None:
        """Remember that a tensor holds real or generated samples, see `Attachment.label`."""
        self._snapshots.fakes.label(real, fake)

    def _on_generator_call(
        self,
        module: nn.Module,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        output: Any,
        method: str = "__call__",
    ) -> None:
        if method != "__call__" and not _may_be_samples(output):
            return
        fake = first_tensor(output)
        if not has_memory(fake):
            return
        if not self._tracker.steps("generator"):
            self._check_order(args, fake)
        if self._is_traced:
            self._tracker.observe_gradients("generator")
            self._tracker.record_output(fake)
        if self._uncalled:
            self._mark_called("generator")
        detached = fake.detach()
        self._snapshots.fakes.fakes.append(detached)
        if fake.requires_grad:  # otherwise an evaluation, or fakes for a discriminator step only
            if self._to_samples is not None:
                with without_side_effects():
                    detached = self._to_samples(output).detach()
            self._generated.append((detached, Call(args, kwargs, method)))

    def _on_discriminator_call(
        self,
        module: nn.Module,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        output: Any,
        method: str = "__call__",
    ) -> None:
        if any(isinstance(value, Tensor) and not has_memory(value) for value in args):
            return
        self._note_inputs(args)
        if self._uncalled and method == "__call__":
            self._mark_called("discriminator")
        if not (self._is_armed or self._real_samples or self._view.is_other):
            return
        if method != "__call__" and not isinstance(output, Tensor):
            return  # not the method that scores
        added = self._snapshots.add_call(args, kwargs, output, method)
        for observed in added:
            self._observe_call(*observed)
        # Without gradients enabled, it is an evaluation.
        if not added and torch.is_grad_enabled() and not first_tensor(output).requires_grad:
            self._evidence.record_constant_scores()

    def _check_order(self, args: tuple[Any, ...], output: Tensor) -> None:
        """Check, before the first step, that generator and discriminator are not swapped.

        Raises:
            BadInput: what was passed as the generator scores the outputs of the other network.
        """
        for made in (call.output for call in self._snapshots.calls):
            # The storage of an output is not used again while the call is remembered.
            is_fed = any(
                isinstance(value, Tensor)
                and value.untyped_storage().data_ptr() == made.untyped_storage().data_ptr()
                for value in args
            )
            if is_fed and output.numel() < made.numel():
                problem = (
                    "the networks are swapped: what was passed as the generator is called with the "
                    "output of what was passed as the discriminator"
                )
                raise BadInput("attach", problem)

    def _note_inputs(self, args: tuple[Any, ...]) -> None:
        """Note what the inputs of D tell about every step, evaluated or not."""
        for value in args:
            if isinstance(value, Tensor) and value.requires_grad:
                self._is_adversarial |= not value.is_leaf
                if value.is_leaf:
                    self._tracker.mark_gradient_penalty()

    def _observe_call(
        self, call: DiscriminatorCall, heads: Sequence[Tensor], samples: Tensor
    ) -> None:
        """Register hooks on the gradients of a call of D."""
        if self._uncalled:
            self._mark_called("discriminator")
        if self._is_traced:
            self._tracker.observe_gradients("discriminator")
        if not call.to_generator and self._is_traced:
            self._tracker.record_largest_weight()
        wrap = self.guard.wrap
        values = [head.detach() for head in heads]
        for index, head in enumerate(heads):
            if head.requires_grad:
                head.register_hook(  # type: ignore[no-untyped-call]  # torch leaves it untyped
                    wrap(functools.partial(self._on_output_gradient, call, index, values))
                )
        if call.to_generator:
            samples.register_hook(  # type: ignore[no-untyped-call]
                wrap(functools.partial(_store_input_gradient, call))
            )

    def _on_output_gradient(
        self,
        call: DiscriminatorCall,
        head: int,
        heads: Sequence[Tensor],
        gradient: Tensor | None,
    ) -> None:
        """A backward pass has reached the output of a call.

        Autograd passes None where a pass has reached another output of the same operation only,
        such as the other part of a `torch.split`.
        """
        if gradient is None:
            return
        adds = self._tracker.adds_to_gradients()
        if adds:  # otherwise torch.autograd.grad, which is not the loss that the optimizer descends
            call.add_output_gradient(head, heads, gradient)
        if self._is_traced and (adds or torch.is_grad_enabled()):
            self._tracker.record_backward(call.to_generator, bool(call.is_fake))
        if self._is_traced:
            self._evidence.record_backward(call, adds)

    def _before_discriminator_step(
        self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> StepArguments | None:
        if self.guard.is_paused:
            self._tracker.count_step("discriminator")
            return None
        return self._run_before_step(self._evaluate_discriminator_step, optimizer, args, kwargs)

    def _evaluate_discriminator_step(self, optimizer: Optimizer) -> None:
        tracker = self._tracker
        self._check_call("discriminator")
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
        calls = tuple(self._snapshots.calls)
        if is_penalty_alone(calls):  # the step before it is evaluated
            self._snapshots.calls.clear()
            self._tracker.end_step("discriminator")
            return
        fake = self._snapshots.end_discriminator_step()
        if self._is_armed and self._scores != "energy":
            self._find_orientation()
        if self._score_guess is not None:
            self._guess_scores(self._score_guess)
        if calls:
            is_missing = self._snapshots.discriminator_step is NO_STEP
            self._blind_spots.check("split", is_missing, NO_SPLIT)
        if self._is_traced:
            self._evidence.record_discriminator_step(calls, self._snapshots.discriminator_step)
        if self._real_samples is not None:
            real = self._view.select(self._snapshots.discriminator_step.real)
            reference = self._real_samples.add(real)
            if reference is not None:
                self._watch.set_reference(reference)
                self._real_samples = None
                self._watch.recorder.remove_limit("real")
        self._observe("discriminator", optimizer, fake)

    def _guess_scores(self, guess: ScoreGuess) -> None:
        """Recognise how D's output is to be read, and begin to measure."""
        scores = guess.add(self._snapshots.discriminator_step)
        if self._orientation.is_relativistic:
            scores = "critic"  # a difference of two scores is a logit, a single score is not
        if scores is None and guess.steps < PATIENCE:
            return
        self._score_guess = None
        if scores is None:
            self._watch.recorder.add_limit("scores", UNKNOWN)
            warn_user(f"gandiag: {UNKNOWN}")
            return
        self._scores = scores
        self._watch.recorder.add_facts(**{SCORES: self._scores})
        self._set_score_functions()

    def _find_orientation(self) -> None:
        """Find out whether high outputs of D mean real."""
        if not self._orientation.add(self._snapshots.discriminator_step):
            return
        self._set_score_functions()
        facts = {
            LOW_IS_REAL: self._orientation.is_low_real,
            RELATIVISTIC: self._orientation.is_relativistic,
        }
        self._watch.recorder.add_facts(**facts)

    def _set_score_functions(self) -> None:
        functions = SCORE_FUNCTIONS[self._scores or "critic"]
        self._watch.probability = functions.probability
        is_low_real = self._orientation.is_low_real
        self._snapshots.score_functions = reverse_scores(functions) if is_low_real else functions

    def _mark_called(self, network_name: NetworkName) -> None:
        self._uncalled.discard(network_name)
        self._blind_spots.check_call(network_name, is_missing=False)

    def _check_call(self, network_name: NetworkName) -> None:
        """Check that the loop calls a network whose optimizer steps; hook its methods otherwise."""
        if network_name not in self._uncalled:
            return
        self._blind_spots.check_call(network_name, is_missing=True)
        # Compiled code does not see methods that are replaced later.
        if network_name in self._method_hooks or has_compiled():
            return
        network = self._networks[network_name]()
        on_call = {
            "generator": self._on_generator_call,
            "discriminator": self._on_discriminator_call,
        }
        hooks = self._method_hooks[network_name] = MethodHooks()
        if network is not None and hooks.add(
            network, self.guard.wrap(on_call[network_name], True, is_call=True)
        ):
            # A call of the network calls `forward` too, and would be seen twice.
            self._pausable_hooks.discard(network)
            for handle in self._call_handles if network_name == "discriminator" else ():
                handle.remove()

    def _before_generator_step(
        self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> StepArguments | None:
        return self._run_before_step(self._evaluate_generator_step, optimizer, args, kwargs)

    def _run_before_step(
        self,
        evaluate: Callable[[Optimizer], None],
        optimizer: Optimizer,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> StepArguments | None:
        """Evaluate a step now, or after the optimizer has called its closure."""
        self.guard.note_thread()
        if len(args) > 1 or kwargs:
            hook = self.guard.wrap(functools.partial(evaluate, optimizer))
            deferred = defer_to_closure(hook, args, kwargs)
            if deferred is not None:
                return deferred
        evaluate(optimizer)
        return None

    def _evaluate_generator_step(self, optimizer: Optimizer) -> None:
        self._check_call("generator")
        if self._is_further_step():
            self._is_further = True
            self._snapshots.calls.clear()
            self._tracker.end_step("generator")
            return
        leading = [call for call in self._snapshots.calls if call.to_generator]
        if self._view.check(leading, [generated for generated, _ in self._generated]):
            self._change_view()
        if self._is_traced:
            newest = None
            if self._generated:
                generated, generator_call = self._generated[-1]
                newest = generated, generator_call.args, generator_call.kwargs
            self._evidence.record_generator_step(tuple(self._snapshots.calls), newest)
        self._pass_on_samples(leading)
        if self._is_armed or self._snapshots.calls:
            fake = self._snapshots.end_generator_step()
            if self._is_armed and not self._uncalled:
                probes = ("learning_signal", "objective")
                self._blind_spots.check("path", fake.samples is None, NO_PATH, probes)
            self._observe("generator", optimizer, fake)
        else:
            self._tracker.end_step("generator")

    def _is_further_step(self) -> bool:
        """Whether the generator's step that ends is no iteration of its own."""
        is_adversarial, self._is_adversarial = self._is_adversarial, False
        return self._iterations.is_further(is_adversarial, self._tracker.steps("discriminator"))

    def _pass_on_samples(self, leading: Sequence[DiscriminatorCall]) -> None:
        """Pass the samples of the generator's steps on to the watch.

        Batches are passed on in groups: one by one they would cost twice the time.
        """
        history, is_other = self._watch.history, self._view.is_other
        if not (self._is_armed or is_other or 2 * len(self._generated) > RECENT_BATCHES):
            return
        for generated, call in self._generated:
            history.add_latents(len(generated), call)
        compared = (
            [seen.samples for seen in leading] if is_other else [g for g, _ in self._generated]
        )
        for samples in compared:
            history.add_samples(samples)
        self._generated.clear()

    def _change_view(self) -> None:
        """Compare something else with the real samples from now on."""
        history = self._watch.history
        history.forget_samples()
        if self._create_buffer is not None:
            # The real samples are those that D sees, too: they are collected again.
            history.reference = None
            self._real_samples = self._create_buffer()
        if not self._view.is_other:
            return
        history.has_comparable_outputs = False
        is_comparable = self._create_buffer is not None or sees_reference(
            history.reference, self._snapshots.discriminator_step.real
        )
        history.has_comparable_samples = is_comparable
        text = NO_DISPLACEMENT if is_comparable else NOT_COMPARABLE
        probes = ("displacement",) if is_comparable else ("displacement", "diversity")
        self._watch.recorder.add_limit("samples", text, probes)
        warn_user(f"gandiag: {text}")

    def _after_generator_step(self, *_: Any) -> None:
        if self.guard.is_paused:  # four of five steps at batches of 128 and the default cadences
            self._tracker.count_step("generator")
            if self._iterations.is_unseen_further(self._tracker.steps("discriminator")):
                return
            self._watch.step += 1
            if self._watch.step >= self._idle_until:
                self.guard.is_paused = False
                self._pausable_hooks.restore()
            return
        if self._is_further:
            self._is_further = False
            return
        generator = self._networks["generator"]()
        if generator is not None:
            self._watch.after_generator_step(self._watch.step + 1, generator)
        self._arm()
        self._pause_if_idle()

    def _observe(self, network_name: NetworkName, optimizer: Optimizer, fake: FakeBatch) -> None:
        """Show the step that ends to the probes, if one of them is due."""
        step, snapshot = self._watch.step, None
        if self._score_guess is None and self._watch.is_due(step, network_name):
            # `loss_scale` searches the stack for a gradient scaler: called here, the way is short.
            scale, remaining_scale = loss_scale(optimizer)
            sign = descent_sign(optimizer) / scale
            snapshot = self._snapshots.build(
                step, network_name, fake, sign, remaining_scale, self._is_traced
            )
        self._tracker.end_step(network_name)
        if snapshot is not None and snapshot.loop_trace is not None:
            trace = self._evidence.complete(snapshot.loop_trace, network_name)
            snapshot = replace(snapshot, loop_trace=trace)
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
        if not self._is_traced:
            self._tracker.release_gradients()

    def _pause_if_idle(self) -> None:
        """Pause the hooks until shortly before the next evaluation.

        Called between two steps only: an evaluation needs all calls of its step.
        """
        self._idle_until = 0 if self._real_samples else self._watch.idle_until(STEPS_AHEAD)
        self.guard.is_paused = self._watch.step < self._idle_until
        if self.guard.is_paused and not has_compiled():
            self._pausable_hooks.remove()


def _store_input_gradient(call: DiscriminatorCall, gradient: Tensor | None) -> None:
    if gradient is not None:
        call.input_gradient = gradient.detach()


def _may_be_samples(output: Any) -> bool:
    """Whether the output of a method may be generated samples, not a loss or a setting."""
    try:
        tensor = first_tensor(output)
    except TypeError:
        return False
    return tensor.is_floating_point() and tensor.ndim > 1
