"""A real network of random weights, small enough to try every part on it in seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monai_xray2mri.diffusion.schedule import NoiseSchedule
from monai_xray2mri.networks.autoencoder import SliceAutoencoder
from monai_xray2mri.networks.condition import DepthEmbedding, FeatureEmbedding, ImageEncoder
from monai_xray2mri.networks.denoiser import SliceDenoiser
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion


def tiny_network(
    modeled_slices: Sequence[int] = (13, 17),
    steps: int = 2,
    mixing: Mapping[str, Any] | None = None,
    **options: Any,
) -> SliceDiffusion:
    """The compact topology at 64 x 64 pixels, latent 8 x 8, with weights of torch's generator.

    Args:
        modeled_slices: see :class:`~monai_xray2mri.systems.knee_xray2mri.network.SliceDiffusion`.
        steps: of its sampler.
        mixing: of its denoiser.
        **options: further arguments of that class.
    """
    return SliceDiffusion(
        SliceAutoencoder(channels=(8, 8, 8), groups=4),
        SliceDenoiser(
            DepthEmbedding(32),
            FeatureEmbedding(61, 32),
            channels=(8, 8, 16, 16),
            context=8,
            heads=2,
            groups=4,
            sample_size=8,
            mixing=mixing,
        ),
        ImageEncoder(channels=(8, 8, 8, 8), context=8, image_size=64),
        NoiseSchedule(),
        image_size=64,
        pixel_mm=2.5,
        modeled_slices=modeled_slices,
        steps=steps,
        **options,
    ).eval()
