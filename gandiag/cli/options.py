"""Options that several commands have, each written once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def sets(help: str = "Replace a value; repeat it.") -> Callable[[F], F]:
    """``--set KEY=VALUE``, any number of times."""
    return click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help=help)


def as_json(help: str = "Print plain data and nothing else.") -> Callable[[F], F]:
    """``--json``: for programs."""
    return click.option("--json", "as_json", is_flag=True, help=help)


def reporters(help: str) -> Callable[[F], F]:
    """``--to NAME``, any number of times."""
    return click.option("--to", "reporters", multiple=True, metavar="NAME", help=help)


def jobs(help: str = "At a time. [cores]") -> Callable[[F], F]:
    """``--jobs``: games that are played at a time; 0, the default, for as many as cores."""
    return click.option("--jobs", type=click.IntRange(min=0), default=0, help=help)


def whole_number(name: str, default: int, help: str, least: int = 1) -> Callable[[F], F]:
    """An option for a whole number of at least `least`, whose default is shown."""
    return click.option(
        name, type=click.IntRange(min=least), default=default, show_default=True, help=help
    )
