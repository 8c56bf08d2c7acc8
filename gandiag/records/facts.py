"""Facts of a record: names of some, and the check of all when a record is loaded.

``environment.json`` may be a third party's. Its entries are checked once, here, so that no
detector, figure or page needs to: what it reads has the type below.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gandiag.plugins.errors import BadInput
from gandiag.records.json_input import read_json_file
from gandiag.records.storage import decode_facts

#: Type of the discriminator's outputs as the user passed it to `gandiag.attach`, such as "logits".
#: Its presence marks a record as that of an attached loop.
SCORES = "scores"

#: Whether low outputs of the discriminator mean real, as those of an energy. Only stated where so.
LOW_IS_REAL = "low_is_real"

#: Whether the loss compares the outputs of real and of generated samples in pairs. Likewise.
RELATIVISTIC = "relativistic"

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

#: Entry of a loaded record's environment, no fact: a sentence on damaged lines that were left out.
DAMAGE = "damage"

#: Name of the entry of `NOT_MEASURED` for a monitoring that has ended because of an error.
STOPPED = "stopped"


def read_environment(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read ``environment.json``, which may be missing.

    Returns:
        The environment without the facts, and the facts under their current names.

    Raises:
        BadInput: the file is damaged, or one of its entries has another type than gandiag writes.
    """
    try:
        data = read_json_file(path)
    except FileNotFoundError:
        return {}, {}
    except (OSError, ValueError) as error:
        raise BadInput(str(path), f"not a JSON object ({error})") from error
    if not isinstance(data, dict) or not isinstance(data.get("facts", {}), dict):
        raise BadInput(str(path), "not a JSON object with an object of facts")
    facts = decode_facts(data.pop("facts", {}))
    _check({**data, "facts": facts}, path)
    return data, facts


def _check(data: dict[str, Any], path: Path) -> None:
    from pydantic import ValidationError

    from gandiag.plugins.validation_messages import describe_error
    from gandiag.records.environment_schema import Environment

    try:
        Environment.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise BadInput(str(path), f"{key}: {describe_error(first, ())}") from error
