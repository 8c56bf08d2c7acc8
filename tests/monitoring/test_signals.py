"""Tests of the signals registry: it agrees with its constants, the probes and all of gandiag."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch

import gandiag
from gandiag.monitoring import signals
from gandiag.monitoring.signals import SIGNALS, signal_info
from gandiag.monitoring.snapshot import NetworkName, Snapshot
from gandiag.monitoring.watch import NETWORKS
from gandiag.plugins import registry as plugins
from gandiag.plugins.builtin import BUILT_IN
from gandiag.records.readers._quality import SIGNAL_OF_QUALITY

PACKAGE = Path(gandiag.__file__).parent
MakeSnapshot = Callable[[str, NetworkName], Snapshot]
# Other tools' logs may contain these parts of a loss, and qualities; only readers record them.
FROM_READERS = {
    "loss/real/discriminator",
    "loss/fake/discriminator",
    "loss/class/discriminator",
    *SIGNAL_OF_QUALITY.values(),
}
# Names of signals, complete or as the beginning of an f-string that ends with the network.
COMPLETE = re.compile(r"[a-z][a-z_]*/[a-z_]+(\.[\w.]+)?/(generator|discriminator)")
PREFIX = re.compile(r"([a-z][a-z_]*/[a-z_]+)/")


def registered() -> set[str]:
    """Full names of all registered signals."""
    return {f"{info.quantity}/{n}" for info in SIGNALS.values() for n in info.networks}


def test_constants_are_the_registered_names() -> None:
    """Each registered signal has exactly one constant, and each constant is a registered signal."""
    constants = [v for k, v in vars(signals).items() if k.isupper() and isinstance(v, str)]
    assert sorted(constants) == sorted(registered())


def test_descriptions_are_complete() -> None:
    """Each entry belongs to a probe, and has texts, a unit and a range with its baseline in it."""
    for quantity, info in SIGNALS.items():
        assert quantity == info.quantity
        assert quantity.split("/")[0] in {*BUILT_IN["probes"], "quality"}, quantity
        assert info.networks, quantity
        assert set(info.networks) <= set(NETWORKS), quantity
        assert info.unit, quantity
        for text in (info.label, info.meaning):
            assert text == text.strip().removesuffix("."), quantity
            assert not text.startswith(("the ", "The ")), quantity
        assert info.low < info.high, quantity
        assert info.baseline is None or info.low <= info.baseline <= info.high, quantity
    labels = [info.label for info in SIGNALS.values()]
    assert len(set(labels)) == len(labels), "two quantities have the same label"


def test_probes_return_the_registered_signals(full_snapshot: MakeSnapshot) -> None:
    """Every signal that a probe returns is registered, and every registered one is returned.

    Values agree with the registry: vectors are marked as such, and numbers lie in the range.
    """
    returned: dict[str, object] = {}
    for name in BUILT_IN["probes"]:
        for network in NETWORKS:
            snapshot = full_snapshot(name, network)
            for variant in (snapshot, replace(snapshot, probability=None)):
                found = plugins.build("probes", name).observe(variant)
                returned |= {f"{name}/{signal}": value for signal, value in found.items()}
    for signal, value in returned.items():
        info = signal_info(signal)
        assert info is not None, f"{signal} is not registered"
        assert signal.rpartition("/")[2] in info.networks, f"{signal} is of another network"
        tensor = torch.as_tensor(value).detach()
        assert info.is_vector == (tensor.ndim == 1), signal
        in_range = (tensor >= info.low) & (tensor <= info.high) | tensor.isnan()
        assert in_range.all(), (signal, value)
    plain = {signal for signal in returned if "." not in signal}
    assert registered() - FROM_READERS == plain


def test_every_name_in_the_source_is_registered() -> None:
    """Each string of gandiag that has the form of a signal's name is a registered name."""
    unknown = [
        f"{path.relative_to(PACKAGE)}: {name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for name in signal_names(ast.parse(path.read_text("utf-8")))
        if signal_info(name) is None
    ]
    assert not unknown, unknown


def test_unregistered_names_would_be_found() -> None:
    """The test above can fail: it finds names in strings and in f-strings, and no other strings."""
    source = """
a = "diversity/energy/generator"
b = f"loss/values/{network}"
c = "see reports/page/generator"
d = "gradient/norm.0.weight/generator"
"""
    names = list(signal_names(ast.parse(source)))
    assert names == [
        "diversity/energy/generator",
        "loss/values/generator",
        "gradient/norm.0.weight/generator",
    ]
    assert [signal_info(name) is None for name in names] == [True, True, False]


def signal_names(tree: ast.Module) -> Iterator[str]:
    """Names of signals in the strings of a module; those of f-strings with "generator" at the end.

    Only f-strings that consist of ``probe/quantity/`` and one expression are names.
    """
    formatted = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    parts = {part for node in formatted for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node not in parts:
            if COMPLETE.fullmatch(str(node.value)):
                yield str(node.value)
        elif isinstance(node, ast.JoinedStr) and len(node.values) == 2:
            prefix = PREFIX.fullmatch(str(getattr(node.values[0], "value", "")))
            if prefix:
                yield f"{prefix[1]}/generator"
