"""Names of the facts that the record of an attached loop knows beside its signals."""

from __future__ import annotations

SCORES = "scores"  # what attach was told of D's output; only attached loops have it
WAITED = "discriminator_steps_first"  # D's steps before G's first one
