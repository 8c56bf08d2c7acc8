"""The types of the entries of ``environment.json``, which detectors, figures and pages rely on.

Only `gandiag.records.facts` imports this module, when it checks a file: pydantic takes a third of a
second to import, which a command such as ``gandiag list`` need not wait for.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from gandiag.records.storage import MAX_STEP

Step = Annotated[int, Field(ge=0, le=MAX_STEP)]
Size = Annotated[int, Field(ge=1, lt=2**31)]
Share = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Strict(BaseModel):
    """A text is no number, and neither is a boolean; an entry without a type here is any data."""

    model_config = ConfigDict(extra="allow", strict=True)


class _Limit(_Strict):
    text: str
    probes: list[str]


class _Unoptimised(_Strict):
    count: Step
    total: Step
    weights: Step
    names: list[str]


class _Facts(_Strict):
    """Facts by their current names. Each may be missing; the defaults stand for missing ones."""

    steps: Step = 0
    batch_size: Step = 0
    shape: list[Size] = []
    sample_size: Step = 0
    class_shares: list[Share] = []
    mode_shares: list[Share] = []
    real_pair_distance: float = 0.0
    turnover_baseline: float = 0.0
    mean_energy_distance: float = 0.0
    scores: str | None = None
    discriminator_steps_first: Step = 0
    unoptimised: dict[str, _Unoptimised] = {}
    not_measured: dict[str, _Limit] = {}


class _Log(_Strict):
    name: str = ""
    notes: list[str] = []


class Environment(_Strict):
    """The entries of ``environment.json``."""

    facts: _Facts
    steps_played: Step = 0
    log: _Log = _Log()
