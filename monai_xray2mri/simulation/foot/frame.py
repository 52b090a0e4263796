"""How points of a foot come onto film and photograph.

The foot stands on the film. The tube is above the toes, tilted by 15 degrees towards the heel, as for a weight-bearing
dorsoplantar film; the camera is straight above. Both pictures lie in one frame of the floor, right foot, toes up. Its
side follows from the width of the forefoot, as that of a photograph without a scale has to: :data:`BALL_SHARE` of the
side is the ball of the foot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from monai_xray2mri.simulation.foot.bones import Vector
from monai_xray2mri.simulation.tools.lattice import Grid

IMAGE_SIZE: Final = 256
BALL_SHARE: Final = 0.45
TOP_SHARE: Final = 0.04
"""Of the frame's side: the margin above the longest toe."""
TUBE_TILT_DEG: Final = 15.0
SOURCE_MM: Final = 1000.0
CAMERA_MM: Final = 900.0
_LEVEL_MM: Final = 14.0
"""Height of the metatarsals' heads: there both pictures agree."""


@dataclass(frozen=True)
class FootFrame:
    """A square on the floor.

    Attributes:
        left: x of its left side in mm.
        top: z of its upper side in mm.
        side: length in mm.
        size: pixels a side.
    """

    left: float
    top: float
    side: float
    size: int = IMAGE_SIZE

    @property
    def pixel_mm(self) -> float:
        """Size of a pixel in mm at the height of the metatarsals' heads."""
        return self.side / self.size

    def axes(self, finer: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
        """Middles (x [N], z [N]) of pixels ``finer`` times smaller; z falls."""
        count = self.size * finer
        steps = (torch.arange(count, dtype=torch.float32) + 0.5) * (self.side / count)
        return self.left + steps, self.top - steps

    def film_grid(self, y: torch.Tensor, finer: int = 1) -> Grid:
        """Sample points of the tube's rays at heights [Y]."""
        source_z = SOURCE_MM * math.tan(math.radians(TUBE_TILT_DEG)) + self.middle[1]
        return self._grid(y, finer, (self.middle[0], source_z), SOURCE_MM)

    def camera_grid(self, y: torch.Tensor, finer: int = 1) -> Grid:
        """Sample points of the camera's rays at heights [Y]."""
        return self._grid(y, finer, self.middle, CAMERA_MM)

    @property
    def middle(self) -> tuple[float, float]:
        """(x, z) in mm."""
        return self.left + self.side / 2, self.top - self.side / 2

    def _grid(self, y: torch.Tensor, finer: int, source: tuple[float, float], distance: float) -> Grid:
        x, z = self.axes(finer)
        share = ((y - _LEVEL_MM) / (distance - _LEVEL_MM))[:, None]
        return Grid(y, z + share * (source[1] - z), x + share * (source[0] - x))

    def on_film(self, point: Vector) -> tuple[float, float]:
        """(row, column) in pixels of a point (x, y, z) on the film; (0, 0) is the middle of the first pixel."""
        source_z = SOURCE_MM * math.tan(math.radians(TUBE_TILT_DEG)) + self.middle[1]
        return self._projected(point, (self.middle[0], source_z), SOURCE_MM)

    def on_photograph(self, point: Vector) -> tuple[float, float]:
        """(row, column) in pixels of a point (x, y, z) as the camera sees it."""
        return self._projected(point, self.middle, CAMERA_MM)

    def widened(self, times: float) -> FootFrame:
        """A frame ``times`` as wide around the same foot, as high above the toes, with pixels as many."""
        more = (times - 1) * self.side / 2
        return FootFrame(self.left - more, self.top + more / 2, times * self.side, self.size)

    def _projected(self, point: Vector, source: tuple[float, float], distance: float) -> tuple[float, float]:
        share = (float(point[1]) - _LEVEL_MM) / (distance - _LEVEL_MM)
        x = (float(point[0]) - share * source[0]) / (1 - share)
        z = (float(point[2]) - share * source[1]) / (1 - share)
        return (self.top - z) / self.pixel_mm - 0.5, (x - self.left) / self.pixel_mm - 0.5


def frame_of(outline: np.ndarray, x: np.ndarray, z: np.ndarray, size: int = IMAGE_SIZE) -> FootFrame:
    """The frame of a foot that is seen from above.

    Args:
        outline: [N,M] whether the foot covers a point of the floor.
        x: [M] rising positions in mm.
        z: [N] rising positions in mm.
        size: pixels a side.
    """
    rows = np.flatnonzero(outline.any(1))
    tip = z[rows[-1]]
    length = tip - z[rows[0]]
    forefoot = (z > tip - 0.45 * length) & (z <= tip)
    spans = [(x[np.flatnonzero(row)[0]], x[np.flatnonzero(row)[-1]]) for row in outline[forefoot] if row.any()]
    low, high = max(spans, key=lambda span: span[1] - span[0])
    side = (high - low) / BALL_SHARE
    return FootFrame(float((low + high) / 2 - side / 2), float(tip + TOP_SHARE * side), float(side), size)
