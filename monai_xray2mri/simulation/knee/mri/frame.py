"""Where the structures of a knee lie in an image, and what is needed to paint one of them in one slice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from monai_xray2mri.simulation.knee.mri.contrast import WATER_EXCITED_FLASH, Contrast
from monai_xray2mri.simulation.knee.mri.mr import Tissue
from monai_xray2mri.simulation.tools.lattice import Grid, Points, Range, Window
from monai_xray2mri.simulation.tools.slicing import Box

if TYPE_CHECKING:
    from monai_xray2mri.simulation.knee.anatomy.shape import Pose

_POSE_MARGIN_MM: Final = 5.0


@dataclass(frozen=True)
class Frame:
    """The fine grid of an image, the pose of the leg in it, the sequence, and the device of its tensors."""

    grid: Grid
    pose: Pose
    device: torch.device
    contrast: Contrast = WATER_EXCITED_FLASH

    def window(self, x: Range, y: Range, z: Range) -> Window | None:
        """Index box that covers ranges of mm in the leg's frame; None if the grid does not reach them."""
        wide = [(low - _POSE_MARGIN_MM, high + _POSE_MARGIN_MM) for low, high in (x, y)]
        window = self.grid.window(wide[0], wide[1], z)
        return None if any(part.stop <= part.start for part in window) else window

    def heights(self, window: Window) -> Tensor:
        """Heights [1,Z,1] in reference mm of the rows of an index box; the pose leaves them as they are."""
        return self.grid.z[window[1]].to(self.device)[None, :, None]


@dataclass(frozen=True)
class Spot:
    """A box of one slice.

    Attributes:
        number: the slice.
        box: its rows and columns.
        points: coordinates [1,rows,columns] in the leg's frame.
        streaks: gives noise [1,rows,columns] drawn out along the leg, about standard normal.
    """

    number: int
    box: Box
    points: Points
    streaks: Callable[[], Tensor]


@dataclass(frozen=True)
class Piece:
    """One structure to paint.

    Attributes:
        window: index box of the grid that holds it.
        distance: gives its signed distance [1,rows,columns] in mm at a spot.
        intensity: gives one number, or [1,rows,columns], at a spot.
        label: label of its voxels.
    """

    window: Window
    distance: Callable[[Spot], Tensor]
    intensity: Callable[[Spot], float | Tensor]
    label: Tissue


def even(intensity: float | Tensor) -> Callable[[Spot], float | Tensor]:
    """The same intensity in every slice: one number, or [1,Z,1] by height."""
    return lambda _: intensity


def streaked(intensity: float, strength: float, low: float, high: float) -> Callable[[Spot], Tensor]:
    """An intensity that fibers change by a share of it: ``strength`` times their noise within ``low`` and ``high``."""
    return lambda spot: intensity * (1 + strength * spot.streaks().clamp(low, high))
