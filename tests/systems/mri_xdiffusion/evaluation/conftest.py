"""A small network in the setting of the suite, and small volumes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from monai_xray2mri.evaluation.study import PROFILES
from monai_xray2mri.simulation.cones import draw_cones
from monai_xray2mri.systems.mri_xdiffusion.baselines.given import Extent
from monai_xray2mri.systems.mri_xdiffusion.baselines.untrained import BASELINES
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import BODIES, CONES, VolumeCase
from monai_xray2mri.systems.mri_xdiffusion.evaluation.methods import NetworkMethod
from monai_xray2mri.systems.mri_xdiffusion.evaluation.setting import VolumeSetting
from monai_xray2mri.systems.mri_xdiffusion.network import CrossSectionDiffusion

SIZE = 16
PARTLY = Extent((-1.0, -1.0, -0.75), (1.0, 1.0, 0.75))


def volume_case(seed: int, domain: str = CONES) -> VolumeCase:
    """A small cone; as a body only three quarters of its depth were acquired."""
    voxels = draw_cones([seed]).volume(SIZE)[0].numpy()
    extent = Extent() if domain == CONES else PARTLY
    return VolumeCase(str(seed), str(seed), domain, voxels, extent, 64.0)


def training(count: int = 3) -> Iterator[VolumeCase]:
    for domain in (CONES, BODIES):
        for seed in range(count):
            yield volume_case(seed, domain)


@pytest.fixture(scope="package")
def setting(make_network: Callable[..., CrossSectionDiffusion]) -> VolumeSetting:
    methods = {"small": NetworkMethod({CONES: make_network(), BODIES: make_network()})}
    methods |= {name: kind() for name, kind in BASELINES.items()}
    for method in methods.values():
        if hasattr(method, "fit"):
            method.fit(training())
    return VolumeSetting(methods, "small", PROFILES["cpu"], 0, True)


@pytest.fixture
def pattern() -> np.ndarray:
    """A volume whose voxels all differ."""
    return np.random.default_rng(0).random((SIZE, SIZE, SIZE)).astype(np.float32)
