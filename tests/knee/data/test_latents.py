"""Latents of stored sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from monai_xray2mri.diffusion.schedule import NoiseSchedule
from monai_xray2mri.knee.data.jitter import BoxJitter
from monai_xray2mri.knee.data.latents import LatentSlices, SliceEncoder, state_digest
from monai_xray2mri.knee.data.slices import TrainingSlices, lesion_weights
from monai_xray2mri.networks.autoencoder import SliceAutoencoder
from monai_xray2mri.networks.condition import DepthEmbedding, FeatureEmbedding, ImageEncoder
from monai_xray2mri.networks.denoiser import SliceDenoiser
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion


@pytest.fixture(scope="module")
def network() -> SliceDiffusion:
    """Full-size images, few channels."""
    torch.manual_seed(0)
    return SliceDiffusion(
        SliceAutoencoder(channels=(8, 8, 8), groups=4),
        SliceDenoiser(
            DepthEmbedding(32), FeatureEmbedding(61, 32), channels=(8, 8, 16, 16), context=8, heads=2, groups=4
        ),
        ImageEncoder(channels=(8, 8, 8, 8), context=8),
        NoiseSchedule(),
    ).eval()


def encodings(folder: Path) -> list[Path]:
    return sorted(folder.glob("latents_*"))


def test_latents_are_those_of_the_slices_before_they_are_scaled(
    training_set: Path, network: SliceDiffusion, tmp_path: Path
) -> None:
    source = TrainingSlices(training_set)
    network.latent_scale.fill_(1.0)
    latents = LatentSlices(source, network, draws=2, directory=tmp_path, low_precision=False)
    assert len(latents) == len(source) == 150
    item = latents[70]
    with torch.no_grad():
        expected = network.encode(source[70]["target"][None])[0]
        film = network.image_latent(item["image"][None])[0]
    torch.testing.assert_close(item["latent"], expected, atol=5e-3, rtol=5e-3)
    torch.testing.assert_close(item["image_latent"], film, atol=5e-3, rtol=5e-3)
    for name, value in source.labels(70).items():
        assert torch.equal(item[name], value)
    everything = torch.stack([latents[number]["latent"] for number in range(150)])
    assert float(everything.double().std()) == pytest.approx(latents.standard_deviation, rel=1e-4)


def test_building_a_set_leaves_the_network_as_it_is(
    training_set: Path, network: SliceDiffusion, tmp_path: Path
) -> None:
    """The engine sets the scale; a set of other slices, to watch training by, cannot undo it."""
    network.latent_scale.fill_(3.5)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    latents = LatentSlices(TrainingSlices(training_set), network, draws=1, directory=tmp_path)
    assert latents.standard_deviation > 0
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_the_jitter_reaches_the_denoiser(training_set: Path, network: SliceDiffusion, tmp_path: Path) -> None:
    """Radiograph and its latent are of one box; over the epochs all boxes of a knee are met."""
    source = TrainingSlices(training_set)
    latents = LatentSlices(source, network, draws=3, directory=tmp_path, low_precision=False)
    boxes = torch.stack([source.view(1, draw) for draw in range(3)])  # [D,1,H,W]
    with torch.no_grad():
        films = network.image_latent(boxes)
    met = set()
    for epoch in range(12):
        latents.set_epoch(epoch)
        item = latents[50 + 25]
        draw = int((boxes - item["image"]).abs().flatten(1).mean(dim=1).argmin())
        assert (boxes[draw] - item["image"]).abs().max() < 0.6 / 127.5
        errors = (films - item["image_latent"]).abs().flatten(1).mean(dim=1)
        assert int(errors.argmin()) == draw
        met.add(draw)
    assert met == {0, 1, 2}


def test_encoding_is_kept_and_resumes(
    make_set: Callable[..., Path], network: SliceDiffusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_set()
    source = TrainingSlices(folder)
    first = LatentSlices(source, network, draws=1)
    (kept,) = encodings(folder)
    expected = [first[number] for number in (0, 60, 149)]
    marks = np.load(kept / "done.npy", mmap_mode="r+")
    assert marks.tolist() == [1, 1, 1]
    stored = np.load(kept / "slices.npy", mmap_mode="r+")
    marks[1], stored[1] = 0, 0  # interrupted in the second knee
    encoded = []
    monkeypatch.setattr(SliceEncoder, "radiographs", _counted(SliceEncoder.radiographs, encoded))
    again = LatentSlices(source, network, draws=1)
    assert len(encoded) == 1
    assert encodings(folder) == [kept]
    for number, before in zip((0, 60, 149), expected, strict=True):
        for name, value in again[number].items():
            torch.testing.assert_close(value, before[name])


def _counted(function: Callable[..., torch.Tensor], calls: list[int]) -> Callable[..., torch.Tensor]:
    def counted(self: SliceEncoder, images: torch.Tensor) -> torch.Tensor:
        calls.append(len(images))
        return function(self, images)

    return counted


def test_other_weights_boxes_and_knees_are_encoded_anew(make_set: Callable[..., Path], network: SliceDiffusion) -> None:
    folder = make_set()
    LatentSlices(TrainingSlices(folder), network, draws=1)
    LatentSlices(TrainingSlices(folder), network, draws=2)
    LatentSlices(TrainingSlices(folder, seed=1), network, draws=1)
    LatentSlices(TrainingSlices(folder, jitter=BoxJitter(shift_mm=1.0)), network, draws=1)
    torch.manual_seed(1)
    other = SliceDiffusion(
        SliceAutoencoder(channels=(8, 8, 8), groups=4), network.denoiser, network.radiograph_encoder, network.schedule
    )
    assert state_digest(other.autoencoder) != state_digest(network.autoencoder)
    LatentSlices(TrainingSlices(folder), other, draws=1)
    assert len(encodings(folder)) == 5


def test_bfloat16_is_used_only_while_it_errs_little(training_set: Path, bundle: Path) -> None:
    """The error of the shipped autoencoder is what the docstring says; one that loses much is encoded in float32."""
    weights = torch.load(bundle / "models" / "model.pt", weights_only=True)
    autoencoder = SliceAutoencoder()
    stem = "autoencoder."
    autoencoder.load_state_dict({name[len(stem) :]: value for name, value in weights.items() if name.startswith(stem)})
    shipped = SliceDiffusion(
        autoencoder,
        SliceDenoiser(
            DepthEmbedding(32), FeatureEmbedding(61, 32), channels=(8, 8, 16, 16), context=8, heads=2, groups=4
        ),
        ImageEncoder(channels=(8, 8, 8, 8), context=8),
        NoiseSchedule(),
    ).eval()
    source = TrainingSlices(training_set)
    images = torch.stack([source.target(number) for number in range(20, 26)])
    low, full = SliceEncoder(shipped, True).slices(images), SliceEncoder(shipped, False).slices(images)
    assert 0 < float((low - full).square().mean().sqrt() / full.std()) < 0.01
    encoder = SliceEncoder(shipped, True)
    encoder.settle_precision(images)
    assert encoder.low_precision
    with torch.no_grad():  # a large offset leaves few of bfloat16's eight bits for what varies
        shipped.autoencoder.kl.quant_conv.bias += 100
    encoder = SliceEncoder(shipped, True)
    encoder.settle_precision(images)
    assert not encoder.low_precision


@pytest.mark.parametrize("workers", [1, 2])
def test_items_do_not_depend_on_the_number_of_workers(
    training_set: Path, network: SliceDiffusion, tmp_path: Path, workers: int
) -> None:
    latents = LatentSlices(TrainingSlices(training_set), network, draws=2, directory=tmp_path)
    batches = []
    for number in (0, workers):
        batches.append(list(DataLoader(latents, batch_size=8, sampler=range(3, 147, 6), num_workers=number)))
    for one, other in zip(*batches, strict=True):
        for name in one:
            assert torch.equal(one[name], other[name]), name


def test_lesion_slices_are_drawn_as_often_as_asked() -> None:
    has = torch.arange(100) < 5
    weights = lesion_weights(has, 0.4)
    assert float(weights.sum()) == pytest.approx(1)
    assert float(weights[has].sum()) == pytest.approx(0.4)
    assert len(set(weights[has].tolist())) == len(set(weights[~has].tolist())) == 1
    for all_or_none in (torch.zeros(10, dtype=torch.bool), torch.ones(10, dtype=torch.bool)):
        assert lesion_weights(all_or_none, 0.4).tolist() == pytest.approx([0.1] * 10)
