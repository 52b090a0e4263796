"""MR signal of the simulated knee: coronal T1-weighted FLASH with water excitation, as OAI's COR_T1_3D_FLASH.

TR 20 ms, TE 7.57 ms, flip angle 12 degrees, 80 slices of 1.5 mm, field of view 160 mm (Peterfy et al., Osteoarthritis
Cartilage 2008;16:1433; Table 1 of PMC5871621), quadrature transmit-receive knee coil at 3 T. Spoiled gradient echo in
steady state (Ernst): S = PD sin(a) (1 - E1) / (1 - cos(a) E1) exp(-TE/T2*), E1 = exp(-TR/T1).

Published at 3 T:
- T1 of muscle is 1420 ms, of synovial fluid 3620 ms, of subcutaneous fat 371 ms, of marrow fat 365 ms (Gold et al., AJR
  2004;183:343). T1 of cartilage is 1240 ms in that paper and 855 to 946 ms by compartment in PMC7016502; this module
  uses 1000 ms. T1 of menisci is 600 ms in PMC7016502.
- T2* of menisci is 6.0 ms, of patellar tendon 2.9 ms, of the anterior cruciate ligament 8.4 ms, of the posterior one
  8.9 ms (multi-echo SPGR, 18 knees, Trattnig's group). With ultrashort echoes the posterior one's is 30 % shorter than
  the anterior one's (Acta Radiologica 2021, doi 10.1177/02841851211043834).
- T2 of cartilage is 36 ms, of muscle 34 ms (PMC2849643). Signal of cartilage decays with 27 ms in 3-D turbo-FLASH
  (PMC5711646); this module takes that as T2* of cartilage.
- Blood in the popliteal artery flows at about 28 cm/s at peak systole, as a mean over the lumen (PubMed 29247167).

Estimated by the authors of this package:
- T2* of menisci (4 ms) and of the posterior cruciate ligament (5 ms). With the published means they would be no darker
  than the adjacent fat, and in images of this sequence they are darker.
- Proton densities (about the water content), and T2* of muscle, fluid, blood, skin and marrow.
- Mean flow (11 cm/s in the artery, 5 cm/s in the vein).
- Signal of fatty tissue under water excitation, and the size of field inhomogeneity, shading and noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.core.volumes import volume_affine
from monai_xray2mri.simulation.knee.anatomy.shape import Pose
from monai_xray2mri.simulation.tools.lattice import CPU, Grid, Window
from monai_xray2mri.simulation.tools.noise import noise_knots, smooth_noise
from monai_xray2mri.simulation.tools.primitives import occupancy, smoothstep

SLICES: Final = 80
MATRIX: Final = 256
PIXEL_MM: Final = 160.0 / 256
SLICE_MM: Final = 1.5
REPETITION_MS: Final = 20.0
ECHO_MS: Final = 7.57
FLIP_DEGREES: Final = 12.0
CENTER_Y_MM: Final = -3.0
PLACEMENT_SD_MM: Final = 0.5
FULL_SCALE: Final = 0.068
"""Signal that maps to intensity 1: one scale for all knees."""
EDGE_MM: Final = 0.8
FAT_SHIFT_HZ: Final = 440.0
"""Fat resonates 3.45 ppm below water. The two pulses of the excitation are half a period of this frequency apart."""
_SHIM_HZ: Final = 18.0
_FRINGE_HZ: Final = 60.0
_SPREAD_HZ: Final = 20.0
_COIL_LENGTH_MM: Final = 78.0
_BLOOD_T1_MS: Final = 1932.0
_FLOW_MM_PER_S: Final = {"artery": 110.0, "vein": 50.0}


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
    NERVE = 21


# T1 in ms, T2* in ms, proton density, share of water in that density. The rest of it is fat, of which ``fat_left``
# gives the visible share.
_CONSTANTS: Final[Mapping[str, tuple[float, float, float, float]]] = {
    "skin": (900, 10, 0.65, 1.0),
    "fat": (371, 25, 0.90, 0.0),
    "muscle": (1420, 22, 0.76, 1.0),
    "nerve": (1100, 18, 0.70, 0.7),
    "fluid": (3620, 200, 1.00, 1.0),
    "tendon": (1000, 2.9, 0.65, 1.0),
    "meniscus": (600, 4.0, 0.55, 1.0),
    "anterior cruciate": (1000, 8.4, 0.55, 1.0),
    "posterior cruciate": (1000, 5.0, 0.50, 1.0),
    "cartilage": (1000, 27, 0.75, 1.0),
    "cortex": (300, 0.5, 0.20, 1.0),
    "marrow": (365, 13, 0.90, 0.0),
    "red marrow": (900, 13, 0.60, 1.0),
    "sclerosis": (700, 3.0, 0.35, 0.4),
    "cyst": (2600, 60, 0.95, 1.0),
    "crystals": (1000, 3.0, 0.45, 1.0),
    "attrition": (1500, 18, 0.75, 1.0),
    "synovium": (1200, 25, 0.80, 0.8),
}


def spoiled_gradient_echo(t1_ms: float, t2_star_ms: float, proton_density: float) -> float:
    """Steady-state signal of a spoiled gradient echo with this module's TR, TE and flip angle; no unit.

    Args:
        t1_ms: longitudinal relaxation time in ms.
        t2_star_ms: effective transverse relaxation time in ms.
        proton_density: relative to water.
    """
    angle = math.radians(FLIP_DEGREES)
    e1 = math.exp(-REPETITION_MS / t1_ms)
    return proton_density * math.sin(angle) * (1 - e1) / (1 - math.cos(angle) * e1) * math.exp(-ECHO_MS / t2_star_ms)


INTENSITY: Final[Mapping[str, float]] = {
    name: (water or 1.0) * spoiled_gradient_echo(t1, t2, density) / FULL_SCALE
    for name, (t1, t2, density, water) in _CONSTANTS.items()
}
"""Intensity of each tissue without noise and bias; for ``"fat"`` and ``"marrow"`` without water excitation."""
FAT_WATER: Final[Mapping[str, float]] = {"fat": 0.12, "fat pad": 0.17, "marrow": 0.18}
"""Share of the signal of fatty tissues that is water or olefinic fat: water excitation keeps it everywhere."""


def inflow(kind: str, travelled_mm: Tensor) -> Tensor:
    """Intensity of flowing blood, of the shape of ``travelled_mm``.

    Blood enters the coil with equilibrium magnetization and gets one pulse every TR. With each pulse its distance from
    the steady state shrinks by the factor cos(a) E1, so fresh blood is bright. Dephasing along the read-out removes
    half of the signal; that half is an estimate.

    Args:
        kind: ``"artery"`` or ``"vein"``.
        travelled_mm: distance in mm that the blood has traveled inside the coil.
    """
    angle, e1 = math.radians(FLIP_DEGREES), math.exp(-REPETITION_MS / _BLOOD_T1_MS)
    decay = math.cos(angle) * e1
    steady = (1 - e1) / (1 - decay)
    pulses = travelled_mm.clamp(min=0) / (_FLOW_MM_PER_S[kind] * REPETITION_MS / 1000)
    magnetization = steady + (1 - steady) * torch.exp(math.log(decay) * pulses)
    return 0.5 * 0.85 * math.sin(angle) * math.exp(-ECHO_MS / 30.0) / FULL_SCALE * (magnetization + steady)


@dataclass(frozen=True)
class Placement:
    """Where the technician put the field of view: its center (x, y, z) in mm from the joint's center."""

    x: float = 0.0
    y: float = CENTER_Y_MM
    z: float = 0.0

    @property
    def affine(self) -> np.ndarray:
        """[4,4] float64, maps (column, row, slice) indices of the volume to LPS mm about the joint's center."""
        center = (self.x, self.y, self.z)
        return volume_affine(MATRIX, MATRIX, SLICES, PIXEL_MM, SLICE_MM, center=center, posterior_first=True)


def draw_placement(generator: torch.Generator) -> Placement:
    """Draw the center of the field of view: on the joint, with a standard deviation of 0.5 mm on each axis."""
    x, y, z = (PLACEMENT_SD_MM * torch.randn(3, generator=generator).clamp(-2.5, 2.5)).tolist()
    return Placement(x, CENTER_Y_MM + y, z)


def draw_pose(generator: torch.Generator) -> Pose:
    """Draw how the knee lies in the coil: almost straight.

    The technician aligns the slices with the condyles by hand. The remaining rotation is about as small as the error of
    the placement (half a degree is half a millimetre at the edge of the knee); this is an estimate.
    """
    flexion, roll, lean = torch.randn(3, generator=generator).clamp(-2, 2).tolist()
    return Pose(flexion=2.0 + 0.7 * flexion, roll=0.5 * roll, lean=0.4 * lean)


def mr_grid(placement: Placement, scale: tuple[float, float, float]) -> Grid:
    """Voxel centers in reference mm: slice 0 is posterior, row 0 superior, column 0 at the patient's right.

    Args:
        placement: center of the field of view.
        scale: mm per reference mm along (x, y, z), :attr:`KneeShape.scale`.
    """
    slices = placement.y + SLICE_MM * ((SLICES - 1) / 2 - torch.arange(SLICES))
    rows = placement.z + PIXEL_MM * ((MATRIX - 1) / 2 - torch.arange(MATRIX))
    columns = placement.x - PIXEL_MM * ((MATRIX - 1) / 2 - torch.arange(MATRIX))
    return Grid(slices / scale[1], rows / scale[2], columns / scale[0])


@dataclass
class Canvas:
    """Volume under construction: ``signal`` [Y,Z,X] float32 and ``labels`` [Y,Z,X] uint8."""

    signal: Tensor = field(default_factory=lambda: torch.zeros(SLICES, MATRIX, MATRIX))
    labels: Tensor = field(default_factory=lambda: torch.zeros(SLICES, MATRIX, MATRIX, dtype=torch.uint8))

    @classmethod
    def empty(cls, grid: Grid, device: torch.device) -> Canvas:
        """A canvas of a grid's size that holds only air."""
        return cls(torch.zeros(grid.shape, device=device), torch.zeros(grid.shape, dtype=torch.uint8, device=device))

    def paint(self, window: Window, share: Tensor, intensity: float | Tensor, label: Tissue | None) -> None:
        """Blend a tissue into an index box.

        Args:
            window: the index box.
            share: [Y,Z,X] share of each voxel that the tissue fills, 0 to 1.
            intensity: intensity of the tissue, one number or [Y,Z,X].
            label: label of the voxels that the tissue fills by more than half; None keeps their labels.
        """
        signal = self.signal[window]
        signal += share * (intensity - signal)
        if label is not None:
            self.labels[window].masked_fill_(share > 0.5, int(label))

    def paint_inside(self, window: Window, distance: Tensor, intensity: float | Tensor, label: Tissue | None) -> None:
        """Blend a tissue in where its signed distance [Y,Z,X] in mm is negative; see :meth:`paint`."""
        self.paint(window, occupancy(distance, EDGE_MM), intensity, label)


def fat_left(grid: Grid, generator: torch.Generator, device: torch.device = CPU) -> Tensor:
    """Share [Y,Z,X] of the fat signal that remains under binomial (1-1) water excitation in an imperfect field.

    The two pulses are half a period of the fat's shift apart. They excite a resonance at offset f from water with
    |cos(pi f / (2 * 440 Hz))|. Where the field is off by b, fat therefore keeps |sin(pi b / 880 Hz)| of its signal.
    The field error is what a good shim leaves (smooth, some tens of Hz) plus a rise towards the border of the field of
    view. Its size is an estimate.
    """
    shim = _SHIM_HZ * smooth_noise(noise_knots(generator, 10), grid, 40.0, device)
    points = grid.points(device)
    off = (points.x / 62.0).square() + (points.y / 60.0).square() * 0.8 + (points.z / 84.0).square() * 1.2
    shim += _FRINGE_HZ * smoothstep(off, 0.7, 2.2)
    # The field also varies inside each voxel, so no voxel suppresses fat completely.
    return shim.square_().add_(_SPREAD_HZ**2).sqrt_().mul_(math.pi / (2 * FAT_SHIFT_HZ)).sin_()


def acquired(signal: Tensor, grid: Grid, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Apply the point spread of the slices and the sensitivity of the coil, and add noise.

    Args:
        signal: [Y,Z,X] intensities of the tissues.
        grid: voxel centers of the signal.
        generator: random generator of this examination.

    Returns:
        The acquired volume with Rician noise, and the same volume without noise, both [Y,Z,X] in [0,1].
    """
    device = signal.device
    knots = noise_knots(generator, 14)
    gain, level = torch.randn(2, generator=generator).clamp(-2, 2).tolist()
    shading = 1 + 0.03 * gain + 0.05 * smooth_noise(knots, grid, 42.0, device)
    z = grid.points(device).z / _COIL_LENGTH_MM
    shading *= 1 - 0.22 * z.square().square()
    shaded = _slice_profile(signal).mul_(shading)
    sigma = 0.021 * math.exp(0.15 * level)
    # Rician: |S + n1 + i n2| with Gaussian n1 and n2.
    real = torch.randn(signal.shape, generator=generator).to(device).mul_(sigma).add_(shaded).square_()
    imaginary = torch.randn(signal.shape, generator=generator).to(device).mul_(sigma).square_()
    return real.add_(imaginary).sqrt_().clamp_(0, 1), shaded.clamp_(0, 1)


def _slice_profile(signal: Tensor) -> Tensor:
    """The signal with a little of both neighboring slices in each: the point spread of windowed Fourier encoding."""
    blended = signal.clone()
    blended[1:-1] += 0.07 * (signal[:-2] + signal[2:] - 2 * signal[1:-1])
    return blended
