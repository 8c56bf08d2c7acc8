"""Lists plugins by family, the options of one plugin, signals, and the shipped scenarios."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from gandiag.monitoring.signals import SIGNALS, SignalInfo
from gandiag.plugins import registry as plugins
from gandiag.plugins.descriptions import Description
from gandiag.plugins.errors import BadInput, nearest
from gandiag.records.run_folder import relative
from gandiag.scenario.schema import Scenario
from gandiag.scenario.shipped import shipped

SCENARIOS = "scenarios"
SIGNAL_FAMILY = "signals"


def entries(family: str | None = None, name: str | None = None) -> list[dict[str, Any]]:
    """What there is, as plain data.

    Raises:
        BadInput: there is no such family, or nothing of that name in it.
    """
    known = (*plugins.families(), SIGNAL_FAMILY, SCENARIOS)
    if family is not None and family not in known:
        raise BadInput(family, f"no such family; {nearest(family, known)}")
    found = [entry for each in known if family in (None, each) for entry in _of(each)]
    if name is None:
        return found
    chosen = [entry for entry in found if entry["name"] == name]
    if not chosen:
        names = [entry["name"] for entry in found]
        raise BadInput(f"{family} {name}", f"not found; {nearest(name, names)}")
    return chosen


def show(found: Sequence[dict[str, Any]], detail: bool) -> None:
    """Print entries as a table, or one of them with all that is known of it."""
    from rich.console import Console

    terminal = Console(highlight=False, markup=False, emoji=False)
    if detail:
        terminal.print(_detail(found[0]), soft_wrap=True)
        options = found[0].get("options", ())
        if options:
            heads = ("name", "type", "default", "comment")
            terminal.print(_table(heads, ([option[head] for head in heads] for option in options)))
        return
    for family in dict.fromkeys(entry["family"] for entry in found):
        lines = [[e["name"], _summary(e)] for e in found if e["family"] == family]
        terminal.print(_table((family, ""), lines))


def _of(family: str) -> list[dict[str, Any]]:
    if family == SCENARIOS:
        return [_scenario(name) for name in shipped()]
    if family == SIGNAL_FAMILY:
        return [_signal(info) for info in SIGNALS.values()]
    return [_plain(plugins.describe(family, name)) for name in plugins.names(family)]


def _plain(description: Description) -> dict[str, Any]:
    options = [option._asdict() for option in description.options]
    return {**description._asdict(), "options": options}


def _signal(info: SignalInfo) -> dict[str, Any]:
    """One signal as plain data; infinite ends of a range become None."""
    ends = [end if math.isfinite(end) else None for end in (info.low, info.high)]
    low, high = (
        ("-inf" if ends[0] is None else f"{ends[0]:g}"),
        ("inf" if ends[1] is None else f"{ends[1]:g}"),
    )
    better = "" if info.better == "-" else f"; {info.better} is better"
    baseline = "" if info.baseline is None else f"; {info.baseline:g} for real samples"
    return {
        "family": SIGNAL_FAMILY,
        "name": info.quantity,
        "summary": info.meaning,
        "about": (
            f"{info.label}: {info.meaning}.\n"
            f"Recorded for: {', '.join(info.networks)}. Unit: {info.unit}. "
            f"Range: {low} to {high}{better}{baseline}."
        ),
        "source": "gandiag",
        "networks": list(info.networks),
        "label": info.label,
        "unit": info.unit,
        "range": ends,
        "better": info.better,
        "baseline": info.baseline,
        "vector": info.vector,
    }


def _scenario(name: str) -> dict[str, Any]:
    path = shipped()[name]
    about = " ".join(Scenario.load(path).about.split())
    first, stop, _ = about.partition(". ")
    return {
        "family": SCENARIOS,
        "name": name,
        "summary": first + stop.strip(),
        "about": about,
        "source": relative(path),
    }


def _summary(entry: dict[str, Any]) -> str:
    stranger = entry["family"] != SCENARIOS and entry["source"] != "gandiag"
    return f"{entry['summary']} [{entry['source']}]" if stranger else str(entry["summary"])


def _detail(entry: dict[str, Any]) -> str:
    text = entry.get("about", entry["summary"])
    return f"{entry['family']}: {entry['name']} ({entry['source']})\n{text}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, head in enumerate(heads):
        table.add_column(head, no_wrap=index == 0, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
