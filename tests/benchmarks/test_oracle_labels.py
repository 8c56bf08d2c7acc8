"""Laws of the labels: runs whose story can be told in a line, and what they are called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from gandiag.benchmarks.oracle.labels import ABSENT, CONDITIONS, GREY, PRESENT, Label, label

EVEN = np.full(8, 1 / 8)
ONE = np.eye(8)[0]
Row = dict[str, Any]


def run(story: Callable[[int], Row], steps: int = 1500, every: int = 50) -> dict[str, Label]:
    """Labels of a run whose looks are healthy but for what the story says of a step."""
    well: Row = {
        "finite": 1.0,
        "extent": 1.0,
        "shares": EVEN,
        "variety": 1.0,
        "distance": 0.05,
        "centre": np.zeros(2),
    }
    looks = range(every, steps + 1, every)
    rows = [{**well, "step": at, "distance": 0.05 + 1e-4 * (at % 100), **story(at)} for at in looks]
    return label({"shares": EVEN, "every": every}, rows)


def verdicts(labels: dict[str, Label]) -> tuple[int, ...]:
    """Of the three conditions, in their order."""
    return tuple(labels[name].verdict for name in CONDITIONS)


def shares(*counts: float) -> np.ndarray:  # type: ignore[type-arg]
    """Eight shares in these proportions."""
    return np.asarray(counts) / np.sum(counts)


def test_healthy_run_has_nothing() -> None:
    """True shares, true width and a small distance throughout: three times absent, no grey."""
    labels = run(lambda at: {})
    assert verdicts(labels) == (ABSENT,) * 3
    assert all((found.state == ABSENT).all() for found in labels.values())


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        ({"shares": ONE}, "total"),
        ({"shares": shares(1, 1, 1, 1, 0, 0, 0, 0)}, "partial"),
        ({"variety": 0.1}, "intra_mode"),
    ],
)
def test_collapse_begins_with_its_onset(seen: Row, kind: str) -> None:
    """A collapse that lasts is present from its first look on, and of its kind."""
    found = run(lambda at: seen if at >= 700 else {})["mode_collapse"]
    assert found.verdict == PRESENT
    assert found.spans == ((700, 1500),)
    assert kind in found.at(900)
    assert not found.at(600)


def test_seven_of_eight_modes_are_grey() -> None:
    """Diversity between .70 and .85 is neither collapse nor health."""
    assert run(lambda at: {"shares": shares(1, 1, 1, 1, 1, 1, 0, 0)})["mode_collapse"].verdict == (
        GREY
    )


def test_early_blob_is_no_collapse() -> None:
    """Few modes for the first 300 steps, all of them after: absent, for it did not last."""
    assert run(lambda at: {"shares": ONE} if at < 300 else {})["mode_collapse"].verdict == ABSENT


def test_rising_diversity_is_grey() -> None:
    """A collapse on its way out is not one that a detector must call."""
    found = run(lambda at: {"shares": shares(*[1] * (1 + at // 300), *[0] * (7 - at // 300))})
    assert PRESENT not in found["mode_collapse"].state[:10]


def test_hopping_is_both() -> None:
    """One mode after another: collapse of the hopping kind, and oscillation."""
    labels = run(lambda at: {"shares": np.roll(ONE, at // 50), "distance": 0.5})
    assert verdicts(labels)[1:] == (PRESENT, PRESENT)
    assert labels["mode_collapse"].at(800) == {"hopping"}
    assert labels["non_convergence"].at(800) == {"oscillation"}


def test_swinging_centre_is_oscillation() -> None:
    """Samples that move to and fro as a whole oscillate, whatever their shares."""

    def story(at: int) -> Row:
        return {"centre": np.array([np.cos(at / 100), np.sin(at / 100)]), "distance": 0.5}

    found = run(story)["non_convergence"]
    assert found.verdict == PRESENT
    assert found.at(800) == {"oscillation"}


def test_moving_while_improving_is_grey() -> None:
    """What swings but comes nearer to the data is learning."""

    def story(at: int) -> Row:
        return {"centre": np.array([at / 200.0, 0.0]), "distance": 2.0 * 0.997**at}

    assert PRESENT not in run(story)["non_convergence"].state


def test_falling_back_is_regression() -> None:
    """Twice the best distance from step 800 on is a regression since then."""
    found = run(lambda at: {"distance": 0.3 if at >= 800 else 0.1})["non_convergence"]
    assert found.spans == ((800, 1500),)
    assert found.at(1000) == {"regression"}


def test_blown_up_run_is_divergence() -> None:
    """From the first look with samples that are not finite, and nothing else is said of it."""

    def story(at: int) -> Row:
        return {} if at < 900 else {"finite": 0.0, "distance": np.inf, "shares": np.full(8, np.nan)}

    labels = run(story)
    assert labels["non_convergence"].spans == ((900, 1500),)
    assert "divergence" in labels["non_convergence"].at(1200)
    assert PRESENT not in labels["mode_collapse"].state


def frozen(otherwise: Row, moves: float = 0.0) -> dict[str, Label]:
    """A run that stays as far from the data as it was, and what a counterfactual said of it.

    The samples' centre moves so far within 100 steps.
    """

    def story(at: int) -> Row:
        asked = {"otherwise": otherwise} if at == 350 else {}
        centre = np.array([0.0, moves * at / 100])
        return {"distance": 2.0 + 1e-6 * at, "shares": ONE, "centre": centre, **asked}

    return run(story)


@pytest.mark.parametrize(
    ("otherwise", "cause"),
    [
        ({"auc": 1.0, "swap": 0.9}, "saturated_objective"),
        ({"auc": 1.0, "swap": 0.01, "anew": 0.5}, "flat_discriminator"),
    ],
)
def test_frozen_run_vanishes_where_another_loss_helps(otherwise: Row, cause: str) -> None:
    """Standing still far off is vanishing gradients where a signal would have moved it."""
    labels = frozen(otherwise)
    assert labels["vanishing_gradients"].spans == ((50, 1500),)
    assert labels["vanishing_gradients"].at(500) == {cause}
    assert labels["mode_collapse"].verdict == GREY


NO_HELP = {"auc": 1.0, "swap": 0.0, "anew": 0.05}


def test_samples_that_stand_still_apart_have_no_gradient() -> None:
    """What does not move although it is easily told apart vanishes, whatever would help it."""
    found = frozen(NO_HELP, moves=0.009)
    assert found["vanishing_gradients"].spans == ((50, 1500),)
    assert found["vanishing_gradients"].at(500) == frozenset()
    assert found["mode_collapse"].verdict == GREY


@pytest.mark.parametrize(("otherwise", "moves"), [(NO_HELP, 0.02), ({"auc": 0.6}, 0.0)])
def test_frozen_distance_alone_is_grey(otherwise: Row, moves: float) -> None:
    """Samples that wander about at one distance, or are hard to tell apart, are left open."""
    assert frozen(otherwise, moves)["vanishing_gradients"].verdict == GREY


@pytest.mark.parametrize("gap", [50, 100])
def test_short_gaps_are_closed(gap: int) -> None:
    """A look or two without it do not end a condition."""
    story = {"variety": 0.1}
    found = run(lambda at: {} if 900 <= at < 900 + gap else story)["mode_collapse"]
    assert found.spans == ((50, 1500),)


def test_labels_cover_every_look() -> None:
    """There is one state and one set of kinds a look."""
    looks: Sequence[int] = range(100, 1100, 100)
    for found in run(lambda at: {"shares": ONE}, steps=1000, every=100).values():
        assert found.steps.tolist() == list(looks)
        assert len(found.state) == len(found.kinds) == len(looks)
