"""Describes plugins by parsing their source files, so that listing plugins imports none of them.

Importing a plugin may load torch, which takes seconds, or may fail; its source can still be read.
"""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
import io
import tokenize
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import NamedTuple


class Option(NamedTuple):
    """One option of a plugin, which is one field of its dataclass, as written in the source."""

    name: str
    type: str
    """The annotation."""
    default: str
    """The expression of the default value, or ``required``."""
    comment: str
    """The comment behind the field or in the lines directly above it."""


class Description(NamedTuple):
    """A plugin as `gandiag list` shows it."""

    family: str
    name: str
    summary: str
    options: tuple[Option, ...]
    source: str
    """``gandiag``, or the name of the distribution that contains the plugin."""


def read_description(family: str, name: str, entry: EntryPoint) -> Description:
    """Return summary and options of a plugin; its summary reports a source that cannot be read."""
    source = entry.dist.name if entry.dist else "gandiag"
    path = _find_source(entry.module)
    if path is None:
        return Description(family, name, f"broken: {entry.module} cannot be found", (), source)
    try:
        text = path.read_text(encoding="utf-8")
        body = ast.parse(text).body
    except (OSError, ValueError, SyntaxError) as error:
        problem = f"broken: {path.name} cannot be read: {error}"
        return Description(family, name, problem, (), source)
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name == entry.attr:
            # The summary is the first paragraph of the docstring, on one line.
            summary = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
            options = _with_inherited(_Class(node, body, text))
            return Description(family, name, summary, tuple(options.values()), source)
    # The class may be imported into the module, or made by a call.
    problem = f"({entry.attr} is not defined in {path.name})"
    return Description(family, name, problem, (), source)


def _find_source(module: str) -> Path | None:
    """The file of a module, found without importing the packages that contain it.

    `importlib.util.find_spec` would import them, and their ``__init__`` may load torch.
    """
    top, *below = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
        for depth in range(len(below)):
            if spec is None or spec.submodule_search_locations is None:
                return None
            name = ".".join([top, *below[: depth + 1]])
            where = list(spec.submodule_search_locations)
            spec = importlib.machinery.PathFinder.find_spec(name, where)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


class _Class(NamedTuple):
    """A class statement, with the statements and the text of its module."""

    node: ast.ClassDef
    body: Sequence[ast.stmt]
    text: str


def _with_inherited(found: _Class) -> dict[str, Option]:
    """The options of a class, after those of its base classes, in the order of a dataclass."""
    options: dict[str, Option] = {}
    for base in found.node.bases:
        parent = (
            _find_class(base.id, found.body, found.text) if isinstance(base, ast.Name) else None
        )
        options |= _with_inherited(parent) if parent else {}
    return options | _options(found.node, found.text)


def _find_class(name: str, body: Sequence[ast.stmt], text: str) -> _Class | None:
    """Find a class that a module defines, or imports by the same name; None if there is none."""
    # An imported name is followed into its module; a class renamed by ``as`` is not found.
    for statement in body:
        if isinstance(statement, ast.ClassDef) and statement.name == name:
            return _Class(statement, body, text)
        if isinstance(statement, ast.ImportFrom) and name in {a.name for a in statement.names}:
            path = _find_source(statement.module or "")
            if path is not None:
                source = path.read_text(encoding="utf-8")
                return _find_class(name, ast.parse(source).body, source)
    return None


def _options(node: ast.ClassDef, text: str) -> dict[str, Option]:
    comments, full_lines = _comments(text)
    found = {}
    for item in node.body:
        if not (isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)):
            continue
        annotation = ast.unparse(item.annotation)
        if "ClassVar" in annotation:  # a constant of the class, such as `needs` of a detector
            continue
        default = ast.unparse(item.value) if item.value else "required"
        first = item.lineno
        while first - 1 in full_lines:
            first -= 1
        # A long value is wrapped: its comment may then stand in any of its lines.
        lines = range(first, (item.end_lineno or item.lineno) + 1)
        comment = " ".join(comments[line] for line in lines if line in comments)
        found[item.target.id] = Option(item.target.id, annotation, default, comment)
    return found


def _comments(text: str) -> tuple[dict[int, str], set[int]]:
    """The comments of a source by line, and the lines that hold nothing but a comment."""
    comments: dict[int, str] = {}
    full_lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            line = token.start[0]
            comments[line] = token.string.lstrip("# ")
            if token.line.lstrip().startswith("#"):  # else the comment stands behind code
                full_lines.add(line)
    return comments, full_lines
