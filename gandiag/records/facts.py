"""Names of facts that only the record of an attached loop has (see `gandiag.attach`)."""

from __future__ import annotations

#: Type of the discriminator's outputs as the user passed it to `gandiag.attach`, such as "logits".
#: Its presence marks a record as that of an attached loop.
SCORES = "scores"

#: Number of discriminator steps before the first generator step.
DISCRIMINATOR_STEPS_FIRST = "discriminator_steps_first"
