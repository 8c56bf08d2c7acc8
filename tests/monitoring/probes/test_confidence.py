"""Laws of the confidence probes: what D says, before and after its step."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from gandiag.models.networks import Scorer
from gandiag.monitoring.forward_pass import ForwardPass
from gandiag.monitoring.probes.confidence import Confidence, compute_auc
from gandiag.monitoring.probes.confidence_after import ConfidenceAfter
from gandiag.monitoring.snapshot import Snapshot

MakeSnapshot = Callable[..., Snapshot]
scores = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=20).map(torch.tensor)


@settings(deadline=None)
@given(scores, scores)
def test_auc_is_sklearns(real: Tensor, fake: Tensor) -> None:
    """The share of pairs ranked rightly is scikit-learn's area under the curve, ties and all."""
    labels = [1] * len(real) + [0] * len(fake)
    expected = roc_auc_score(labels, torch.cat([real, fake]).numpy())
    assert float(compute_auc(real, fake)) == pytest.approx(expected, abs=1e-6)


@settings(deadline=None)
@given(scores, scores)
def test_auc_mirrors(real: Tensor, fake: Tensor) -> None:
    """Swapping real and fake turns the AUC around chance; it is not folded."""
    assert float(compute_auc(real, fake) + compute_auc(fake, real)) == pytest.approx(1)


def test_auc_does_not_hide_nan() -> None:
    """A score that is no number is no tie; infinite ones are ranked."""
    assert compute_auc(torch.tensor([math.nan, 1.0]), torch.zeros(2)).isnan()
    assert float(compute_auc(torch.tensor([math.inf, 1.0]), torch.zeros(2))) == 1


def test_auc_takes_any_shape() -> None:
    """Scores of a patch discriminator, ``(B, 1, H, W)``, are ranked patch by patch."""
    assert float(compute_auc(torch.ones(2, 1, 3, 3), torch.zeros(2, 1, 3, 3))) == 1


def test_before_step_reads_scores(make_snapshot: MakeSnapshot) -> None:
    """In D's turn the reading is of the scores that D gave, before it steps."""
    seen = Confidence().observe(
        make_snapshot(
            network_name="discriminator",
            real_scores=torch.tensor([0.0, 2.0]),
            fake_scores=torch.tensor([-1.0, 1.0]),
            probability=torch.sigmoid,
        )
    )
    sigmoid = [1 / (1 + math.exp(-x)) for x in (0, 2, -1, 1)]
    expected = {
        "auc/discriminator": 0.75,
        "gap/discriminator": 1.0,
        "real/discriminator": sum(sigmoid[:2]) / 2,
        "fake/discriminator": sum(sigmoid[2:]) / 2,
    }
    assert {name: float(value) for name, value in seen.items()} == pytest.approx(expected)


def test_after_step_asks_again(make_snapshot: MakeSnapshot) -> None:
    """In G's turn D, which has stepped, is asked again about the batches of its own turn."""
    layer = nn.Linear(2, 1)
    nn.init.ones_(layer.weight)
    nn.init.zeros_(layer.bias)
    network = Scorer(layer)
    seen = ConfidenceAfter().observe(
        make_snapshot(
            discriminator=network,
            real_pass=ForwardPass(network, lambda: network(torch.tensor([[1.0, 2.0]]))),
            score_fake=lambda: network(torch.tensor([[-1.0, 0.0]])),
            fake=torch.tensor([[100.0, 100.0]]),
        )
    )
    assert {n: float(v.detach()) for n, v in seen.items()} == {"gap/discriminator": 4.0}


def test_critic_has_no_probability(make_snapshot: MakeSnapshot) -> None:
    """A critic's score is never passed through a sigmoid: only gap and AUC are read."""
    given = {"real_scores": torch.ones(3), "fake_scores": torch.zeros(3)}
    seen = Confidence().observe(make_snapshot(network_name="discriminator", **given))
    assert set(seen) == {"auc/discriminator", "gap/discriminator"}


def test_unknown_scores_are_no_signal(make_snapshot: MakeSnapshot) -> None:
    """Where the loop cannot tell real from fake, nothing is claimed."""
    assert (
        Confidence().observe(make_snapshot(network_name="discriminator", real_scores=torch.ones(3)))
        == {}
    )
    assert Confidence().observe(make_snapshot(real=torch.ones(3, 2))) == {}
