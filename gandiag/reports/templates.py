"""Load jinja templates; texts of a user are escaped, so that they cannot become markup."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined


def load_templates(package: str) -> Environment:
    """Environment for the templates in a package's folder; an undefined name is an error."""
    return Environment(
        autoescape=True,
        # Package data may be inside a zip file, so files are not opened by path.
        loader=FunctionLoader(lambda name: read_text(package, name)),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,  # a misspelt name fails in the tests, not silently on a page
    )


def read_text(package: str, name: str) -> str:
    """Read a text file in a package's folder."""
    return files(package).joinpath(name).read_text(encoding="utf-8")
