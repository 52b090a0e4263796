"""MR signal of the simulated knee: coronal T1-weighted FLASH with water excitation, as OAI's COR_T1_3D_FLASH.

TR 20 ms, TE 7.57 ms, flip angle 12 degrees (Peterfy et al. 2008, Table 1). Spoiled gradient echo in steady state
(Ernst): S = PD sin(a) (1 - E1) / (1 - cos(a) E1) exp(-TE/T2*), E1 = exp(-TR/T1).

Tissue constants at 3 T: T1 of cartilage, muscle, fluid, fat and marrow from Gold et al., AJR 2004;183:343
(1240, 1420, 3620, 371 and 365 ms); blood 1932 ms, tendon and meniscus about 1000 ms with T2* of a few ms (Stanisz
2005; Robson 2003). T2* and proton density are round values within the published spread, chosen so that the order of
brightness is that of the OAI series; water excitation leaves a tenth of the fat.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

import torch
from torch import Tensor

from monai_xray2mri.simulation.fields import Grid, Window, noise_knots, occupancy, smooth_noise

SLICES: Final = 80
MATRIX: Final = 256
PIXEL_MM: Final = 160.0 / 256
SLICE_MM: Final = 1.5
REPETITION_MS: Final = 20.0
ECHO_MS: Final = 7.57
FLIP_DEGREES: Final = 12.0
CENTRE_Y_MM: Final = -3.0
PLACEMENT_SD_MM: Final = 0.5
FULL_SCALE: Final = 0.068
"""Signal that maps to intensity 1: one scale for all knees."""
EDGE_MM: Final = 0.8


class Tissue(IntEnum):
    """Labels of the simulated volume."""

    AIR = 0
    SKIN = 1
    FAT = 2
    MUSCLE = 3
    VESSEL = 4
    FAT_PAD = 5
    FLUID = 6
    TENDON = 7
    MENISCUS = 8
    CRUCIATE = 9
    FEMORAL_CARTILAGE = 10
    TIBIAL_CARTILAGE = 11
    PATELLAR_CARTILAGE = 12
    CORTEX = 13
    FEMUR = 14
    TIBIA = 15
    FIBULA = 16
    PATELLA = 17
    CYST = 18
    CRYSTALS = 19
    ATTRITION = 20


# T1 ms, T2* ms, proton density, share that water excitation leaves
_CONSTANTS: Final[Mapping[str, tuple[float, float, float, float]]] = {
    "skin": (900, 12, 0.65, 1.0),
    "fat": (371, 30, 0.90, 0.10),
    "muscle": (1420, 20, 0.72, 1.0),
    "blood": (500, 40, 0.90, 0.62),
    "fat pad": (371, 25, 0.90, 0.13),
    "fluid": (3620, 200, 1.00, 1.0),
    "tendon": (1000, 2.2, 0.65, 1.0),
    "meniscus": (960, 2.8, 0.62, 1.0),
    "cruciate": (1000, 5.5, 0.68, 1.0),
    "cartilage": (1100, 28, 0.80, 1.0),
    "cortex": (300, 0.5, 0.20, 1.0),
    "marrow": (365, 14, 0.90, 0.15),
    "red marrow": (900, 14, 0.70, 0.75),
    "sclerosis": (700, 4.0, 0.30, 0.4),
    "cyst": (1400, 60, 0.90, 1.0),
    "crystals": (1000, 3.0, 0.50, 1.0),
    "attrition": (1500, 30, 0.85, 1.0),
}


def spoiled_gradient_echo(t1_ms: float, t2_star_ms: float, proton_density: float) -> float:
    """Steady-state signal of a spoiled gradient echo with this module's TR, TE and flip angle."""
    angle = math.radians(FLIP_DEGREES)
    e1 = math.exp(-REPETITION_MS / t1_ms)
    return proton_density * math.sin(angle) * (1 - e1) / (1 - math.cos(angle) * e1) * math.exp(-ECHO_MS / t2_star_ms)


INTENSITY: Final[Mapping[str, float]] = {
    name: water * spoiled_gradient_echo(t1, t2, density) / FULL_SCALE
    for name, (t1, t2, density, water) in _CONSTANTS.items()
}
"""Intensity in [0,1] of each tissue without noise and bias."""


@dataclass(frozen=True)
class Placement:
    """Where the technician put the field of view: its centre in mm from the joint centre, (x, y, z)."""

    x: float = 0.0
    y: float = CENTRE_Y_MM
    z: float = 0.0


def draw_placement(generator: torch.Generator) -> Placement:
    """Draw the field of view's centre: on the joint, with about 0.5 mm left over."""
    x, y, z = (PLACEMENT_SD_MM * torch.randn(3, generator=generator).clamp(-2.5, 2.5)).tolist()
    return Placement(x, CENTRE_Y_MM + y, z)


def mr_grid(placement: Placement, scale: tuple[float, float, float]) -> Grid:
    """Voxel centres in reference mm: slice 0 posterior, row 0 superior, column 0 at the patient's right."""
    slices = placement.y + SLICE_MM * ((SLICES - 1) / 2 - torch.arange(SLICES))
    rows = placement.z + PIXEL_MM * ((MATRIX - 1) / 2 - torch.arange(MATRIX))
    columns = placement.x - PIXEL_MM * ((MATRIX - 1) / 2 - torch.arange(MATRIX))
    return Grid(slices / scale[1], rows / scale[2], columns / scale[0])


@dataclass
class Canvas:
    """Volume under construction: ``signal`` [Y,Z,X] float32 and ``labels`` [Y,Z,X] uint8."""

    signal: Tensor = field(default_factory=lambda: torch.zeros(SLICES, MATRIX, MATRIX))
    labels: Tensor = field(default_factory=lambda: torch.zeros(SLICES, MATRIX, MATRIX, dtype=torch.uint8))

    def paint(self, window: Window, share: Tensor, intensity: float | Tensor, label: Tissue | None) -> None:
        """Blend a tissue in by its share of each voxel; label the voxels of which it takes the half."""
        signal = self.signal[window]
        signal += share * (intensity - signal)
        if label is not None:
            self.labels[window].masked_fill_(share > 0.5, int(label))

    def paint_inside(self, window: Window, distance: Tensor, intensity: float | Tensor, label: Tissue | None) -> None:
        """Blend a tissue in where the distance is negative."""
        self.paint(window, occupancy(distance, EDGE_MM), intensity, label)


def acquired(signal: Tensor, grid: Grid, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Add coil sensitivity, and noise on top of it.

    Args:
        signal: [Y,Z,X] noise-free intensities.
        grid: its voxel centres.
        generator: the knee's generator of MR nuisance.

    Returns:
        The acquired volume with Rician noise and the same volume without noise, both [Y,Z,X] in [0,1].
    """
    knots = noise_knots(generator)
    gain, level = torch.randn(2, generator=generator).clamp(-2, 2).tolist()
    shading = 1 + 0.03 * gain + 0.05 * smooth_noise(knots, grid, 60.0)
    shaded = signal * shading
    sigma = 0.020 * math.exp(0.15 * level)
    # |S + n1 + i n2|
    real = torch.randn(signal.shape, generator=generator).mul_(sigma).add_(shaded).square_()
    imaginary = torch.randn(signal.shape, generator=generator).mul_(sigma).square_()
    return real.add_(imaginary).sqrt_().clamp_(0, 1), shaded.clamp_(0, 1)
