"""Vessels and nerves of the popliteal fossa, their branches, and the veins under the skin, in reference mm.

Courses are estimates from anatomical sections. The brightness of blood depends on how far it has traveled inside the
coil (:func:`~monai_xray2mri.simulation.knee.mri.contrast.inflow`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from monai_xray2mri.simulation.knee.anatomy.body import Outline, spare_normals
from monai_xray2mri.simulation.knee.mri.frame import Frame, Piece, Spot, even
from monai_xray2mri.simulation.knee.mri.ligaments import FAR_MM, cord
from monai_xray2mri.simulation.knee.mri.mr import Tissue
from monai_xray2mri.simulation.tools.lattice import Place
from monai_xray2mri.simulation.tools.primitives import table

if TYPE_CHECKING:
    from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape

_COIL_END_MM: Final = 100.0
_SPARE_OFFSET: Final = 40
_TRUNK_HEIGHTS: Final = (-FAR_MM, -60.0, -35.0, 0.0, 35.0, 70.0, FAR_MM)
_SKIN_HEIGHTS: Final = (-FAR_MM, -80.0, -40.0, 0.0, 40.0, 80.0, FAR_MM)


def vessels(shape: KneeShape, frame: Frame) -> Iterator[Piece]:
    """Popliteal artery and vein with branches, veins in the fat under the skin, and the nerves of the fossa.

    Args:
        shape: shape of the knee; its spare random numbers (:func:`spare_normals`) shift the vessels.
        frame: the image.
    """
    a, b, c = spare_normals(shape, 3, _SPARE_OFFSET)
    shift = 1.5 * a
    nerve = frame.contrast["nerve"]
    for x, y, radius, kind in (
        ((-9, -6, -4, -1, 1, 6, 12), (20, 24, 27, 29.5, 25, 19, 14), (2.2, 2.8, 3.1, 3.3, 3.4, 3.5, 3.7), "artery"),
        ((-3, -2, 0, -4, -4, 2, 9), (24, 28, 32, 35.5, 32, 25, 19), (2.6, 3.0, 3.4, 4.0, 4.2, 4.2, 4.2), "vein"),
        ((0, -1, -2, -5, -8, -7, -2), (30, 35, 39, 42, 41, 36, 30), (1.6, 1.8, 2.0, 2.2, 2.3, 2.5, 2.7), nerve),
        ((-44, -42, -40, -32, -26, -16, -6), (2, 10, 24, 34, 38, 36, 31), (0.9, 1.1, 1.3, 1.5, 1.6, 1.7, 1.7), nerve),
    ):
        yield from tube(_TRUNK_HEIGHTS, ([at + shift for at in x], y, radius), kind, frame)
    yield from _superficial_veins(shape, frame, b, c)
    yield from _branches(frame, shift)


def tube(
    heights: Sequence[float], course: tuple[Sequence[float], ...], kind: str | float, frame: Frame
) -> Iterator[Piece]:
    """A tube along z; nothing if the grid does not reach it.

    Args:
        heights: heights z in reference mm, rising.
        course: x, y and radius in mm at these heights.
        kind: ``"artery"``, ``"vein"``, or the intensity of a nerve.
        frame: the image.
    """
    reach = max(course[2]) + 2
    x, y = ((min(values) - reach, max(values) + reach) for values in course[:2])
    window = frame.window(x, y, (heights[0], heights[-1]))
    if window is None:
        return

    height = frame.heights(window)
    at_x, at_y, radius = (table(height, heights, values) for values in course)
    # Real vessels are never straight.
    at_x = at_x + 0.9 * torch.sin(height / 11.0 + radius) + 0.5 * torch.sin(height / 5.3)
    intensity: float | Tensor
    if isinstance(kind, str):
        way = _COIL_END_MM - height if kind == "artery" else _COIL_END_MM + height
        intensity = frame.contrast.flowing(kind, way)
    else:
        intensity = kind

    def distance(spot: Spot) -> Tensor:
        return ((spot.points.x - at_x).square() + (spot.points.y - at_y).square()).sqrt_() - radius

    yield Piece(window, distance, even(intensity), Tissue.VESSEL if isinstance(kind, str) else Tissue.NERVE)


def _superficial_veins(shape: KneeShape, frame: Frame, turn: float, bend: float) -> Iterator[Piece]:
    """Great and small saphenous vein and two branches, about halfway between fascia and skin."""
    middle = Outline(shape, 0.45)
    for angles, radius in (
        ((-25.0, -12.0, 12.0, 32.0, 28.0, 14.0, 0.0), 1.4),
        ((95.0, 94.0, 90.0, 96.0, 100.0, 104.0, 108.0), 1.0),
        ((150.0, 162.0, 175.0, 186.0, 170.0, 160.0, 150.0), 0.7),
        ((-60.0, -48.0, -34.0, -28.0, -36.0, -20.0, -10.0), 0.7),
    ):
        turned = [angle + 9.0 * turn + 4.0 * bend * (i % 2) for i, angle in enumerate(angles)]
        places = [middle.place(angle, z) for angle, z in zip(turned, _SKIN_HEIGHTS, strict=True)]
        course = ([p[0] for p in places], [p[1] for p in places], [radius] * len(places))
        yield from tube(_SKIN_HEIGHTS, course, "vein", frame)


def _branches(frame: Frame, shift: float) -> Iterator[Piece]:
    """Genicular arteries around the condyles and sural branches into the gastrocnemius."""
    runs: tuple[tuple[float, tuple[Place, ...]], ...] = (
        (0.8, ((0.0, 25.0, 36.0), (18.0, 20.0, 44.0), (34.0, 8.0, 44.0), (40.0, -10.0, 36.0))),
        (0.8, ((-2.0, 25.0, 38.0), (-20.0, 20.0, 42.0), (-36.0, 8.0, 42.0), (-42.0, -10.0, 34.0))),
        (0.7, ((-2.0, 28.0, -10.0), (16.0, 24.0, -20.0), (32.0, 14.0, -24.0), (36.0, -4.0, -18.0))),
        (0.7, ((-4.0, 28.0, -4.0), (-22.0, 26.0, -3.0), (-43.0, 14.0, 0.0), (-44.0, -6.0, 2.0))),
        (0.8, ((0.0, 33.0, 2.0), (10.0, 37.0, -14.0), (21.0, 42.0, -40.0), (24.0, 43.0, -84.0))),
        (0.8, ((-5.0, 34.0, 0.0), (-12.0, 37.0, -16.0), (-20.0, 42.0, -42.0), (-18.0, 44.0, -84.0))),
    )
    bright = float(frame.contrast.flowing("artery", torch.tensor(100.0)))
    for radius, places in runs:
        moved = [(x + shift, y, z) for x, y, z in places]
        yield from cord(moved, radius, frame, bright, Tissue.VESSEL)
