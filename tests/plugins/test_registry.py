"""The catalogue: one door for our plugins and a stranger's, and what is said of broken ones."""

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

OURS = [(family, name) for family in plugins.list_families() for name in BUILT_IN[family]]

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a distribution with entry points on the path, as pip would leave it."""
    monkeypatch.syspath_prepend(tmp_path)

    def put(module: str, source: str, owner: str = "stranger", **entries: str) -> None:
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
        if name.startswith("strange"):
            del sys.modules[name]
    plugins._entries.cache_clear()


def refused(family: str, name: str, options: dict[str, Any] | None = None) -> str:
    """What is said when a plugin is refused."""
    with pytest.raises(BadInput) as error:
        plugins.build(family, name, options, "a.yaml: here")
    message = str(error.value)
    assert message.startswith("a.yaml: here: ")
    assert len(message.splitlines()) == 1
    return message.removeprefix("a.yaml: here: ")


@pytest.mark.parametrize(("family", "name"), OURS)
def test_ours_keep_the_contract(family: str, name: str) -> None:
    """Every plugin of ours can be loaded, built from nothing, and described."""
    kind = plugins.load(family, name)
    required = [f for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING]
    assert family == "datasets" or not required
    assert isinstance(plugins.build(family, name, {f.name: "here" for f in required}), kind)
    described = plugins.describe(family, name)
    assert described.summary.endswith(".")
    assert described.source == "gandiag"


@pytest.mark.parametrize(("family", "name"), OURS)
def test_descriptions_match_the_class(family: str, name: str) -> None:
    """What is read from the source is what the class has: the same options, each with a comment."""
    kind = plugins.load(family, name)
    options = plugins.describe(family, name).options
    assert [o.name for o in options] == [f.name for f in dataclasses.fields(kind)]
    assert all(option.comment for option in options)


def test_names_are_told_apart() -> None:
    """An unknown name is answered with the nearest one and the list of all."""
    assert refused("variants", "vanila").startswith('no variant "vanila"; nearest is "vanilla"')
    assert refused("fixes", "r2").startswith('no fix "r2"; ')


@pytest.mark.parametrize(
    ("options", "said"),
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
def test_options_are_checked(options: dict[str, Any], said: str) -> None:
    """Each option has its name and type checked; nothing unknown is passed over in silence."""
    assert refused("variants", "vanilla", options).startswith(said)


def test_missing_options_are_told() -> None:
    """An option without a default must be written."""
    assert refused("datasets", "npz") == "npz.path: is missing"


def test_own_checks_are_told() -> None:
    """What a plugin itself refuses is told in its words."""
    assert refused("datasets", "ring", {"modes": 0}) == "ring: modes must be at least 1"


def test_options_are_converted() -> None:
    """``1e-3`` from anywhere becomes the number that the option's type asks for."""
    assert plugins.build("variants", "vanilla", {"r1": "1e-3", "width": 64.0}).r1 == 0.001


GOOD = """
    from dataclasses import dataclass
    @dataclass(frozen=True)
    class Plugin:
        '''A stranger's variant.'''
        size: int = 3  # of something
        def build(self, shape): ...
"""

BREACHES = {
    "is not a dataclass": GOOD.replace("@dataclass(frozen=True)", ""),
    "is not a frozen dataclass": GOOD.replace("(frozen=True)", ""),
    "lacks build of Variant": GOOD.replace("def build(self, shape): ...", ""),
    "cannot be imported: ModuleNotFoundError: No module named 'nowhere'": "import nowhere",
    "cannot be imported: ZeroDivisionError: division by zero": "1 / 0",
    "cannot be imported: SyntaxError": "def",
    "cannot be imported: AttributeError": "",
}


@pytest.mark.parametrize(("said", "source"), BREACHES.items(), ids=range(len(BREACHES)))
def test_breaches_are_one_line(install: Install, said: str, source: str) -> None:
    """A stranger's plugin that breaks its contract is named with what it breaks."""
    install("strange", source, variants="odd:Plugin")
    assert refused("variants", "odd").startswith(f"variants.odd (strange:Plugin) {said}")


@pytest.mark.parametrize("source", BREACHES.values(), ids=range(len(BREACHES)))
def test_broken_strangers_harm_nobody(install: Install, source: str) -> None:
    """Beside a broken plugin the others are listed and built as ever; it is listed too."""
    install("strange", source, variants="odd:Plugin", fixes="odd:Plugin")
    assert plugins.build("variants", "vanilla")
    described = [plugins.describe("variants", name) for name in plugins.list_names("variants")]
    assert described[-1].source == "stranger"
    assert described[-1].summary
    with pytest.warns(RuntimeWarning, match=r"^left out: fixes\.odd"):
        made = plugins.build_all("fixes")
    assert [name for name, _ in made] == list(BUILT_IN["fixes"])


def test_a_good_stranger_is_built(install: Install) -> None:
    """A stranger's plugin that keeps the contract is built and described as ours are."""
    install("strange", GOOD, variants="good:Plugin")
    assert plugins.build("variants", "good", {"size": 5}).size == 5
    described = plugins.describe("variants", "good")
    assert described.summary == "A stranger's variant."
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
    install("strange", source, variants="good:Plugin")
    assert plugins.describe("variants", "good").options == (
        Option("size", "int", "3", "Length of a side in pixels: larger is slower."),
        Option("depth", "int", "4", "layers"),
    )


RULED = """
    from dataclasses import dataclass
    from typing import Literal
    from gandiag.models.gan_options import GANOptions
    @dataclass(frozen=True)
    class Sized(GANOptions):
        size: int = 3  # of something
    @dataclass(frozen=True)
    class Plugin(Sized):
        '''A stranger's variant that plays by the rules.'''
        activation: Literal["relu", "swish"] = "relu"  # of its own
        def build(self, shape): ...
"""


def test_inherited_options_are_described(install: Install) -> None:
    """Options of the classes that a stranger extends, its own or ours, stand before its own."""
    install("strange_rules", RULED, variants="ruled:Plugin")
    options = plugins.describe("variants", "ruled").options
    fields = dataclasses.fields(plugins.load("variants", "ruled"))
    assert [o.name for o in options] == [f.name for f in fields]
    assert [o.name for o in options][-2:] == ["size", "activation"]
    assert all(option.comment for option in options)


def test_fixes_reach_strangers(install: Install) -> None:
    """A fix sets the options that a stranger's variant has, and to no value that it lacks."""
    install("strange_rules", RULED, variants="ruled:Plugin")
    scenario = Scenario.parse({"variant": "ruled"})
    normed = plugins.build("fixes", "spectral_norm").apply(scenario)
    assert normed.variant.options == {"spectral_norm": True}
    for name in ("leaky_units", "minibatch_stddev"):  # no such value; no such option
        assert plugins.build("fixes", name).apply(scenario) == scenario


def test_our_names_stay_ours(install: Install) -> None:
    """A stranger cannot take a built-in's name: ours is used, and one warning says so."""
    install("strange", GOOD, variants="vanilla:Plugin")
    with pytest.warns(RuntimeWarning, match="variants.vanilla of stranger is left out"):
        made = plugins.build("variants", "vanilla")
    assert type(made).__module__ == "gandiag.models.variants.vanilla"


def test_two_strangers_may_not_share(install: Install) -> None:
    """A name that two packages bring is refused with both owners; other names are not touched."""
    install("strange", GOOD, variants="good:Plugin")
    install("stranger_still", GOOD, owner="other", variants="good:Plugin")
    said = "variants.good is brought by other, stranger; uninstall all but one"
    assert refused("variants", "good") == said
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert plugins.build("variants", "vanilla")


def test_unreadable_types_are_one_line(install: Install) -> None:
    """Options whose types nobody can resolve are told as such."""
    source = "from __future__ import annotations\n" + textwrap.dedent(GOOD)
    install("strange", source.replace("size: int = 3", "size: Nowhere = 3"), variants="odd:Plugin")
    assert refused("variants", "odd").startswith("odd: the types of its options cannot be read")
