"""Both legs of a patient in front of one tube: their position, and their line integrals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import KneeAnatomy
from monai_xray2mri.simulation.knee.anatomy.measurement import keypoints
from monai_xray2mri.simulation.knee.film.film_frame import CANVAS_PIXEL_MM, Point, plate_shape
from monai_xray2mri.simulation.knee.film.film_options import PROSTHESES, Hardware
from monai_xray2mri.simulation.knee.film.hardware import implant, resected
from monai_xray2mri.simulation.knee.film.pair import PairedKnee, draw_pair
from monai_xray2mri.simulation.knee.people.seeds import knee_generator
from monai_xray2mri.simulation.knee.xray import radiography
from monai_xray2mri.simulation.knee.xray.radiography import MAGNIFICATION, SOURCE_TO_JOINT_MM, SamplePoints
from monai_xray2mri.simulation.tools.solids import Rays, Vector, line_integrals
from monai_xray2mri.types import Side

_KNEE_FROM_MIDDLE_MM: Final = 104.0


@dataclass(frozen=True)
class Standing:
    """Projections of both joints, in mm from the upper left corner of the plate, for an upright patient.

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
        """The focal spot (x, y, z) in mm of the frame of that knee, seen as a right knee."""
        height, width = _plate_mm()
        inwards = abs(width / 2 - self.columns[side])
        return inwards / MAGNIFICATION, SOURCE_TO_JOINT_MM, (self.rows[side] - height / 2) / MAGNIFICATION


def _plate_mm() -> Point:
    rows, columns = plate_shape(CANVAS_PIXEL_MM)
    return rows * CANVAS_PIXEL_MM, columns * CANVAS_PIXEL_MM


def draw_standing(seed: int) -> Standing:
    """Draw where a patient's knees stand: 21 cm apart, within about 2 cm of the middle of the plate."""
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


@dataclass(frozen=True)
class Legs:
    """Both legs of a patient before exposure; any number of films can be made of them.

    Attributes:
        canvas: [h,w] line integrals of the upright patient at ``CANVAS_PIXEL_MM``; its middle is the plate's middle.
        metal: [h,w] line integrals of implants, which have sharp edges and are resampled linearly; None without metal.
        standing: where the knees stand.
        keypoints: side to named points (row, column) in mm of the plate, for an upright patient.
        grades: side to the visible grades.
        hardware: side to the metal in that knee.
        seed: the patient's seed.
    """

    canvas: Tensor
    metal: Tensor | None
    standing: Standing
    keypoints: Mapping[Side, Mapping[str, Point]]
    grades: Mapping[Side, Mapping[str, int]]
    hardware: Mapping[Side, Hardware]
    seed: int


def project_legs(
    seed: int,
    grades: Mapping[Side, Mapping[str, int]] | None = None,
    visibility: float = 0.5,
    *,
    hardware: Mapping[Side, Hardware] | None = None,
    overlap_mm: Point = (0.0, 0.0),
) -> Legs:
    """Line integrals of both legs of a patient on an upright canvas.

    Args:
        seed: the patient's seed.
        grades: side to grades that replace the drawn ones.
        visibility: how visible cysts, chondrocalcinosis and attrition are, 0 to 1.
        hardware: side to the metal in that knee.
        overlap_mm: margin (rows, columns) of the canvas around the plate in mm
            (:attr:`~monai_xray2mri.simulation.knee.film.film_frame.FilmFrame.overlap_mm`).

    Raises:
        InputRefused: as :func:`~monai_xray2mri.simulation.knee.knee.simulate_knee`.
    """
    metal = dict(hardware or {})
    knees = draw_pair(seed, grades, visibility, metal)
    standing = draw_standing(seed)
    bodies, implants, places = {}, {}, {}
    for side, knee in knees.items():
        bodies[side], implants[side], places[side] = _half(knee, standing, overlap_mm)
    return Legs(
        canvas=_joined(bodies),
        metal=_joined(implants) if metal else None,
        standing=standing,
        keypoints=places,
        grades={side: _gradings(knee.pathology.grades, metal.get(side)) for side, knee in knees.items()},
        hardware=metal,
        seed=seed,
    )


def _gradings(grades: Mapping[str, int], metal: Hardware | None) -> dict[str, int]:
    return {} if metal in PROSTHESES else dict(grades)


def _joined(halves: Mapping[Side, Tensor]) -> Tensor:
    """Both halves [h,w/2] of a film side by side; the left knee was computed as a right one and is mirrored here."""
    return torch.cat((halves[Side.RIGHT], halves[Side.LEFT].flip(1)), 1)


def _half(knee: PairedKnee, standing: Standing, overlap_mm: Point) -> tuple[Tensor, Tensor, dict[str, Point]]:
    """Line integrals [h,w/2] of one leg, seen as a right one, and of its metal; keypoints in mm of the plate."""
    rows, columns = plate_shape(CANVAS_PIXEL_MM)
    beyond = [math.ceil(length / CANVAS_PIXEL_MM) for length in overlap_mm]
    row_mm = (torch.arange(-beyond[0], rows + beyond[0]) + 0.5) * CANVAS_PIXEL_MM
    column_mm = (torch.arange(-beyond[1], columns // 2) + 0.5) * CANVAS_PIXEL_MM
    # A mirrored left knee counts columns from the other edge.
    width = columns * CANVAS_PIXEL_MM
    row, column = standing.joint(knee.side)
    column = column if knee.side is Side.RIGHT else width - column
    source = standing.source(knee.side)
    heights, places = (row - row_mm) / MAGNIFICATION, (column_mm - column) / MAGNIFICATION
    samples = SamplePoints(heights, places, (source[0], source[2]))
    anatomy = radiography.film_anatomy(knee.shape, knee.pathology, knee.pose, samples)
    if knee.metal is not None:
        anatomy = resected(anatomy, knee.metal)
    texture = knee_generator(knee.seed, knee.stream("trabeculae"))
    total = radiography.attenuation(knee.shape, knee.pathology, knee.pose, samples, texture, anatomy=anatomy)
    seen = {}
    for name, place in keypoints(anatomy).items():
        x, y, z = (scale * length for scale, length in zip(knee.shape.scale, place, strict=True))
        down, across = ((pixel + 0.5) * CANVAS_PIXEL_MM for pixel in samples.pixel((x, y, z)))
        across -= beyond[1] * CANVAS_PIXEL_MM
        seen[name] = (down - beyond[0] * CANVAS_PIXEL_MM, across if knee.side is Side.RIGHT else width - across)
    return total, _metal(knee, anatomy, source, samples), seen


def _metal(knee: PairedKnee, anatomy: KneeAnatomy, source: Vector, samples: SamplePoints) -> Tensor:
    """Line integrals [h,w] of a knee's implant, scaled with the size of the knee."""
    if knee.metal is None:
        return torch.zeros(len(samples.z), len(samples.x))
    size = sum(knee.shape.scale) / 3
    rays = Rays((source[0] / size, source[1] / size, source[2] / size), samples.x / size, samples.z / size)
    bodies = implant(knee.metal, knee_generator(knee.seed, knee.stream("hardware")), anatomy)
    return size * line_integrals(bodies, rays)
