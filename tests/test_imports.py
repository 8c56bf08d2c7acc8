"""The architecture as a table: who may import whom. It is read from the source, nothing is run."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import gandiag

ROOT = Path(gandiag.__file__).parent

# A room is a module of gandiag, or a package in it with all its modules. Each row says which other
# rooms it may use. Read downwards, the table is the way that the data take.
TABLE = {
    # tools that know nothing of the rest
    "errors": "",
    "facts": "",
    "templates": "",
    "series": "",
    "trends": "series",
    "undisturbed": "",
    "classifier": "",
    "descriptions": "",
    "contracts": "",  # types only; see test_types_point_to_contracts
    "mistakes": "errors",
    "yaml_text": "errors",
    "places": "errors",
    "environment": "errors",
    "conformance": "errors mistakes",
    "plugins": "errors contracts conformance descriptions",
    # nouns, each knowing earlier ones only
    "settings": "",
    "source": "errors yaml_text",
    "scenario": "errors mistakes settings source yaml_text",
    "gan": "",
    "embedding": "undisturbed",
    "likeness": "",
    "reference": "embedding likeness",
    "forward_pass": "undisturbed",
    "snapshot": "forward_pass likeness reference",
    "record": "errors series",
    "recorder": "record",
    "diagnosis": "record series",
    "certainty": "record diagnosis",
    "report": "scenario record diagnosis certainty notebook recognition",
    # what the game is played with, and by whom
    "datasets": "gan errors",
    "networks": "",
    "objectives": "gan",
    "convolutions": "networks",
    "batch_features": "",
    "penalties": "",
    "rules": "gan networks objectives penalties",
    "variants": "batch_features convolutions gan errors networks rules",
    # playing and watching
    "probes": "snapshot embedding forward_pass likeness reference undisturbed classifier",
    "ranks": "",
    "sharing": "embedding",
    "schedule": "contracts snapshot",
    "motion": "forward_pass snapshot",
    "recent": "likeness reference sharing",
    "memory": "motion recent reference schedule sharing snapshot",
    "transfer": "record",
    "watch": "memory ranks record recorder reference schedule sharing snapshot transfer "
    "undisturbed",
    "draws": "settings",
    "train": "draws forward_pass gan settings snapshot undisturbed watch",
    "checkpoints": "errors gan record",
    # asking the players themselves, held still
    "examination": "gan",
    "finding": "",
    "vector_field": "examination gan",
    "spectrum": "",
    "instruments": "examination finding gan settings spectrum train vector_field",
    # watching a loop that knows nothing of it
    "hooks": "",
    "scores": "",
    "calls": "scores",
    "origins": "",
    "wrappers": "",
    "gathering": "errors embedding ranks reference undisturbed",
    "following": "contracts errors plugins diagnosis record report scenario",
    "bookkeeping": "calls snapshot",
    "turns": "bookkeeping calls forward_pass gathering hooks origins scores snapshot watch facts",
    # judging and mending
    "fingerprint": "series",
    "recognition": "fingerprint record series",
    "lints": "recognition record series diagnosis facts",
    "detectors": "record series trends diagnosis",
    "fixes": "errors plugins scenario",
    "monitor": "contracts record recorder diagnosis",
    # showing; the nouns that are shown, and the catalogue for what a detector's source teaches
    "sheets": "record",
    "figures": "record series diagnosis certainty",
    "notebook": "figures record diagnosis",
    "reporters": "report figures scenario record diagnosis certainty errors notebook places "
    "plugins templates",
    "progress": "report scenario record diagnosis",
    "readers": "record errors series",
    "logs": "errors plugins record",
    "listing": "errors places plugins scenario",
    "help_texts": "",
    "options": "",
    "exits": "errors",
    # where stations meet
    "parts": "contracts plugins errors scenario schedule",
    "pipeline": "parts contracts environment errors scenario gan reference train motion watch "
    "monitor record recorder report sheets",
    "attachment": "notebook following recognition turns parts contracts watch monitor record "
    "diagnosis report",
    "attaching": "attachment following lints gathering scores turns parts contracts environment "
    "errors embedding snapshot watch monitor record recorder diagnosis scenario sheets ranks "
    "wrappers facts",
    "integrations": "attachment attaching contracts diagnosis errors scores",
    "clusters": "errors",
    "many": "clusters errors",
    "comparison": "classifier clusters diagnosis errors exits figures front gan many options parts "
    "pipeline places plugins record embedding reporters scenario source undisturbed templates",
    "front": "lints checkpoints contracts plugins errors logs places source scenario record "
    "diagnosis report pipeline facts",
    "examining": "checkpoints contracts draws environment errors examination exits finding gan "
    "objectives options places plugins reporters scenario scores settings source train wrappers",
    "bench": "attachment attaching comparison contracts diagnosis environment errors gan many "
    "objectives options places pipeline front plugins record report reporters scenario series "
    "serve train trends undisturbed",
    "pages": "front contracts errors report scenario source",
    "serve": "front report figures reporters record diagnosis errors templates",
    "cli": "pages bench front listing logs places plugins errors progress scenario source "
    "help_texts options exits report serve comparison examining",
    # shipped data with the scripts that made them, and the doors
    "assets": "classifier datasets bench",
    "__main__": "cli",
    "gandiag": "attachment attaching comparison errors examining front record scenario",
}
FAMILIES = ("datasets", "variants", "probes", "detectors", "fixes", "reporters", "readers",
            "instruments")  # fmt: skip
TORCH_ROOMS = """
    assets classifier gan networks convolutions batch_features objectives penalties rules draws
    datasets variants embedding likeness reference snapshot
    undisturbed forward_pass probes schedule motion recent memory transfer watch train environment
    parts pipeline hooks calls origins scores gathering turns attachment attaching bookkeeping bench
    ranks sharing wrappers
    integrations comparison checkpoints examination vector_field instruments examining
"""
TORCH = set(TORCH_ROOMS.split())


class Import(NamedTuple):
    """One import statement's target, and when it happens."""

    target: str
    when: str
    """``loading``, ``later`` (inside a function) or ``never`` (for types only)."""


@functools.cache
def modules() -> dict[str, Path]:
    """Every module by its dotted name."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@functools.cache
def imports(module: str) -> tuple[Import, ...]:
    """What a module imports, wherever in it."""
    return tuple(_imports(ast.parse(modules()[module].read_text(encoding="utf-8")), "loading"))


def _imports(node: ast.AST, when: str) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        inner = when
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            inner = "never"
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = "later"
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, inner) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, "imports are written out in full"
            for alias in child.names:
                whole = f"{child.module}.{alias.name}"
                yield Import(whole if whole in modules() else str(child.module), inner)
        yield from _imports(child, inner)


def room(module: str) -> str:
    """The room that a module lies in."""
    return module.split(".")[1] if "." in module else module


every_module = pytest.mark.parametrize("module", modules())


@every_module
def test_imports_keep_table(module: str) -> None:
    """A module imports from its own room, and from those that the table allows it."""
    assert room(module) in TABLE, f"give {room(module)} a row in the table"
    allowed = {room(module), *TABLE[room(module)].split()}
    for target, when in imports(module):
        if target.split(".")[0] == "gandiag" and when != "never":
            assert room(target) in allowed, f"{module} may not import {target}"


@every_module
def test_types_point_to_contracts(module: str) -> None:
    """Names for types alone come from the contracts, which may name anything, or by the table."""
    allowed = {room(module), "contracts", *TABLE[room(module)].split()}
    if room(module) != "contracts":
        types = [i.target for i in imports(module) if i.when == "never"]
        assert all(room(t) in allowed for t in types if t.split(".")[0] == "gandiag")


def test_table_has_no_way_back() -> None:
    """The table itself runs one way: no room can be reached from itself."""
    order = TopologicalSorter({name: row.split() for name, row in TABLE.items()}).static_order()
    assert set(order) == set(TABLE)


def test_families_are_strangers() -> None:
    """No family of plugins uses another."""
    for family in FAMILIES:
        assert not set(TABLE[family].split()) & set(FAMILIES)


def test_no_import_cycles() -> None:
    """No module imports itself by way of others, not even later, inside a function."""
    graph = {
        module: {i.target for i in imports(module) if i.target in modules() and i.when != "never"}
        for module in modules()
    }
    assert len(list(TopologicalSorter(graph).static_order())) == len(modules())


@every_module
def test_torch_stays_in_its_rooms(module: str) -> None:
    """Judging, mending and showing load no torch, neither themselves nor through others."""
    if room(module) in TORCH:
        return
    seen, ahead = set(), [module]
    while ahead:
        now = ahead.pop()
        seen.add(now)
        for target, when in imports(now):
            assert when != "loading" or target.split(".")[0] not in ("torch", "torchvision"), now
            if target in modules() and target not in seen and when == "loading":
                ahead.append(target)


def test_torch_is_not_loaded() -> None:
    """In a fresh interpreter, all that judges, mends and shows works with torch unloaded."""
    light = [
        module for module in modules() if room(module) not in TORCH and room(module) != "__main__"
    ]
    code = f"""
import importlib, sys
for module in {light!r}:
    importlib.import_module(module)
from gandiag import plugins
from gandiag.diagnosis import diagnose
from gandiag.record import Record
for family in ("detectors", "fixes", "reporters"):
    made = [plugins.build(family, name) for name in plugins.BUILT_IN[family]]
    if family == "detectors":
        assert len(diagnose(Record({{}}), made)) == len(made)
for family in plugins.families():
    for name in plugins.BUILT_IN[family]:
        plugins.describe(family, name)
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


DISTRIBUTIONS = {  # by other names
    "yaml": "pyyaml",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "wandb_workspaces": "wandb-workspaces",
    "pydantic_core": "pydantic",  # its own core, in step with it
}


def test_every_import_is_declared() -> None:
    """What is imported stands in pyproject.toml, whoever else would bring it along."""
    project = (ROOT.parent / "pyproject.toml").read_text(encoding="utf-8")
    needs = project.split("[project.scripts]")[0]
    declared = {name.lower() for name in re.findall(r'^.*?"([\w-]+)>=', needs, re.MULTILINE)}
    used = {i.target.split(".")[0] for module in modules() for i in imports(module)}
    foreign = used - set(sys.stdlib_module_names) - {"gandiag", "__future__"}
    names = {DISTRIBUTIONS.get(name, name).lower() for name in foreign}
    assert names <= declared, f"not declared: {sorted(names - declared)}"


def test_only_train_steps() -> None:
    """One file steps an optimizer, but for the loops whose cost is measured."""
    stepping = {
        module
        for module, path in modules().items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "step"
        and room(module) not in ("assets", "bench")
    }
    assert stepping == {"gandiag.train"}


def test_nothing_is_unpickled() -> None:
    """No module loads a pickle, whoever wrote it."""
    for module in modules():
        assert not {"pickle", "dill"} & {i.target.split(".")[0] for i in imports(module)}
        for node in ast.walk(ast.parse(modules()[module].read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("np.load", "numpy.load"):
                options = {option.arg: ast.unparse(option.value) for option in node.keywords}
                assert options.get("allow_pickle", "False") == "False", module
            loads = ("torch.load", "joblib.load")
            assert not (isinstance(node, ast.Call) and ast.unparse(node.func) in loads), module


def test_oracle_knows_no_judge() -> None:
    """What labels the benchmark's runs reaches no detector, probe or reference, by any way."""
    seen, ahead = set(), [m for m in modules() if m.startswith("gandiag.bench.oracle")]
    assert len(ahead) == 4
    while ahead:
        now = ahead.pop()
        seen.add(now)
        ahead += [i.target for i in imports(now) if i.target in modules() and i.target not in seen]
    assert {room(module) for module in seen} <= {"bench", "gan", "undisturbed"}
    assert {m for m in seen if room(m) == "bench"} <= {m for m in modules() if ".bench.oracle" in m}
