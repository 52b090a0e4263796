"""The MR examination: where the slices lie, what is painted on, what the receiver adds.

80 coronal slices of 1.5 mm, field of view 160 mm, 256 x 256 pixels, as OAI's COR_T1_3D_FLASH (Peterfy et al.,
Osteoarthritis Cartilage 2008;16:1433; Table 1 of PMC5871621). :mod:`~monai_xray2mri.simulation.knee.mri.contrast` says
how bright each tissue is. The sizes of shading and noise are estimates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.core.random_streams import case_generator
from monai_xray2mri.core.volumes import volume_affine
from monai_xray2mri.simulation.knee.anatomy.shape import Pose
from monai_xray2mri.simulation.tools.lattice import CPU, Grid, Points, Window
from monai_xray2mri.simulation.tools.noise import noise_knots
from monai_xray2mri.simulation.tools.primitives import smoothstep
from monai_xray2mri.simulation.tools.slicing import SlicedField, Slicer

SLICES: Final = 80
MATRIX: Final = 256
PIXEL_MM: Final = 160.0 / 256
SLICE_MM: Final = 1.5
CENTER_Y_MM: Final = -3.0
PLACEMENT_SD_MM: Final = 0.5
EDGE_MM: Final = 0.8
NOISE_SD: Final = 0.011
"""Usual noise of one channel, on the scale of the volume."""
FAT_SHIFT_HZ: Final = 440.0
"""Fat resonates 3.45 ppm below water. The two pulses of the excitation are half a period of this frequency apart."""
_SHIM_HZ: Final = 18.0
_FRINGE_HZ: Final = 60.0
_SPREAD_HZ: Final = 20.0
_COIL_LENGTH_MM: Final = 78.0


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


@dataclass(frozen=True)
class Canvas:
    """Volume under construction: ``signal`` [Y,Z,X] float32 and ``labels`` [Y,Z,X] uint8."""

    signal: Tensor
    labels: Tensor

    @classmethod
    def empty(cls, shape: tuple[int, int, int], device: torch.device) -> Canvas:
        """A canvas [Y,Z,X] that holds only air."""
        return cls(torch.zeros(shape, device=device), torch.zeros(shape, dtype=torch.uint8, device=device))

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.signal.device

    def part(self, place: int) -> Canvas:
        """One slice of it, [1,Z,X]; what is painted there is painted here."""
        return Canvas(self.signal[place : place + 1], self.labels[place : place + 1])

    def paint(self, window: Window, share: Tensor, intensity: float | Tensor, label: Tissue | None) -> None:
        """Blend a tissue into an index box.

        Args:
            window: the index box.
            share: [Y,Z,X] share of each voxel that the tissue fills, 0 to 1.
            intensity: intensity of the tissue, one number or [Y,Z,X].
            label: label of the voxels that the tissue fills by more than half; None keeps their labels.
        """
        end = intensity if isinstance(intensity, Tensor) else share.new_tensor(intensity)
        self.signal[window].lerp_(end, share)
        if label is not None:
            self.labels[window].masked_fill_(share > 0.5, int(label))


def edge_mm(slope: Tensor) -> Tensor:
    """Over how many mm of distance the share of a voxel goes from 0 to 1: a slice is thicker than a pixel.

    Args:
        slope: share of the surface's normal that points along the slices' normal, 0 to 1, any shape.
    """
    return EDGE_MM + (SLICE_MM - PIXEL_MM) * slope


def fat_left(shim: Tensor, points: Points) -> Tensor:
    """Share [Y,Z,X] of the fat signal that remains under binomial (1-1) water excitation in an imperfect field.

    The two pulses are half a period of the fat's shift apart. They excite a resonance at offset f from water with
    |cos(pi f / (2 * 440 Hz))|. Where the field is off by b, fat therefore keeps |sin(pi b / 880 Hz)| of its signal.
    The field error is what a good shim leaves (smooth, some tens of Hz) plus a rise towards the border of the field of
    view. Its size is an estimate.

    Args:
        shim: [Y,Z,X] smooth noise, about standard normal.
        points: coordinates in reference mm.
    """
    off = (points.x / 62.0).square() + (points.y / 60.0).square() * 0.8 + (points.z / 84.0).square() * 1.2
    error = _SHIM_HZ * shim + _FRINGE_HZ * smoothstep(off, 0.7, 2.2)
    # The field also varies inside each voxel, so no voxel suppresses fat completely.
    return error.square_().add_(_SPREAD_HZ**2).sqrt_().mul_(math.pi / (2 * FAT_SHIFT_HZ)).sin_()


@dataclass(frozen=True)
class Receiver:
    """What the coil makes of the signal of one examination.

    Attributes:
        shading: smooth noise of the sensitivity.
        level: sensitivity in the middle of the coil.
        falloff: [Z] share of it that is left at each height.
        noise_sd: noise of one channel, on the scale of the volume.
        noise_seed: of the noise.
    """

    shading: SlicedField
    level: float
    falloff: Tensor
    noise_sd: float
    noise_seed: int

    @classmethod
    def draw(cls, grid: Grid, generator: torch.Generator, device: torch.device = CPU) -> Receiver:
        """Draw the receiver of an examination.

        Args:
            grid: voxel centers of the whole examination.
            generator: random generator of this examination.
            device: where the signal is.
        """
        shading = Slicer(grid, device).noise(noise_knots(generator, 14), (42.0, 42.0, 42.0))
        gain, level = torch.randn(2, generator=generator).clamp(-2, 2).tolist()
        noise_seed = int(torch.randint(2**62, (), generator=generator))
        along = 1 - 0.22 * (grid.z.to(device) / _COIL_LENGTH_MM).square().square()
        return cls(shading, 1 + 0.03 * gain, along, NOISE_SD * math.exp(0.15 * level), noise_seed)

    def acquire(self, signal: Tensor, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Apply the sensitivity of the coil and add noise.

        Args:
            signal: [N,Z,X] intensities of the tissues.
            numbers: the N slices of the grid that these are. A slice gets the same noise whichever others there are.

        Returns:
            The acquired slices with Rician noise, and the same without noise, both [N,Z,X] in [0,1].
        """
        whole = slice(0, signal.shape[1]), slice(0, signal.shape[2])
        noisy, shaded = torch.empty_like(signal), torch.empty_like(signal)
        for place, number in enumerate(numbers):
            sensitivity = self.shading.read(number, whole)[0].mul_(0.05).add_(self.level).mul_(self.falloff[:, None])
            clean = torch.mul(signal[place], sensitivity, out=shaded[place])
            noise = torch.randn(2, *clean.shape, generator=case_generator(self.noise_seed, number)).to(signal.device)
            noise *= self.noise_sd
            # Rician: |S + n1 + i n2| with Gaussian n1 and n2.
            torch.hypot(noise[0].add_(clean), noise[1], out=noisy[place])
        return noisy.clamp_(0, 1), shaded.clamp_(0, 1)
