"""Names of facts of a record, most of which only the record of an attached loop has."""

from __future__ import annotations

#: Type of the discriminator's outputs as the user passed it to `gandiag.attach`, such as "logits".
#: Its presence marks a record as that of an attached loop.
SCORES = "scores"

#: Number of discriminator steps before the first generator step.
DISCRIMINATOR_STEPS_FIRST = "discriminator_steps_first"

#: Trainable weights that were in no optimizer when gandiag was attached, by network: a mapping with
#: ``count`` (their entries), ``total`` (all trainable entries of the network), ``weights`` (number
#: of weight tensors), and ``names`` (the first of their names).
UNOPTIMISED = "unoptimised"

#: What could not be measured, by a short name: a mapping with ``text`` (sentences for a reader:
#: since when, why, and the remedy) and ``probes`` (names of the probes that lack it; empty for
#: all). `gandiag.diagnosis.diagnosis` adds the text to the summaries of the diagnoses concerned.
NOT_MEASURED = "not_measured"

#: Name of the entry of `NOT_MEASURED` for a monitoring that has ended because of an error.
STOPPED = "stopped"
