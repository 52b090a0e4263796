"""MONAI's view of sampling: options as texts, and the noise and features that the predictor takes."""

from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor, list_data_collate
from torch import Tensor

from monai_xray2mri.core.random_streams import case_generator
from monai_xray2mri.errors import UsageError
from monai_xray2mri.systems.knee_xray2mri.inferer import SliceDiffusionInferer
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion
from monai_xray2mri.types import Side

INFERER = SliceDiffusionInferer(seed=7)


@pytest.fixture
def film() -> Tensor:
    return torch.rand(1, 1, 64, 64) * 2 - 1


def region(film: Tensor, identity: str, side: str = "R", grade: int | None = None) -> MetaTensor:
    """What LoadKneeRegiond makes of a file, [1,64,64]."""
    features = torch.zeros(61)
    if grade is not None:
        features[grade] = 1
    return MetaTensor(film[0], meta={"identity": identity, "side": side, "features": features.numpy()})


def test_the_inferer_takes_numbers_texts_and_blanks(tiny_network: SliceDiffusion, film: Tensor) -> None:
    plain = SliceDiffusionInferer(seed=0)(film, tiny_network)
    torch.testing.assert_close(
        SliceDiffusionInferer(seed="", steps="2", slices=None, guidance="")(film, tiny_network), plain
    )
    assert SliceDiffusionInferer(seed="1", slices="3")(film, tiny_network).shape == (1, 1, 64, 64, 3)
    assert not torch.allclose(SliceDiffusionInferer(seed=1)(film, tiny_network), plain)
    options = ({"eta": "1"}, {"noise_shared": 0, "noise_length_mm": "3"}, {"dtype": "bfloat16"})
    assert not any(torch.equal(SliceDiffusionInferer(**option)(film, tiny_network), plain) for option in options)
    with pytest.raises(UsageError, match="option steps"):
        SliceDiffusionInferer(steps=100_000)(film, tiny_network)


def test_every_radiograph_side_and_sample_has_noise_of_its_own(tiny_network: SliceDiffusion, film: Tensor) -> None:
    """The predictor's noise: a folder's knees differ, and a batch changes none of them."""
    keys = (("1.2.3", "R"), ("1.2.4", "R"), ("1.2.3", "L"))
    batch = list_data_collate([{"image": region(film, *key)} for key in keys])["image"]
    together = INFERER(batch, tiny_network)
    for key, volume in zip(keys, together, strict=True):
        noise = tiny_network.draw_noise(case_generator(7, key[0], Side(key[1]), 0))
        wanted = tiny_network.generate(film, torch.zeros(1, 61), noise=noise)
        assert torch.equal(volume[None].permute(0, 1, 4, 2, 3), wanted)
        assert torch.equal(INFERER(region(film, *key)[None], tiny_network)[0], volume)  # as MONAI Label calls it
    assert len({float(volume.mean()) for volume in together}) == len(keys)
    first, _ = INFERER(torch.cat([film, -film]), tiny_network)  # without meta data, too
    assert torch.equal(first, INFERER(film, tiny_network)[0])


def test_features_of_the_meta_data_count_unless_others_are_given(tiny_network: SliceDiffusion, film: Tensor) -> None:
    graded, plain = region(film, "1", grade=3)[None], region(film, "1")[None]
    assert not torch.equal(INFERER(graded, tiny_network), INFERER(plain, tiny_network))
    unknown = torch.zeros(1, 61)
    assert torch.equal(INFERER(graded, tiny_network, unknown), INFERER(plain, tiny_network))


def test_several_samples_give_their_mean(tiny_network: SliceDiffusion, film: Tensor) -> None:
    draws = [tiny_network.draw_noise(case_generator(7, "1", Side.RIGHT, sample)) for sample in range(3)]
    members = [tiny_network.generate(film, torch.zeros(1, 61), noise=noise) for noise in draws]
    mean = SliceDiffusionInferer(seed=7, samples="3")(region(film, "1")[None], tiny_network)
    torch.testing.assert_close(mean.permute(0, 1, 4, 2, 3), sum(members) / 3)
