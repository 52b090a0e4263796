"""The texture that a radiograph of the knee shows in spongy bone and, weakly, in soft tissue.

It is stronger across the load than along it, because the primary trabeculae of tibia and condyles are vertical; they
converge towards the shaft. Slopes and shares follow the spectra of 71 public raw crops (docs/simulation/realism.md).

A field is fixed to the bone in mm of the joint plane, so another crop or pixel size shows the same trabeculae.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from monai_xray2mri.simulation.tools.lattice import CPU
from monai_xray2mri.simulation.tools.texture import TextureField, draw_texture_field, textured_path

_HALF_WIDTH_MM: Final = 64.0
_HEIGHT_MM: Final = 192.0
_TOP_MM: Final[Mapping[str, float]] = {"femur": 180.0, "tibia": 24.0, "fibula": 24.0, "patella": 100.0, "soft": 96.0}
_STRUTS: Final[Mapping[str, float]] = {"femur": 0.8, "tibia": 2.2, "fibula": 0.8, "patella": 0.3, "soft": 0.5}
_SLOPE: Final[Mapping[str, float]] = {"femur": 0.85, "tibia": 0.85, "fibula": 0.85, "patella": 0.85, "soft": 0.8}
_FAN_MM: Final[Mapping[str, tuple[float, float, float]]] = {"femur": (42.0, 27.0, 75.0), "tibia": (38.0, 24.0, 55.0)}
"""Half width of a bone at the joint and at its shaft, and the shaft's distance from the joint, all in mm."""
_SOFT_TEXTURE: Final = 0.016
"""Standard deviation of the share of fat in soft tissue."""


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
        return textured_path(spongy, self.fields[bone].at(x, z))

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
    return Trabeculae({name: replace(field, values=field.values.to(device)) for name, field in fields.items()})


def draw_texture(generator: torch.Generator, name: str) -> TextureField:
    """Draw the texture of one bone or of the soft tissue (``"soft"``)."""
    return draw_texture_field(generator, _HEIGHT_MM, _TOP_MM[name], _HALF_WIDTH_MM, _SLOPE[name], _STRUTS[name])


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
