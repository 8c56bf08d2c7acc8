"""Laws of what modules offer: each says what is public, and explains it."""

from __future__ import annotations

import ast
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
