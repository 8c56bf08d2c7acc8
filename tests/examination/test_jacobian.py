"""Laws of the game's Jacobian: Dirac's eigenvalues, which Mescheder et al. 2018 give by hand."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gandiag.examination.eigenvalues import TAKES_SEED, find_eigenvalues
from gandiag.examination.finding import Finding
from gandiag.examination.game_state import DescentSettings, GameState
from gandiag.examination.instruments.jacobian import Jacobian
from gandiag.examination.instruments.update_map import UpdateMap
from gandiag.examination.vector_field import TransposedJacobian as FieldJacobian
from gandiag.examination.vector_field import evaluate_field
from gandiag.models.gan import GAN
from gandiag.scenario.schema import Training
from gandiag.training.trainer import train
from tests.conftest import noisy_gan
from tests.examination.conftest import normal_latents, unheard

Make = Callable[..., GameState]
HALF = 0.5  # f'(0) of f(t) = -log(1 + exp(-t))


def found(finding: Finding) -> list[complex]:
    """Eigenvalues of the first draw, by falling modulus."""
    parts = zip(finding.curves["real"], finding.curves["imaginary"], strict=True)
    return [complex(*each) for each in parts]


def same(values: list[complex], expected: tuple[complex, ...], within: float = 1e-7) -> None:
    """Assert that two sets of numbers are one, in whatever order."""
    assert len(values) == len(expected)
    for value in expected:
        assert min(abs(value - other) for other in values) < within, (value, values)


def pair(middle: float, square: float) -> tuple[complex, complex]:
    """``middle +- sqrt(square)``."""
    return middle + cmath.sqrt(square), middle - cmath.sqrt(square)


@pytest.mark.parametrize("objective", ["saturating", "non_saturating"])
def test_plain_dirac_turns(dirac: Make, objective: str) -> None:
    """Without a penalty the eigenvalues are +-i/2: it turns, and nothing pulls it in."""
    finding = Jacobian().examine(dirac(objective=objective), unheard)
    same(found(finding), (0.5j, -0.5j))
    assert finding["rate"].value == 0
    said = "The game turns, and is somewhere neither pulled in nor pushed outwards"
    assert finding.summary == f"{said} (all 2 eigenvalues)."


def test_critic_turns_twice_as_fast(dirac: Make) -> None:
    """A linear critic's are +-i."""
    same(found(Jacobian().examine(dirac(objective="wasserstein"), unheard)), (1j, -1j))


@pytest.mark.parametrize("gamma", [0.1, 0.3, 1.0, 2.0, 10.0])
def test_r1_pulls_in(dirac: Make, gamma: float) -> None:
    """With R1 they are -gamma/2 +- sqrt(gamma^2/4 - 1/4); 1 is critical."""
    finding = Jacobian().examine(dirac(r1=gamma), unheard)
    within = 1e-6 if gamma == 1 else 1e-9  # a double one moves with the root of the rounding
    same(found(finding), pair(-gamma / 2, gamma**2 / 4 - HALF**2), within)
    assert "pulled in" in finding.summary
    assert ("turns" in finding.summary) == (gamma < 1)


@pytest.mark.parametrize("sd", [0.3, 0.7, math.sqrt(2), 2.0])
def test_instance_noise_pulls_in(dirac: Make, sd: float) -> None:
    """With noise on both they are -sd^2/4 +- sqrt(sd^4/16 - 1/4)."""
    subject = dirac(points=(-sd, sd), sd=sd)  # noise of two values has the same second moment
    signs = GameState(subject.gan, subject.real, subject.real, lambda count: two_signs(count))
    finding = Jacobian().examine(signs, unheard)
    within = 1e-3 if sd == math.sqrt(2) else 1e-6  # a double one, from data in float32
    same(found(finding), pair(-(sd**2) / 4, sd**4 / 16 - HALF**2), within)


def two_signs(count: int) -> Tensor:
    """As many latents of 1 as of -1."""
    return torch.tensor([1.0, -1.0]).repeat(count // 2)[:, None]


def test_rate_bounds_steps(dirac: Make) -> None:
    """At the rate that it names, steps at once have a largest modulus of exactly 1."""
    subject = dirac(r1=0.3)
    rate = Jacobian().examine(subject, unheard)["rate"].value
    for share, shrinks in ((0.9, True), (1.1, False)):
        steps = UpdateMap(share * rate, share * rate, simultaneous=True)
        assert (steps.examine(subject, unheard)["radius"].value < 1) == shrinks
    at = UpdateMap(rate, rate, simultaneous=True).examine(subject, unheard)
    assert at["radius"].value == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("rate", [0.05, 0.2, 1.0])
def test_steps_at_once_lead_out(dirac: Make, rate: float) -> None:
    """Both stepping at once: 1 +- i h/2, of modulus sqrt(1 + h^2/4) > 1."""
    asked = UpdateMap(rate, rate, simultaneous=True)
    finding = asked.examine(dirac(objective="saturating"), unheard)
    same(found(finding), (1 + 0.5j * rate, 1 - 0.5j * rate))
    assert finding["radius"].value == pytest.approx(math.sqrt(1 + rate**2 / 4))
    assert finding.summary.endswith("steps this large lead out.")


@pytest.mark.parametrize(("rate", "m", "n"), [(0.2, 1, 1), (0.2, 3, 2), (1.0, 1, 5), (5.0, 1, 1)])
def test_steps_in_turn_keep(dirac: Make, rate: float, m: int, n: int) -> None:
    """In turn: 1 - a^2/2 +- sqrt((1 - a^2/2)^2 - 1), a = sqrt(m n) h/2; modulus 1 iff a <= 2."""
    alpha = math.sqrt(m * n) * rate * HALF
    middle = 1 - alpha**2 / 2
    finding = UpdateMap(rate, rate, m, n).examine(dirac(objective="saturating"), unheard)
    same(found(finding), pair(middle, middle**2 - 1))
    assert (finding["radius"].value > 1 + 1e-9) == (alpha > 2)
    if alpha <= 2:
        assert finding["period"].value == pytest.approx(2 * math.pi / math.acos(middle))


def test_known_period(dirac: Make) -> None:
    """At h = 0.2 a turn takes 62.8 iterations, with a critic 31.4 (science 3.1)."""
    for objective, period in (("saturating", 62.8), ("wasserstein", 31.4)):
        finding = UpdateMap(0.2, 0.2).examine(dirac(objective=objective), unheard)
        assert finding["period"].value == pytest.approx(period, abs=0.05)


def test_map_is_that_of_training(dirac: Make) -> None:
    """Near 0 an iteration of gandiag's own loop is the matrix with these eigenvalues."""
    rate, columns = 0.2, []
    for shift, weight in ((1e-3, 0.0), (0.0, 1e-3)):
        gan = dirac(shift, weight, r1=0.3).gan
        player = {"optimizer": {"name": "sgd", "lr": rate}}
        once = {"steps": 1, "batch_size": 4, "generator": player, "discriminator": player}
        train(gan, torch.zeros(4, 1), Training.model_validate(once), 0, None)
        columns.append([value / 1e-3 for value in both(gan)])
    expected = np.linalg.eigvals(np.array(columns).T)
    finding = UpdateMap(rate, rate).examine(dirac(r1=0.3), unheard)
    same(found(finding), tuple(expected.tolist()), 1e-5)


def both(gan: GAN) -> tuple[float, float]:
    """The two numbers of a Dirac-GAN."""
    (shift,), (weight,) = gan.generator.parameters(), gan.discriminator.parameters()
    return shift.item(), weight.item()


def test_game_knows_its_descent(dirac: Make) -> None:
    """A game of plain descent is asked at its own rates; another says that it is not asked."""
    subject = dirac(objective="saturating")
    assert UpdateMap().examine(subject, unheard).measures == ()
    own = GameState(**{**vars(subject), "descent": DescentSettings(0.2, 0.2)})
    told = UpdateMap(0.2, 0.2).examine(subject, unheard)
    assert UpdateMap().examine(own, unheard) == told


PENALTIES: list[dict[str, Any]] = [{}, {"r1": 0.5}, {"gradient_penalty": 0.5}, {"pack": 2}]


@pytest.mark.parametrize("options", PENALTIES, ids=lambda o: next(iter(o), "plain"))
def test_products_twin_differences(ring_game: Make, options: dict[str, Any]) -> None:
    """``w . (J u)`` is ``u . (J^T w)``, J u being a difference of the field in direction u.

    A smooth activation, for at a kink a difference is of neither side.
    """
    subject = ring_game(activation="tanh", **options)
    batch = subject.draw_batch(32, 0, dtype=torch.float64)
    gan = subject.copy_networks(torch.float64)
    with subject.seeded(0):
        field = FieldJacobian(gan, batch)
    draw = np.random.default_rng(0)
    there, onto = draw.standard_normal(field.size), draw.standard_normal(field.size)
    step, ends = 1e-5, []
    for sign in (1, -1):
        moved = subject.copy_networks(torch.float64)
        at = 0
        with torch.no_grad():
            for weight in (*moved.generator.parameters(), *moved.discriminator.parameters()):
                part = there[at : at + weight.numel()].reshape(weight.shape)
                weight += sign * step * torch.from_numpy(part)
                at += weight.numel()
        with subject.seeded(0):
            ends.append(evaluate_field(moved, batch).numpy())
    forward = onto @ (ends[0] - ends[1]) / (2 * step)
    assert there @ field.multiply(onto) == pytest.approx(forward, rel=1e-5)
    rows = field.multiply_rows(onto, True) + field.multiply_rows(onto, False)
    np.testing.assert_allclose(rows, field.multiply(onto), atol=1e-12)


def test_field_is_a_step(ring_game: Make) -> None:
    """The field is where each player's backward pass would push its weights, seen by itself."""
    subject = ring_game(r1=0.5)
    batch, gan = subject.draw_batch(16, 3), subject.gan
    field, pushes = evaluate_field(gan, batch), []
    for network, loss in (
        (gan.generator, batch.generator_loss(gan, batch.generate_fakes(gan))),
        (gan.discriminator, batch.discriminator_loss(gan, batch.generate_fakes(gan).detach())),
    ):
        network.zero_grad()
        loss.backward()
        pushes += [-weight.grad.reshape(-1) for weight in network.parameters()]
    torch.testing.assert_close(field, torch.cat(pushes))


def test_outermost_are_the_outermost() -> None:
    """Of a known matrix, those of largest modulus, real and imaginary part are found."""
    draw = np.random.default_rng(1)
    matrix = draw.standard_normal((300, 300)) / math.sqrt(300)
    every = np.linalg.eigvals(matrix)
    spectrum = find_eigenvalues(
        lambda row: matrix @ row, 300, 4, ("LM", "LR", "LI"), tolerance=1e-9
    )
    assert not spectrum.is_complete
    assert spectrum.unconverged == 0
    assert np.abs(spectrum.values).max() == pytest.approx(np.abs(every).max())
    assert spectrum.values.real.max() == pytest.approx(every.real.max())
    assert spectrum.values.imag.max() == pytest.approx(every.imag.max())
    for value in spectrum.values:
        assert np.abs(every - value).min() < 1e-6


def low_rank(rank: int, size: int, seed: int) -> np.ndarray:
    """A real matrix of so low a rank, whose eigenvalues are mostly pairs."""
    draw = np.random.default_rng(seed)
    left, right = draw.standard_normal((2, size, rank))
    return np.asarray(left @ right.T / size)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("count", [1, 3])
def test_found_eigenvalues_are_conjugate(seed: int, count: int) -> None:
    """Where the number asked for cuts a pair, the other one of it is given all the same."""
    matrix = low_rank(6, 200, seed)
    values = find_eigenvalues(lambda row: matrix @ row, 200, count, ("LM", "LR", "LI"), seed).values
    assert values.imag.max() >= 0
    same(list(values.conj()), tuple(values), 1e-12)


@pytest.mark.parametrize("seed", [50, 85, 89])
def test_search_with_random_vectors(normal: Callable[..., Tensor], seed: int) -> None:
    """Of these games ARPACK goes on from random vectors: what it finds are eigenvalues.

    Where SciPy takes a stream for these vectors, it finds the same ones again, to the last bit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        gan = noisy_gan()
    subject = GameState(gan, normal((80, 2)), normal((60, 2), seed=1), normal_latents(4))
    asked = Jacobian(count=1, samples=16, draws=2)
    one, other = (asked.examine(subject, unheard) for _ in range(2))
    field = FieldJacobian.at_state(subject, asked.samples, 0)
    every = np.linalg.eigvals(np.stack([field.multiply(row) for row in np.eye(field.size)]))
    for value in found(one) + found(other):
        assert np.abs(every - value).min() < asked.tolerance * abs(value)
    assert one == other or not TAKES_SEED


def test_no_curvature_is_zero(dirac: Make) -> None:
    """A player that the other one does not feel has an eigenvalue of 0."""
    flat = dirac(0.0, 0.0, objective="hinge")  # fakes at a score of 0: slopes are constant there
    values = found(Jacobian().examine(flat, unheard))
    same(values, (1j, -1j))  # as a linear critic, within the margin
    far = dirac(3.0, -2.0, objective="hinge")  # beyond the margin D learns nothing
    same(found(Jacobian().examine(far, unheard)), (0, 0))


def test_small_players_twin_large(ring_game: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """ARPACK's outermost eigenvalues of small players are those among all of them."""
    subject = ring_game(r1=0.5, activation="tanh")
    asked = Jacobian(draws=1, samples=64, tolerance=1e-9)
    few = asked.examine(subject, unheard)
    monkeypatch.setattr("gandiag.examination.eigenvalues.MAX_DENSE_SIZE", 10_000)
    whole = asked.examine(subject, unheard)
    assert "all 2" in whole.summary
    for name in ("real_part", "imaginary_part", "modulus"):
        assert few[name].value == pytest.approx(whole[name].value, rel=1e-5), name
