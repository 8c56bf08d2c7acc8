"""Evidence for fixes: the counts of the benchmarks, as advice quotes them."""

from __future__ import annotations

from gandiag.plugins import registry as plugins
from gandiag.reports.fix_evidence import FixEvidence, _read_rows, find_evidence


def test_every_row_is_plausible() -> None:
    """Each fix exists, each scenario has one baseline that fails, and no count exceeds its runs."""
    rows = _read_rows()
    known = set(plugins.list_names("fixes"))
    for row in rows:
        assert set(filter(None, row.fix.split(","))) <= known, row
        assert all(0 <= c.present <= c.evaluated <= row.runs for c in row.counts.values()), row
    baselines = [row for row in rows if not row.fix]
    assert {row.scenario for row in rows} == {row.scenario for row in baselines}
    assert len(baselines) == len({row.scenario for row in baselines})
    assert all(any(row.suffers_from(name) for name in row.counts) for row in baselines)
    assert len(rows) == len({(row.scenario, row.fix) for row in rows}), "no run counts twice"


def test_counts_are_those_of_the_published_study() -> None:
    """Minibatch discrimination removed mode collapse in 9 of 10 runs (reports/fixes.md)."""
    found = find_evidence(
        "minibatch_discrimination", "mode_collapse", "discriminator_too_weak", "images"
    )
    assert found == FixEvidence(runs=10, free=9, other=1)


def test_runs_on_like_data_come_first() -> None:
    """Runs on images count for images alone; without any, all runs count."""
    condition, cause = "mode_collapse", "discriminator_too_weak"
    images = find_evidence("more_discriminator_steps", condition, cause, "images")
    points = find_evidence("more_discriminator_steps", condition, cause, "points")
    both = find_evidence("more_discriminator_steps", condition, cause)
    assert images is not None
    assert points is not None
    assert both is not None
    assert both.runs == images.runs + points.runs
    assert images.bounds[0] < points.bounds[0]


def test_another_cause_has_no_evidence() -> None:
    """A fix that was tried against one cause is not measured against another one."""
    assert find_evidence("linear_critic", "mode_collapse", "some_other_cause") is None
    assert find_evidence("no_such_fix", "mode_collapse", "discriminator_too_weak") is None


def test_a_failure_that_remains_is_counted() -> None:
    """The share of fixed runs leaves out those with another failure."""
    non_saturating = find_evidence(
        "non_saturating", "vanishing_gradients", "saturated_objective", "images"
    )
    critic = find_evidence("linear_critic", "vanishing_gradients", "saturated_objective", "images")
    assert non_saturating is not None
    assert critic is not None
    assert non_saturating.free == critic.free == 10
    assert non_saturating.bounds[0] < critic.bounds[0]
    assert "had another failure" in non_saturating.describe("vanishing_gradients")
