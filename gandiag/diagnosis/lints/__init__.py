"""Lints: faults of the code around a game, one a file. They are detectors of attached loops."""

from __future__ import annotations

__all__ = ["LINTS"]

#: Names of all lints, in the order in which they are shown.
LINTS = (
    "generator_ascends",
    "double_sigmoid",
    "misread_scores",
    "unbounded_critic",
    "misplaced_clipping",
    "saturated_clipping",
    "mixed_batch_norm",
    "leftover_gradients",
    "idle_player",
    "evaluation_mode",
    "unscaled_data",
)
