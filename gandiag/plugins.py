"""The catalogue: one door for every plugin, ours and strangers'.

A name leads to ``module:Class``. Ours stand in `BUILT_IN`; a stranger's package declares an entry
point in the group ``gandiag.<family>``. Nothing is imported before it is used: `describe` reads a
plugin's docstring and options from its source.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib.util
import io
import tokenize
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, NamedTuple

from gandiag import contracts
from gandiag.errors import BadInput, nearest

__all__ = ["BUILT_IN", "Description", "Option", "build", "describe", "families", "load", "names"]

BUILT_IN: Mapping[str, Mapping[str, str]] = {
    "datasets": {
        "mnist": "gandiag.datasets.mnist:Mnist",
        "ring": "gandiag.datasets.ring:Ring",
        "grid": "gandiag.datasets.grid:Grid",
        "npz": "gandiag.datasets.npz:Npz",
        "image_folder": "gandiag.datasets.image_folder:ImageFolder",
    },
    "variants": {
        "vanilla": "gandiag.variants.vanilla:Vanilla",
        "minibatch_discrimination": (
            "gandiag.variants.minibatch_discrimination:MinibatchDiscrimination"
        ),
        "linear_critic": "gandiag.variants.linear_critic:LinearCritic",
    },
    "probes": {
        "loss": "gandiag.probes.loss:Loss",
        "gradient": "gandiag.probes.gradient:Gradient",
        "confidence": "gandiag.probes.confidence:Confidence",
        "slope": "gandiag.probes.slope:Slope",
        "diversity": "gandiag.probes.diversity:Diversity",
        "classes": "gandiag.probes.classes:Classes",
        "motion": "gandiag.probes.motion:Motion",
        "units": "gandiag.probes.units:Units",
    },
    "detectors": {
        "vanishing_gradients": "gandiag.detectors.vanishing_gradients:VanishingGradients",
        "mode_collapse": "gandiag.detectors.mode_collapse:ModeCollapse",
        "non_convergence": "gandiag.detectors.non_convergence:NonConvergence",
    },
    "fixes": {
        "non_saturating": "gandiag.fixes.non_saturating:NonSaturating",
        "fewer_discriminator_steps": (
            "gandiag.fixes.fewer_discriminator_steps:FewerDiscriminatorSteps"
        ),
        "more_discriminator_steps": (
            "gandiag.fixes.more_discriminator_steps:MoreDiscriminatorSteps"
        ),
        "r1": "gandiag.fixes.r1:R1",
        "minibatch_discrimination": (
            "gandiag.fixes.minibatch_discrimination:MinibatchDiscrimination"
        ),
        "linear_critic": "gandiag.fixes.linear_critic:LinearCritic",
        "lower_learning_rate": "gandiag.fixes.lower_learning_rate:LowerLearningRate",
        "lower_momentum": "gandiag.fixes.lower_momentum:LowerMomentum",
    },
    "reporters": {
        "console": "gandiag.reporters.console:Console",
        "html": "gandiag.reporters.html:Html",
        "json": "gandiag.reporters.json:Json",
        "weights_and_biases": "gandiag.reporters.weights_and_biases:WeightsAndBiases",
    },
}

_CONTRACTS: Mapping[str, type] = {
    "datasets": contracts.Dataset,
    "variants": contracts.Variant,
    "probes": contracts.Probe,
    "detectors": contracts.Detector,
    "fixes": contracts.Fix,
    "reporters": contracts.Reporter,
}


class Option(NamedTuple):
    """One option of a plugin, as its source shows it."""

    name: str
    type: str
    default: str
    comment: str


class Description(NamedTuple):
    """What `gandiag list` says of a plugin without importing it."""

    family: str
    name: str
    summary: str
    options: tuple[Option, ...]
    source: str
    """``gandiag`` or the distribution that brings it."""


def families() -> tuple[str, ...]:
    """The plugin families, in the order of the data's way."""
    return tuple(BUILT_IN)


def names(family: str) -> tuple[str, ...]:
    """All plugin names of a family, ours first."""
    return tuple(_entries(family))


def load(family: str, name: str, place: str = "") -> type:
    """Import a plugin's class and check it against its contract.

    Raises:
        BadInput: there is no such plugin, it cannot be imported, or it breaks its contract.
    """
    entries = _entries(family)
    if name not in entries:
        raise BadInput(place, f'no {_singular(family)} "{name}"; {nearest(name, entries)}')
    entry = entries[name]
    try:
        found = entry.load()
    except Exception as error:  # a stranger's module may raise anything while it is imported
        raise BadInput(
            place, f"{family}.{name} ({entry.value}) cannot be imported: {error}"
        ) from error
    problem = _breach(found, _CONTRACTS[family])
    if problem:
        raise BadInput(place, f"{family}.{name} ({entry.value}) {problem}")
    kind: type = found
    return kind


def build(family: str, name: str, options: Mapping[str, Any] | None = None, place: str = "") -> Any:
    """Make a plugin from its options.

    Args:
        family: one of `families`.
        name: the plugin's name in the catalogue.
        options: its fields by name; those left out keep their defaults.
        place: what a mistake is blamed on, such as ``scenario.yaml: variant``.

    Raises:
        BadInput: as `load`, or an option is unknown or has a bad value.
    """
    from pydantic import TypeAdapter, ValidationError

    kind = load(family, name, place)
    try:
        return TypeAdapter(kind).validate_python(dict(options or {}))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join([name, *map(str, first["loc"])])
        if first["type"] == "unexpected_keyword_argument":
            known = [field.name for field in dataclasses.fields(kind) if field.init]
            problem = f"unknown option; {nearest(str(first['loc'][-1]), known)}"
        else:
            problem = first["msg"].removeprefix("Value error, ")
            problem = f"{problem[0].lower()}{problem[1:]} (got {first['input']!r})"
        raise BadInput(place, f"{key}: {problem}") from error


def describe(family: str, name: str) -> Description:
    """Read a plugin's summary and options from its source, without importing it."""
    entry = _entries(family)[name]
    source = entry.dist.name if entry.dist else "gandiag"
    path = _source_of(entry.module)
    if path is None:
        return Description(family, name, f"{entry.value} cannot be found", (), source)
    text = path.read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef) and node.name == entry.attr:
            summary = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
            return Description(family, name, summary, _options(node, text), source)
    return Description(family, name, f"{entry.attr} is not defined in {path.name}", (), source)


@functools.cache
def _entries(family: str) -> dict[str, EntryPoint]:
    group = f"gandiag.{family}"
    ours = {name: EntryPoint(name, value, group) for name, value in BUILT_IN[family].items()}
    for entry in entry_points(group=group):
        if entry.name in ours:
            owner = entry.dist.name if entry.dist else entry.value
            raise BadInput(owner, f"{family}.{entry.name} is taken by {ours[entry.name].value}")
        ours[entry.name] = entry
    return ours


def _breach(found: Any, contract: type) -> str | None:
    """How a loaded object breaks its contract; None if it keeps it."""
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        return "is not a dataclass"
    if not found.__dataclass_params__.frozen:  # type: ignore[attr-defined]  # typeshed leaves it out
        return "is not a frozen dataclass"
    members = [name for name in _members(contract) if not hasattr(found, name)]
    return f"lacks {', '.join(members)} of {contract.__name__}" if members else None


def _members(contract: type) -> list[str]:
    annotated = getattr(contract, "__annotations__", {})
    return [*annotated, *(name for name in vars(contract) if not name.startswith("_"))]


def _source_of(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec and spec.origin else None


def _options(node: ast.ClassDef, text: str) -> tuple[Option, ...]:
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    }
    found = []
    for item in node.body:
        if not (isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)):
            continue
        kind = ast.unparse(item.annotation)
        if "ClassVar" in kind:
            continue
        default = ast.unparse(item.value) if item.value else "required"
        comment = comments.get(item.end_lineno or 0, "")
        found.append(Option(item.target.id, kind, default, comment))
    return tuple(found)


def _singular(family: str) -> str:
    return "fix" if family == "fixes" else family.removesuffix("s")
