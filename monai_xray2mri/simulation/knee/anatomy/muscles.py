"""Muscles around the knee: tapering bellies that flatten each other, with fascia between them.

Each belly is a sequence of oval cross-sections (z, x, y, half widths across and along, rotation in degrees). They are
estimates from cross-sections of a straight right knee, in reference mm (medial +x, posterior +y, up +z). The ovals are
a little too large and overlap; where they do, the later muscle of the list wins. Muscles in a closed compartment shape
each other in this way. A smooth warp, different for each knee, bends all borders together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from monai_xray2mri.simulation.knee.anatomy.bellies import Muscle, ovals
from monai_xray2mri.simulation.knee.anatomy.body import fine_unevenness, leg_points, spare_normals, unevenness
from monai_xray2mri.simulation.tools.lattice import Field, Grid, Lattice
from monai_xray2mri.simulation.tools.primitives import table

if TYPE_CHECKING:
    from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape, Pose

_WARP_MM: Final = 2.2
_BUMP_MM: Final = 0.7
_SIZE_SPREAD: Final = 0.06
_MARGIN_MM: Final = 12.0
_GROWTH_HEIGHTS: Final = (-84.0, -45.0, -15.0, 15.0, 45.0, 84.0)
_GROWTH_MM: Final = (4.0, 2.5, 0.5, 0.0, 2.0, 4.5)
_LEAN_FAT_MM: Final = 9.0
_FASCIA_GAP_MM: Final = 0.7

MUSCLES: Final = (
    Muscle(
        "tibialis posterior",
        ((-140, -12, 14, 13, 9, 20), (-84, -12, 15, 13, 9, 20), (-60, -14, 14, 10, 7, 20), (-42, -15, 13, 1, 1, 20)),
    ),
    Muscle(
        "flexor digitorum longus",
        ((-140, 12, 16, 13, 9, -20), (-84, 12, 17, 11, 7, -20), (-62, 10, 17, 2, 1.5, -20)),
    ),
    Muscle(
        "popliteus",
        (
            (-92, 14, 11, 3, 2, -20),
            (-70, 12, 14, 9, 4.5, -20),
            (-48, 8, 17.5, 15, 5.5, -8),
            (-28, 2, 22, 17, 6, 4),
            (-12, -8, 27, 13, 4.5, 10),
            (0, -20, 27, 6, 2.5, 12),
        ),
        bend=-0.006,
    ),
    Muscle(
        "soleus",
        (
            (-150, 0, 32, 32, 16, 0),
            (-84, -5, 29, 29, 11, 2),
            (-60, -12, 30, 23, 8, 6),
            (-40, -21, 32, 14, 5.5, 12),
            (-22, -28, 32, 6, 3, 15),
        ),
        bend=0.006,
    ),
    Muscle(
        "tibialis anterior",
        (
            (-150, -18, -8, 12, 16, -40),
            (-84, -23, -8, 11, 15, -38),
            (-55, -25, -8, 9.5, 13, -36),
            (-35, -27, -8, 6, 10, -35),
            (-18, -30, -8, 2, 4, -35),
        ),
    ),
    Muscle(
        "extensor digitorum longus",
        ((-150, -30, 0, 8, 9, -30), (-84, -34, 3, 6, 9, -25), (-50, -35, 4, 4.5, 8, -20), (-24, -36, 3, 1.5, 4, -20)),
    ),
    Muscle(
        "peroneus longus",
        ((-150, -35, 14, 8, 13, 5), (-84, -38, 16, 7, 12, 5), (-50, -39, 16, 5.5, 10, 5), (-22, -39, 16, 1.5, 5, 5)),
    ),
    Muscle(
        "vastus intermedius",
        ((60, -4, -42, 8, 1.5, 0), (74, -4, -42, 18, 4.5, 0), (92, -4, -40, 25, 9, 0), (150, -4, -34, 30, 22, 0)),
        bend=0.012,
    ),
    Muscle(
        "vastus lateralis",
        (
            (36, -31, -38, 2, 3, -30),
            (50, -34, -33, 6, 10, -32),
            (68, -36, -27, 10.5, 18, -30),
            (90, -36, -22, 15, 26, -28),
            (150, -36, -16, 20, 38, -25),
        ),
        bend=-0.006,
    ),
    Muscle(
        "vastus medialis",
        (
            (20, 27, -37, 2.5, 4, 40),
            (30, 30, -33, 7, 9, 42),
            (44, 31, -28, 11.5, 15, 42),
            (64, 30, -24, 15, 21, 40),
            (90, 27, -22, 17, 26, 35),
            (150, 24, -20, 18, 32, 30),
        ),
        bend=0.004,
    ),
    Muscle(
        "sartorius",
        (
            (-44, 33, 0, 2, 9, -5),
            (-15, 41, 10, 2, 10, -5),
            (15, 43, 16, 3.2, 11, 0),
            (45, 43, 19, 5.5, 11, 8),
            (84, 42, 16, 8, 12, 15),
            (150, 40, 8, 11, 14, 25),
        ),
        bend=-0.01,
    ),
    Muscle(
        "gracilis",
        ((30, 38, 31, 1.5, 2, 20), (50, 37, 32, 3, 5, 25), (84, 35, 31, 5, 9, 25), (150, 36, 26, 7, 13, 20)),
    ),
    Muscle(
        "biceps femoris",
        (
            (-6, -37, 23.5, 2, 3, 20),
            (8, -38, 25.5, 4.5, 7.5, 22),
            (25, -37, 27.5, 7, 11, 28),
            (50, -32, 29.5, 12, 15, 35),
            (84, -25, 25.5, 19, 17, 35),
            (150, -18, 29.5, 22, 18, 30),
        ),
        bend=0.004,
    ),
    Muscle(
        "semimembranosus",
        (
            (-6, 27, 29, 4, 3, -30),
            (10, 27, 33, 9, 6.5, -32),
            (28, 26, 36, 12, 9, -30),
            (52, 22, 34, 16, 13, -25),
            (84, 17, 26, 20, 16, -20),
            (150, 15, 28, 17, 16, -10),
        ),
        bend=-0.006,
    ),
    Muscle(
        "semitendinosus",
        ((46, 20, 48, 2, 1.8, 0), (62, 17, 46, 7, 5, 0), (84, 11, 43, 13, 9, 0), (150, 4, 45, 15, 12, 10)),
    ),
    Muscle(
        "plantaris",
        ((-32, -12, 32, 2, 1.5, 20), (-12, -16, 32, 5, 3.5, 20), (10, -19, 30, 5.5, 4, 20), (26, -22, 25, 2, 2, 20)),
    ),
    Muscle(
        "gastrocnemius, lateral head",
        (
            (-150, -15, 44.5, 20, 12, -5),
            (-84, -17, 46.5, 22, 12, -8),
            (-55, -18, 45.5, 20, 11.5, -8),
            (-25, -20, 41.5, 15, 10, -5),
            (0, -22, 37.5, 11, 7.5, 0),
            (16, -22, 31.5, 8, 5, 0),
            (27, -22, 24.5, 3, 2, 0),
        ),
        bend=-0.008,
    ),
    Muscle(
        "gastrocnemius, medial head",
        (
            (-150, 18, 44.5, 23, 14, 5),
            (-84, 22, 45.5, 23, 13.5, 8),
            (-55, 23, 44.5, 21, 13, 8),
            (-25, 23, 41.5, 17, 11.5, 5),
            (0, 21, 38.5, 12.5, 9, 0),
            (18, 19, 31.5, 9, 6, 0),
            (31, 18, 23.5, 3, 2, 0),
        ),
        bend=-0.008,
    ),
)


def muscle_fields(shape: KneeShape, lattice: Lattice, fascia: Tensor, pose: Pose) -> Iterator[tuple[Muscle, Field]]:
    """Signed distance of each muscle on its part of the lattice, in painting order: later ones cover earlier ones.

    Args:
        shape: the knee's shape; ``muscle`` widens all muscles, its spare random numbers vary warp and single sizes.
        lattice: lattice of the soft tissues.
        fascia: [Y,Z,X] signed distance of the fascia on the lattice; muscles stay inside.
        pose: how the leg lies.
    """
    device = fascia.device
    grid = Grid(lattice.axis(1), lattice.axis(2), lattice.axis(0))
    warp = [_WARP_MM * unevenness(shape, lattice, number, device) for number in (2, 3)]
    bumps = _BUMP_MM * fine_unevenness(shape, lattice, device)
    sizes = spare_normals(shape, len(MUSCLES))
    # Far from the joint muscles fill their compartments; the fatter the leg, the less they do.
    plump = max(0.0, 1 - 0.05 * (shape.fat - _LEAN_FAT_MM))
    growth = plump * table(lattice.points(device).z, _GROWTH_HEIGHTS, _GROWTH_MM)  # [1,Z,1]
    for muscle, normal in zip(MUSCLES, sizes, strict=True):
        factor = shape.muscle * (1 + _SIZE_SPREAD * normal)
        window = grid.window(*_reach(muscle, factor))
        if any(part.stop - part.start < 2 for part in window):
            continue
        inner = grid.crop(window)
        points = leg_points(inner.points(device), pose)
        points = points.moved(x=warp[0][window], y=warp[1][window])
        found = ovals(muscle, points.z, factor, growth[:, window[1]]).distance(points) + bumps[window]
        low = (float(inner.x[0]), float(inner.y[0]), float(inner.z[0]))
        part = Lattice(low, lattice.step, (len(inner.x), len(inner.y), len(inner.z)))
        yield muscle, Field(part, torch.maximum(found, fascia[window] + _FASCIA_GAP_MM))


def _reach(muscle: Muscle, factor: float) -> tuple[tuple[float, float], tuple[float, float], tuple[float, float]]:
    """Ranges of x, y and z that a belly may fill."""
    x, y = [], []
    for _, center_x, center_y, a, b, turn in muscle.course:
        cosine, sine = abs(math.cos(math.radians(turn))), abs(math.sin(math.radians(turn)))
        half_x, half_y = factor * (a * cosine + b * sine), factor * (a * sine + b * cosine)
        x += [center_x - half_x, center_x + half_x]
        y += [center_y - half_y, center_y + half_y]
    heights = [row[0] for row in muscle.course]
    widened = [(min(values) - _MARGIN_MM, max(values) + _MARGIN_MM) for values in (x, y, heights)]
    return widened[0], widened[1], widened[2]
