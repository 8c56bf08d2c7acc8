"""Titles of signals in charts.

The module is separate from `gandiag.reports.formatting`, which imports reports, because figures
must not: a report draws figures to show itself in a notebook.
"""

from __future__ import annotations

from gandiag.monitoring.signals import signal_info


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
