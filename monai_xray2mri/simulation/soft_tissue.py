"""Soft tissues around the bones: body contour, muscles, vessels, ligaments, tendons and fat pad.

Positions follow cross-sectional anatomy of a straight right knee in reference mm (medial +x, posterior +y, up +z).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from monai_xray2mri.simulation.fields import Grid, Points, Window, band, capsule, ellipse, ellipsoid, table
from monai_xray2mri.simulation.shape import KneeShape, Pose

_MUSCLE_KNOTS = (-120.0, -80.0, -50.0, -25.0, 0.0, 25.0, 50.0, 80.0, 120.0)


@dataclass(frozen=True)
class Muscle:
    """Elliptic muscle belly along z: centre (x, y) and semi-axes at the heights of ``_MUSCLE_KNOTS``; 0 = absent."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    semi_x: tuple[float, ...]
    semi_y: tuple[float, ...]


def _belly(
    x: tuple[float, float], y: tuple[float, float], semi_x: tuple[float, ...], semi_y: tuple[float, ...]
) -> Muscle:
    steps = [i / (len(_MUSCLE_KNOTS) - 1) for i in range(len(_MUSCLE_KNOTS))]
    course_x = tuple(x[0] + t * (x[1] - x[0]) for t in steps)
    return Muscle(course_x, tuple(y[0] + t * (y[1] - y[0]) for t in steps), semi_x, semi_y)


MUSCLES: tuple[Muscle, ...] = (
    # gastrocnemius, medial and lateral head
    _belly((24, 18), (34, 30), (22, 21, 19, 16, 13, 7, 0, 0, 0), (19, 18, 16, 13, 11, 5, 0, 0, 0)),
    _belly((-22, -17), (33, 28), (20, 19, 17, 14, 11, 6, 0, 0, 0), (17, 16, 14, 12, 9, 4, 0, 0, 0)),
    # soleus and popliteus
    _belly((2, 2), (22, 24), (30, 28, 26, 20, 0, 0, 0, 0, 0), (11, 11, 10, 6, 0, 0, 0, 0, 0)),
    # tibialis anterior and the peronei
    _belly((-27, -33), (-8, 0), (15, 14, 10, 5, 0, 0, 0, 0, 0), (17, 16, 13, 7, 0, 0, 0, 0, 0)),
    # vastus medialis, lateralis, intermedius
    _belly((40, 26), (-12, -16), (0, 0, 0, 0, 0, 9, 14, 20, 24), (0, 0, 0, 0, 0, 13, 20, 27, 32)),
    _belly((-42, -30), (-10, -18), (0, 0, 0, 0, 0, 4, 12, 19, 24), (0, 0, 0, 0, 0, 6, 17, 26, 32)),
    _belly((-2, -2), (-40, -38), (0, 0, 0, 0, 0, 0, 10, 20, 26), (0, 0, 0, 0, 0, 0, 5, 12, 18)),
    # biceps femoris
    _belly((-40, -26), (16, 32), (0, 0, 0, 4, 6, 9, 12, 15, 18), (0, 0, 0, 5, 7, 10, 13, 16, 18)),
    # semimembranosus and semitendinosus
    _belly((34, 18), (18, 36), (0, 0, 0, 4, 8, 11, 15, 18, 20), (0, 0, 0, 4, 8, 10, 14, 17, 19)),
    # sartorius and gracilis
    _belly((36, 40), (12, 14), (3, 3, 4, 5, 6, 7, 8, 9, 10), (6, 6, 7, 9, 10, 11, 12, 13, 14)),
)


def contour(shape: KneeShape, z: Tensor, inner: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Outline of the leg at heights z: half width, front y and back y in mm; ``inner`` = the muscle fascia."""
    knots = (-120.0, -60.0, -30.0, 0.0, 30.0, 60.0, 120.0)
    bulk = 1 + 0.5 * (shape.muscle - 1)
    half = bulk * table(z, knots, (48.0, 50.0, 50.0, 49.0, 51.0, 54.0, 63.0))
    front = table(z, knots, (-38.0, -38.0, -46.0, -56.0, -62.0, -61.0, -66.0))
    back = bulk * table(z, knots, (54.0, 54.0, 48.0, 43.0, 44.0, 47.0, 56.0))
    if inner:
        return half, front, back
    fat = shape.fat * table(z, knots, (0.9, 0.9, 0.9, 1.0, 1.1, 1.2, 1.4))
    return half + fat, front - 0.45 * fat - 1.5, back + fat


def body_distance(shape: KneeShape, points: Points, inner: bool = False) -> Tensor:
    """Distance-like field [Y,Z,X] to the skin, or to the fascia under the fat."""
    half, front, back = contour(shape, points.z, inner)
    u = ((points.x + 0.5) / half).square()
    v = ((points.y - (front + back) / 2) / ((back - front) / 2)).square()
    oval = (u * u + v * v + 1.5 * u * v).sqrt_().sqrt_()
    return (oval - 1) * torch.minimum(half, (back - front) / 2)


def muscle_shapes(shape: KneeShape, grid: Grid) -> Iterator[tuple[Window, Tensor]]:
    """Index box and distance of each muscle."""
    for muscle in MUSCLES:
        widest, deepest = max(muscle.semi_x) * shape.muscle + 1, max(muscle.semi_y) * shape.muscle + 1
        low = min(z for z, a in zip(_MUSCLE_KNOTS, muscle.semi_x, strict=True) if a) - 25
        high = max(z for z, a in zip(_MUSCLE_KNOTS, muscle.semi_x, strict=True) if a) + 25
        window = grid.window(
            (min(muscle.x) - widest, max(muscle.x) + widest),
            (min(muscle.y) - deepest, max(muscle.y) + deepest),
            (low if low > -120 else -200, high if high < 120 else 200),
        )
        points = grid.crop(window).points()
        semi = [
            (shape.muscle * table(points.z, _MUSCLE_KNOTS, values)).clamp(min=0.05)
            for values in (muscle.semi_x, muscle.semi_y)
        ]
        x, y = table(points.z, _MUSCLE_KNOTS, muscle.x), table(points.z, _MUSCLE_KNOTS, muscle.y)
        yield window, ellipse(points.x - x, points.y - y, (semi[0], semi[1]))


def vessel_shapes(grid: Grid) -> Iterator[tuple[Window, Tensor]]:
    """Popliteal artery and vein behind the joint."""
    for x, y, radius in ((-1.0, 30.0, 3.2), (-7.0, 34.0, 4.0)):
        window = grid.window((x - 12, x + 12), (y - 12, y + 12), (-200.0, 200.0))
        points = grid.crop(window).points()
        course = x + 0.04 * points.z + 3.0 * torch.sin(points.z / 19.0 + y)
        yield window, ((points.x - course).square() + (points.y - y + 0.03 * points.z).square()).sqrt_() - radius


def cruciate_shapes(grid: Grid, level: float) -> Iterator[tuple[Window, Tensor]]:
    """Anterior and posterior cruciate ligament; ``level`` is the height of the tibial plateau."""
    window = grid.window((-18.0, 18.0), (-20.0, 30.0), (-14.0, 28.0))
    points = grid.crop(window).points()
    yield window, capsule(points, (-7.0, 9.0, 15.0), (1.5, -9.0, level + 1.0), 3.6)
    yield window, capsule(points, (7.0, -3.0, 12.0), (-0.5, 19.0, level - 5.0), 4.4)


def tendon_shapes(shape: KneeShape, grid: Grid) -> Iterator[tuple[Window, Tensor]]:
    """Collateral ligaments, iliotibial band, patellar and quadriceps tendon."""
    x, y, z = shape.patella
    fibula_x, fibula_y, fibula_z = shape.fibula
    bands = (
        ((39.5, 0.0, 30.0), (32.0, -4.0, -44.0), (1.6, 7.0)),
        ((-39.5, 2.0, 28.0), (fibula_x - 4, fibula_y - 2, fibula_z + 6), (1.9, 3.0)),
        ((-43.0, -10.0, 120.0), (-35.5, -17.0, -16.0), (1.4, 9.0)),
        ((x, y, z - 14), (-3.0, -31.0, -34.0), (12.0, 2.8)),
        ((x, y + 1, z + 14), (-3.0, -46.0, 120.0), (15.0, 3.4)),
    )
    for start, end, semi in bands:
        low = [min(a, b) - 16 for a, b in zip(start, end, strict=True)]
        high = [max(a, b) + 16 for a, b in zip(start, end, strict=True)]
        window = grid.window((low[0], high[0]), (low[1], high[1]), (low[2] + 15, high[2] - 15))
        yield window, band(grid.crop(window).points(), start, end, semi)


def fat_pad(grid: Grid) -> tuple[Window, Tensor]:
    """Hoffa's fat pad between patellar tendon, trochlea and plateau."""
    window = grid.window((-26.0, 26.0), (-56.0, -16.0), (-24.0, 26.0))
    return window, ellipsoid(grid.crop(window).points(), (-2.0, -36.0, 2.0), (22.0, 17.0, 19.0))


def beam_thickness(shape: KneeShape, grid: Grid, pose: Pose) -> tuple[Tensor, Tensor]:
    """Path of a ray along y through the leg and through its fascia, both [Z,X] in reference mm."""
    z, x = grid.z[:, None], grid.x[None, :]
    paths = []
    for inner in (False, True):
        half, front, back = contour(shape, z, inner)
        u = ((x + 0.5) / half).square()
        # Solves u^2 + v^2 + 1.5 u v = 1 for v: the outline of ``body_distance``.
        v = (((1.5 * u).square() + 4 * (1 - u * u)).clamp(min=0).sqrt() - 1.5 * u) / 2
        paths.append((back - front) * v.clamp(min=0).sqrt())
    stretch = 1 / float(torch.cos(torch.tensor(torch.pi / 180 * pose.beam_tilt)))
    return paths[0] * stretch, paths[1] * stretch
