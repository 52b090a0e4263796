"""CLIP's image embedding of the radiograph."""

from __future__ import annotations

import sys

import pytest
import torch

from monai_xray2mri.errors import UsageError
from monai_xray2mri.networks.clip import ClipImageEncoder
from tests.helpers.published import TINY_CONFIGURATION

TINY = TINY_CONFIGURATION["encoder_def"]


def test_the_default_is_vit_l_14() -> None:
    with torch.device("meta"):
        encoder = ClipImageEncoder()
    assert sum(parameter.numel() for parameter in encoder.tower.parameters()) == 303_966_208
    assert encoder.projection.weight.shape == (768, 772)
    assert encoder.tokens == (1, 768)


def test_the_projection_starts_as_the_identity_and_the_pose_counts_only_when_given() -> None:
    encoder = ClipImageEncoder(**TINY).eval()
    radiograph = torch.rand(2, 1, 40, 40) * 2 - 1
    token = encoder(radiograph)
    assert token.shape == (2, *encoder.tokens) == (2, 1, 8)
    embedding = encoder.tower(pixel_values=encoder.preprocess(radiograph)).image_embeds
    torch.testing.assert_close(token[:, 0], embedding)
    torch.nn.init.ones_(encoder.projection.weight[:, -1:])
    torch.testing.assert_close(encoder(radiograph), token)
    encoder.pose[-1] = 0.5
    torch.testing.assert_close(encoder(radiograph), token + 0.5)


def test_only_the_projection_is_trained() -> None:
    encoder = ClipImageEncoder(**TINY).train()
    encoder(torch.rand(2, 1, 40, 40)).square().mean().backward()
    with_gradient = {name for name, parameter in encoder.named_parameters() if parameter.grad is not None}
    assert with_gradient == {"projection.weight", "projection.bias"}


def test_preprocessing_is_zero_123_s() -> None:
    encoder = ClipImageEncoder(**TINY)
    ramp = torch.linspace(-1, 1, 61).expand(1, 1, 61, 61)
    seen = encoder.preprocess(ramp)
    assert seen.shape == (1, 3, 16, 16)
    # Corners aligned: the ends of a ramp stay, and what lies between them stays a ramp.
    deviation, mean = (
        torch.tensor([0.26862954, 0.26130258, 0.27577711]),
        torch.tensor([0.48145466, 0.4578275, 0.40821073]),
    )
    expected = (torch.linspace(0, 1, 16)[None, None] - mean[:, None, None]) / deviation[:, None, None]
    torch.testing.assert_close(seen[0], expected.expand(3, 16, 16), atol=0.02, rtol=0)
    torch.testing.assert_close(seen[0, :, :, [0, -1]], expected.expand(3, 16, 16)[:, :, [0, -1]])


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UsageError, match=r"transformers.*monai-xray2mri\[zero123\]"):
        ClipImageEncoder(**TINY)
