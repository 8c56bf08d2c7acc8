"""The words that a user reads are those of the field: retired words appear nowhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click

import gandiag
from gandiag.cli.main import main

PACKAGE = Path(gandiag.__file__).parent
ROOT = PACKAGE.parent
DOCUMENTS = ("README.md", "GUIDE.md", "ATTACH.md", "CONTRIBUTING.md", "CHANGELOG.md")
PAGES = tuple(sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("reports/*.md")))

# Each pattern names a word that the field does not use in this sense, with the word to use instead.
RETIRED = {
    r"(?<!two-player )(?<!bilinear )(?<!--)\bgames?\b(?! state)": "training run",
    r"(?<!two-)\bplayers?\b": "generator, discriminator, network",
    r"\b(?:a|each|every|next|last|newest|one|two|\d+) looks?\b": "evaluation, measurement",
    r"\b(?:its|whose|own|'s|each) turns?\b": "generator step, discriminator step",
    r"(?<!style )\bsheets?\b": "sample grid",
    r"\bplates?\b": "sample grid",
    r"\b(?:ill|sick)\b": "failing",
    r"\bgo(?:es)? well\b": "healthy",
    r"\buntreated\b": "baseline",
    r"\bfreed\b": "failure-free",
    r"(?<!negative_)(?<!negative )\bslopes?\b": "gradient, derivative",
    r"\bspots?\b": "modes, Gaussians",
    r"\bmotion\b": "displacement",
    r"\bnulls?\b(?! for)": "real-vs-real baseline",
    r"\banew\b": "again",
    r"\bof now\b": "current",
    r"\b(?:somebody|somebody's|whoever)\b": "the user, the caller",
    r"\bstrangers?(?:'s)?\b": "third-party",
    r"\bthe house\b": "project layout",
    r"\b(?:front|side) door\b": "entry point",
    r"\bheld still\b": "frozen, at a checkpoint",
    r"\b(?:is|are|was|were|been|be) (?:told|asked)\b": "passed, evaluated",
    r"Speaks for it|Does it\?": "Threshold, Exceeded",
    r"\b[Nn]othing found\b": "No failure detected",
    r"What came first|How sure|The game around it|To repeat this": "Timeline, Confidence, ...",
}

# Code spans may hold earlier names of signals, options and files.
CODE = re.compile(r"`[^`\n]+`")


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def commands(group: click.Command, name: str = "gandiag") -> Iterator[tuple[str, str]]:
    """The help text of a command and of all commands below it."""
    yield f"{name} --help", group.get_help(click.Context(group, info_name=name))
    if isinstance(group, click.Group):
        for child in group.commands.values():
            yield from commands(child, f"{name} {child.name}")


def strings(path: Path) -> Iterator[tuple[str, str]]:
    """Docstrings and messages of a module: every string of at least two words."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value


def comments(path: Path) -> Iterator[tuple[str, str]]:
    """Comments of a module; `gandiag list` prints those of options."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if " # " in line or line.lstrip().startswith("#"):
            yield f"{path.relative_to(ROOT)}:{number}", line.partition("#")[2]


def visible() -> Iterator[tuple[str, str]]:
    """Everything a user can read: documents, help, messages, docstrings, comments, pages."""
    for name in (*DOCUMENTS, *PAGES):
        yield name, (ROOT / name).read_text(encoding="utf-8")
    yield from commands(main)
    for path in sorted(PACKAGE.rglob("*.py")):
        yield from strings(path)
        yield from comments(path)
    for path in sorted(PACKAGE.rglob("*.j2")):
        yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "scenarios").rglob("*.*")):  # scenarios and texts of lessons
        yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def test_retired_words_are_gone() -> None:
    """No document, help text, message, docstring, comment or page uses a retired word."""
    found = []
    for place, written in visible():
        text = CODE.sub(_blank, written)
        for pattern, instead in RETIRED.items():
            for match in re.finditer(pattern, text):
                line = text.count("\n", 0, match.start()) + 1
                around = " ".join(text[max(0, match.start() - 30) : match.end() + 30].split())
                found.append(f"{place} (line {line}): {around!r}; write {instead}")
    assert not found, f"{len(found)} retired words:\n" + "\n".join(found)
