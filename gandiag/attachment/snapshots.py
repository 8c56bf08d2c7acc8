"""From the discriminator's calls in a loop to the `Snapshot` that probes observe."""

from __future__ import annotations

import functools
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from gandiag.attachment.calls import (
    NO_STEP,
    DiscriminatorCall,
    FakeRegistry,
    join_batches,
    join_output_gradients,
    select_rows,
    split_real_fake,
)
from gandiag.attachment.gradient_tracking import GradientTracker, OutputGradient
from gandiag.attachment.outputs import (
    Role,
    ScoreSelection,
    is_reconstruction,
    join_heads,
    reconstruction_energy,
)
from gandiag.models.scores import ScoreFunctions
from gandiag.monitoring.forward_pass import ForwardPass
from gandiag.monitoring.snapshot import NetworkName, Snapshot

MAX_CALLS = 16  # calls of D to remember; without a bound, a loop that never steps D adds forever


class ObservedCall(NamedTuple):
    """A call of D with its tensors in autograd's graph, for hooks on their gradients.

    Attributes:
        call: the call, with detached tensors.
        heads: its scores, one tensor for each head of D.
        samples: its samples, ``(B, *shape)``.
    """

    call: DiscriminatorCall
    heads: tuple[Tensor, ...]
    samples: Tensor


class FakeBatch(NamedTuple):
    """The generated samples of one step, with D's outputs and the gradients of the loss.

    Attributes:
        samples: generated samples, ``(B, *shape)``, detached.
        output: D's raw output on them, ``(B, ...)``.
        gradient: gradient of the loss at `output`, times the number of outputs.
        score_gradient: gradient at the scores that `output` is read as; generator steps only.
        input_gradient: gradient at `samples`; generator steps only.
        is_current: whether D has not been updated since it computed `output`, and had no other
            input.
    """

    samples: Tensor | None
    output: Tensor | None
    gradient: Tensor | None
    score_gradient: Tensor | None = None
    input_gradient: Tensor | None = None
    is_current: bool = False

    @classmethod
    def from_calls(
        cls, calls: Sequence[DiscriminatorCall], score_functions: ScoreFunctions, steps: int
    ) -> FakeBatch:
        """The samples of a generator step.

        Args:
            calls: the calls that lead to the generator; joined where a loop accumulates gradients
                over several before it steps.
            score_functions: how D's raw output is read.
            steps: steps of D's optimizer so far.
        """
        # A call without a gradient at its output is not part of the loss that was differentiated.
        differentiated = [call for call in calls if call.output_gradient is not None]
        score_gradients = [
            score_functions.gradient(call.output, call.output_gradient)  # type: ignore[arg-type]
            for call in differentiated
        ]
        inputs = [call.input_gradient for call in differentiated if call.input_gradient is not None]
        return cls(
            samples=join_batches([call.samples for call in calls]),
            output=join_batches([call.output for call in calls]),
            gradient=join_output_gradients(calls),
            score_gradient=join_batches(score_gradients),
            input_gradient=join_batches(inputs),
            is_current=all(
                call.is_only_input and call.discriminator_steps == steps for call in calls
            ),
        )


class SnapshotBuilder:
    """Collects the discriminator's calls of a step and builds a snapshot from them.

    The builder keeps no network alive.

    Attributes:
        fakes: the latest generated batches, to recognise them among D's inputs.
        calls: the discriminator's calls since its last step.
        discriminator_step: real and generated samples of D's latest step.
        score_functions: how the discriminator's raw output is read.
        is_energy: whether the user has stated that D returns energies.

    Args:
        generator: makes samples.
        discriminator: scores samples.
        score_functions: how the discriminator's raw output is read.
        select: picks the scores from the discriminator's output.
        tracker: counts the steps, and traces what the loop does to the gradients.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        score_functions: ScoreFunctions,
        select: ScoreSelection,
        tracker: GradientTracker,
    ) -> None:
        self.fakes = FakeRegistry()
        self.calls: deque[DiscriminatorCall] = deque(maxlen=MAX_CALLS)
        self.discriminator_step = NO_STEP
        self._generator, self._discriminator = weakref.ref(generator), weakref.ref(discriminator)
        self.score_functions, self._select = score_functions, select
        self.is_energy = False
        self._tracker = tracker

    def clear(self) -> None:
        """Release every tensor."""
        self.fakes.clear()
        self.calls.clear()
        self.discriminator_step = NO_STEP

    def add_call(
        self,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        output: Any,
        method: str = "__call__",
    ) -> Sequence[ObservedCall]:
        """Remember a call of the discriminator.

        Args:
            args: positional inputs of the call.
            kwargs: keyword inputs of the call.
            output: what the discriminator returned.
            method: name of the method that was called.

        Returns:
            The call; two of them where it scores real and generated samples as two inputs. Empty
            for a call that no gradient flows through, such as an evaluation, or one without a
            tensor of samples.
        """
        heads_by_role = self._select(output)
        is_pair = "fake" in heads_by_role
        inputs: Mapping[Role | None, Tensor | None] = (
            self.fakes.select_pair(args, kwargs)
            if is_pair
            else {None: self.fakes.select_samples(args, kwargs)}
        )
        observed = []
        for role, heads in heads_by_role.items():
            samples = inputs.get(role)
            if samples is None or not any(head.requires_grad for head in heads):
                continue
            scores, residual = self._read(heads, samples)
            if method != "__call__" and (not scores.ndim or len(scores) != len(samples)):
                continue  # a method that does not score, such as one that returns a loss
            call = DiscriminatorCall(
                samples=samples.detach(),
                output=scores,
                rescore=functools.partial(
                    self._rescore, method, _detach(args), _detach(kwargs), role
                ),
                is_fake=role == "fake" if is_pair else self.fakes.is_fake(samples),
                needs_input_gradient=samples.requires_grad and samples.is_leaf,
                to_generator=samples.requires_grad and not samples.is_leaf,
                is_only_input=len(args) + len(kwargs) == 1,
                discriminator_steps=self._tracker.steps("discriminator"),
                is_output=self.fakes.is_output(samples),
                residual=residual,
                conditions=() if is_pair else select_rows((*args, *kwargs.values()), samples),
            )
            self.calls.append(call)
            observed.append(ObservedCall(call, heads, samples))
        return observed

    def end_discriminator_step(self) -> FakeBatch:
        """Split the calls of the discriminator step that ends; return its generated samples."""
        # Some loops compute both losses, or both backward passes, before either step: then a call
        # that leads to the generator belongs to the generator step that follows.
        has_detached = any(call.is_fake and not call.to_generator for call in self.calls)
        later = [
            call
            for call in self.calls
            if call.to_generator
            and (call.output_gradient is None or (has_detached and call.is_fake))
        ]
        calls = tuple(call for call in self.calls if call not in later)
        if calls:
            self.discriminator_step = split_real_fake(calls)
        self.calls = deque(later, maxlen=MAX_CALLS)
        step = self.discriminator_step
        return FakeBatch(step.fake, step.fake_output, step.fake_gradient)

    def end_generator_step(self) -> FakeBatch:
        """Return the generated samples by which the generator step that ends was computed."""
        calls = [call for call in self.calls if call.to_generator]
        self.calls.clear()
        steps = self._tracker.steps("discriminator")
        return FakeBatch.from_calls(calls, self.score_functions, steps)

    def build(
        self,
        step: int,
        network_name: NetworkName,
        fake: FakeBatch,
        sign: float | Tensor,
        gradient_scale: float | Tensor,
        is_traced: bool,
    ) -> Snapshot | None:
        """Build the snapshot of a step, before its optimizer changes the weights.

        Args:
            step: generator steps completed.
            network_name: the network that the optimizer is about to step.
            fake: the generated samples of the step.
            sign: factor that turns a gradient into that of the minimised loss, see
                `GradientTracker.trace`.
            gradient_scale: factor that is still contained in ``.grad``, see `Snapshot`.
            is_traced: whether a probe needs the trace of the loop.

        Returns:
            The snapshot; None if the user's loop has released one of the networks.
        """
        generator, discriminator = self._generator(), self._discriminator()
        if generator is None or discriminator is None:
            return None
        last, score = self.discriminator_step, self.score_functions.score
        raw = OutputGradient(fake.output, fake.gradient)
        trace = self._tracker.trace(network_name, last, raw, sign) if is_traced else None
        return Snapshot(
            step=step,
            network_name=network_name,
            generator=generator,
            discriminator=discriminator,
            real=last.real,
            fake=fake.samples,
            real_scores=None if last.real_output is None else score(last.real_output),
            fake_scores=None if fake.output is None else score(fake.output),
            real_pass=(
                None if last.score_real is None else ForwardPass(discriminator, last.score_real)
            ),
            score_fake=self._choose_fake_scores(fake),
            score_gradient=_multiply(fake.score_gradient, sign),
            input_gradient=_multiply(fake.input_gradient, sign),
            gradient_scale=gradient_scale,
            loop_trace=trace,
        )

    def _choose_fake_scores(self, fake: FakeBatch) -> Callable[[], Tensor] | None:
        """The function that scores the fakes of D's latest step with D's current weights.

        Where the generator step uses the same fakes, D has just computed these scores: a forward
        pass is saved.
        """
        last = self.discriminator_step
        if last.fake is None or fake.output is None or fake.samples is None or not fake.is_current:
            return last.score_fake
        is_same_batch = (
            last.fake.data_ptr() == fake.samples.data_ptr()
            and last.fake.shape == fake.samples.shape
        )
        if not is_same_batch:
            return last.score_fake
        return functools.partial(self.score_functions.score, fake.output)

    def _rescore(
        self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any], role: Role | None
    ) -> Tensor:
        discriminator = self._discriminator()
        assert discriminator is not None  # only a snapshot calls this function, and holds D
        output = getattr(discriminator, method)(*args, **kwargs)
        samples = self.fakes.select_samples(args, kwargs)
        scores, _ = self._read(self._select(output)[role], samples)
        return self.score_functions.score(scores)

    def _read(
        self, heads: Sequence[Tensor], samples: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """The raw scores of a call ``(B, ...)``, and the residual if D is an autoencoder."""
        output = join_heads([head.detach() for head in heads])
        if samples is None or not is_reconstruction(output, samples, self.is_energy):
            return output, None
        residual = output - samples.detach()
        return reconstruction_energy(residual), residual


def _detach(value: Any) -> Any:
    """The value with every tensor in tuples and mappings detached."""
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, tuple):
        return tuple(_detach(item) for item in value)
    if isinstance(value, Mapping):
        return {key: _detach(item) for key, item in value.items()}
    return value


def _multiply(gradient: Tensor | None, factor: float | Tensor) -> Tensor | None:
    return None if gradient is None else gradient * factor
