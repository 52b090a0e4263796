"""Where the 26 bones and two sesamoids of a foot lie.

Lengths and widths of the mean foot (about 245 mm long) are estimates from skeletons and films; docs/simulation/foot.md
compares them with published tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from monai_xray2mri.simulation.foot.bones import FootBone, Frame, LongBone, ShortBone, Vector
from monai_xray2mri.simulation.foot.shape import FootShape

_BASES: Final = ((-16.0, 33.0, 1.0), (-1.0, 39.0, -7.0), (12.0, 36.0, -6.0), (23.0, 29.0, -17.0), (33.5, 20.0, -27.5))
"""Middle of the base of each metatarsal: (x, y, z) in mm."""
_LENGTHS: Final = (60.0, 71.0, 64.5, 63.5, 58.5)
_HEAD_HEIGHTS: Final = (18.0, 13.0, 12.5, 12.0, 11.5)
_AZIMUTHS: Final = (0.0, -1.0, 2.5, 6.0, 6.0)
"""Angle of each metatarsal from the foot's length towards lateral, in degrees; the first and fifth follow the shape."""
_PLACES: Final = (0.0, 0.10, 0.25, 0.45, 0.65, 0.82, 0.92, 1.0)
_META_ACROSS: Final = (
    (9.0, 9.2, 7.2, 6.3, 6.6, 8.6, 9.9, 9.6),
    (6.8, 6.9, 4.9, 3.9, 3.8, 4.6, 5.6, 5.5),
    (6.4, 6.5, 4.5, 3.6, 3.6, 4.4, 5.3, 5.2),
    (6.2, 6.3, 4.5, 3.6, 3.5, 4.3, 5.2, 5.1),
    (6.8, 6.6, 5.0, 4.0, 3.6, 4.4, 5.3, 5.2),
)
_META_UP: Final = (
    (13.0, 12.5, 8.5, 6.8, 6.8, 8.6, 9.6, 9.4),
    (9.0, 8.5, 6.0, 4.5, 4.4, 5.6, 7.0, 7.0),
    (9.0, 8.5, 6.0, 4.4, 4.3, 5.4, 6.8, 6.8),
    (8.0, 7.6, 5.4, 4.2, 4.2, 5.2, 6.5, 6.5),
    (6.5, 6.2, 5.0, 4.2, 4.2, 5.0, 6.2, 6.2),
)
_PHALANX_PLACES: Final = (0.0, 0.12, 0.35, 0.6, 0.85, 1.0)
_PROXIMAL: Final = (
    (30.5, 9.4, 6.2, 8.3),
    (28.0, 5.7, 3.2, 4.4),
    (26.0, 5.5, 3.0, 4.2),
    (24.0, 5.2, 2.9, 4.1),
    (22.0, 5.3, 2.9, 4.2),
)
"""Length, and half width at base, shaft and head, of the proximal phalanges in mm."""
_MIDDLE: Final = ((13.5, 4.5, 3.1, 4.2), (12.0, 4.4, 3.1, 4.1), (10.0, 4.4, 3.2, 4.1), (8.0, 4.4, 3.4, 4.1))
_DISTAL: Final = (
    (22.0, 8.8, 4.6, 5.6),
    (10.5, 4.3, 2.3, 3.2),
    (10.0, 4.2, 2.3, 3.2),
    (9.5, 4.2, 2.3, 3.2),
    (9.0, 4.2, 2.4, 3.2),
)
_TOE_TURNS: Final = (0.0, 1.0, -2.5, -6.0, 0.0)
"""Angle of each toe to its metatarsal towards lateral in degrees; hallux and fifth toe follow the shape."""
_GAP_MM: Final = 1.7
_SESAMOID_APART_MM: Final = 6.6


@dataclass(frozen=True)
class Skeleton:
    """The bones of a foot and the points that angles are measured between.

    Attributes:
        bones: all 28, by name.
        points: keypoints [3] (x, y, z) in mm, by name (:data:`KEYPOINTS`).
    """

    bones: Mapping[str, FootBone]
    points: Mapping[str, Vector]


KEYPOINTS: Final = (
    "metatarsal 1 head",
    "metatarsal 1 base",
    "metatarsal 2 head",
    "metatarsal 2 base",
    "metatarsal 5 head",
    "metatarsal 5 base",
    "proximal phalanx base",
    "proximal phalanx head",
    "hallux tip",
    "tibial sesamoid",
)
"""The ten points of the truth, in their order. A metatarsal's head is the middle of its rounded end, its base the
middle of its joint surface; those of the proximal phalanx of the hallux are the middles of its joint surfaces."""


def build_skeleton(shape: FootShape) -> Skeleton:
    """Place all bones of a foot that stands on the floor.

    Args:
        shape: the foot.
    """
    builder = _Builder(shape)
    builder.tarsus()
    for ray in range(5):
        builder.ray(ray)
    builder.sesamoids()
    return Skeleton(builder.bones, builder.points)


class _Builder:
    def __init__(self, shape: FootShape) -> None:
        self.shape = shape
        self.bones: dict[str, FootBone] = {}
        self.points: dict[str, Vector] = {}
        self._turn = np.radians(shape.turn)

    def _place(self, x: float, y: float, z: float, rising: float = 1.0) -> Vector:
        """A point of the mean foot in this one."""
        shape = self.shape
        x, z = x * shape.scale * shape.width, z * shape.scale
        y = y * shape.scale * shape.height + rising * shape.arch * min(1.0, max(0.0, (y - 12) / 24))
        cosine, sine = np.cos(self._turn), np.sin(self._turn)
        return np.array((cosine * x + sine * z, y, cosine * z - sine * x))

    def _direction(self, azimuth_deg: float) -> Vector:
        """Unit vector on the floor, an angle from the foot's length towards lateral."""
        angle = np.radians(azimuth_deg) + self._turn
        return np.array((np.sin(angle), 0.0, np.cos(angle)))

    def _azimuth(self, ray: int) -> float:
        if ray == 0:
            return _AZIMUTHS[1] - self.shape.intermetatarsal
        if ray == 4:
            return _AZIMUTHS[3] + self.shape.splay
        return _AZIMUTHS[ray]

    def ray(self, ray: int) -> None:
        """A metatarsal and its toe."""
        shape, scale = self.shape, self.shape.scale
        base = self._place(*_BASES[ray])
        more = shape.first_ray if ray == 0 else -shape.parabola * max(0, ray - 1)
        length = scale * (_LENGTHS[ray] + more)
        drop = base[1] - scale * shape.height * _HEAD_HEIGHTS[ray]
        flat = np.sqrt(max(length**2 - drop**2, 1.0))
        direction = self._direction(self._azimuth(ray))
        head = base + flat * direction - np.array((0.0, drop, 0.0))
        wide = scale * shape.bones
        across = [wide * number for number in _META_ACROSS[ray]]
        up = [wide * number for number in _META_UP[ray]]
        radius = across[-2]
        frame = Frame.along(base, head)
        self._add(
            LongBone(
                f"metatarsal {ray + 1}", frame, length, _PLACES, across, up,
                caps=(1.2 * scale, 0.85 * radius), bend=0.6 * scale,
                knob=(7.0 * wide, -1.0, -3.0 * scale, 4.2 * wide) if ray == 4 else None,
                cortex=(0.45 * shape.cortex, (2.6 if ray == 0 else 1.9) * shape.cortex * scale),
                spongy=0.13 * shape.mineral,
            )
        )  # fmt: skip
        center = frame.world(0.0, 0.0, length - radius)
        if ray in (0, 1, 4):
            self.points[f"metatarsal {ray + 1} head"] = center
            self.points[f"metatarsal {ray + 1} base"] = base
        self._toe(ray, center, radius)

    def _toe(self, ray: int, center: Vector, radius: float) -> None:
        """The phalanges of a ray whose metatarsal's head has this center and radius."""
        shape, scale = self.shape, self.shape.scale
        azimuth = self._azimuth(ray)
        if ray == 0:
            azimuth += shape.hallux_valgus
        elif ray == 4:
            azimuth -= shape.fifth_toe
        else:
            azimuth += _TOE_TURNS[ray] + (0.12 * max(0.0, shape.hallux_valgus - 15.0) if ray == 1 else 0.0)
        lengths = [_PROXIMAL[ray], *([_MIDDLE[ray - 1]] if ray else []), _DISTAL[ray]]
        names = ["proximal phalanx", *(["middle phalanx"] if ray else []), "distal phalanx"]
        # Heights of the joints along the toe: lesser toes rise and come down to the floor.
        bend = shape.claw * 9.0
        heights = [12.0, 9.0] if ray == 0 else [15.0 + bend, 12.5 + 0.6 * bend, 7.5]
        start = center + (radius + _GAP_MM * scale) * self._direction(azimuth) + np.array((0.0, -1.0 * scale, 0.0))
        for number, (name, (long, *widths), height) in enumerate(zip(names, lengths, heights, strict=True)):
            length = scale * long * (shape.toes if ray else 1.0)
            if ray == 0 and number == 1:
                azimuth += shape.interphalangeal
            elif number == 1:
                azimuth -= 2.0 if ray < 4 else 4.0
            rise = np.clip(scale * height - start[1], -0.85 * length, 0.85 * length)
            end = start + np.sqrt(length**2 - rise**2) * self._direction(azimuth) + np.array((0.0, rise, 0.0))
            self._phalanx(f"{name} {ray + 1}", start, end, length, widths, ray)
            if ray == 0 and number == 0:
                self.points["proximal phalanx base"], self.points["proximal phalanx head"] = start, end
            if ray == 0 and number == 1:
                self.points["hallux tip"] = end
            start = end + (end - start) / length * 1.3 * scale

    def _phalanx(self, name: str, start: Vector, end: Vector, length: float, widths: list[float], ray: int) -> None:
        shape, scale = self.shape, self.shape.scale
        wide = scale * shape.bones
        base, shaft, head = (wide * width for width in widths)
        across = (base * 0.96, base, shaft, shaft * 1.03, head, head * 0.94)
        flat = 0.80 if ray == 0 else 0.92
        tip = name.startswith("distal")
        self._add(
            LongBone(
                name, Frame.along(start, end, shape.pronation if ray == 0 else 0.0), length, _PHALANX_PLACES, across,
                [flat * number for number in across], caps=(0.9 * scale, (0.9 if tip else 0.45) * head),
                bend=0.4 * scale,
                cortex=(0.35 * shape.cortex, (1.5 if ray == 0 else 1.1) * shape.cortex * scale * (0.7 if tip else 1.0)),
                spongy=0.13 * shape.mineral,
            )
        )  # fmt: skip

    def sesamoids(self) -> None:
        """Both sesamoids below the first metatarsal's head."""
        shape, scale = self.shape, self.shape.scale
        first = self.bones["metatarsal 1"]
        if not isinstance(first, LongBone):
            raise TypeError(first.name)
        for name, side in (("tibial sesamoid", -1.0), ("fibular sesamoid", 1.0)):
            across = side * 0.5 * _SESAMOID_APART_MM * 2 * scale + shape.sesamoid_shift
            place = first.frame.world(across, -12.5 * scale, first.length - 9.0 * scale)
            place[1] = max(place[1], 6.5 * scale)
            frame = Frame(place, first.frame.axes)
            semi = (4.4 * scale, 3.6 * scale, 5.6 * scale)
            self._add(ShortBone(name, frame, semi, 3.4 * scale, cortex=0.6 * shape.cortex, spongy=0.22 * shape.mineral))
        self.points["tibial sesamoid"] = self.bones["tibial sesamoid"].frame.origin

    def tarsus(self) -> None:
        """The seven bones behind the metatarsals."""
        scale, wide = self.shape.scale, self.shape.scale * self.shape.width
        for name, (x, y, z), (a, b, c), corner, turn, hollow, back in _TARSUS:
            middle = self._place(x, y, z)
            frame = Frame.along(middle, middle + self._direction(turn))
            semi = (a * wide, b * scale, c * scale)
            self._add(
                ShortBone(
                    name, frame, semi, corner * scale, hollow * scale, back * scale,
                    cortex=0.6 * self.shape.cortex, spongy=0.14 * self.shape.mineral,
                )
            )  # fmt: skip

    def _add(self, bone: FootBone) -> None:
        self.bones[bone.name] = bone


_TARSUS: Final = (
    ("medial cuneiform", (-17.5, 35.0, -13.5), (8.2, 13.5, 12.3), 5.5, -6.0, -0.8, 1.0),
    ("intermediate cuneiform", (-2.0, 42.0, -16.5), (6.8, 8.5, 7.6), 3.5, -1.0, 0.4, 0.8),
    ("lateral cuneiform", (11.0, 39.0, -17.0), (6.6, 10.0, 9.0), 3.8, 3.0, -0.5, 0.8),
    ("navicular", (-9.5, 42.0, -37.0), (18.5, 11.5, 7.0), 5.5, 4.0, -2.2, -3.0),
    ("cuboid", (24.5, 27.0, -36.5), (11.0, 11.0, 13.0), 5.5, 26.0, -1.5, 1.2),
    ("talus", (-11.5, 50.0, -71.5), (14.5, 14.0, 26.0), 13.0, 10.0, -1.5, 0.0),
    ("calcaneus", (14.5, 30.0, -88.5), (14.0, 19.0, 37.5), 10.0, 6.0, 1.0, 0.0),
)
"""Name, middle (x, y, z), half sizes (across, up, along), radius of the edges, turn towards lateral in degrees, and how
hollow the distal face is and how much the proximal one bulges, in mm, of the mean foot."""
