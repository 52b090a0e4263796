"""Both legs of a patient under one tube: where they stand, and their line integrals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from monai_xray2mri.simulation import radiography
from monai_xray2mri.simulation.film_frame import CANVAS_PIXEL_MM, Point, plate_shape
from monai_xray2mri.simulation.pair import PairedKnee
from monai_xray2mri.simulation.radiography import MAGNIFICATION, Detector
from monai_xray2mri.simulation.seeds import knee_generator
from monai_xray2mri.simulation.solids import Rays, Vector, line_integrals
from monai_xray2mri.types import Side

SOURCE_TO_DETECTOR_MM: Final = 1829.0
"""72 inches, as OAI's protocol has it."""
SOURCE_TO_JOINT_MM: Final = SOURCE_TO_DETECTOR_MM / MAGNIFICATION
_KNEE_FROM_MIDDLE_MM: Final = 104.0


@dataclass(frozen=True)
class Standing:
    """Where the joints project to, in mm from the upper left corner of an upright plate.

    Attributes:
        rows: side to the row of the joint line.
        columns: side to the column of the joint's middle.
    """

    rows: Mapping[Side, float]
    columns: Mapping[Side, float]

    def joint(self, side: Side) -> Point:
        """(row, column) of a joint in mm."""
        return self.rows[side], self.columns[side]

    def source(self, side: Side) -> Vector:
        """The focal spot in mm of the knee's own frame (as a right knee): above the middle of the plate."""
        height, width = _plate_mm()
        inwards = abs(width / 2 - self.columns[side])
        return inwards / MAGNIFICATION, SOURCE_TO_JOINT_MM, (self.rows[side] - height / 2) / MAGNIFICATION

    def canvas_point(self, side: Side, place: Vector) -> Point:
        """(row, column) in mm of the plate where a place in mm of the knee's own frame projects to."""
        x, y, z = place
        source = self.source(side)
        spread = SOURCE_TO_JOINT_MM / (SOURCE_TO_JOINT_MM - y)
        across = source[0] + (x - source[0]) * spread
        up = source[2] + (z - source[2]) * spread
        outwards = 1.0 if side is Side.RIGHT else -1.0
        return self.rows[side] - MAGNIFICATION * up, self.columns[side] + outwards * MAGNIFICATION * across


def _plate_mm() -> Point:
    rows, columns = plate_shape(CANVAS_PIXEL_MM)
    return rows * CANVAS_PIXEL_MM, columns * CANVAS_PIXEL_MM


def draw_standing(seed: int) -> Standing:
    """Draw where a patient's knees stand before the plate: the joints some 2 cm about its middle, 21 cm apart."""
    generator = knee_generator(seed, "standing")
    height, row, right, left = torch.randn(4, generator=generator).clamp(-2, 2).tolist()
    tall, wide = _plate_mm()
    middle = tall / 2 + 8.0 * height
    return Standing(
        rows={Side.RIGHT: middle + 1.5 * row, Side.LEFT: middle - 1.5 * row},
        columns={
            Side.RIGHT: wide / 2 - _KNEE_FROM_MIDDLE_MM - 4.0 * right,
            Side.LEFT: wide / 2 + _KNEE_FROM_MIDDLE_MM + 4.0 * left,
        },
    )


def project(knees: Mapping[Side, PairedKnee], standing: Standing, overlap_mm: Point) -> Tensor:
    """Line integrals of both legs on an upright canvas.

    Args:
        knees: side to knee.
        standing: where they stand.
        overlap_mm: by how much (rows, columns) the canvas reaches beyond the plate on each side.

    Returns:
        [h,w] at ``CANVAS_PIXEL_MM``, its middle the plate's middle.
    """
    rows, columns = plate_shape(CANVAS_PIXEL_MM)
    beyond = [math.ceil(length / CANVAS_PIXEL_MM) for length in overlap_mm]
    row_mm = (torch.arange(-beyond[0], rows + beyond[0]) + 0.5) * CANVAS_PIXEL_MM
    column_mm = (torch.arange(-beyond[1], columns // 2) + 0.5) * CANVAS_PIXEL_MM
    halves = {}
    for side, knee in knees.items():
        # The left knee is a right knee in the mirror: its column counts from the other edge.
        column = standing.columns[side] if side is Side.RIGHT else columns * CANVAS_PIXEL_MM - standing.columns[side]
        detector = Detector((standing.rows[side] - row_mm) / MAGNIFICATION, (column_mm - column) / MAGNIFICATION)
        texture = knee_generator(knee.seed, knee.stream("trabeculae"))
        halves[side] = radiography.attenuation(knee.shape, knee.pathology, knee.pose, detector, texture)
        halves[side] += _metal(knee, standing.source(side), detector)
    return torch.cat((halves[Side.RIGHT], halves[Side.LEFT].flip(1)), 1)


def _metal(knee: PairedKnee, source: Vector, detector: Detector) -> Tensor:
    """Line integrals [h,w] of a knee's implant, which is as much larger than the mean one as the knee is."""
    size = sum(knee.shape.scale) / 3
    rays = Rays((source[0] / size, source[1] / size, source[2] / size), detector.x / size, detector.z / size)
    return size * line_integrals(knee.implant, rays)
