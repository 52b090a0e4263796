"""Test-time augmentation (X-Diffusion, appendix D.9 and Table XI): slices flipped, turned and scaled, results undone.

The paper flips, turns by quarters and scales by 1, 2 and 4, and averages. Here the given slices must be parallel; they
are changed in their plane, and the volume is changed back in that plane. A scale is a zoom about the middle: what it
leaves out of the cube is not known by that result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from monai_xray2mri.systems.mri_xdiffusion.planes import view_places
from monai_xray2mri.systems.mri_xdiffusion.sections import SampledVolume, slices_along, volume_along


@dataclass(frozen=True)
class Augmentation:
    """One change of parallel slices.

    Attributes:
        turns: quarter turns in the plane.
        flipped: mirrored before that, left to right.
        scale: zoom about the middle of the cube.
    """

    turns: int = 0
    flipped: bool = False
    scale: int = 1

    def slices(self, slices: Tensor, poses: Tensor) -> tuple[Tensor, Tensor]:
        """Slices [1,K,D,D] in [-1,1] and poses [1,K,11], changed."""
        changed = torch.rot90(slices.flip(-1) if self.flipped else slices, self.turns, (-2, -1))
        if self.scale == 1:
            return changed, poses
        theta = torch.tensor([[[1 / self.scale, 0, 0], [0, 1 / self.scale, 0]]])
        grid = F.affine_grid(theta, list(changed.shape), align_corners=False)
        moved = poses.clone()
        moved[..., 9] *= self.scale
        return F.grid_sample(changed, grid, padding_mode="border", align_corners=False), moved

    def undo(self, cube: Tensor, known: Tensor, axis: int) -> tuple[Tensor, Tensor]:
        """A volume [D,D,D] of changed slices of an axis, changed back, and where it is known (same shape, bool)."""
        if self.scale > 1:
            reach = (1 / self.scale,) * 3
            low = tuple(-length for length in reach)
            place = view_places(torch.eye(3), len(cube))
            zoomed = [SampledVolume(part.float(), low, reach) for part in (cube, known)]  # type: ignore[arg-type]
            (cube, within), (share, _) = (one.sections(place, len(cube)) for one in zoomed)
            known = within & (share > 0.5)
        return self._undone(cube, axis), self._undone(known, axis)

    def fits(self, poses: Tensor) -> bool:
        """Whether all slices, of poses [1,K,11], still lie in the cube."""
        return bool((poses[..., 9].abs() * self.scale <= 1).all())

    def _undone(self, cube: Tensor, axis: int) -> Tensor:
        sections = torch.rot90(slices_along(cube, axis), -self.turns, (1, 2))
        return volume_along(sections.flip(2) if self.flipped else sections, axis)


_TURNS = tuple(Augmentation(turns=turns) for turns in range(1, 4))
_FLIPS = (Augmentation(flipped=True), Augmentation(turns=2, flipped=True))
_SCALES = (Augmentation(scale=2), Augmentation(scale=4))

AUGMENTATIONS: Final[dict[str, tuple[Augmentation, ...]]] = {
    "none": (Augmentation(),),
    "flips": (Augmentation(), *_FLIPS),
    "turns": (Augmentation(), *_TURNS),
    "scales": (Augmentation(), *_SCALES),
    "all": (Augmentation(), *_FLIPS, *_TURNS, *_SCALES),
}
"""Rows of Table XI: the changes whose results are averaged, the slices as they are among them."""
