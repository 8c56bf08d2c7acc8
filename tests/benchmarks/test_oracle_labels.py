"""Labels of simple constructed runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gandiag.benchmarks.oracle.labels import ABSENT, CONDITIONS, GREY, PRESENT, Label, label_run

EVEN = np.full(8, 1 / 8)
ONE = np.eye(8)[0]
Row = dict[str, Any]


def label_story(
    story: Callable[[int], Row], steps: int = 1500, every: int = 50
) -> dict[str, Label]:
    """Labels of a run that is healthy except for the numbers that `story` returns for a step."""
    healthy: Row = {
        "finite": 1.0,
        "extent": 1.0,
        "shares": EVEN,
        "variety": 1.0,
        "distance": 0.05,
        "centre": np.zeros(2),
    }
    rows = [
        {**healthy, "step": at, "distance": 0.05 + 1e-4 * (at % 100), **story(at)}
        for at in range(every, steps + 1, every)
    ]
    return label_run({"shares": EVEN, "every": every}, rows)


def verdicts(labels: dict[str, Label]) -> tuple[int, ...]:
    """Verdicts of the three conditions, in their order."""
    return tuple(labels[name].verdict for name in CONDITIONS)


def shares(*counts: float) -> np.ndarray:  # type: ignore[type-arg]
    """Eight shares in these proportions."""
    return np.asarray(counts) / np.sum(counts)


def test_healthy_run_has_no_condition() -> None:
    """With true shares, true variety and a small distance, every condition is absent throughout."""
    labels = label_story(lambda at: {})
    assert verdicts(labels) == (ABSENT,) * 3
    assert all((found.state == ABSENT).all() for found in labels.values())


@pytest.mark.parametrize(
    ("measured", "kind"),
    [
        ({"shares": ONE}, "total"),
        ({"shares": shares(1, 1, 1, 1, 0, 0, 0, 0)}, "partial"),
        ({"variety": 0.1}, "intra_mode"),
    ],
)
def test_lasting_collapse_is_present_from_its_onset(measured: Row, kind: str) -> None:
    """A lasting collapse is present from its first measurement on, with its failure type."""
    found = label_story(lambda at: measured if at >= 700 else {})["mode_collapse"]
    assert found.verdict == PRESENT
    assert found.spans == ((700, 1500),)
    assert kind in found.kinds_at(900)
    assert not found.kinds_at(600)


def test_medium_diversity_is_grey() -> None:
    """A diversity between 0.70 and 0.85 is neither a collapse nor healthy."""
    assert label_story(lambda at: {"shares": shares(1, 1, 1, 1, 1, 1, 0, 0)})[
        "mode_collapse"
    ].verdict == (GREY)


def test_short_lack_of_modes_is_no_collapse() -> None:
    """A lack of modes within the first 300 steps only does not last, so it is absent."""
    assert (
        label_story(lambda at: {"shares": ONE} if at < 300 else {})["mode_collapse"].verdict
        == ABSENT
    )


def test_rising_diversity_is_grey() -> None:
    """A collapse with rising diversity is about to end, so it is grey."""
    found = label_story(
        lambda at: {"shares": shares(*[1] * (1 + at // 300), *[0] * (7 - at // 300))}
    )
    assert PRESENT not in found["mode_collapse"].state[:10]


def test_hopping_is_collapse_and_oscillation() -> None:
    """One mode after another is a collapse of the hopping type, and an oscillation."""
    labels = label_story(lambda at: {"shares": np.roll(ONE, at // 50), "distance": 0.5})
    assert verdicts(labels)[1:] == (PRESENT, PRESENT)
    assert labels["mode_collapse"].kinds_at(800) == {"hopping"}
    assert labels["non_convergence"].kinds_at(800) == {"oscillation"}


def test_moving_centre_is_oscillation() -> None:
    """Samples that move back and forth as a whole oscillate, whatever their shares are."""

    def story(at: int) -> Row:
        return {"centre": np.array([np.cos(at / 100), np.sin(at / 100)]), "distance": 0.5}

    found = label_story(story)["non_convergence"]
    assert found.verdict == PRESENT
    assert found.kinds_at(800) == {"oscillation"}


def test_moving_while_improving_is_grey() -> None:
    """Samples that move but come nearer to the data are learning."""

    def story(at: int) -> Row:
        return {"centre": np.array([at / 200.0, 0.0]), "distance": 2.0 * 0.997**at}

    assert PRESENT not in label_story(story)["non_convergence"].state


def test_growing_distance_is_regression() -> None:
    """A distance that rises from step 800 on is a regression from there."""
    found = label_story(lambda at: {"distance": 0.3 if at >= 800 else 0.1})["non_convergence"]
    assert found.spans == ((800, 1500),)
    assert found.kinds_at(1000) == {"regression"}


def test_non_finite_samples_are_divergence() -> None:
    """A run diverges at the first measurement with non-finite samples, and does not collapse."""

    def story(at: int) -> Row:
        return {} if at < 900 else {"finite": 0.0, "distance": np.inf, "shares": np.full(8, np.nan)}

    labels = label_story(story)
    assert labels["non_convergence"].spans == ((900, 1500),)
    assert "divergence" in labels["non_convergence"].kinds_at(1200)
    assert PRESENT not in labels["mode_collapse"].state


def label_frozen(counterfactual: Row, displacement: float = 0.0) -> dict[str, Label]:
    """Labels of a run with a constant distance from the data and one counterfactual.

    Args:
        counterfactual: result of the counterfactual at step 350.
        displacement: displacement of the samples' centre within 100 steps.
    """

    def story(at: int) -> Row:
        extra = {"otherwise": counterfactual} if at == 350 else {}
        centre = np.array([0.0, displacement * at / 100])
        return {"distance": 2.0 + 1e-6 * at, "shares": ONE, "centre": centre, **extra}

    return label_story(story)


@pytest.mark.parametrize(
    ("counterfactual", "cause"),
    [
        ({"auc": 1.0, "swap": 0.9}, "saturated_objective"),
        ({"auc": 1.0, "swap": 0.01, "anew": 0.5}, "flat_discriminator"),
    ],
)
def test_frozen_run_that_a_counterfactual_moves_vanishes(counterfactual: Row, cause: str) -> None:
    """If a counterfactual moves frozen samples, the gradients vanish, and it names the cause."""
    labels = label_frozen(counterfactual)
    assert labels["vanishing_gradients"].spans == ((50, 1500),)
    assert labels["vanishing_gradients"].kinds_at(500) == {cause}
    assert labels["mode_collapse"].verdict == GREY


NO_HELP = {"auc": 1.0, "swap": 0.0, "anew": 0.05}


def test_separable_samples_that_do_not_move_vanish() -> None:
    """Separable samples whose centre does not move have vanishing gradients without a cause."""
    found = label_frozen(NO_HELP, displacement=0.009)
    assert found["vanishing_gradients"].spans == ((50, 1500),)
    assert found["vanishing_gradients"].kinds_at(500) == frozenset()
    assert found["mode_collapse"].verdict == GREY


@pytest.mark.parametrize(("counterfactual", "displacement"), [(NO_HELP, 0.02), ({"auc": 0.6}, 0.0)])
def test_frozen_distance_alone_is_grey(counterfactual: Row, displacement: float) -> None:
    """Samples that move at a constant distance, or are hard to separate, are grey."""
    assert label_frozen(counterfactual, displacement)["vanishing_gradients"].verdict == GREY


@pytest.mark.parametrize("gap", [50, 100])
def test_short_gaps_are_closed(gap: int) -> None:
    """One or two measurements without the condition do not end it."""
    collapsed = {"variety": 0.1}
    found = label_story(lambda at: {} if 900 <= at < 900 + gap else collapsed)["mode_collapse"]
    assert found.spans == ((50, 1500),)


def test_labels_cover_every_measurement() -> None:
    """Each measurement has one state and one set of failure types."""
    steps = list(range(100, 1100, 100))
    for found in label_story(lambda at: {"shares": ONE}, steps=1000, every=100).values():
        assert found.steps.tolist() == steps
        assert len(found.state) == len(found.kinds) == len(steps)
