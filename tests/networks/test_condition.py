"""Embeddings of depth and radiograph (Wang 2024a, section II-B)."""

from __future__ import annotations

import torch

from monai_xray2mri.networks.condition import DepthCode, FeatureEmbedding, ImageEncoder


def test_depth_codes_of_neighboring_slices_differ() -> None:
    code = DepthCode()(torch.linspace(0, 1, 50))
    assert code.shape == (50, 17)
    assert (code[1:] - code[:-1]).norm(dim=1).min() > 0.05


def test_the_radiograph_gives_a_grid_of_tokens() -> None:
    encoder = ImageEncoder(channels=(8, 8, 8, 8), context=8, image_size=64)
    assert encoder(torch.zeros(3, 1, 64, 64)).shape == (3, 4, 8)
    assert encoder.tokens == (4, 8)


def test_a_feature_can_act_at_one_depth_alone() -> None:
    """Its effect is no sum of one of the feature and one of depth, which could not say "here, and only here"."""
    embed = FeatureEmbedding(61, 16)
    with_, without = torch.eye(61)[:1], torch.zeros(1, 61)
    with torch.no_grad():
        effects = [embed(with_, depth) - embed(without, depth) for depth in (torch.tensor([0.2]), torch.tensor([0.8]))]
    assert not torch.allclose(*effects)
