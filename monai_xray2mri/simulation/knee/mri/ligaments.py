"""Ligaments, tendons, fat pad and joint fluid of a straight right knee.

Sheets (collateral ligament, capsule, iliotibial tract) keep a fixed distance from the surface of the bones, so they fit
every knee. Cords and bands run between estimated attachments in reference mm (medial +x, posterior +y, up +z). Thin
structures are computed on the fine grid of the image, inside the index box that they fill.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from monai_xray2mri.simulation.knee.anatomy.bellies import Muscle, ovals
from monai_xray2mri.simulation.knee.mri.frame import Frame, Piece, Spot, even, streaked
from monai_xray2mri.simulation.knee.mri.mr import Tissue
from monai_xray2mri.simulation.tools.lattice import Place, Points
from monai_xray2mri.simulation.tools.primitives import capsule, ellipsoid, smooth_union, table
from monai_xray2mri.simulation.tools.slicing import SlicedField

if TYPE_CHECKING:
    from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape

FAR_MM: Final = 120.0
_SKIN_MM: Final = 2.2


def joint_surface(femur: Tensor, tibia: Tensor) -> Tensor:
    """Signed distance of femur and tibia as one body; a smooth union fills the gap that capsule and ligaments span."""
    return smooth_union(femur, tibia, 14.0)


def sheets(frame: Frame, joint: SlicedField, fascia: SlicedField) -> Iterator[Piece]:
    """Joint capsule, medial collateral ligament, retinacula and iliotibial tract, as sheets along a surface.

    Args:
        frame: the image.
        joint: :func:`joint_surface` as a field.
        fascia: signed distance of the fascia of the leg.
    """
    tendon, thin = frame.contrast["tendon"], frame.contrast["septum"]
    for surface, offset, half, box, limit, fibers, intensity in (
        (joint, 1.7, 0.05, ((-52.0, 52.0), (-34.0, 34.0), (-10.0, 14.0)), _capsule, 0.4, thin),
        (joint, 1.5, 0.8, ((12.0, 60.0), (-22.0, 20.0), (-56.0, 31.0)), _medial_collateral, 0.12, tendon),
        (fascia, -0.8, 0.3, ((-60.0, 60.0), (-90.0, -6.0), (-26.0, 62.0)), _retinacula, 0.3, tendon),
        (fascia, -1.2, 0.8, ((-80.0, -16.0), (-34.0, 10.0), (-15.0, FAR_MM)), _iliotibial_tract, 0.2, tendon),
    ):
        window = frame.window(*box)
        if window is not None:
            distance = _sheet(surface, offset, half, limit, fibers)
            yield Piece(window, distance, streaked(intensity, 1.2, 0.0, 1.5), Tissue.TENDON)


def _sheet(
    surface: SlicedField, offset: float, half: float, limit: Callable[[Points], Tensor], fibers: float
) -> Callable[[Spot], Tensor]:
    """Signed distance of a sheet at some distance from a surface, thicker and thinner along its fibers."""

    def distance(spot: Spot) -> Tensor:
        near = (surface.read(spot.number, spot.box) - offset).abs_().sub_(half)
        near = near.add_(spot.streaks(), alpha=fibers)
        return torch.maximum(near, limit(spot.points))

    return distance


def _capsule(points: Points) -> Tensor:
    return 0.3 * torch.maximum(27.0 - (points.x.square() + 1.4 * points.y.square()).sqrt(), -24.0 - points.y)


def _medial_collateral(points: Points) -> Tensor:
    middle = table(points.z, (-55.0, 0.0, 30.0), (-9.0, -1.0, 2.0))
    half = table(points.z, (-56.0, -20.0, 10.0, 31.0), (6.0, 7.0, 6.0, 3.0))
    ends = torch.maximum(torch.maximum(-52.0 - points.z, points.z - 29.0), 16.0 - points.x)
    return torch.maximum((points.y - middle).abs() - half, 0.3 * ends)


def _retinacula(points: Points) -> Tensor:
    ends = torch.maximum(-24.0 - points.z, points.z - 60.0)
    return 0.1 * torch.maximum(1.5 * (points.y + 8.0 + 0.12 * (points.z - 15.0).abs()), ends)


def _iliotibial_tract(points: Points) -> Tensor:
    middle = table(points.z, (-15.0, 0.0, 40.0, 100.0), (-19.0, -14.0, -9.0, -8.0))
    half = table(points.z, (-15.0, 0.0, 60.0, 100.0), (5.0, 7.0, 10.0, 13.0))
    return 0.3 * ((points.y - middle).abs() - half)


def bands(shape: KneeShape, frame: Frame, skin: SlicedField) -> Iterator[Piece]:
    """Flat tendons in front of the knee: quadriceps tendon with fat between its layers, and patellar tendon.

    Args:
        shape: shape of the knee; the tendons are attached to its patella.
        frame: the image.
        skin: signed distance of the skin, under which they stay.
    """
    x, y, z = shape.patella
    half = 20.0 * shape.patella_size
    quadriceps = Muscle(
        "quadriceps tendon",
        (
            (z + half - 8, x, y - 3, 16, 2.6, 0),
            (z + half + 8, x + 1, y - 2.5, 14, 3.2, 0),
            (z + half + 28, x + 2, y - 3, 10, 2.8, 0),
            (FAR_MM, -4, -57, 9, 2.2, 0),
        ),
        tip_mm=6.0,
    )
    patellar = Muscle(
        "patellar tendon",
        (
            (-42, -5, -25, 9, 2.0, 0),
            (-28, -6, -29.5, 12, 2.4, 0),
            (0.5 * (z - half - 28), 0.5 * (x - 6), 0.5 * (y - 36), 13, 2.3, 0),
            (z - half + 6, x, y - 5, 14, 2.3, 0),
        ),
        tip_mm=5.0,
    )
    for band, strength in ((quadriceps, 2.2), (patellar, 0.9)):
        for piece in bellies(band, frame, streaked(frame.contrast["tendon"], strength, 0.0, 1.5), Tissue.TENDON):
            yield replace(piece, distance=_under(skin, piece.distance))


def _under(skin: SlicedField, distance: Callable[[Spot], Tensor]) -> Callable[[Spot], Tensor]:
    """What of a structure lies under the skin."""
    return lambda spot: torch.maximum(distance(spot), skin.read(spot.number, spot.box) + _SKIN_MM)


def cruciates(shape: KneeShape, frame: Frame) -> Iterator[Piece]:
    """Anterior and posterior cruciate ligament; fat between its bundles makes streaks in the anterior one.

    Args:
        shape: shape of the knee; its notch moves the attachments.
        frame: the image.
    """
    out, up = 0.5 * shape.notch_width, 0.5 * shape.notch_height
    anterior = Muscle(
        "anterior cruciate ligament",
        (
            (-5, 2.5, -11.5, 6.0, 8.0, 10),
            (3, -0.5, -5.5, 4.8, 6.5, 20),
            (12, -5 - out, 4, 4.4, 6.2, 15),
            (24 + up, -10 - out, 11.5, 4.0, 6.0, 10),
        ),
        tip_mm=2.0,
    )
    posterior = Muscle(
        "posterior cruciate ligament",
        (
            (-16, -1, 21.5, 6.5, 3.0, 0),
            (-6, -0.5, 19, 6.0, 4.3, 0),
            (4, 1, 14, 5.2, 5.2, 0),
            (11, 3.5 + out, 6, 4.9, 6.3, -10),
            (19 + up, 8 + out, -1.5, 4.6, 7.2, -15),
        ),
        tip_mm=2.0,
    )
    front, back = (frame.contrast[f"{name} cruciate"] for name in ("anterior", "posterior"))
    yield from bellies(anterior, frame, streaked(front, 0.45, -1.5, 1.5), Tissue.CRUCIATE)
    yield from bellies(posterior, frame, streaked(back, 0.2, -1.5, 1.5), Tissue.CRUCIATE)


def bellies(band: Muscle, frame: Frame, intensity: Callable[[Spot], float | Tensor], label: Tissue) -> Iterator[Piece]:
    """A band that is described as a muscle is, computed on the fine grid; nothing if the grid does not reach it."""
    rows = torch.tensor(band.course)
    reach = torch.maximum(rows[:, 3], rows[:, 4]) + 2.0
    x, y = ((float((at - reach).min()), float((at + reach).max())) for at in (rows[:, 1], rows[:, 2]))
    window = frame.window(x, y, (band.course[0][0] - 1.0, band.course[-1][0] + 1.0))
    if window is not None:
        sections = ovals(band, frame.heights(window))
        yield Piece(window, lambda spot: sections.distance(spot.points), intensity, label)


def cords(shape: KneeShape, frame: Frame) -> Iterator[Piece]:
    """Round tendons and ligaments, each along two or more points."""
    fx, fy, fz = shape.fibula
    runs: tuple[tuple[float, tuple[Place, ...]], ...] = (
        (1.6, ((-39.0, 2.0, 27.0), (-42.5, 8.0, 12.0), (fx - 4, fy - 1, fz + 7))),  # lateral collateral
        (1.6, ((-38.5, 0.0, 12.0), (-37.0, 12.0, 4.0), (-27.0, 23.0, -6.0))),  # popliteus
        (1.7, ((-38.0, 25.0, 34.0), (-40.0, 24.0, 8.0), (fx - 4, fy, fz + 8))),  # biceps femoris
        (2.2, ((27.0, 31.0, 24.0), (28.0, 26.0, 0.0), (27.0, 19.0, -14.0))),  # semimembranosus
        (1.6, ((18.0, 44.0, 72.0), (25.0, 46.0, 30.0), (34.0, 37.0, -12.0), (31.0, 8.0, -46.0))),  # semitendinosus
        (1.2, ((36.0, 32.0, 60.0), (42.0, 33.0, 15.0), (40.0, 22.0, -18.0), (31.0, 2.0, -46.0))),  # gracilis
        (1.2, ((25.0, 8.0, 84.0), (31.0, 6.0, 62.0), (38.0, 4.0, 42.0))),  # adductor magnus
    )
    for radius, places in runs:
        yield from cord(places, radius, frame, frame.contrast["tendon"], Tissue.TENDON)


def cord(places: Sequence[Place], radius: float, frame: Frame, intensity: float, label: Tissue) -> Iterator[Piece]:
    """A round cord through a sequence of points.

    Args:
        places: points (x, y, z) in reference mm.
        radius: radius in mm.
        frame: the image.
        intensity: intensity of the cord.
        label: label of its voxels.
    """
    for start, end in pairwise(places):
        x, y, z = ((min(a, b) - radius - 1, max(a, b) + radius + 1) for a, b in zip(start, end, strict=True))
        window = frame.window(x, y, z)
        if window is not None:
            yield Piece(window, _rod(start, end, radius), even(intensity), label)


def _rod(start: Place, end: Place, radius: float) -> Callable[[Spot], Tensor]:
    return lambda spot: capsule(spot.points, start, end, radius)


def fat_pad(shape: KneeShape, frame: Frame, skin: SlicedField) -> Iterator[Piece]:
    """Hoffa's fat pad between patellar tendon, trochlea and plateau, under the skin."""
    x, y, z = shape.patella
    window = frame.window((-36.0, 26.0), (-58.0, -12.0), (-26.0, 34.0))
    if window is not None:
        middle, semi = (0.5 * x - 1, 0.4 * y - 14.0, 2.0), (25.0, 18.0, z - 12.0)
        pad = _under(skin, lambda spot: ellipsoid(spot.points, middle, semi))
        yield Piece(window, pad, even(frame.contrast["fat"]), Tissue.FAT_PAD)


def suprapatellar_fluid(shape: KneeShape, frame: Frame, amount: float) -> Iterator[Piece]:
    """Fluid in the recess between quadriceps tendon and femur.

    Args:
        shape: shape of the knee; the recess lies behind its patella.
        frame: the image.
        amount: thickness in mm where the recess is thickest.
    """
    x, y, z = shape.patella
    recess = Muscle(
        "suprapatellar recess",
        (
            (z + 8, x + 3, y + 7.0, 13, 0.3 + 0.3 * amount, 0),
            (z + 22, x + 3, y + 6.0, 19, 0.3 + 0.5 * amount, 0),
            (z + 38, x + 4, y + 5.5, 12, 0.3, 0),
        ),
        bend=0.012,
    )
    yield from bellies(recess, frame, even(frame.contrast["fluid"]), Tissue.FLUID)


def gap_fluid(frame: Frame, femoral: SlicedField, tibial: SlicedField, amount: float) -> Iterator[Piece]:
    """The fluid film between the joint surfaces.

    Args:
        frame: the image.
        femoral: signed distance of the femur with its cartilage.
        tibial: signed distance of the tibia with its cartilage.
        amount: fluid lies within this distance in mm of both surfaces.
    """

    def distance(spot: Spot) -> Tensor:
        near = torch.maximum(femoral.read(spot.number, spot.box), tibial.read(spot.number, spot.box)) - amount
        rim = ((spot.points.x / 41.0).square() + (spot.points.y / 27.0).square()).sqrt_().sub_(1).mul_(27.0)
        return torch.maximum(near, rim)

    window = frame.grid.window((-46.0, 46.0), (-34.0, 34.0), (-12.0, 18.0))
    yield Piece(window, distance, even(frame.contrast["fluid"]), Tissue.FLUID)
