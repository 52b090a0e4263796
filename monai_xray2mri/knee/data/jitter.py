"""The error of the box that a detector finds, drawn anew for every look at a radiograph.

A network that only ever saw perfectly centred joints would fail on the first film whose box is a few millimetres off.
The store keeps each region with a margin; a box of the region's size is cut out of it, shifted and scaled as a
detector errs, and goes through the same :func:`~monai_xray2mri.radiograph.knee.region.normalize_region` as a film's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from monai_xray2mri.knee.data.arrays import GEOMETRY, IMAGE_SIZE, WIDE_SIZE
from monai_xray2mri.radiograph.knee.region import normalize_region
from monai_xray2mri.radiograph.resampling import REGION_SIZE, cut_box, resize
from monai_xray2mri.types import Box

_PIXELS_PER_MM = REGION_SIZE / GEOMETRY["region_mm"]


@dataclass(frozen=True)
class BoxJitter:
    """Error of a box: normal, clipped at ``bound`` standard deviations so that it stays within the stored margin.

    Attributes:
        shift_mm: standard deviation of the shift along rows and columns, in mm at the detector.
        scale: standard deviation of the relative error of the side.
        bound: in standard deviations; 2 leaves 0.8 mm of the margin of 13.2 mm.
    """

    shift_mm: float = 4.0
    scale: float = 0.04
    bound: float = 2.0

    def draw(self, generator: np.random.Generator) -> Box:
        """A box in pixels of the stored region, [R,R]."""
        row, column, size = np.clip(generator.standard_normal(3), -self.bound, self.bound)
        side = REGION_SIZE * (1 + self.scale * size)
        middle = WIDE_SIZE / 2 + self.shift_mm * _PIXELS_PER_MM * np.array([row, column])
        return Box(float(middle[0] - side / 2), float(middle[1] - side / 2), float(side), float(side))


NO_JITTER = BoxJitter(0.0, 0.0)
"""The box of a perfect detector."""


def network_view(region: np.ndarray, box: Box) -> np.ndarray:
    """What the networks see of a stored region: [R,R] uint16 to [256,256] float32 in [-1,1].

    Args:
        region: region with margin, as ``KneeStore`` keeps it.
        box: the square that the detector found, in pixels of ``region``.
    """
    return normalize_region(cut_box(region.astype(np.float32) / 65535, box), mirrored=False, size=IMAGE_SIZE)


def region_with_margin(pixels: np.ndarray, box: Box, mirrored: bool) -> np.ndarray:
    """Cut a region with its margin out of a film, for the store.

    Args:
        pixels: [H,W] in [0,1], bone bright; what lies beyond the film is 0.
        box: the region around the joint on the film, in pixels, without margin.
        mirrored: whether to mirror left and right, as for a left knee.

    Returns:
        [R,R] float32 in [0,1], right-knee space.
    """
    wide = WIDE_SIZE / REGION_SIZE
    rows, columns = box.rows * wide, box.columns * wide
    top, left = box.center[0] - rows / 2, box.center[1] - columns / 2
    reach = 2 + math.ceil(max(rows, columns) / WIDE_SIZE)  # of the resampling kernel
    first_row, first_column = (max(math.floor(start) - reach, 0) for start in (top, left))
    last_row = min(math.ceil(top + rows) + reach, pixels.shape[0])
    last_column = min(math.ceil(left + columns) + reach, pixels.shape[1])
    above, before = max(math.ceil(-top), 0), max(math.ceil(-left), 0)
    below = max(math.ceil(top + rows) - pixels.shape[0], 0)
    after = max(math.ceil(left + columns) - pixels.shape[1], 0)
    inside = np.pad(pixels[first_row:last_row, first_column:last_column], ((above, below), (before, after)))
    top, left = top - first_row + above, left - first_column + before
    region = resize(inside, (WIDE_SIZE, WIDE_SIZE), (left, top, left + columns, top + rows))
    return region[:, ::-1] if mirrored else region
