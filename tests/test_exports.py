"""Laws of the public interface: everything public is documented, and the top level is small."""

from __future__ import annotations

import ast
from pathlib import Path

import gandiag

ROOT = Path(gandiag.__file__).parent
Definition = ast.FunctionDef | ast.ClassDef


def public_definitions(body: list[ast.stmt]) -> list[Definition]:
    """Functions and classes whose names do not begin with an underscore."""
    found = [node for node in body if isinstance(node, Definition)]
    return [node for node in found if not node.name.startswith("_")]


def test_everything_public_is_documented() -> None:
    """The docstring of every module, public class, function and method begins with a sentence."""
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        documented: list[ast.Module | Definition] = [tree, *public_definitions(tree.body)]
        for node in public_definitions(tree.body):
            if isinstance(node, ast.ClassDef):
                documented += public_definitions(node.body)
        for item in documented:
            name = f"{path.relative_to(ROOT)}: {getattr(item, 'name', 'module')}"
            docstring = ast.get_docstring(item)
            assert docstring, f"{name} has no docstring"
            first = docstring.split("\n\n")[0].rstrip()
            assert first.endswith((".", ":", "?", "::")), f"{name}: {first}"


def test_top_level_is_small() -> None:
    """A newcomer meets at most a dozen names, and each of them can be loaded."""
    names = [name for name in gandiag.__all__ if not name.startswith("__")]
    assert len(names) <= 12
    assert all(hasattr(gandiag, name) for name in names)
