"""A network of random weights, small enough for every part to be tried in a moment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from monai_xray2mri.diffusion.schedule import NoiseSchedule
from monai_xray2mri.networks.condition import ImageEncoder
from monai_xray2mri.networks.pixel_codec import PixelCodec
from monai_xray2mri.systems.mri_xdiffusion.denoiser import SectionDenoiser
from monai_xray2mri.systems.mri_xdiffusion.network import CrossSectionDiffusion
from monai_xray2mri.systems.mri_xdiffusion.slices import SliceTokens
from tests.helpers.slices import write_small_bundle

SIZE = 16


def small_network(reduction: str = "tokens", aligned: bool = True, **options: Any) -> CrossSectionDiffusion:
    """The compact topology at 16 x 16 pixels; ``options`` of the denoiser."""
    torch.manual_seed(0)
    denoiser = SectionDenoiser(
        reduction=reduction, aligned=aligned, context=8, channels=(8, 16), attention=(False, True), heads=2, groups=4,
        sample_size=SIZE // 4, **options,
    )  # fmt: skip
    encoder = SliceTokens(ImageEncoder((8, 8), 8, SIZE), reduction)
    return CrossSectionDiffusion(
        PixelCodec(),
        denoiser,
        encoder,
        NoiseSchedule(100, prediction="sample" if denoiser.difference else "v"),
        side_mm=32.0,
        image_size=SIZE,
        latent_scale=2.0,
        steps=2,
    ).eval()


@pytest.fixture(scope="session")
def small_bundle(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_bundle(repository, tmp_path_factory.mktemp("bundles"))


@pytest.fixture(scope="session")
def make_network() -> Callable[..., CrossSectionDiffusion]:
    return small_network


@pytest.fixture(scope="session")
def network() -> CrossSectionDiffusion:
    return small_network()
