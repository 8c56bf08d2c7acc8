"""Tests of Jacobian and update map: eigenvalues of the Dirac-GAN (Mescheder et al. 2018)."""

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
from tests.examination.conftest import ignore_progress, normal_latents

BuildState = Callable[..., GameState]
HALF = 0.5  # f'(0) of f(t) = -log(1 + exp(-t))


def first_eigenvalues(finding: Finding) -> list[complex]:
    """Return the eigenvalues of the first draw, by falling modulus."""
    parts = zip(finding.curves["real"], finding.curves["imaginary"], strict=True)
    return [complex(*each) for each in parts]


def assert_same(values: list[complex], expected: tuple[complex, ...], within: float = 1e-7) -> None:
    """Assert that two sets of numbers are equal, in any order."""
    assert len(values) == len(expected)
    for value in expected:
        assert min(abs(value - other) for other in values) < within, (value, values)


def pair(middle: float, square: float) -> tuple[complex, complex]:
    """Return ``middle +- sqrt(square)``."""
    return middle + cmath.sqrt(square), middle - cmath.sqrt(square)


@pytest.mark.parametrize("objective", ["saturating", "non_saturating"])
def test_plain_dirac_rotates(dirac: BuildState, objective: str) -> None:
    """Without a penalty the eigenvalues are +-i/2: training rotates and does not converge."""
    finding = Jacobian().examine(dirac(objective=objective), ignore_progress)
    assert_same(first_eigenvalues(finding), (0.5j, -0.5j))
    assert finding["rate"].value == 0
    expected = "In at least one direction training neither converges nor diverges; it rotates"
    assert finding.summary == f"{expected} (all 2 eigenvalues)."


def test_critic_rotates_twice_as_fast(dirac: BuildState) -> None:
    """The eigenvalues of a linear critic are +-i."""
    assert_same(
        first_eigenvalues(Jacobian().examine(dirac(objective="wasserstein"), ignore_progress)),
        (1j, -1j),
    )


@pytest.mark.parametrize("gamma", [0.1, 0.3, 1.0, 2.0, 10.0])
def test_r1_converges(dirac: BuildState, gamma: float) -> None:
    """With R1 the eigenvalues are -gamma/2 +- sqrt(gamma^2/4 - 1/4); gamma = 1 is critical."""
    finding = Jacobian().examine(dirac(r1=gamma), ignore_progress)
    within = 1e-6 if gamma == 1 else 1e-9  # a double eigenvalue errs by the root of the rounding
    assert_same(first_eigenvalues(finding), pair(-gamma / 2, gamma**2 / 4 - HALF**2), within)
    assert "converges at" in finding.summary
    assert ("it rotates" in finding.summary) == (gamma < 1)


@pytest.mark.parametrize("sd", [0.3, 0.7, math.sqrt(2), 2.0])
def test_instance_noise_converges(dirac: BuildState, sd: float) -> None:
    """With instance noise the eigenvalues are -sd^2/4 +- sqrt(sd^4/16 - 1/4)."""
    state = dirac(points=(-sd, sd), sd=sd)  # two values have the same second moment as noise
    signs = GameState(state.gan, state.real, state.real, lambda count: two_signs(count))
    finding = Jacobian().examine(signs, ignore_progress)
    within = 1e-3 if sd == math.sqrt(2) else 1e-6  # a double eigenvalue, from data in float32
    assert_same(first_eigenvalues(finding), pair(-(sd**2) / 4, sd**4 / 16 - HALF**2), within)


def two_signs(count: int) -> Tensor:
    """Return as many latents of 1 as of -1."""
    return torch.tensor([1.0, -1.0]).repeat(count // 2)[:, None]


def test_rate_bounds_steps(dirac: BuildState) -> None:
    """At the reported rate, simultaneous steps have a largest modulus of exactly 1."""
    state = dirac(r1=0.3)
    rate = Jacobian().examine(state, ignore_progress)["rate"].value
    for share, converges in ((0.9, True), (1.1, False)):
        steps = UpdateMap(share * rate, share * rate, simultaneous=True)
        assert (steps.examine(state, ignore_progress)["radius"].value < 1) == converges
    at = UpdateMap(rate, rate, simultaneous=True).examine(state, ignore_progress)
    assert at["radius"].value == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("rate", [0.05, 0.2, 1.0])
def test_simultaneous_steps_diverge(dirac: BuildState, rate: float) -> None:
    """Simultaneous steps have 1 +- i h/2, of modulus sqrt(1 + h^2/4) > 1."""
    instrument = UpdateMap(rate, rate, simultaneous=True)
    finding = instrument.examine(dirac(objective="saturating"), ignore_progress)
    assert_same(first_eigenvalues(finding), (1 + 0.5j * rate, 1 - 0.5j * rate))
    assert finding["radius"].value == pytest.approx(math.sqrt(1 + rate**2 / 4))
    assert finding.summary.endswith("steps of this size diverge.")


@pytest.mark.parametrize(("rate", "m", "n"), [(0.2, 1, 1), (0.2, 3, 2), (1.0, 1, 5), (5.0, 1, 1)])
def test_alternating_steps_keep_the_size(dirac: BuildState, rate: float, m: int, n: int) -> None:
    """Alternating steps have 1 - a^2/2 +- sqrt((1 - a^2/2)^2 - 1), with a = sqrt(m n) h/2."""
    alpha = math.sqrt(m * n) * rate * HALF
    middle = 1 - alpha**2 / 2
    finding = UpdateMap(rate, rate, m, n).examine(dirac(objective="saturating"), ignore_progress)
    assert_same(first_eigenvalues(finding), pair(middle, middle**2 - 1))
    assert (finding["radius"].value > 1 + 1e-9) == (alpha > 2)
    if alpha <= 2:
        assert finding["period"].value == pytest.approx(2 * math.pi / math.acos(middle))


def test_known_period(dirac: BuildState) -> None:
    """At h = 0.2 a rotation takes 62.8 iterations, and 31.4 with a critic."""
    for objective, period in (("saturating", 62.8), ("wasserstein", 31.4)):
        finding = UpdateMap(0.2, 0.2).examine(dirac(objective=objective), ignore_progress)
        assert finding["period"].value == pytest.approx(period, abs=0.05)


def test_map_agrees_with_the_training_loop(dirac: BuildState) -> None:
    """Near 0 an iteration of gandiag's training loop has the same eigenvalues."""
    rate, columns = 0.2, []
    for shift, weight in ((1e-3, 0.0), (0.0, 1e-3)):
        gan = dirac(shift, weight, r1=0.3).gan
        network = {"optimizer": {"name": "sgd", "lr": rate}}
        once = {"steps": 1, "batch_size": 4, "generator": network, "discriminator": network}
        train(gan, torch.zeros(4, 1), Training.model_validate(once), 0, None)
        columns.append([value / 1e-3 for value in both_weights(gan)])
    expected = np.linalg.eigvals(np.array(columns).T)
    finding = UpdateMap(rate, rate).examine(dirac(r1=0.3), ignore_progress)
    assert_same(first_eigenvalues(finding), tuple(expected.tolist()), 1e-5)


def both_weights(gan: GAN) -> tuple[float, float]:
    """Return the two weights of a Dirac-GAN."""
    (shift,), (weight,) = gan.generator.parameters(), gan.discriminator.parameters()
    return shift.item(), weight.item()


def test_rates_of_the_run_are_the_default(dirac: BuildState) -> None:
    """A run of plain gradient descent is examined with its own rates; another run is not."""
    state = dirac(objective="saturating")
    assert UpdateMap().examine(state, ignore_progress).measures == ()
    plain = GameState(**{**vars(state), "descent": DescentSettings(0.2, 0.2)})
    expected = UpdateMap(0.2, 0.2).examine(state, ignore_progress)
    assert UpdateMap().examine(plain, ignore_progress) == expected


PENALTIES: list[dict[str, Any]] = [{}, {"r1": 0.5}, {"gradient_penalty": 0.5}, {"pack": 2}]


@pytest.mark.parametrize("options", PENALTIES, ids=lambda o: next(iter(o), "plain"))
def test_products_agree_with_differences(ring_state: BuildState, options: dict[str, Any]) -> None:
    """``w . (J u)`` is ``u . (J^T w)``, where J u is a difference of the field in direction u.

    The activation is smooth, as a difference across a kink is no derivative.
    """
    state = ring_state(activation="tanh", **options)
    batch = state.draw_batch(32, 0, dtype=torch.float64)
    gan = state.copy_networks(torch.float64)
    with state.seeded(0):
        field = FieldJacobian(gan, batch)
    draw = np.random.default_rng(0)
    there, onto = draw.standard_normal(field.size), draw.standard_normal(field.size)
    step, ends = 1e-5, []
    for sign in (1, -1):
        moved = state.copy_networks(torch.float64)
        at = 0
        with torch.no_grad():
            for weight in (*moved.generator.parameters(), *moved.discriminator.parameters()):
                part = there[at : at + weight.numel()].reshape(weight.shape)
                weight += sign * step * torch.from_numpy(part)
                at += weight.numel()
        with state.seeded(0):
            ends.append(evaluate_field(moved, batch).numpy())
    forward = onto @ (ends[0] - ends[1]) / (2 * step)
    assert there @ field.multiply(onto) == pytest.approx(forward, rel=1e-5)
    rows = field.multiply_rows(onto, True) + field.multiply_rows(onto, False)
    np.testing.assert_allclose(rows, field.multiply(onto), atol=1e-12)


def test_field_is_minus_the_gradients(ring_state: BuildState) -> None:
    """The field is the negative gradient of each network's own backward pass."""
    state = ring_state(r1=0.5)
    batch, gan = state.draw_batch(16, 3), state.gan
    field, steps = evaluate_field(gan, batch), []
    for network, loss in (
        (gan.generator, batch.generator_loss(gan, batch.generate_fakes(gan))),
        (gan.discriminator, batch.discriminator_loss(gan, batch.generate_fakes(gan).detach())),
    ):
        network.zero_grad()
        loss.backward()
        steps += [-weight.grad.reshape(-1) for weight in network.parameters()]
    torch.testing.assert_close(field, torch.cat(steps))


def test_outermost_eigenvalues_are_found() -> None:
    """Eigenvalues of largest modulus, real and imaginary part of a known matrix are found."""
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
    """Return a real matrix of low rank, whose eigenvalues are mostly conjugate pairs."""
    draw = np.random.default_rng(seed)
    left, right = draw.standard_normal((2, size, rank))
    return np.asarray(left @ right.T / size)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("count", [1, 3])
def test_found_eigenvalues_are_conjugate(seed: int, count: int) -> None:
    """If the requested number cuts a conjugate pair, both eigenvalues are returned."""
    matrix = low_rank(6, 200, seed)
    values = find_eigenvalues(lambda row: matrix @ row, 200, count, ("LM", "LR", "LI"), seed).values
    assert values.imag.max() >= 0
    assert_same(list(values.conj()), tuple(values), 1e-12)


@pytest.mark.parametrize("seed", [50, 85, 89])
def test_searches_with_random_vectors(normal: Callable[..., Tensor], seed: int) -> None:
    """In these states ARPACK continues with random vectors and still finds eigenvalues.

    If SciPy takes a random generator for these vectors, the results are reproducible bit by bit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        gan = noisy_gan()
    state = GameState(gan, normal((80, 2)), normal((60, 2), seed=1), normal_latents(4))
    instrument = Jacobian(count=1, samples=16, draws=2)
    one, other = (instrument.examine(state, ignore_progress) for _ in range(2))
    field = FieldJacobian.at_state(state, instrument.samples, 0)
    every = np.linalg.eigvals(np.stack([field.multiply(row) for row in np.eye(field.size)]))
    for value in first_eigenvalues(one) + first_eigenvalues(other):
        assert np.abs(every - value).min() < instrument.tolerance * abs(value)
    assert one == other or not TAKES_SEED


def test_no_curvature_is_zero(dirac: BuildState) -> None:
    """A network without influence on the other one has an eigenvalue of 0."""
    flat = dirac(0.0, 0.0, objective="hinge")  # scores of 0, where the gradient is constant
    values = first_eigenvalues(Jacobian().examine(flat, ignore_progress))
    assert_same(values, (1j, -1j))  # within the margin hinge is a linear critic
    far = dirac(3.0, -2.0, objective="hinge")  # beyond the margin D has no gradient
    assert_same(first_eigenvalues(Jacobian().examine(far, ignore_progress)), (0, 0))


def test_arpack_agrees_with_the_whole_matrix(
    ring_state: BuildState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ARPACK finds the outermost of all eigenvalues of small networks."""
    state = ring_state(r1=0.5, activation="tanh")
    instrument = Jacobian(draws=1, samples=64, tolerance=1e-9)
    few = instrument.examine(state, ignore_progress)
    monkeypatch.setattr("gandiag.examination.eigenvalues.MAX_DENSE_SIZE", 10_000)
    whole = instrument.examine(state, ignore_progress)
    assert "all 2" in whole.summary
    for name in ("real_part", "imaginary_part", "modulus"):
        assert few[name].value == pytest.approx(whole[name].value, rel=1e-5), name
