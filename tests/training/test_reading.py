"""What tokens say, as a loss and as a guide."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from monai_xray2mri.knee.grading.guide_numbers import joint_space_code, trait_code
from monai_xray2mri.networks.condition import FeatureEmbedding
from monai_xray2mri.networks.token_reader import TokenReader
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion
from monai_xray2mri.systems.knee_xray2mri.tiny_network import tiny_network
from monai_xray2mri.training.denoiser import ConditionalDenoising, ForwardDiffusion, WeightedSquaredError
from monai_xray2mri.training.reading import DenoisingAndReading, WithReadings


class Graded:
    """Further images with a grade and nothing else."""

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        truth = torch.full((count, 3), math.nan)
        truth[:, 2] = 3
        return torch.rand(count, 1, 64, 64), truth


@pytest.fixture(scope="module")
def network() -> SliceDiffusion:
    """The tiny network with traits and joint spaces behind the features, read in the film."""
    torch.manual_seed(0)
    made = tiny_network(reader=TokenReader((4, 8), (4.5, 4.5), (1.5, 1.5)), read_guide=True)
    made.denoiser.guide = FeatureEmbedding(71, 32)
    return made.eval()


def batch(films: int = 2) -> dict[str, Tensor]:
    count = 2 * films
    guide = torch.zeros(count, 71)
    guide[:, 61:] = torch.from_numpy(
        torch.cat([torch.tensor(trait_code(1.0, 70.0, 30.0)), torch.tensor(joint_space_code((3.0, None)))]).numpy()
    )
    return {
        "latent": torch.randn(count, 4, 8, 8),
        "image": torch.rand(films, 1, 64, 64),
        "image_latent": torch.randn(films, 4, 8, 8),
        "image_of": torch.arange(films).repeat(2),
        "place": torch.rand(count),
        "guide": guide,
        "reading": torch.tensor([[3.0, 5.0, 2.0], [math.nan, 4.0, math.nan]])[:films],
    }


def test_the_reader_learns_from_simulated_and_graded_films(network: SliceDiffusion) -> None:
    prepare = WithReadings(ForwardDiffusion(network, [61, 2, 2, 2, 2, 2]), Graded(), count=3)
    module, loss = ConditionalDenoising(network), DenoisingAndReading(network, WeightedSquaredError(), weight=0.5)
    noisy, targets, _, given = prepare(batch())
    output = module(noisy, **given)
    prediction, reading = output
    assert prediction.shape == (4, 4, 8, 8) and reading.shape == (5, 2 + 5)
    total = loss(output, targets)
    plain = WeightedSquaredError()(prediction, targets[0])
    assert float(total - plain) == pytest.approx(0.5 * float(network.reader.loss(reading, targets[1])), rel=1e-5)
    total.backward()
    assert all(value.grad is not None for value in network.reader.parameters())
    assert {name.partition(".")[0] for name, _ in module.named_parameters()} >= {"reader", "radiograph_encoder"}


def test_what_is_unknown_of_a_truth_counts_nothing() -> None:
    reader = TokenReader((4, 8), (4.5, 4.5), (1.5, 1.5))
    reading = torch.zeros(2, 7)
    nothing = torch.full((2, 3), math.nan)
    assert float(reader.loss(reading, nothing)) == 0
    one = nothing.clone()
    one[0, 0] = 4.5 + 1.5 * 3
    assert float(reader.loss(reading, one)) == pytest.approx(2.5)  # smooth absolute error of 3
    one[1, 2] = 4
    assert float(reader.loss(reading, one)) == pytest.approx(2.5 + math.log(5))


def test_a_guide_is_completed_by_what_is_read(network: SliceDiffusion) -> None:
    films = torch.rand(2, 1, 64, 64) * 2 - 1
    with torch.no_grad():
        read = network.reader(network.radiograph_encoder(films))[:, :2]
        guide = network.guide_of(films, torch.ones(2, 61))
    assert torch.equal(guide[:, :61], torch.ones(2, 61)) and not guide[:, 61:67].any()
    assert torch.equal(guide[:, 67::2], read) and torch.equal(guide[:, 68::2], torch.ones(2, 2))
    given = batch(1)["guide"]
    with torch.no_grad():
        completed = network.guide_of(films, given)
        read = network.reader(network.radiograph_encoder(films))[:, :2]
    assert torch.equal(completed[:, :69], given[:, :69])  # the medial space is told
    assert torch.equal(completed[:, 69], read[:, 1])
    assert network.null_condition(2, torch.ones(2, 61)).guide[:, 61:].abs().sum() == 0


def test_codes_of_numbers() -> None:
    assert trait_code().tolist() == [0.0] * 6
    assert trait_code(0.0, 70.0, 33.5).tolist() == [0.0, 1.0, 1.0, 1.0, pytest.approx(1.0), 1.0]
    assert joint_space_code((6.0, None)).tolist() == [1.0, 1.0, 0.0, 0.0]
