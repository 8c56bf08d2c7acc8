"""Format numbers, signals, thresholds and diagnoses, in the same way for every reporter.

The module imports no report: a report uses it to show itself in a notebook.
"""

from __future__ import annotations

import math

from gandiag.diagnosis.diagnosis import Diagnosis, Evidence, humanize
from gandiag.monitoring.signals import signal_info

# Files that reporters write into a run's folder.
PAGE_FILE = "report.html"
DIAGNOSES_FILE = "diagnoses.json"
PAIR_FILE = "beside.html"  # compares two runs; written into the folder of the first run
FILM_FILE = "film.gif"

MARKS = {"present": "●", "absent": "○", "inconclusive": "?"}
_STATUS_ORDER = {"present": 0, "inconclusive": 1, "absent": 2}


def format_number(value: float) -> str:
    """Write a number with three significant digits.

    >>> format_number(0.0421371), format_number(12345678)
    ('0.0421', '1.23e+07')
    >>> format_number(float("nan")), format_number(float("-inf"))
    ('NaN', '-infinity')
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "infinity" if value > 0 else "-infinity"
    return f"{value:.3g}"


def format_signal(name: str) -> str:
    """Name a signal for the title of a chart, with its unit; third-party signals keep their name.

    >>> format_signal("loss/value/generator")
    'loss of the generator'
    >>> format_signal("update/relative/discriminator")
    'relative update of the discriminator (1 / step)'
    >>> format_signal("my_probe/quantity/generator")
    'my_probe/quantity/generator'
    """
    info = signal_info(name)
    quantity, _, network = name.rpartition("/")
    # Signals of single weights, such as gradient/norm.NAME, have no label of their own.
    if info is None or info.quantity != quantity:
        return name
    label = info.label if len(info.networks) == 1 else f"{info.label} of the {network}"
    # "1" is the unit of ratios and shares; a "score gap" needs no unit "score".
    return label if info.unit == "1" or info.unit in info.label else f"{label} ({info.unit})"


def format_threshold(evidence: Evidence) -> str:
    """Write the threshold of an observed number and the side on which it counts as exceeded.

    >>> format_threshold(Evidence("a/b", 0.1, "<", 0.7, True, "diversity"))
    'below 0.7'
    """
    return f"{'below' if evidence.relation == '<' else 'above'} {format_number(evidence.threshold)}"


def format_exceeded(evidence: Evidence) -> str:
    """Whether the threshold is exceeded: yes, no, or *unknown* if nothing was measured."""
    if math.isnan(evidence.observed) and not evidence.holds:
        return "unknown"
    return "yes" if evidence.holds else "no"


def select_shown(diagnoses: tuple[Diagnosis, ...]) -> tuple[Diagnosis, ...]:
    """All diagnoses of the training, and those of the loop's code that found an error."""
    return tuple(d for d in diagnoses if d.about != "loop" or d.status == "present")


def summarize_loop_checks(diagnoses: tuple[Diagnosis, ...]) -> str:
    """One sentence about the checks of the loop's code that found no error; empty without any.

    >>> summarize_loop_checks((Diagnosis("idle_network", "absent", "", about="loop"),))
    "Checks of the training loop's code: 1 found no error (idle network)."
    """
    passed = [d for d in diagnoses if d.about == "loop" and d.status != "present"]
    parts = []
    for status, result in (("absent", "found no error"), ("inconclusive", "inconclusive")):
        names = [humanize(d.condition) for d in passed if d.status == status]
        if names:
            parts.append(f"{len(names)} {result} ({', '.join(names)})")
    return f"Checks of the training loop's code: {'; '.join(parts)}." if parts else ""


def sort_by_status(diagnoses: tuple[Diagnosis, ...]) -> list[Diagnosis]:
    """Sort diagnoses: present ones, then inconclusive ones, then absent ones.

    Of the present ones, bugs of the loop come first: they are the cause of the failures. The
    failures follow in the order of their onset.
    """
    return sorted(
        diagnoses,
        key=lambda d: (
            _STATUS_ORDER[d.status],
            d.status == "present" and d.about != "loop",
            d.onset or 0,
        ),
    )
