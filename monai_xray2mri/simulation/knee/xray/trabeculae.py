"""Texture that a radiograph shows in spongy bone and, weakly, in soft tissue.

A ray through spongy bone crosses about a hundred trabeculae. The path of bone is therefore normally distributed with a
variance that grows with the length of the ray, and the projected pattern is a Gaussian random field. Its power falls
with frequency as that of a fractal (fractal signature of knee radiographs: Lynch, Hawkes, Buckland-Wright, Phys Med
Biol 36:709, 1991). It is stronger across the load than along it, because the primary trabeculae of tibia and condyles
are vertical; they converge towards the shaft. Slopes and shares follow the spectra of 71 public raw crops
(docs/simulation/realism.md).

A field is fixed to the bone in mm of the joint plane, so another crop or pixel size shows the same trabeculae.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from monai_xray2mri.simulation.tools.lattice import CPU

PITCH_MM: Final = 0.25
_HALF_WIDTH_MM: Final = 64.0
_HEIGHT_MM: Final = 192.0
_COARSEST_MM: Final = 14.0
_STRUT_MM: Final = 2.4
"""Vertical trabeculae dominate on scales below this, in mm."""
_TOP_MM: Final[Mapping[str, float]] = {"femur": 180.0, "tibia": 24.0, "fibula": 24.0, "patella": 100.0, "soft": 96.0}
_STRUTS: Final[Mapping[str, float]] = {"femur": 0.8, "tibia": 2.2, "fibula": 0.8, "patella": 0.3, "soft": 0.5}
_SLOPE: Final[Mapping[str, float]] = {"femur": 0.85, "tibia": 0.85, "fibula": 0.85, "patella": 0.85, "soft": 0.8}
_FAN_MM: Final[Mapping[str, tuple[float, float, float]]] = {"femur": (42.0, 27.0, 75.0), "tibia": (38.0, 24.0, 55.0)}
"""Half width of a bone at the joint and at its shaft, and the shaft's distance from the joint, all in mm."""
_BONE_TEXTURE: Final = 0.56
"""Standard deviation of the path of bone, for a mean path of 1 mm; it grows with the root of the mean path."""
_SOFT_TEXTURE: Final = 0.016
"""Standard deviation of the share of fat in soft tissue."""


@dataclass(frozen=True)
class TextureField:
    """Gaussian random field of unit variance over the joint plane.

    Attributes:
        values: [R,C]; rows fall from ``top``, columns rise from -64 mm, 0.25 mm apart.
        top: height of the first row in mm.
    """

    values: Tensor
    top: float

    def at(self, x: Tensor, z: Tensor) -> Tensor:
        """Values [H,W] at positions ``x`` and ``z`` [H,W] in mm, bilinear; mirrored beyond the field."""
        rows, columns = self.values.shape
        across = 2 * (x + _HALF_WIDTH_MM) / ((columns - 1) * PITCH_MM) - 1
        down = 2 * (self.top - z) / ((rows - 1) * PITCH_MM) - 1
        places = torch.stack(torch.broadcast_tensors(across, down), -1)[None]
        found = F.grid_sample(self.values[None, None], places, padding_mode="reflection", align_corners=True)
        return found[0, 0]


@dataclass(frozen=True)
class Trabeculae:
    """The texture fields of one knee, by name of the bone, and of its soft tissue (``"soft"``)."""

    fields: Mapping[str, TextureField]

    def textured(self, bone: str, spongy: Tensor, x: Tensor, z: Tensor) -> Tensor:
        """Path [h,w] in mm through the bone of trabeculae, with texture.

        Args:
            bone: name of the bone.
            spongy: [h,w] mean path in mm.
            x: [1,w] positions in mm of the joint plane.
            z: [h,1] positions in mm of the joint plane.
        """
        if bone in _FAN_MM:
            x = fanned(x, z if bone == "femur" else -z, *_FAN_MM[bone])
        pattern = self.fields[bone].at(x, z)
        # The mean path stays; the limit keeps a short path from becoming negative.
        spread = torch.minimum(_BONE_TEXTURE * spongy.sqrt(), 0.4 * spongy)
        return (spongy + spread * pattern).clamp(min=0)

    def soft_tissue(self, fat: Tensor, lean: Tensor, x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Paths (fat, muscle) [h,w] in mm with the texture of septa, fascia and fibers; their sum stays.

        Args:
            fat: [h,w] mean path through fat in mm.
            lean: [h,w] mean path through muscle in mm.
            x: [1,w] positions in mm of the joint plane.
            z: [h,1] positions in mm of the joint plane.
        """
        exchanged = _SOFT_TEXTURE * (fat + lean) * self.fields["soft"].at(x, z)
        exchanged = torch.minimum(torch.maximum(exchanged, -0.5 * lean), 0.5 * lean)
        return (fat + exchanged).clamp(min=0), lean - exchanged


def draw_trabeculae(generator: torch.Generator, device: torch.device = CPU) -> Trabeculae:
    """Draw the textures of one knee on the CPU and copy them to a device."""
    fields = {name: draw_texture(generator, name) for name in _TOP_MM}
    return Trabeculae({name: TextureField(field.values.to(device), field.top) for name, field in fields.items()})


def draw_texture(generator: torch.Generator, name: str) -> TextureField:
    """Draw the texture of one bone or of the soft tissue (``"soft"``)."""
    rows, columns = int(_HEIGHT_MM / PITCH_MM), int(2 * _HALF_WIDTH_MM / PITCH_MM)
    white = torch.randn((rows, columns), generator=generator)
    spectrum = torch.fft.rfft2(white) * _amplitude(rows, columns, _SLOPE[name], _STRUTS[name])
    values = torch.fft.irfft2(spectrum, (rows, columns))
    return TextureField(values / values.square().mean().sqrt(), _TOP_MM[name])


def _amplitude(rows: int, columns: int, slope: float, struts: float) -> Tensor:
    """Amplitude [rows, columns / 2 + 1] by frequency: a power law, times a gain where vertical trabeculae add power."""
    along, across = torch.fft.fftfreq(rows, PITCH_MM)[:, None], torch.fft.rfftfreq(columns, PITCH_MM)[None, :]
    radius = (along.square() + across.square()).sqrt()
    fractal = (radius.square() + (1 / _COARSEST_MM) ** 2) ** (-0.5 * slope)
    upright = torch.exp(-(along / (0.45 * radius + 1e-3)).square())
    fine = 1 - torch.exp(-(radius * _STRUT_MM).square())
    return fractal * (1 + struts * upright * fine)


def fanned(x: Tensor, away: Tensor, base: float, neck: float, height: float) -> Tensor:
    """Position [H,W] along x in a pattern of vertical lines that converges from the joint to the shaft.

    Args:
        x: [1,W] positions in the image in mm.
        away: [H,1] distance from the joint towards the shaft in mm; 0 or negative at the joint.
        base: half width of the bone at the joint in mm.
        neck: half width at the shaft in mm.
        height: distance of the shaft from the joint in mm.
    """
    share = (away / height).clamp(0, 1)
    half = base + (neck - base) * share * share * (3 - 2 * share)
    return x * (base / half)
