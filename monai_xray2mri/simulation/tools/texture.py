"""What spongy bone looks like on a radiograph: Gaussian random fields.

A ray through spongy bone crosses about a hundred trabeculae. The path of bone is therefore normally distributed with a
variance that grows with the length of the ray, and the projected pattern is a Gaussian random field. Its power falls
with frequency as that of a fractal (fractal signature of knee radiographs: Lynch, Hawkes, Buckland-Wright, Phys Med
Biol 36:709, 1991), and it is stronger across the trabeculae that carry the load than along them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

PITCH_MM: Final = 0.25
_COARSEST_MM: Final = 14.0
_STRUT_MM: Final = 2.4
"""Loaded trabeculae dominate on scales below this, in mm."""
_BONE_TEXTURE: Final = 0.56
"""Standard deviation of the path of bone, for a mean path of 1 mm; it grows with the root of the mean path."""


@dataclass(frozen=True)
class TextureField:
    """Gaussian random field of unit variance over a plane.

    Attributes:
        values: [R,C]; rows fall from ``top``, columns rise from ``left``, :data:`PITCH_MM` apart.
        top: height of the first row in mm.
        left: position of the first column in mm.
    """

    values: Tensor
    top: float
    left: float

    def at(self, x: Tensor, z: Tensor) -> Tensor:
        """Values [H,W] at positions ``x`` and ``z`` [H,W] in mm, bilinear; mirrored beyond the field."""
        rows, columns = self.values.shape
        across = 2 * (x - self.left) / ((columns - 1) * PITCH_MM) - 1
        down = 2 * (self.top - z) / ((rows - 1) * PITCH_MM) - 1
        places = torch.stack(torch.broadcast_tensors(across, down), -1)[None]
        found = F.grid_sample(self.values[None, None], places, padding_mode="reflection", align_corners=True)
        return found[0, 0]


def draw_texture_field(
    generator: torch.Generator, height_mm: float, top: float, half_width_mm: float, slope: float, struts: float
) -> TextureField:
    """Draw a field around the middle of the columns, on the CPU.

    Args:
        generator: of the numbers.
        height_mm: size along the rows.
        top: height of the first row in mm.
        half_width_mm: half the size along the columns.
        slope: by which the amplitude falls with frequency, in both logarithms.
        struts: gain of the power where trabeculae along the rows' direction add some.
    """
    rows, columns = int(height_mm / PITCH_MM), int(2 * half_width_mm / PITCH_MM)
    white = torch.randn((rows, columns), generator=generator)
    spectrum = torch.fft.rfft2(white) * _amplitude(rows, columns, slope, struts)
    values = torch.fft.irfft2(spectrum, (rows, columns))
    return TextureField(values / values.square().mean().sqrt(), top, -half_width_mm)


def textured_path(spongy: Tensor, pattern: Tensor) -> Tensor:
    """Path [h,w] in mm through the bone of trabeculae.

    Args:
        spongy: [h,w] mean path in mm; the mean stays.
        pattern: [h,w] of a field.
    """
    spread = torch.minimum(_BONE_TEXTURE * spongy.sqrt(), 0.4 * spongy)  # the limit keeps a path from becoming negative
    return (spongy + spread * pattern).clamp(min=0)


def _amplitude(rows: int, columns: int, slope: float, struts: float) -> Tensor:
    """Amplitude [rows, columns / 2 + 1] by frequency: a power law, times a gain where upright trabeculae add power."""
    along, across = torch.fft.fftfreq(rows, PITCH_MM)[:, None], torch.fft.rfftfreq(columns, PITCH_MM)[None, :]
    radius = (along.square() + across.square()).sqrt()
    fractal = (radius.square() + (1 / _COARSEST_MM) ** 2) ** (-0.5 * slope)
    upright = torch.exp(-(along / (0.45 * radius + 1e-3)).square())
    fine = 1 - torch.exp(-(radius * _STRUT_MM).square())
    return fractal * (1 + struts * upright * fine)
