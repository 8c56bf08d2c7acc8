"""Former names of signals and facts, and the current names under which old records are opened.

A renamed signal or fact gets one line here. Records on disk are never rewritten.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

#: Former ``probe/quantity`` -> current one.
_SIGNALS: Mapping[str, str] = {
    "gradient/parameters": "gradient/parameter_norm",
    "gradient/passage": "gradient/backprop_gain",
    "slope/score": "learning_signal/score_gradient",
    "slope/critic": "learning_signal/discriminator_gradient",
    "slope/input": "learning_signal/sample_gradient",
    "slope/score_spread": "learning_signal/score_sd",
    "diversity/effective_bins": "diversity/effective_modes",
    "diversity/dispersion": "diversity/within_mode_variance",
    "diversity/spread": "diversity/pair_distance",
    "diversity/divergence": "diversity/js_divergence",
    "diversity/energy": "diversity/energy_distance",
    "diversity/energy_z": "diversity/energy_distance_z",
    "diversity/extent": "diversity/max_abs",
    "diversity/bins": "diversity/mode_histogram",
    "classes/effective": "classes/effective_classes",
    "motion/fixed": "displacement/distance",
    "motion/relative": "displacement/relative",
    "motion/spread": "displacement/latent_spread",
    "objective/slopes_real": "objective/gradients_real",
    "objective/slopes_fake": "objective/gradients_fake",
    "loop/leftover": "loop/leftover_gradient",
    "loop/overlaid": "loop/foreign_gradient",
    "loop/still": "loop/without_gradient",
    "loop/evaluating": "loop/eval_mode",
    "loop/mixed": "loop/mixed_batch",
    "loop/penalised": "loop/gradient_penalty",
    "loop/normalised": "loop/spectral_norm",
    "loop/largest": "loop/max_weight",
    "loop/largest_before": "loop/max_weight_before",
    "loop/at_bound": "loop/at_clip_bound",
    "loop/certain": "loop/known_split",
    "plane/pull": "plane/gradient",
    "plane/path": "plane/latent_path",
    "plane/answer": "plane/probability",
}

#: Former name of a fact -> current one.
_FACTS: Mapping[str, str] = {
    "scale": "real_pair_distance",
    "bin_shares": "mode_shares",
    "turnover_null": "turnover_baseline",
    "middle_energy": "mean_energy_distance",
}


@functools.cache  # a record repeats the same few dozen names in every row
def rename_signal(signal: str) -> str:
    """The current name of a signal; `signal` itself where the name has not changed.

    >>> rename_signal("diversity/energy/generator")
    'diversity/energy_distance/generator'
    """
    quantity, _, network = signal.rpartition("/")
    return f"{_SIGNALS[quantity]}/{network}" if quantity in _SIGNALS else signal


def rename_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The same facts under their current names."""
    return {_FACTS.get(name, name): value for name, value in facts.items()}
