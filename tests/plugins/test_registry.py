"""The registry: built-in and third-party plugins, their options, and messages of broken ones."""

from __future__ import annotations

import dataclasses
import importlib
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gandiag.plugins import registry as plugins
from gandiag.plugins.builtin import BUILT_IN
from gandiag.plugins.descriptions import Option
from gandiag.plugins.errors import BadInput
from gandiag.scenario.schema import Scenario

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a distribution with entry points on the path, as pip would leave it."""
    monkeypatch.syspath_prepend(tmp_path)

    def put(module: str, source: str, owner: str = "third-party", **entries: str) -> None:
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source))
        folder = tmp_path / f"{owner}-1.0.dist-info"
        folder.mkdir(exist_ok=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {owner}\nVersion: 1.0\n")
        lines = [f"[gandiag.{f}]\n{e.replace(':', f' = {module}:', 1)}" for f, e in entries.items()]
        (folder / "entry_points.txt").write_text("\n".join(lines) + "\n")
        importlib.invalidate_caches()
        plugins._entries.cache_clear()

    before = set(sys.modules)
    yield put
    for name in set(sys.modules) - before:
        if name.startswith("example_module"):
            del sys.modules[name]
    plugins._entries.cache_clear()


def refusal(family: str, name: str, options: dict[str, Any] | None = None) -> str:
    """The message when a plugin is refused, without its place."""
    with pytest.raises(BadInput) as error:
        plugins.build(family, name, options, "a.yaml: here")
    message = str(error.value)
    assert message.startswith("a.yaml: here: ")
    assert len(message.splitlines()) == 1
    return message.removeprefix("a.yaml: here: ")


def test_unknown_names_get_a_suggestion() -> None:
    """The message for an unknown name has the nearest name and the list of all names."""
    assert refusal("variants", "vanila").startswith('no variant "vanila"; nearest is "vanilla"')
    assert refusal("fixes", "r2").startswith('no fix "r2"; ')


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objectve": 1}, 'vanilla.objectve: unknown option; nearest is "objective"'),
        (
            {"objective": "x"},
            "vanilla.objective: there are hinge, least_squares, non_saturating",
        ),
        ({"width": "wide"}, "vanilla.width: should be a whole number (got 'wide')"),
        ({"width": True}, "vanilla.width: should be a number (got True)"),
        ({"r1": float("nan")}, "vanilla.r1: should be a finite number (got nan)"),
        ({"r1": float("inf")}, "vanilla.r1: should be a finite number (got inf)"),
        ({"r1": []}, "vanilla.r1: should be a number"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    """The name and type of each option are checked; an unknown option is never ignored."""
    assert refusal("variants", "vanilla", options).startswith(message)


def test_missing_options_are_refusal() -> None:
    """An option without a default is required."""
    assert refusal("datasets", "npz") == "npz.path: is missing"


def test_messages_of_plugins_are_kept() -> None:
    """An error that a plugin raises for its options keeps the message of the plugin."""
    assert refusal("datasets", "ring", {"modes": 0}) == "ring: modes must be at least 1"


def test_options_are_converted() -> None:
    """A text such as ``1e-3`` is converted to the type of its option."""
    assert plugins.build("variants", "vanilla", {"r1": "1e-3", "width": 64.0}).r1 == 0.001


GOOD = """
    from dataclasses import dataclass
    @dataclass(frozen=True)
    class Plugin:
        '''A third-party variant.'''
        size: int = 3  # of something
        def build(self, shape): ...
"""

VIOLATIONS = {
    "is not a dataclass": GOOD.replace("@dataclass(frozen=True)", ""),
    "is not a frozen dataclass": GOOD.replace("(frozen=True)", ""),
    "lacks build of Variant": GOOD.replace("def build(self, shape): ...", ""),
    "cannot be imported: ModuleNotFoundError: No module named 'nowhere'": "import nowhere",
    "cannot be imported: ZeroDivisionError: division by zero": "1 / 0",
    "cannot be imported: SyntaxError": "def",
    "cannot be imported: AttributeError": "",
}


@pytest.mark.parametrize(("message", "source"), VIOLATIONS.items(), ids=range(len(VIOLATIONS)))
def test_violations_are_one_line(install: Install, message: str, source: str) -> None:
    """The message for a plugin that violates its protocol names the plugin and the violation."""
    install("example_module", source, variants="odd:Plugin")
    assert refusal("variants", "odd").startswith(f"variants.odd (example_module:Plugin) {message}")


@pytest.mark.parametrize("source", VIOLATIONS.values(), ids=range(len(VIOLATIONS)))
def test_broken_plugins_do_not_affect_others(install: Install, source: str) -> None:
    """Other plugins are listed and built despite a broken one, which is listed as well."""
    install("example_module", source, variants="odd:Plugin", fixes="odd:Plugin")
    assert plugins.build("variants", "vanilla")
    described = [plugins.describe("variants", name) for name in plugins.list_names("variants")]
    assert described[-1].source == "third-party"
    assert described[-1].summary
    with pytest.warns(RuntimeWarning, match=r"^plugin ignored: fixes\.odd"):
        made = plugins.build_all("fixes")
    assert [name for name, _ in made] == list(BUILT_IN["fixes"])


def test_third_party_plugins_are_built(install: Install) -> None:
    """A third-party plugin that follows its protocol is built and described like a built-in one."""
    install("example_module", GOOD, variants="good:Plugin")
    assert plugins.build("variants", "good", {"size": 5}).size == 5
    described = plugins.describe("variants", "good")
    assert described.summary == "A third-party variant."
    assert described.options == (Option("size", "int", "3", "of something"),)


def test_comments_above_a_field_describe_it(install: Install) -> None:
    """A block of comment lines directly above a field is its description, like a trailing one."""
    commented = """
        # Length of a side in pixels:
        # larger is slower.
        size: int = 3

        # This block describes no field, as a blank line follows.

        depth: int = 4  # layers
    """
    lines = textwrap.indent(textwrap.dedent(commented), "        ")
    source = GOOD.replace("        size: int = 3  # of something\n", lines)
    install("example_module", source, variants="good:Plugin")
    assert plugins.describe("variants", "good").options == (
        Option("size", "int", "3", "Length of a side in pixels: larger is slower."),
        Option("depth", "int", "4", "layers"),
    )


INHERITED = """
    from dataclasses import dataclass
    from typing import Literal
    from gandiag.models.gan_options import GANOptions
    @dataclass(frozen=True)
    class Sized(GANOptions):
        size: int = 3  # of something
    @dataclass(frozen=True)
    class Plugin(Sized):
        '''A variant that inherits options.'''
        activation: Literal["relu", "swish"] = "relu"  # of its own
        def build(self, shape): ...
"""


def test_inherited_options_are_described(install: Install) -> None:
    """Inherited options, of third-party and of built-in base classes, come before the own ones."""
    install("example_inherited", INHERITED, variants="inherited:Plugin")
    options = plugins.describe("variants", "inherited").options
    fields = dataclasses.fields(plugins.load("variants", "inherited"))
    assert [o.name for o in options] == [f.name for f in fields]
    assert [o.name for o in options][-2:] == ["size", "activation"]
    assert all(option.comment for option in options)


def test_fixes_apply_to_third_party_variants(install: Install) -> None:
    """A fix sets options that a third-party variant has, and only to values that they can have."""
    install("example_inherited", INHERITED, variants="inherited:Plugin")
    scenario = Scenario.parse({"variant": "inherited"})
    normed = plugins.build("fixes", "spectral_norm").apply(scenario)
    assert normed.variant.options == {"spectral_norm": True}
    for name in ("leaky_units", "minibatch_stddev"):  # no such value, no such option
        assert plugins.build("fixes", name).apply(scenario) == scenario


def test_built_in_names_are_reserved(install: Install) -> None:
    """A third-party plugin with the name of a built-in one is ignored, with one warning."""
    install("example_module", GOOD, variants="vanilla:Plugin")
    with pytest.warns(RuntimeWarning, match="variants.vanilla of third-party is ignored"):
        made = plugins.build("variants", "vanilla")
    assert type(made).__module__ == "gandiag.models.variants.vanilla"


def test_two_packages_may_not_share_a_name(install: Install) -> None:
    """A name that two packages provide is refused with both packages; other names are usable."""
    install("example_module", GOOD, variants="good:Plugin")
    install("example_other", GOOD, owner="other", variants="good:Plugin")
    message = "variants.good is provided by other, third-party; uninstall all but one"
    assert refusal("variants", "good") == message
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert plugins.build("variants", "vanilla")


def test_unreadable_types_are_one_line(install: Install) -> None:
    """The message for options whose annotations cannot be resolved is one line."""
    source = "from __future__ import annotations\n" + textwrap.dedent(GOOD)
    install(
        "example_module",
        source.replace("size: int = 3", "size: Nowhere = 3"),
        variants="odd:Plugin",
    )
    assert refusal("variants", "odd").startswith("odd: the types of its options cannot be read")
