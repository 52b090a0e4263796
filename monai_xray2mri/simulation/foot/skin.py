"""The surface of a foot: soft tissue around its bones, flattened by the floor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.simulation.foot.bones import LongBone, Vector
from monai_xray2mri.simulation.foot.shape import FootShape
from monai_xray2mri.simulation.foot.skeleton import Skeleton
from monai_xray2mri.simulation.tools.lattice import Field, Lattice, Points
from monai_xray2mri.simulation.tools.primitives import capsule, ellipsoid, smooth_intersection, smooth_union

STEP_MM: Final = 2.0
COARSE_MM: Final = 4.0
"""Distances of the points of the lattice, fine enough for a photograph and for a film."""
LEG_MM: Final = 128.0
"""Height at which the leg is cut off."""
_MARGIN_MM: Final = 4.0
_TOE_FLESH_MM: Final = (5.2, 3.9, 3.8, 3.7, 3.9)
_META_FLESH: Final = (11.0, 11.5, 11.0, 10.5, 10.5)
"""Radius of the soft tissue around each metatarsal's shaft in mm; more at its ends."""
_WEB_MM: Final = 9.5
_CLEFT_MM: Final = 0.8
_BLEND_MM: Final = 9.0
_SOLE_MM: Final = 4.0


@dataclass(frozen=True)
class Skin:
    """The surface of a foot.

    Attributes:
        distance: signed distance in mm, negative inside.
        toes: the distal phalanges that the nails lie on, by ray, 0 to 4.
        flesh: radius of the soft tissue around each of them in mm.
    """

    distance: Field
    toes: Mapping[int, LongBone]
    flesh: Mapping[int, float]


def build_skin(shape: FootShape, skeleton: Skeleton, step_mm: float = STEP_MM) -> Skin:
    """The skin around a skeleton.

    Args:
        shape: the foot that the skin shows.
        skeleton: of the same shape.
        step_mm: distance of the points of the lattice.
    """
    lattice = _lattice(skeleton, step_mm)
    points = lattice.points()
    distance = _hindfoot(shape, points)
    for ray in range(5):
        distance = smooth_union(distance, _metatarsal(shape, skeleton, ray, points), _BLEND_MM)
    for ray in range(4):
        distance = smooth_union(distance, _web(shape, skeleton, ray, points), _BLEND_MM)
    toes, flesh = {}, {}
    all_toes = None
    for ray in range(5):
        toe, radius = _toe(shape, skeleton, ray, points)
        all_toes = toe if all_toes is None else smooth_union(all_toes, toe, _CLEFT_MM)
        end = skeleton.bones[f"distal phalanx {ray + 1}"]
        if not isinstance(end, LongBone):
            raise TypeError(end.name)
        toes[ray], flesh[ray] = end, radius
    distance = smooth_union(distance, all_toes if all_toes is not None else distance, 5.0)
    floor = -points.y.expand_as(distance)
    distance = smooth_intersection(distance, floor, _SOLE_MM)
    distance = torch.maximum(distance, points.y - LEG_MM)
    return Skin(Field(lattice, distance), toes, flesh)


def _lattice(skeleton: Skeleton, step_mm: float) -> Lattice:
    ends = np.stack([corner for bone in skeleton.bones.values() for corner in bone.reach])
    low, high = ends.min(0) - 22.0, ends.max(0) + 16.0
    return Lattice.covering(
        (float(low[0]) - 14.0, float(high[0]) + 14.0), (-_MARGIN_MM, LEG_MM + _MARGIN_MM),
        (float(low[2]) - 12.0, float(high[2])), step_mm,
    )  # fmt: skip


def _ends(bone: LongBone) -> tuple[Vector, Vector]:
    return bone.frame.origin, bone.frame.world(0.0, 0.0, bone.length)


def _long(skeleton: Skeleton, name: str) -> LongBone:
    bone = skeleton.bones[name]
    if not isinstance(bone, LongBone):
        raise TypeError(name)
    return bone


def _metatarsal(shape: FootShape, skeleton: Skeleton, ray: int, points: Points) -> Tensor:
    """Flesh around a metatarsal: a cord through its shaft and a ball around its head."""
    bone = _long(skeleton, f"metatarsal {ray + 1}")
    base, head = _ends(bone)
    radius = shape.scale * shape.flesh * _META_FLESH[ray]
    cord = _cord(points, base, head, radius)
    center = bone.frame.world(0.0, 0.0, bone.length - bone.across[-2])
    ball = _ball(points, center - np.array((0.0, 2.0, 0.0)), radius * (1.18 if ray == 0 else 1.08))
    found = smooth_union(cord, ball, 6.0)
    if ray == 0 and shape.bunion > 0:
        bump = bone.frame.world(-0.55 * radius - shape.bunion, 0.0, bone.length - bone.across[-2])
        found = smooth_union(found, _ball(points, bump, 0.72 * radius), 6.0)
    if ray == 4:
        outer = bone.frame.world(3.0, -4.0, 4.0)
        found = smooth_union(found, _ball(points, outer, radius * 1.05), 8.0)
    return found


def _web(shape: FootShape, skeleton: Skeleton, ray: int, points: Points) -> Tensor:
    """Flesh between the heads of two neighboring metatarsals."""
    ends = []
    for number in (ray + 1, ray + 2):
        bone = _long(skeleton, f"metatarsal {number}")
        ends.append(bone.frame.world(0.0, 0.0, 0.80 * bone.length))
    return _cord(points, ends[0], ends[1], shape.scale * shape.flesh * _WEB_MM)


def _toe(shape: FootShape, skeleton: Skeleton, ray: int, points: Points) -> tuple[Tensor, float]:
    """Flesh around the phalanges of a ray, and its radius at the end."""
    names = ["proximal phalanx", *(["middle phalanx"] if ray else []), "distal phalanx"]
    found, radius = None, 0.0
    for number, name in enumerate(names):
        bone = _long(skeleton, f"{name} {ray + 1}")
        start, end = _ends(bone)
        flesh = shape.scale * shape.flesh * _TOE_FLESH_MM[ray]
        radius = float(np.mean(bone.across[1:5])) + flesh * (1.0 if number < len(names) - 1 else 0.96)
        if number == len(names) - 1:  # the pulp reaches beyond the bone, and the end is round
            end = start + (end - start) * 0.90
            radius = max(radius, 0.6 * radius + 4.0)
        part = _cord(points, start, end, radius)
        found = part if found is None else smooth_union(found, part, 3.5)
    if found is None:
        raise ValueError(ray)
    return found, radius


def _hindfoot(shape: FootShape, points: Points) -> Tensor:
    """Midfoot, heel and ankle, which no angle of the forefoot changes."""
    scale, wide, tall = shape.scale, shape.scale * shape.width, shape.scale * shape.height
    turn = np.radians(shape.turn)

    def at(x: float, y: float, z: float) -> Vector:
        x, z = x * wide, z * scale
        y = y * tall + shape.arch * min(1.0, max(0.0, (y - 12) / 24))
        return np.array((np.cos(turn) * x + np.sin(turn) * z, y, np.cos(turn) * z - np.sin(turn) * x))

    flesh = shape.flesh
    found = _cord(points, at(-13.0, 34.0, -2.0), at(-12.0, 46.0, -58.0), 21.0 * wide * flesh)
    found = smooth_union(found, _cord(points, at(6.0, 36.0, -8.0), at(-4.0, 58.0, -60.0), 19.0 * wide * flesh), 12.0)
    found = smooth_union(found, _cord(points, at(25.0, 22.0, -20.0), at(22.0, 26.0, -74.0), 18.0 * wide * flesh), 12.0)
    found = smooth_union(
        found, _cord(points, at(-4.0, 74.0, -78.0), at(-4.0, 150.0, -112.0), 33.0 * wide * flesh), 20.0
    )
    heel = at(8.0, 27.0, -92.0)
    found = smooth_union(
        found, ellipsoid(points, [float(v) for v in heel], (29.0 * wide, 30.0 * tall, 36.0 * scale)), 14.0
    )
    for place, radius in ((at(-36.0, 78.0, -74.0), 11.0), (at(29.0, 68.0, -84.0), 11.0)):
        found = smooth_union(found, _ball(points, place, radius * scale), 9.0)
    return found


def _cord(points: Points, start: Vector, end: Vector, radius: float) -> Tensor:
    return capsule(points, [float(v) for v in start], [float(v) for v in end], radius)


def _ball(points: Points, center: Vector, radius: float) -> Tensor:
    x, y, z = points.x - float(center[0]), points.y - float(center[1]), points.z - float(center[2])
    return (x * x + y * y + z * z).sqrt() - radius
