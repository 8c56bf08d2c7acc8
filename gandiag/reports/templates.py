"""Pages from templates: what a text of a user's holds stays text."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined


def load_templates(package: str) -> Environment:
    """The templates that lie beside a package's modules; a name that is missing is an error."""
    return Environment(
        autoescape=True,
        loader=FunctionLoader(lambda name: read_text(package, name)),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )


def read_text(package: str, name: str) -> str:
    """A file that lies beside a package's modules."""
    return files(package).joinpath(name).read_text(encoding="utf-8")
