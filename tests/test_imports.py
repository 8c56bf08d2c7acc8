"""The order of the packages, read from the source: each package imports only earlier ones."""

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

import gandiag
from gandiag.plugins.builtin import BUILT_IN

ROOT = Path(gandiag.__file__).parent
# Data flow from left to right; imports go from right to left.
ORDER = [
    "plugins",
    "scenario",
    "fixes",
    "datasets",
    "models",
    "records",
    "monitoring",
    "diagnosis",
    "reports",
    "training",
    "attachment",
    "integrations",
    "comparison",
    "examination",
    "benchmarks",
    "cli",
]
WITHOUT_TORCH = ["plugins", "scenario", "fixes", "records", "diagnosis", "reports", "cli"]
FAMILIES = sorted(
    {
        value.split(":")[0].rpartition(".")[0]
        for family in BUILT_IN.values()
        for value in family.values()
    }
)
NOT_PLUGINS = {"gandiag.datasets.data"}  # the type that every dataset returns


class Import(NamedTuple):
    """The target of one import statement, and when Python executes the statement."""

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
def tree(module: str) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


@functools.cache
def imports(module: str) -> tuple[Import, ...]:
    """Every import statement of a module, wherever it stands."""
    return tuple(_imports(tree(module), "loading"))


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


def package(module: str) -> str:
    """The package of a module, such as ``records``; empty for the modules at the root."""
    return module.split(".")[1] if "." in module and module != "gandiag.__main__" else ""


def family(module: str) -> str:
    """The folder of plugins that a module lies in; empty where there is none."""
    return next((name for name in FAMILIES if module.startswith(f"{name}.")), "")


def reached(start: list[str], later: bool = True) -> set[str]:
    """All modules that `start` loads; with `later`, imports inside functions count."""
    seen: set[str] = set()
    ahead = list(start)
    while ahead:
        module = ahead.pop()
        seen.add(module)
        wanted = ("loading", "later") if later else ("loading",)
        targets = {i.target for i in imports(module) if i.when in wanted}
        ahead += [target for target in targets if target in modules() and target not in seen]
    return seen


def test_packages_import_in_one_order() -> None:
    """A package imports earlier packages only; the protocols may name later ones, for types."""
    assert {
        path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "__pycache__"
    } == set(ORDER)
    for module in modules():
        if not package(module):
            continue
        allowed = {*ORDER[: ORDER.index(package(module)) + 1], ""}
        for target, when in imports(module):
            if module == "gandiag.plugins.protocols" and when == "never":
                continue
            if target.split(".")[0] == "gandiag":
                assert package(target) in allowed, f"{module} may not import {target}"


def test_root_holds_packages_only() -> None:
    """The root holds only the packages, and the files that Python and type checkers require."""
    inside = {path.name for path in ROOT.iterdir() if path.name != "__pycache__"}
    assert inside - set(ORDER) == {"__init__.py", "__main__.py", "py.typed"}


def test_no_import_cycles() -> None:
    """No import cycle exists, not even one that is closed by an import inside a function."""
    graph = {
        module: {i.target for i in imports(module) if i.target in modules() and i.when != "never"}
        for module in modules()
    }
    assert len(list(TopologicalSorter(graph).static_order())) == len(modules())


def test_families_never_import_one_another() -> None:
    """No plugin imports a plugin of another family."""
    for module in modules():
        for target, when in imports(module):
            if when != "never" and family(module) and family(target):
                assert family(module) == family(target), f"{module} may not import {target}"


def test_modules_of_a_family_are_plugins() -> None:
    """In a family's folder, a module without underscore is a plugin; a helper is ``_name.py``."""
    plugins = {value.split(":")[0] for names in BUILT_IN.values() for value in names.values()}
    for module in modules():
        name = module.rpartition(".")[2]
        if module.rpartition(".")[0] in FAMILIES and not name.startswith("_") and name != "assets":
            assert module in plugins | NOT_PLUGINS, (
                f"{module}: make it a plugin or name it _{name}.py"
            )


def test_no_package_hides_a_function() -> None:
    """No package has the name of a public function: importing it would replace the function."""
    assert not set(ORDER) & set(gandiag.__all__)


def test_packages_without_torch_stay_without() -> None:
    """Loading the packages of `WITHOUT_TORCH` loads no module that imports torch."""
    light = [module for module in modules() if package(module) in WITHOUT_TORCH]
    for module in reached(light, later=False):
        heavy = [i.target for i in imports(module) if i.when == "loading"]
        assert not {target.split(".")[0] for target in heavy} & {"torch", "torchvision"}, module


def test_torch_is_not_loaded() -> None:
    """In a new interpreter, detectors, fixes and reporters work without loading torch."""
    light = [module for module in modules() if package(module) in WITHOUT_TORCH]
    code = f"""
import importlib, sys
for module in {light!r}:
    importlib.import_module(module)
from gandiag.plugins import registry
from gandiag.diagnosis.diagnosis import diagnose
from gandiag.records.record import Record
for family in ("detectors", "fixes", "reporters"):
    made = [registry.build(family, name) for name in registry.BUILT_IN[family]]
    if family == "detectors":
        assert len(diagnose(Record({{}}), made)) == len(made)
for family in registry.list_families():
    for name in registry.BUILT_IN[family]:
        registry.describe(family, name)
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


DISTRIBUTIONS = {  # whose names differ from those of their packages
    "yaml": "pyyaml",
    "PIL": "pillow",
    "markdown_it": "markdown-it-py",
    "sklearn": "scikit-learn",
    "wandb_workspaces": "wandb-workspaces",
    "pydantic_core": "pydantic",  # pydantic's own core, released together with pydantic
}


def test_every_import_is_declared() -> None:
    """pyproject.toml lists every imported distribution, also one that another one requires."""
    project = (ROOT.parent / "pyproject.toml").read_text(encoding="utf-8")
    needs = project.split("[project.scripts]")[0]
    declared = {name.lower() for name in re.findall(r'^.*?"([\w-]+)>=', needs, re.MULTILINE)}
    used = {i.target.split(".")[0] for module in modules() for i in imports(module)}
    foreign = used - set(sys.stdlib_module_names) - {"gandiag", "__future__"}
    names = {DISTRIBUTIONS.get(name, name).lower() for name in foreign}
    assert names <= declared, f"not declared: {sorted(names - declared)}"


def test_only_the_trainer_steps() -> None:
    """Only the trainer calls an optimizer's `step`, except for the loops of benchmarks."""
    stepping = {
        module
        for module in modules()
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "step"
        and package(module) != "benchmarks"
    }
    assert stepping == {"gandiag.training.trainer"}


def test_nothing_is_unpickled() -> None:
    """No module loads a pickle, which could run code: files come from anywhere."""
    for module in modules():
        assert not {"pickle", "dill"} & {i.target.split(".")[0] for i in imports(module)}
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("np.load", "numpy.load"):
                options = {option.arg: ast.unparse(option.value) for option in node.keywords}
                assert options.get("allow_pickle", "False") == "False", module
            loads = ("torch.load", "joblib.load")
            assert not (isinstance(node, ast.Call) and ast.unparse(node.func) in loads), module


def test_oracle_imports_no_detector() -> None:
    """The code that labels the benchmark's runs imports no detector, probe or reference.

    It shares only the definitions of the failures with the detectors.
    """
    oracle = [m for m in modules() if m.startswith("gandiag.benchmarks.oracle.")]
    assert len(oracle) > 1
    seen = {m for m in reached(oracle) if package(m)}
    others = {m for m in seen if not m.startswith("gandiag.benchmarks.")}
    others -= {"gandiag.diagnosis", "gandiag.diagnosis.definitions"}
    assert {package(m) for m in others} <= {"datasets", "models", "monitoring", "plugins"}
    plugins = {m for m in others if package(m) == "plugins"}
    assert plugins <= {"gandiag.plugins.errors", "gandiag.plugins.fence"}
    monitoring = {m for m in others if package(m) == "monitoring"}
    allowed = {"gandiag.monitoring.side_effects", "gandiag.monitoring.torch_internals"}
    assert monitoring <= allowed
