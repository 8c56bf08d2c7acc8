"""Laws of what modules offer: each says what is public, and explains it."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import gandiag

ROOT = Path(gandiag.__file__).parent
MODULES = sorted(path for path in ROOT.rglob("*.py") if path.name != "__main__.py")
Definition = ast.FunctionDef | ast.ClassDef
every_module = pytest.mark.parametrize(
    "path", MODULES, ids=[str(path.relative_to(ROOT)) for path in MODULES]
)


def parsed(path: Path) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


def public(body: list[ast.stmt]) -> list[Definition]:
    """Functions and classes whose names do not begin with an underscore."""
    found = [node for node in body if isinstance(node, Definition)]
    return [node for node in found if not node.name.startswith("_")]


def exported(path: Path) -> list[str] | None:
    """What ``__all__`` lists; None where there is none."""
    for node in parsed(path).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return names
    return None


@every_module
def test_exports_are_sorted(path: Path) -> None:
    """``__all__`` is in alphabetical order, constants and classes may stand first, none twice."""
    names = exported(path) or []
    by_kind = sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert names in (by_kind, sorted(names), sorted(names, key=str.casefold))
    assert len(set(names)) == len(names)


def is_command(thing: Definition) -> bool:
    """Whether it is reached through the command line's group, and not by its name."""
    decorators = [ast.unparse(decorator) for decorator in thing.decorator_list]
    return any(".command" in decorator for decorator in decorators)


@every_module
def test_exports_are_complete(path: Path) -> None:
    """Every public class and function of a module is in its ``__all__``."""
    things = [thing for thing in public(parsed(path).body) if not is_command(thing)]
    defined = {thing.name for thing in things}
    if defined:
        assert defined <= set(exported(path) or ()), f"not exported: {defined}"


@every_module
def test_exports_exist(path: Path) -> None:
    """Whatever ``__all__`` names can be imported."""
    if exported(path) is None:
        return
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    module = importlib.import_module(".".join(p for p in parts if p != "__init__"))
    for name in exported(path) or ():
        assert hasattr(module, name), name


@every_module
def test_everything_public_is_explained(path: Path) -> None:
    """Modules, and public classes, functions and methods, begin with a sentence about them."""
    tree = parsed(path)
    things: list[ast.Module | Definition] = [tree, *public(tree.body)]
    for node in public(tree.body):
        if isinstance(node, ast.ClassDef):
            things += public(node.body)
    for thing in things:
        text = ast.get_docstring(thing)
        assert text, f"{getattr(thing, 'name', path.name)} is not explained"
        first = text.split("\n\n")[0].rstrip()
        assert first.endswith((".", ":", "?", "::")), first


def test_front_door_is_small() -> None:
    """A newcomer meets at most a dozen names."""
    names = [name for name in gandiag.__all__ if not name.startswith("__")]
    assert len(names) <= 12
