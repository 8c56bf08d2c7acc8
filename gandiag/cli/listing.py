"""Lists plugins by family, the options of one plugin, signals, and the shipped scenarios."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from gandiag.diagnosis.definitions import define
from gandiag.monitoring.signals import SIGNALS, SignalInfo
from gandiag.plugins import registry as plugins
from gandiag.plugins.errors import BadInput, suggest_nearest
from gandiag.records.run_folder import format_path
from gandiag.scenario.schema import Scenario
from gandiag.scenario.shipped import list_shipped

# Families that are no plugins: nothing is imported or built for them.
SIGNAL_FAMILY = "signals"
SCENARIO_FAMILY = "scenarios"


def list_entries(family: str | None = None, name: str | None = None) -> list[dict[str, Any]]:
    """Return what `family` holds as plain data; all families if None.

    Args:
        family: a plugin family, ``signals`` or ``scenarios``.
        name: one entry of `family`; all of them if None.

    Raises:
        BadInput: there is no such family, or no such entry in it.
    """
    families = (*plugins.list_families(), SIGNAL_FAMILY, SCENARIO_FAMILY)
    if family is not None and family not in families:
        raise BadInput(family, f"no such family; {suggest_nearest(family, families)}")
    entries = [entry for each in families if family in (None, each) for entry in _family(each)]
    if name is None:
        return entries
    chosen = [entry for entry in entries if entry["name"] == name]
    if not chosen:
        names = [entry["name"] for entry in entries]
        raise BadInput(f"{family} {name}", f"not found; {suggest_nearest(name, names)}")
    return chosen


def print_entries(entries: Sequence[dict[str, Any]], in_detail: bool) -> None:
    """Print entries as a table for each family, or the first entry with all its options."""
    from gandiag.plugins.terminal import output_console

    console = output_console()
    if in_detail:
        entry = entries[0]
        text = entry.get("about", entry["summary"])
        title = f"{entry['family']}: {entry['name']} ({entry['source']})"
        console.print(f"{title}\n{text}", soft_wrap=True)
        options = entry.get("options", ())
        if options:
            heads = ("name", "type", "default", "comment")
            rows = ([option[head] for head in heads] for option in options)
            console.print(_make_table(heads, rows))
        return
    for family in dict.fromkeys(entry["family"] for entry in entries):
        lines = [[e["name"], _short_summary(e)] for e in entries if e["family"] == family]
        console.print(_make_table((family, ""), lines))


def _family(family: str) -> list[dict[str, Any]]:
    """Every entry of a family."""
    if family == SCENARIO_FAMILY:
        return [_scenario_entry(name) for name in list_shipped()]
    if family == SIGNAL_FAMILY:
        return [_signal_entry(info) for info in SIGNALS.values()]
    return [_plugin_entry(family, name) for name in plugins.list_names(family)]


def _plugin_entry(family: str, name: str) -> dict[str, Any]:
    description = plugins.describe(family, name)
    options = [
        {**option._asdict(), "default": _resolve_definition(option.default)}
        for option in description.options
    ]
    return {**description._asdict(), "options": options}


def _resolve_definition(default: str) -> str:
    """The number of a default such as ``define("mode_collapse.total")``, which is read as text."""
    named = re.fullmatch(r"define\(['\"]([\w.]+)['\"]\)", default)
    return f"{define(named[1]):g}" if named else default


def _signal_entry(info: SignalInfo) -> dict[str, Any]:
    """One signal as plain data; JSON has no infinity, so an open end of its range is None."""
    ends = [end if math.isfinite(end) else None for end in (info.low, info.high)]
    low = "-inf" if ends[0] is None else f"{ends[0]:g}"
    high = "inf" if ends[1] is None else f"{ends[1]:g}"
    better = "" if info.better == "-" else f"; {info.better} is better"
    baseline = "" if info.baseline is None else f"; {info.baseline:g} for real samples"
    # The keys "family", "name", "summary" and "source" are those of a plugin's description.
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
        "vector": info.is_vector,
    }


def _scenario_entry(name: str) -> dict[str, Any]:
    path = list_shipped()[name]
    # The first sentence is the summary; a full stop inside it, as in "et al. 2014", would cut it.
    about = " ".join(Scenario.load(path).about.split())
    first_sentence, stop, _ = about.partition(". ")
    return {
        "family": SCENARIO_FAMILY,
        "name": name,
        "summary": first_sentence + stop.strip(),
        "about": about,
        "source": format_path(path),
    }


def _short_summary(entry: dict[str, Any]) -> str:
    """The summary of an entry, with the name of the package that a third-party plugin is from."""
    is_third_party = entry["family"] != SCENARIO_FAMILY and entry["source"] != "gandiag"
    return f"{entry['summary']} [{entry['source']}]" if is_third_party else str(entry["summary"])


def _make_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for index, head in enumerate(heads):
        # Names in the first column can be copied from the terminal only if they are not wrapped.
        table.add_column(head, no_wrap=index == 0, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
