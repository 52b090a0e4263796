"""The small decoder: what it costs, where it begins, what it refuses."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from monai_xray2mri.networks.autoencoder import SliceAutoencoder
from monai_xray2mri.networks.small_decoder import SmallDecoder, WithDecoder


def test_a_slice_costs_less_than_1_5_gflop() -> None:
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        image = SmallDecoder()(torch.randn(1, 4, 32, 32))
    assert image.shape == (1, 1, 256, 256)
    assert counter.get_total_flops() < 1.5e9


def test_pictures_grow_with_the_latent_and_an_outlier_is_bent() -> None:
    decoder = SmallDecoder(channels=(8, 8, 8), blocks=(1, 0, 1))
    assert decoder(torch.zeros(2, 4, 5, 6)).shape == (2, 1, 40, 48)
    assert torch.isfinite(decoder(torch.full((1, 4, 4, 4), 1e9))).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"channels": (8,), "blocks": (1, 1)}, "of one length"), ({"factor": 3}, "must be a multiple of 2")],
)
def test_impossible_sizes_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SmallDecoder(**options)


def test_an_autoencoder_encodes_as_it_did() -> None:
    own, small = SliceAutoencoder(channels=(8, 8, 8), groups=4).eval(), SmallDecoder(channels=(8, 8), blocks=(1, 1))
    with_small, image = WithDecoder(own, small, 0.5), torch.randn(1, 1, 32, 32)
    latent = with_small.encode(image)
    assert torch.equal(latent, own.encode(image))
    assert torch.equal(with_small.decode(latent), small(latent * 0.5))
    assert (with_small.factor, with_small.latent_channels) == (8, 4)
