"""Reports what gandiag cannot see of a loop: never in silence, and never before it is certain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gandiag.monitoring.snapshot import NetworkName
from gandiag.plugins.errors import warn_user
from gandiag.records.writer import Recorder

# Observed steps in a row that must lack the same thing. One step is no proof: a loop may begin with
# a step of another form, or sample at some steps only.
CONFIRMATIONS = 3

NO_CALL = (
    "The {network} has been stepped {steps} times, but gandiag has never seen a call of it that "
    "returns {output}, so nothing is measured that needs it. Pass attach the module that the loop "
    "itself calls (where it calls the parts of a module one by one, these parts), or move the "
    "computation into its forward."
)
NO_SPLIT = (
    "gandiag cannot tell real from generated samples in the discriminator's steps: no step has "
    "called the discriminator with both real samples and samples whose tensor the generator "
    "returned. Call watch.label(real=..., fake=...) with the tensors right before the "
    "discriminator."
)
NO_PATH = (
    "In the generator's steps, gandiag has seen no call of the discriminator from which a gradient "
    "leads back to the generator, so the generator's learning signal is not measured. In the "
    "generator's loss, call the discriminator with the generator's samples, without detach() and "
    "outside of no_grad()."
)


class BlindSpots:
    """Notes in the record what is missing, with one warning each, and removes the note later."""

    def __init__(self, recorder: Recorder) -> None:
        """Write the notes into this record."""
        self._recorder = recorder
        self._counts: Counter[str] = Counter()

    def check(self, name: str, is_missing: bool, text: str, probes: Sequence[str] = ()) -> None:
        """Count one step that lacks something, or has it.

        Args:
            name: name of what may be missing.
            is_missing: whether the step lacks it.
            text: what is missing, what follows, and the remedy; for a reader.
            probes: names of the probes that need it; none for all.
        """
        if is_missing:
            self._counts[name] += 1
            if self._counts[name] == CONFIRMATIONS:
                self._recorder.add_limit(name, text, probes)
                warn_user(f"gandiag: {text}")
        elif name in self._counts and self._counts.pop(name) >= CONFIRMATIONS:
            self._recorder.remove_limit(name)

    def check_call(self, network: NetworkName, is_missing: bool) -> None:
        """Count one step of a network that the loop has never been seen to call, or has been."""
        output = "samples" if network == "generator" else "scores"
        text = NO_CALL.format(network=network, steps=CONFIRMATIONS, output=output)
        self.check(f"{network}_calls", is_missing, text)
