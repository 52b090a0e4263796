"""Weights for few steps and a small decoder beside a bundle's own: offered, refused, used, recorded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from monai_xray2mri.errors import UsageError, WeightsError
from monai_xray2mri.networks.small_decoder import SmallDecoder
from monai_xray2mri.systems.knee_xray2mri.drawing import KneeView
from monai_xray2mri.systems.knee_xray2mri.faster import FasterParts, autoencoder_digest
from monai_xray2mri.systems.knee_xray2mri.few_step_weights import write_few_steps
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion
from monai_xray2mri.systems.knee_xray2mri.predictor import Xray2MRI
from tests.conftest import make_tiny_network

ARCHITECTURE = {"channels": [8, 8], "blocks": [1, 1]}


def brought(folder: Path, network: SliceDiffusion, tuned: SliceDiffusion) -> Path:
    """A bundle's folder with both parts."""
    write_few_steps(tuned, folder / "models" / "few_steps" / "weights.pt", 2, {})
    small = folder / "models" / "small_decoder"
    small.mkdir(parents=True)
    torch.save(SmallDecoder(factor=network.autoencoder.factor, **ARCHITECTURE).state_dict(), small / "weights.pt")
    record = {"autoencoder": autoencoder_digest(network), "latent_scale": 1.0, "architecture": ARCHITECTURE}
    (small / "weights.json").write_text(json.dumps(record))
    return folder


@pytest.fixture
def tuned(tiny_network: SliceDiffusion) -> SliceDiffusion:
    """The tiny network with another denoiser."""
    other = make_tiny_network()
    other.autoencoder.load_state_dict(tiny_network.autoencoder.state_dict())
    return other


@pytest.fixture
def parts(tiny_network: SliceDiffusion, tuned: SliceDiffusion, tmp_path: Path) -> FasterParts:
    return FasterParts.of_bundle(brought(tmp_path, tiny_network, tuned), tiny_network)


VIEW = KneeView(torch.zeros(64, 64), torch.zeros(61), "film")


def drawn(predictor: Xray2MRI, **options: object) -> np.ndarray:
    return next(predictor.samples(VIEW, predictor.resolve(**options)))


def test_a_bundle_without_them_refuses(tiny_network: SliceDiffusion, tmp_path: Path) -> None:
    predictor = Xray2MRI(tiny_network, "tiny 0", "0", "cpu", faster=FasterParts.of_bundle(tmp_path, tiny_network))
    with pytest.raises(UsageError, match=r"option fast: needs a bundle with weights for few steps .*few_steps\.md"):
        predictor.resolve(fast=True)
    with pytest.raises(UsageError, match=r"option decoder: must be one of the bundle's .*small_decoder"):
        predictor.resolve(decoder="small")
    assert predictor.record()["fast_steps"] is None and predictor.record()["small_decoder"] is False


def test_a_bundle_that_brings_them_offers_them(tiny_network: SliceDiffusion, parts: FasterParts) -> None:
    predictor = Xray2MRI(tiny_network, "tiny 0", "0", "cpu", faster=parts)
    assert predictor.record()["fast_steps"] == 2 and predictor.record()["small_decoder"] is True
    sampling = predictor.resolve(fast=True)
    assert (sampling.sampler.steps, sampling.sampler.eta, sampling.sampler.guidance) == (2, 1.0, 1.0)
    assert predictor.resolve(fast=True, steps=1).sampler.steps == 1
    assert sampling.record()["fast"] is True and "decoder" not in sampling.record()
    assert predictor.resolve(decoder="small").record()["decoder"] == "small"
    assert {"fast", "decoder"}.isdisjoint(predictor.resolve().record())  # results without them tell what they told
    for name in ("guidance", "feature_guidance"):
        with pytest.raises(UsageError, match=f"options fast and {name}: exclude each other"):
            predictor.resolve(fast=True, **{name: 2.0})
    with pytest.raises(UsageError, match="eta"):
        predictor.resolve(fast=True, eta=0.5)


def test_each_part_draws_and_leaves_the_networks_own_as_it_was(
    tiny_network: SliceDiffusion, tuned: SliceDiffusion, parts: FasterParts
) -> None:
    predictor = Xray2MRI(tiny_network, "tiny 0", "0", "cpu", faster=parts)
    before = drawn(predictor)
    fast, small, both = (
        drawn(predictor, fast=True),
        drawn(predictor, decoder="small"),
        drawn(predictor, fast=True, decoder="small"),
    )
    pictures = [before, fast, small, both]
    assert all(not np.array_equal(one, other) for place, one in enumerate(pictures) for other in pictures[:place])
    assert np.array_equal(drawn(predictor), before)
    named = parts.network(tiny_network, fast=True, small=False)
    assert named.autoencoder is tiny_network.autoencoder
    assert named is parts.network(tiny_network, fast=True, small=False)
    key = "denoiser.unet.conv_in.weight"
    torch.testing.assert_close(named.state_dict()[key], tuned.state_dict()[key], atol=1e-3, rtol=1e-3)
    light = parts.network(tiny_network, fast=False, small=True)
    assert light.denoiser is tiny_network.denoiser
    assert parts.record(fast=True, small=False).keys() == {"few_steps"}
    assert parts.record(fast=True, small=True).keys() == {"few_steps", "small_decoder"}


def test_an_autoencoder_is_known_again_in_16_bits(tiny_network: SliceDiffusion) -> None:
    before = autoencoder_digest(tiny_network)
    state = tiny_network.autoencoder.state_dict()
    tiny_network.autoencoder.load_state_dict({name: value.half() for name, value in state.items()})
    assert autoencoder_digest(tiny_network) == before
    with torch.no_grad():
        next(tiny_network.autoencoder.parameters()).add_(0.01)
    assert autoencoder_digest(tiny_network) != before


def test_parts_of_another_network_and_damaged_ones_are_refused(
    tiny_network: SliceDiffusion, tuned: SliceDiffusion, tmp_path: Path
) -> None:
    folder = brought(tmp_path, tiny_network, tuned)
    with pytest.raises(WeightsError, match=r"weights few_steps: must belong to the bundle's network .*autoencoder"):
        FasterParts.of_bundle(folder, make_tiny_network())
    described = folder / "models" / "small_decoder" / "weights.json"
    good = json.loads(described.read_text())
    described.write_text(json.dumps(good | {"latent_scale": 2.0}))
    with pytest.raises(WeightsError, match="latent scale 2 instead of 1"):
        FasterParts.of_bundle(folder, tiny_network)
    described.write_text(json.dumps(good | {"architecture": {"channels": [8], "blocks": [1]}}))
    parts = FasterParts.of_bundle(folder, tiny_network)
    with pytest.raises(WeightsError, match="weights small_decoder"):
        parts.network(tiny_network, fast=False, small=True)
    described.unlink()
    with pytest.raises(WeightsError, match=r"weights\.json: FileNotFoundError"):
        FasterParts.of_bundle(folder, tiny_network)
    state = torch.load(folder / "models" / "few_steps" / "weights.pt", weights_only=True)
    state.pop("null_context")
    torch.save(state, folder / "models" / "few_steps" / "weights.pt")
    described.write_text(json.dumps(good))
    with pytest.raises(WeightsError, match=r"1 other names, e\.g\. null_context"):
        FasterParts.of_bundle(folder, tiny_network).network(tiny_network, fast=True, small=False)
