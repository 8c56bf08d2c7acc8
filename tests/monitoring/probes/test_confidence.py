"""Tests of the confidence probes: D's scores before and after its step."""

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
def test_auc_equals_scikit_learns(real: Tensor, fake: Tensor) -> None:
    """The AUC equals scikit-learn's area under the ROC curve, with ties too."""
    labels = [1] * len(real) + [0] * len(fake)
    expected = roc_auc_score(labels, torch.cat([real, fake]).numpy())
    assert float(compute_auc(real, fake)) == pytest.approx(expected, abs=1e-6)


@settings(deadline=None)
@given(scores, scores)
def test_auc_is_not_folded(real: Tensor, fake: Tensor) -> None:
    """If real and generated scores are swapped, the AUC becomes 1 - AUC."""
    assert float(compute_auc(real, fake) + compute_auc(fake, real)) == pytest.approx(1)


def test_auc_does_not_hide_nan() -> None:
    """A NaN score makes the AUC NaN; infinite scores are ranked."""
    assert compute_auc(torch.tensor([math.nan, 1.0]), torch.zeros(2)).isnan()
    assert float(compute_auc(torch.tensor([math.inf, 1.0]), torch.zeros(2))) == 1


def test_auc_takes_any_shape() -> None:
    """Each score of a patch discriminator, ``(B, 1, H, W)``, counts as one."""
    assert float(compute_auc(torch.ones(2, 1, 3, 3), torch.zeros(2, 1, 3, 3))) == 1


def test_numbers_before_the_step(make_snapshot: MakeSnapshot) -> None:
    """In a discriminator step the numbers come from the scores before the step."""
    found = Confidence().observe(
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
    assert {name: float(value) for name, value in found.items()} == pytest.approx(expected)


def test_numbers_after_the_step(make_snapshot: MakeSnapshot) -> None:
    """In a generator step, D scores the batches of its own step again."""
    layer = nn.Linear(2, 1)
    nn.init.ones_(layer.weight)
    nn.init.zeros_(layer.bias)
    network = Scorer(layer)
    found = ConfidenceAfter().observe(
        make_snapshot(
            discriminator=network,
            real_pass=ForwardPass(network, lambda: network(torch.tensor([[1.0, 2.0]]))),
            score_fake=lambda: network(torch.tensor([[-1.0, 0.0]])),
            fake=torch.tensor([[100.0, 100.0]]),
        )
    )
    assert {n: float(v.detach()) for n, v in found.items()} == {"gap/discriminator": 4.0}


def test_critic_has_no_probability(make_snapshot: MakeSnapshot) -> None:
    """A Wasserstein critic's scores are not passed through a sigmoid: only gap and AUC remain."""
    scores_of = {"real_scores": torch.ones(3), "fake_scores": torch.zeros(3)}
    found = Confidence().observe(make_snapshot(network_name="discriminator", **scores_of))
    assert set(found) == {"auc/discriminator", "gap/discriminator"}


def test_unknown_scores_are_no_signal(make_snapshot: MakeSnapshot) -> None:
    """Without the scores of both real and generated samples there is no signal."""
    assert (
        Confidence().observe(make_snapshot(network_name="discriminator", real_scores=torch.ones(3)))
        == {}
    )
    assert Confidence().observe(make_snapshot(real=torch.ones(3, 2))) == {}
