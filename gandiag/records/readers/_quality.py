"""Columns of a log that rate the generated samples, such as FID."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: Role -> signal of the record. None of gandiag's probes records them.
SIGNAL_OF_QUALITY = {
    "fid": "quality/fid/generator",
    "kid": "quality/kid/generator",
    "inception_score": "quality/inception_score/generator",
    "precision": "quality/precision/generator",
    "recall": "quality/recall/generator",
    "coverage": "quality/coverage/generator",
    "lpips": "quality/lpips/generator",
}
# Words of a name that mean the role; digits and k, as in `fid50k_full`, count the samples.
_WORDS = {
    "fid": re.compile(r"fid(\d+k?)?|frechet"),
    "kid": re.compile(r"kid(\d+k?)?"),
    "inception_score": re.compile(r"inception|is\d+k|isc?"),
    "precision": re.compile(r"precision"),
    "recall": re.compile(r"recall"),
    "coverage": re.compile(r"coverage"),
    "lpips": re.compile(r"lpips"),
}
# Words that make a name another quantity: the best value so far, its spread, a loss, a time.
_OTHER = re.compile(
    r"best|min|max|std|loss|losses|lambda|weight|time|sec|every|interval|freq|num|epoch|step|patience"
)


def find_quality_columns(names: Iterable[str]) -> dict[str, str]:
    """The first and shortest column of each quality.

    >>> find_quality_columns(["step", "results/fid50k_full", "best_fid", "recall"])
    {'fid': 'results/fid50k_full', 'recall': 'recall'}
    """
    found: dict[str, str] = {}
    for name in sorted(names, key=len):
        words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
        if any(_OTHER.fullmatch(word) for word in words):
            continue
        for role, pattern in _WORDS.items():
            if role not in found and any(pattern.fullmatch(word) for word in words):
                found[role] = name
                break
    return {role: found[role] for role in SIGNAL_OF_QUALITY if role in found}
