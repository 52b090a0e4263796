"""Knees and slabs that the tests of the measures share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import ndtr

from monai_xray2mri.core.volumes import volume_affine
from monai_xray2mri.simulation.knee.knee import SimulatedKnee, simulate_knee
from monai_xray2mri.simulation.knee.mri.mr import Tissue
from monai_xray2mri.simulation.knee.people.seeds import VALIDATION

SPACING = (1.5, 0.625, 0.625)
SHAPE = (50, 128, 160)
MARROW, CARTILAGE, CORTEX_MM, BLUR_MM = 0.17, 0.85, 1.1, 0.3
ABSENT = dict.fromkeys(("XRCYFM", "XRCYFL", "XRCYTM", "XRCYTL", "XRCHM", "XRCHL", "XRATTM", "XRATTL"), 0)


def acquired_affine(shape: tuple[int, int, int]) -> np.ndarray:
    """Affine of a volume (slices, rows, columns) that lies as the acquired ones do, centred on the joint."""
    return volume_affine(*shape[::-1], SPACING[1], SPACING[0], posterior_first=True)


@pytest.fixture(scope="session")
def knee() -> SimulatedKnee:
    """A knee without narrowing and lesions."""
    return simulate_knee(VALIDATION[7], grades=ABSENT | {"XRJSM": 0, "XRJSL": 0})


@pytest.fixture(scope="session")
def narrow_knee() -> SimulatedKnee:
    """The same with narrowing of both compartments."""
    return simulate_knee(VALIDATION[7], grades=ABSENT | {"XRJSM": 2, "XRJSL": 1})


@pytest.fixture(scope="session")
def lesioned_knee() -> SimulatedKnee:
    """The first knee with every cyst, chondrocalcinosis and attrition."""
    return simulate_knee(VALIDATION[7], grades=dict.fromkeys(ABSENT, 1) | {"XRJSM": 0, "XRJSL": 0})


@pytest.fixture(scope="session")
def other_knee() -> SimulatedKnee:
    """Another person's."""
    return simulate_knee(VALIDATION[8], grades=ABSENT | {"XRJSM": 0, "XRJSL": 0})


@pytest.fixture(scope="session")
def reexamined() -> SimulatedKnee:
    """The first knee in another examination."""
    return simulate_knee(VALIDATION[7], grades=ABSENT | {"XRJSM": 0, "XRJSL": 0}, nuisance=1)


@pytest.fixture
def slab() -> Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Two slabs of bone with cartilage between, exactly ``width`` mm apart and turned; volume, labels, affine."""

    def make(
        width: float, across: float = 0.0, along: float = 0.0, noise: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        affine = acquired_affine(SHAPE)
        s, r, c = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij", sparse=True)
        x, y, z = affine[0, 0] * c + affine[0, 3], affine[1, 2] * s + affine[1, 3], affine[2, 1] * r + affine[2, 3]
        normal = np.array([-np.tan(np.radians(across)), -np.tan(np.radians(along)), 1.0])
        height = (normal[0] * x + normal[1] * y + z) / np.linalg.norm(normal)  # mm over the middle of the joint
        depth = np.abs(height) - width / 2  # mm into the bone
        gap = ndtr((height + width / 2) / BLUR_MM) - ndtr((height - width / 2) / BLUR_MM)
        volume = CARTILAGE * gap + MARROW * ndtr((depth - CORTEX_MM) / BLUR_MM)
        volume += noise * np.random.default_rng(0).standard_normal(SHAPE)
        labels = np.where(depth > CORTEX_MM, np.where(height > 0, Tissue.FEMUR, Tissue.TIBIA), Tissue.CORTEX)
        labels = np.where(depth > 0, labels, Tissue.FEMORAL_CARTILAGE).astype(np.uint8)
        return volume.astype(np.float32), labels, affine

    return make
