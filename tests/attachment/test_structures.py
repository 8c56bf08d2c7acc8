from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import gandiag
from gandiag.attachment.calls import DiscriminatorCall, DiscriminatorStep, split_real_fake
from gandiag.attachment.orientation import Orientation
from gandiag.attachment.several_handles import SeveralAttachments
from gandiag.attachment.watch_handle import Attachment
from gandiag.models.scores import SCORE_FUNCTIONS, reverse_scores
from gandiag.plugins.builtin import PROBE_CADENCES
from gandiag.plugins.errors import BadInput
from tests.attachment.more_structures import STRUCTURES, build
from tests.attachment.structures import Structure

# What is not measured is stated by a warning, too.
pytestmark = pytest.mark.filterwarnings("ignore:gandiag")

OFTEN = {name: {"every": 5} for name in PROBE_CADENCES["attach"]}


def attach(structure: Structure, **options: object) -> Attachment:
    """Attach gandiag to a structure, as ATTACH.md shows it."""
    return gandiag.attach(
        structure.generator,
        structure.discriminator,
        structure.generator_optimizer,
        structure.discriminator_optimizer,
        **{**structure.options, **options},  # type: ignore[arg-type]  # options of any type
    )


def list_pairs(watch: Attachment) -> dict[str, Attachment]:
    """The attachments of all pairs."""
    return watch.pairs if isinstance(watch, SeveralAttachments) else {"": watch}


def list_tensors(structure: Structure) -> list[Tensor]:
    """Weights and buffers of all networks."""
    return [tensor for each in structure.networks for tensor in each.state_dict().values()]


@pytest.mark.parametrize("name", STRUCTURES)
def test_structure_is_watched_without_harm(name: str) -> None:
    """Of every structure, both networks of each pair are measured, and the bits stay the same."""
    ends = []
    for watched in (False, True):
        structure = build(name)
        watch = attach(structure, probes=OFTEN) if watched else None
        structure.train(12)
        ends.append(list_tensors(structure))
    assert watch is not None
    watch.detach()
    assert all(torch.equal(one, other) for one, other in zip(*ends, strict=True))
    for pair in list_pairs(watch).values():
        signals = pair.record.signals
        wanted = ("confidence/auc/discriminator", "learning_signal/score_gradient/generator")
        assert signals.keys() >= set(wanted), pair.record.facts
        assert pair.step == 12
        present = {d.condition: d.summary for d in pair.diagnose() if d.status == "present"}
        assert not present


@pytest.mark.parametrize("name", ["HiFi-GAN", "CycleGAN", "pix2pix"])
def test_least_squares_is_recognised(name: str) -> None:
    """Real and generated samples are told apart, so the targets of the loss are those of the loop.

    It holds for two samples in one call, for a replay buffer and for concatenated conditions.
    """
    structure = build(name)
    with attach(structure, probes=OFTEN) as watch:
        structure.train(25)
        for pair in list_pairs(watch).values():
            seen = pair.objectives
            assert seen.real is not None
            assert seen.fake is not None
            assert (seen.real.shape, seen.fake.shape) == ("least_squares",) * 2
            assert seen.real.target == pytest.approx(1, abs=0.05)
            assert seen.fake.target == pytest.approx(0, abs=0.05)


def test_verdict_names_the_failing_pair() -> None:
    """The first line names the pair whose networks are failing before the others."""
    structure = build("CycleGAN")
    with attach(structure) as watch:
        assert isinstance(watch, SeveralAttachments)
        watch["BtoA"]._session.recorder.add_facts(**{"not_measured": {}})
        assert watch.verdict.startswith("AtoB: ")
        assert {d.summary.split(":")[0] for d in watch.diagnose()} == {"AtoB", "BtoA"}


def test_orientation_is_found() -> None:
    """Low energies mean real, whether stated, returned as numbers or errors of an autoencoder."""
    for name, options in (("EBGAN", {}), ("energies", {"scores": None}), ("ACGAN", {})):
        structure = build(name)
        with attach(structure, probes=OFTEN, **options) as watch:
            structure.train(40)
            facts, seen = watch.record.facts, watch.objectives
        assert bool(facts.get("low_is_real")) == (name != "ACGAN"), name
        assert ("Low outputs mean real" in seen.describe()) == (name != "ACGAN")


@pytest.mark.parametrize("is_low_real", [False, True])
def test_orientation_turns_the_scores(is_low_real: bool) -> None:
    """Outputs of a discriminator with flipped labels are read the other way round."""
    scores = torch.randn(2, 8, 1) + torch.tensor([1.0, -1.0])[:, None, None]
    if is_low_real:
        scores = -scores
    targets = torch.tensor([1.0, 0.0])[:, None, None]
    gradients = scores.sigmoid() - (1 - targets if is_low_real else targets)
    step = DiscriminatorStep(
        real_output=scores[0],
        fake_output=scores[1],
        real_gradient=gradients[0],
        fake_gradient=gradients[1],
        has_known_split=True,
    )
    orientation = Orientation()
    assert orientation.add(step) == is_low_real
    assert orientation.is_low_real == is_low_real
    turned = reverse_scores(SCORE_FUNCTIONS["logits"])
    assert torch.equal(turned.score(scores), -scores)


@pytest.mark.parametrize("is_clean", [False, True])
def test_real_samples_are_those_that_the_discriminator_sees(is_clean: bool) -> None:
    """Behind an activation, D's inputs are compared with real=, unless real= is something else."""
    structure = build("CTGAN")
    kind = torch.randint(3, (700,))
    rows = torch.cat([0.3 * torch.randn(700, 1), torch.eye(3)[kind], torch.eye(2)[kind % 2]], 1)
    real = 3 + rows if is_clean else rows
    with attach(structure, real=real, probes=OFTEN) as watch:
        structure.train(40)
        limits = watch.record.facts["not_measured"]
        assert ("is not like real=" in limits["samples"]["text"]) == is_clean
        assert ("diversity/effective_modes/generator" in watch.record.signals) != is_clean


def test_relativistic_loss_is_recognised() -> None:
    """Scores that are compared in pairs are no logits of their own."""
    structure = build("R3GAN")
    with attach(structure, probes=OFTEN) as watch:
        structure.train(60)
        assert "relativistic" in watch.objectives.describe()
        assert watch.record.facts["scores"] == "critic"


def test_steps_are_iterations() -> None:
    """Steps of a regulariser are no iterations, whether the hooks are paused then or not."""
    structure = build("StyleGAN2")
    real = torch.randn(600, 2)
    with attach(structure, real=real) as watch:
        structure.train(160)
        assert watch._hooks._idle_until > 100
        assert watch.step == 160


def make_call(output: Tensor, gradient: Tensor) -> DiscriminatorCall:
    """A call of D of which only output and gradient matter; the loss is a mean."""
    return DiscriminatorCall(
        samples=torch.zeros(len(output), 2),
        output=output,
        rescore=lambda: output,
        is_fake=None,
        needs_input_gradient=False,
        to_generator=False,
        is_only_input=True,
        discriminator_steps=0,
        output_gradient=gradient / gradient.numel(),
    )


@pytest.mark.parametrize("offset", [-1.0, 0.5, 1.5])
def test_samples_are_told_apart_by_targets(offset: float) -> None:
    """Least squares: the real samples are found wherever the scores are, above the target too."""
    for real_mean, fake_mean in ((offset, 0.0), (offset, offset), (1.2, -0.3)):
        scores = [torch.randn(8, 1) * 0.3 + mean for mean in (real_mean, fake_mean)]
        real, fake = make_call(scores[0], scores[0] - 1), make_call(scores[1], scores[1])
        for order in ([real, fake], [fake, real]):
            step = split_real_fake(order)
            assert step.real_output is real.output
            assert step.fake_output is fake.output


def test_copies_of_fakes_are_not_collected_as_real() -> None:
    """A further call whose scores the loss lowers, as those of known fakes, is not on real ones."""
    scores = torch.randn(3, 8, 1)
    real, copies, fake = (make_call(s, s - t) for s, t in zip(scores, (1, 0, 0), strict=True))
    fake.is_fake = True
    assert split_real_fake([real, copies, fake]).real_output is real.output


def test_networks_that_do_not_fit_are_refused() -> None:
    """Names that differ, a second watch on a pair, and unknown names in options are refused."""
    structure = build("CycleGAN")
    with attach(structure), pytest.raises(BadInput, match="monitored already"):
        attach(structure)
    with pytest.raises(BadInput, match="AtoC"):
        attach(structure, real={"AtoC": torch.zeros(700, 1, 8, 8)})
    structure.discriminator = {"x": nn.Linear(1, 1), "y": nn.Linear(1, 1)}
    with pytest.raises(BadInput, match="the same name"):
        attach(structure)
