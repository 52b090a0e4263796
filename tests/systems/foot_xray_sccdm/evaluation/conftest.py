"""A small network in the setting of the suite, and small feet."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_xray2mri.diffusion.schedule import NoiseSchedule
from monai_xray2mri.evaluation.study import PROFILES
from monai_xray2mri.networks.pixel_codec import PixelCodec
from monai_xray2mri.systems.foot_xray_sccdm.baselines.untrained import BASELINES
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.cases import FootCase, FootTruth
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.methods import NetworkMethod
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.setting import FootSetting
from monai_xray2mri.systems.foot_xray_sccdm.keypoints import Keypoints
from monai_xray2mri.systems.foot_xray_sccdm.multiscale_unet import MultiScaleUNet
from monai_xray2mri.systems.foot_xray_sccdm.network import DifferenceDiffusion

SIZE = 32


def foot_case(seed: int, again: bool = True) -> FootCase:
    """A block for a foot, a bright block in it for its bones."""
    rng = np.random.default_rng(seed)
    photograph, radiograph, bones = np.zeros((3, SIZE, SIZE), np.float32)
    photograph[3:29, 8:24] = 0.3 + 0.4 * rng.random((26, 16))
    bones[6:26, 10 + seed % 4 : 18] = 1
    radiograph[3:29, 8:24] = 0.2
    radiograph[bones > 0] = 0.8
    radiograph = (radiograph + 0.05 * rng.random(radiograph.shape)).astype(np.float32)
    points = rng.uniform(4, 28, (10, 2)).astype(np.float32)
    second = {0.0: (radiograph + 0.01).clip(0, 1), 1.0: np.roll(radiograph, 1, axis=1)} if again else {}
    valgus, spread = Keypoints(points, np.ones(10)).angles
    tone = float(rng.uniform(-40, 50))
    truth = FootTruth(points, valgus, spread, 0.9, tone, bones > 0, (valgus + 1, spread - 1), second)
    return FootCase(str(3_000_000 + seed), str(seed), photograph, radiograph, truth)


def find(radiograph: np.ndarray) -> Keypoints:
    """Points that depend on the picture, and a confidence that falls with its mean."""
    rows = np.linspace(4, 28, 10) + 3 * float(radiograph.mean())
    columns = 16 + 8 * np.sin(np.arange(10) + 5 * float(radiograph.std()))
    return Keypoints(np.stack((rows, columns), axis=1).astype(np.float32), np.full(10, 1 - float(radiograph.mean())))


def small_network(**options: object) -> DifferenceDiffusion:
    torch.manual_seed(0)
    unet = MultiScaleUNet(16, 16, width=8, multipliers=(1, 2), blocks=1, attention_levels=(1,), groups=4)
    torch.nn.init.normal_(unet.tail[2].weight, std=0.02)
    schedule = NoiseSchedule(1000, "linear", "v")
    return DifferenceDiffusion(PixelCodec(4, 0.0), unet, schedule, image_size=SIZE, steps=2, **options).eval()


@pytest.fixture(scope="package")
def setting() -> FootSetting:
    bundle = NetworkMethod(small_network(), record={"weights_sha256": "0" * 64})
    methods = {"small": bundle} | {name: kind() for name, kind in BASELINES.items()}
    for method in methods.values():
        if hasattr(method, "fit"):
            method.fit(foot_case(seed, again=False) for seed in range(100, 104))
    return FootSetting(methods, "small", PROFILES["cpu"], 0, True, find=find)
