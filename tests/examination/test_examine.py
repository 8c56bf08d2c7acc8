"""Laws of examining: a saved run's players, and anybody's own, from Python and on the console."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from torch import Tensor, nn

import gandiag
from gandiag.cli.main import main
from gandiag.examination.finding import Finding, summarize_draws
from gandiag.examination.game_state import GameState
from gandiag.examination.runner import build_instruments, run_instruments
from gandiag.examination.saved_run import load_game_state
from gandiag.models.gan import GAN
from gandiag.models.losses import NON_SATURATING
from gandiag.plugins import registry as plugins
from gandiag.plugins.builtin import BUILT_IN
from gandiag.plugins.errors import BadInput
from gandiag.scenario.schema import Scenario
from tests.conftest import noisy_gan
from tests.examination.conftest import normal_latents, unheard

QUICK: Mapping[str, Mapping[str, Any]] = {
    "optimal_discriminator": {"steps": 4, "every": 2, "batch_size": 8, "samples": 16, "draws": 2},
    "jacobian": {"count": 1, "samples": 16, "draws": 2},
    "update_map": {
        "generator_rate": 0.1, "discriminator_rate": 0.1, "count": 1, "samples": 16, "draws": 2,
    },
    "path_angle": {"points": 5, "samples": 16, "draws": 2},
    "duality_gap": {"steps": 4, "batch_size": 8, "batches": 2},
}  # fmt: skip
every_instrument = pytest.mark.parametrize("name", BUILT_IN["instruments"])
OPTIONS = [f"{name}.{key}={value}" for name, given in QUICK.items() for key, value in given.items()]
SETS = [part for option in OPTIONS for part in ("--set", option)]
SCENARIO: dict[str, Any] = {
    "name": "tiny",
    "data": {"ring": {"samples": 400, "held_out": 300}},
    "variant": {"vanilla": {"width": 8, "latent_size": 2}},
    "training": {"steps": 20, "batch_size": 32},
    "reporters": [],
    "device": "cpu",
}


def subject_of(gan: GAN, normal: Callable[..., Tensor]) -> GameState:
    """A subject of a game for points, with an earlier moment of it."""
    other = GAN(copy.deepcopy(gan.generator), copy.deepcopy(gan.discriminator), gan.objective, 4)
    with torch.no_grad():
        for weight in other.generator.parameters():
            weight.add_(0.1)
    real, held_out = normal((80, 2)), normal((60, 2), seed=1)
    return GameState(gan, real, held_out, normal_latents(4), earlier=other)


def state(gan: GAN) -> dict[str, Tensor]:
    """Copies of all that an examination could disturb in a game, with torch's random state."""
    found = {"random": torch.get_rng_state()}
    for player, network in (("G", gan.generator), ("D", gan.discriminator)):
        found |= {f"{player}.{name}": t.clone() for name, t in network.state_dict().items()}
        modes = [module.training for module in network.modules()]
        needed = [weight.requires_grad for weight in network.parameters()]
        held = [weight.grad is not None for weight in network.parameters()]
        found |= {f"{player}.flags": torch.tensor(modes + needed + held)}
    return found


# --- every instrument


@every_instrument
def test_instrument_leaves_no_trace(name: str, normal: Callable[..., Tensor]) -> None:
    """Weights, buffers, modes, gradients and random numbers are as they were, bit by bit."""
    subject = subject_of(noisy_gan(), normal)
    torch.rand(3)
    before = state(subject.gan)
    finding = plugins.build("instruments", name, QUICK.get(name)).examine(subject, unheard)
    after = state(subject.gan)
    assert finding.measures
    assert before.keys() == after.keys()
    for key, value in before.items():
        assert torch.equal(value, after[key]), key


@every_instrument
def test_instrument_answers_again(name: str, normal: Callable[..., Tensor]) -> None:
    """Asked twice about the same players, it gives the same numbers."""
    subject = subject_of(noisy_gan(), normal)
    asked = plugins.build("instruments", name, QUICK.get(name))
    one, other = (asked.examine(subject, unheard).as_json() for _ in range(2))
    assert one == other


@every_instrument
def test_finding_is_well_formed(name: str, normal: Callable[..., Tensor]) -> None:
    """It bears its name, says a sentence and its limits; numbers lie in their ranges."""
    finding = plugins.build("instruments", name, QUICK.get(name)).examine(
        subject_of(noisy_gan(), normal), unheard
    )
    assert finding.instrument == name
    assert finding.summary.endswith(".")
    assert finding.limits.endswith(".")
    for measure in finding.measures:
        if measure.low == measure.low:  # not NaN
            assert measure.low - 1e-12 <= measure.value <= measure.high + 1e-12
    assert len({len(curve) for curve in finding.curves.values()}) <= 1
    plain = json.loads(json.dumps(finding.as_json(), allow_nan=False))
    assert [measure["name"] for measure in plain["measures"]] == [m.name for m in finding.measures]


@every_instrument
def test_classes_are_asked_with_labels(name: str, tmp_path: Path) -> None:
    """A conditional game is asked with its data's labels."""
    scenario = {
        **SCENARIO,
        "variant": {"conditional": {"width": 8, "latent_size": 2, "classes": 8}},
    }
    gandiag.run(Scenario.parse(scenario), tmp_path, checkpoint_every=10)
    subject, _ = load_game_state(tmp_path)
    finding = plugins.build("instruments", name, QUICK.get(name)).examine(subject, unheard)
    assert finding.measures


VARIANTS: dict[str, dict[str, Any]] = {
    "vanilla": {"width": 8, "latent_size": 2, "minibatch": "stddev", "pack": 2},
    "minibatch_discrimination": {"width": 8, "latent_size": 2},
    "linear_critic": {"width": 8, "latent_size": 2},
    "dirac": {},
    "dcgan": {"width": 4, "latent_size": 2, "spectral_norm": True},
}


@pytest.mark.parametrize(("variant", "options"), VARIANTS.items(), ids=VARIANTS)
def test_every_variant_bears_it(
    variant: str, options: dict[str, Any], normal: Callable[..., Tensor]
) -> None:
    """Networks of every variant can be differentiated twice, penalties, norms and packs too."""
    shape = (1, 28, 28) if variant == "dcgan" else (2,)
    with torch.random.fork_rng([]):
        gan = plugins.build("variants", variant, options).build(shape)
    real = normal((40, *shape))
    subject = GameState(gan, real, real, normal_latents(gan.latent_size))
    asked = build_instruments(("jacobian",), {"jacobian": {"draws": 1, "samples": 8, "count": 1}})
    (finding,) = run_instruments(subject, asked)
    assert finding.measures, finding.summary
    assert finding["modulus"].value > 0


@every_instrument
def test_blown_players_are_answered_for(name: str, normal: Callable[..., Tensor]) -> None:
    """Players whose weights are no numbers get an answer, and no error."""
    subject = subject_of(noisy_gan(), normal)
    with torch.no_grad():
        for weight in subject.gan.generator.parameters():
            weight.fill_(torch.nan)
    asked = build_instruments((name,), {name: QUICK.get(name, {})})
    (finding,) = run_instruments(subject, asked)
    assert finding.summary.endswith(".")


# --- a subject's samples


def test_batches_are_disjoint(normal: Callable[..., Tensor]) -> None:
    """Reals of several batches are different ones as long as there are enough, then they return."""
    subject = subject_of(noisy_gan(), normal)
    three = subject.draw_batches(25, 0, 3)
    assert len(torch.unique(torch.cat([batch.real for batch in three]), dim=0)) == 75
    again = subject.draw_batches(25, 0, 4)
    assert torch.equal(again[3].real, again[0].real)
    assert not torch.equal(again[3].latents, again[0].latents)
    assert len(subject.draw_batch(1000, 0).real) == 80


def test_noise_is_the_moments(normal: Callable[..., Tensor]) -> None:
    """Instance noise lies on reals and fakes with its standard deviation."""
    plain = subject_of(noisy_gan(), normal)
    noisy = GameState(**{**vars(plain), "noise": 0.5})
    batch = noisy.draw_batch(4000, 0)
    assert isinstance(batch.noise[1], Tensor)
    assert float(batch.noise[1].std()) == pytest.approx(0.5, rel=0.05)
    assert plain.draw_batch(40, 0).noise == (0.0, 0.0)


def test_range_is_of_the_draws() -> None:
    """A measure's value is the mean over the draws, and its ends are the least and the largest."""
    measure = summarize_draws("some", [1.0, 5.0, 3.0], "a number")
    assert (measure.low, measure.value, measure.high) == (1.0, 3.0, 5.0)
    unknown = summarize_draws("some", [1.0, float("nan"), 3.0], "a number")
    assert str(unknown[1:4]) == "(nan, nan, nan)"
    infinite = Finding("some", "It is.", (unknown,), {"curve": [float("inf"), -float("inf"), 1.0]})
    plain = infinite.as_json()
    assert plain["measures"][0]["value"] == "NaN"
    assert plain["curves"]["curve"] == ["Infinity", "-Infinity", 1.0]


# --- somebody's own networks


def own() -> tuple[nn.Module, nn.Module]:
    """Networks as somebody else makes them: latents as images, scores as a column."""
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Flatten(), nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
    return generator, nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))


@pytest.fixture(autouse=True)
def _same_state() -> Iterator[None]:
    with torch.random.fork_rng([]):
        yield


def test_own_networks_are_examined(normal: Callable[..., Tensor]) -> None:
    """Any two networks can be examined; each instrument answers, in the catalogue's order."""
    generator, discriminator = own()
    found = gandiag.examine(
        generator, discriminator, normal((100, 2)),
        latents=(3, 1, 1), earlier=own(), instruments=QUICK,
    )  # fmt: skip
    assert [finding.instrument for finding in found] == list(QUICK)
    assert found[0].measures
    assert found[3].summary == "No path: both checkpoints hold the same weights."


def test_probabilities_are_logits(normal: Callable[..., Tensor]) -> None:
    """A discriminator that ends in a sigmoid gives the numbers of the one without it."""
    generator, discriminator = own()
    real, asked = normal((100, 2)), {"jacobian": QUICK["jacobian"]}
    (logits,) = gandiag.examine(generator, discriminator, real, latents=(3,), instruments=asked)
    (read,) = gandiag.examine(
        generator, nn.Sequential(discriminator, nn.Sigmoid()), real,
        latents=lambda count: torch.randn(count, 3), scores="probabilities", instruments=asked,
    )  # fmt: skip
    for one, other in zip(logits.measures, read.measures, strict=True):
        assert one.value == pytest.approx(other.value, rel=1e-6, abs=1e-9)


def test_penalty_of_ones_own_counts(normal: Callable[..., Tensor]) -> None:
    """A penalty of one's own is part of what the discriminator minimises."""
    generator, discriminator = own()

    def weight_decay(network: Any, real: Tensor, fake: Tensor) -> Tensor:
        return 5000.0 * sum(w.square().sum() for w in network.parameters())  # type: ignore[return-value]

    found = gandiag.examine(
        generator, discriminator, normal((100, 2)), latents=3,
        penalty=weight_decay, instruments={"jacobian": {"samples": 32, "draws": 1}},
    )  # fmt: skip
    assert found[0]["modulus"].value == pytest.approx(10_000, rel=1e-3)  # 2 x 5000 a weight of D


@dataclass(frozen=True)
class Broken:
    """An instrument that cannot bear these networks."""

    def examine(self, subject: GameState, progress: Callable[[float], None]) -> Finding:
        """Fail."""
        raise RuntimeError("derivative for\n  something is not implemented")


def test_broken_instrument_is_answered_for(normal: Callable[..., Tensor]) -> None:
    """One that fails says so in a sentence, and the next one is asked all the same."""
    asked = {"broken": Broken(), "jacobian": QUICK["jacobian"]}
    first, second = gandiag.examine(*own(), normal((50, 2)), latents=3, instruments=asked)
    said = "Not measured: RuntimeError: derivative for something is not implemented."
    assert first.summary == said
    assert second.measures


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"objective": "hindge"}, 'objective: no objective "hindge"; nearest is "hinge"'),
        ({"scores": "logit"}, 'scores: no reading "logit"; nearest is "logits"'),
        ({"instruments": ("jacobean",)}, 'instruments: no instrument "jacobean"; nearest is'),
        ({"instruments": {"jacobian": {"cont": 3}}}, "instruments: jacobian.cont: unknown option"),
        ({"instruments": {"jacobian": 3}}, "instruments: jacobian: write an option of it"),
        ({"real": torch.zeros(4, 2)}, "real: 4 samples are too few to hold some out"),
    ],
)
def test_mistakes_are_one_line(changed: dict[str, Any], said: str) -> None:
    """Each mistake is one line that names what was given, and the nearest name that exists."""
    given = {"real": torch.zeros(50, 2), "latents": 3, **changed}
    with pytest.raises(BadInput) as error:
        gandiag.examine(*own(), **given)
    assert str(error.value).startswith(said)


def test_frozen_player_is_told() -> None:
    """A player without trained weights has no field, and it is said which one it is."""
    generator, discriminator = own()
    discriminator.requires_grad_(False)
    (found,) = gandiag.examine(
        generator, discriminator, torch.randn(50, 2), latents=3, instruments=("jacobian",)
    )
    assert "the discriminator has no weights that require a gradient" in found.summary


def test_objective_of_ones_own(normal: Callable[..., Tensor]) -> None:
    """An objective may be named, or be one's own; the same functions give the same numbers."""
    players, real, asked = own(), normal((50, 2)), {"jacobian": QUICK["jacobian"]}
    named, given = (
        gandiag.examine(*players, real, latents=3, objective=objective, instruments=asked)
        for objective in ("non_saturating", NON_SATURATING)
    )
    assert named == given


# --- a saved run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with checkpoints of steps 1, 10 and 20."""
    place = tmp_path_factory.mktemp("runs") / "kept"
    gandiag.run(Scenario.parse(SCENARIO), place, checkpoint_every=10)
    return place


def examined(*arguments: str) -> Result:
    """The command's two streams and status."""
    return CliRunner().invoke(main, ["examine", *arguments])


def test_run_is_examined(folder: Path) -> None:
    """The command prints what each instrument says, on standard output alone."""
    result = examined(str(folder), *SETS)
    assert result.exit_code == 0, result.output
    assert "the players at step 20" in result.stdout
    for name in QUICK:
        assert name.replace("_", " ") in result.stdout
    assert "5/5 duality gap: done" in result.stderr
    assert "Not measured" not in result.stdout


def test_json_is_plain(folder: Path) -> None:
    """``--json`` prints the step and the findings, and nothing else."""
    result = examined(str(folder), "--json", "--at", "10", "--instrument", "path_angle",
                      "--set", "path_angle.points=3", "--set", "path_angle.draws=1")  # fmt: skip
    found = json.loads(result.stdout)
    assert found["step"] == 10
    (finding,) = found["findings"]
    assert finding["instrument"] == "path_angle"
    assert finding["curves"]["along"] == [0.0, 0.75, 1.5]


def test_checkpoint_itself_is_a_path(folder: Path) -> None:
    """A checkpoint's file stands for its run at its step; the weights are those in it."""
    subject, step = load_game_state(folder / "checkpoints" / "step-00000010.safetensors")
    assert step == 10
    other, _ = load_game_state(folder, 10)
    for one, two in zip(state(subject.gan).items(), state(other.gan).items(), strict=True):
        assert torch.equal(one[1], two[1]), one[0]
    assert subject.earlier is not None


def test_first_checkpoint_has_no_earlier(folder: Path) -> None:
    """At the oldest checkpoint there is no line to look along."""
    assert load_game_state(folder, 1)[0].earlier is None
    assert load_game_state(folder, 20, 10)[0].earlier is not None


def test_opening_draws_nothing(folder: Path) -> None:
    """Opening a run leaves torch's random numbers where they were."""
    before = torch.get_rng_state()
    load_game_state(folder)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--at", "7"), "no checkpoint of step 7; nearest is 10; there are 1, 10, 20"),
        (("--since", "20"), "--since 20: is not before the step that is examined, 20"),
        (
            ("--instrument", "dualty"),
            '--instrument: no instrument "dualty"; nearest is "duality_gap"',
        ),
        (("--set", "jacobian.cont=1"), '--set: jacobian.cont: unknown option; nearest is "count"'),
        (("--set", "jacobian=1"), "--set: jacobian: write an option of it, as in jacobian.samples"),
        (("--set", "jacobean.count=1"), "--set: jacobean is not asked, so its options say nothing"),
    ],
)
def test_command_refuses_in_one_line(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    """A mistake is one line on standard error and status 2."""
    result = examined(str(folder), *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_plain_run_says_how(tmp_path: Path) -> None:
    """A run without checkpoints, and a folder without a run, say what is missing."""
    gandiag.run(Scenario.parse(SCENARIO), tmp_path / "plain")
    assert "--checkpoint-every 500" in examined(str(tmp_path / "plain")).stderr
    assert "no run here" in examined(str(tmp_path / "nowhere")).stderr


def test_interrupted_shows_what_there_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C what has been found is shown; the status is 130."""
    from gandiag.examination.instruments.path_angle import PathAngle

    def stop(*arguments: object) -> Finding:
        raise KeyboardInterrupt

    monkeypatch.setattr(PathAngle, "examine", stop)
    asked = ("--instrument", "jacobian", "--instrument", "path_angle")
    quick = ("--set", "jacobian.draws=1", "--set", "jacobian.samples=8")
    result = examined(str(folder), *asked, *quick)
    assert result.exit_code == 130
    assert "stopped; 1 of 2 instruments finished" in result.stderr
    assert "The game" in result.stdout


def test_descent_of_a_run_is_known(tmp_path: Path) -> None:
    """A run by plain gradient descent is asked about its own steps, one by Adam is not."""
    plain = {"optimizer": {"name": "sgd", "lr": 0.05}}
    training = {"steps": 4, "batch_size": 32, "generator": plain, "decay_from": 0.5,
                "discriminator": {**plain, "steps": 3}}  # fmt: skip
    gandiag.run(Scenario.parse({**SCENARIO, "training": training}), tmp_path, checkpoint_every=1)
    assert load_game_state(tmp_path, 1)[0].descent == (0.05, 0.05, 1, 3)
    assert load_game_state(tmp_path, 3)[0].descent == (0.025, 0.025, 1, 3)


def test_adams_run_has_no_descent(folder: Path) -> None:
    """Adam's steps are no plain descent."""
    assert load_game_state(folder)[0].descent is None
