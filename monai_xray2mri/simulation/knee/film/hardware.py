"""Metal in and around a knee: total and unicondylar prostheses, screws, plates, nails, staples, clips and wires.

Implants consist of rods, blocks and ellipsoids (``solids.py``) in mm of a right knee's own frame. There the femoral
condyles end at z = 2, the plateau is one joint space below, and the patella is at about (-10, -49, 36). The flexion of
the film is not applied to metal; it would shorten metal in the femur by 5 %. Sizes are estimates: those of common
implants, rounded.

Linear attenuation coefficients at 45 keV are from Hubbell and Seltzer (NISTIR 5632), interpolated in the logarithm
between 40 and 50 keV: iron 3.629 and 1.958 cm2/g (for steel, and for cobalt-chromium with its equal mean atomic
number), titanium 2.214 and 1.213 cm2/g; densities 7.9 and 4.5 g/cm3. Bone cement is acrylic with 10 % barium sulfate.
Polyethylene is left out; a film does not show it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import KneeAnatomy
from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape
from monai_xray2mri.simulation.knee.film.film_options import Hardware
from monai_xray2mri.simulation.tools.solids import (
    UPRIGHT,
    Body,
    Quadric,
    Slab,
    Vector,
    block,
    ellipsoid,
    frame_along,
    rod,
)

STEEL: Final = 2.1
TITANIUM: Final = 0.74
CEMENT: Final = 0.15
"""Linear attenuation coefficients in 1/mm."""
FEMUR_ENDS_MM: Final = 2.0
_POLYETHYLENE_MM: Final = 9.0
_INLAY_MM: Final = 7.5
_DISTAL_MM: Final = 7.0
"""Thickness of the bone in mm that a femoral component replaces at its lower end."""
_PLATE_Y: Final = -6.0
_THREAD: Final = (1.6, 0.55)
"""(pitch, depth) of a bone screw in mm."""
_INLAY_FROM_X: Final = 11.0
"""Distance in mm from the midline at which a unicondylar prosthesis begins."""


@dataclass(frozen=True)
class Outline:
    """Lateral and medial outline of femur and tibia in a projection along y.

    Attributes:
        heights: [N] heights z in reference mm, rising.
        lateral: [N] x of the lateral edge in reference mm.
        medial: [N] x of the medial edge in reference mm.
    """

    heights: Tensor
    lateral: Tensor
    medial: Tensor

    @classmethod
    def of(cls, anatomy: KneeAnatomy) -> Outline:
        """The outline of the tibia below the joint and of the femur above it."""
        parts = []
        for bone, above in ((anatomy.tibia.distance, False), (anatomy.femur.distance, True)):
            z, x = bone.lattice.axis(2), bone.lattice.axis(0)
            kept = (z > 0) == above
            depth = bone.values.cpu().amin(0)[kept]  # [Z,X]
            inside = depth < 0
            edges = (
                torch.where(inside, x + depth, math.inf).amin(1),
                torch.where(inside, x - depth, -math.inf).amax(1),
            )
            found = inside.any(1)
            parts.append((z[kept][found], edges[0][found], edges[1][found]))
        heights, lateral, medial = (torch.cat(piece) for piece in zip(*parts, strict=True))
        return cls(heights, lateral, medial)

    def edge(self, turn: float, z: float) -> float:
        """Position x of the medial (``turn`` 1) or lateral (``turn`` -1) edge at height ``z``."""
        edges = self.medial if turn > 0 else self.lateral
        return float(edges[int((self.heights - z).abs().argmin())])

    def middle(self, z: float) -> float:
        """Position x half-way between both edges at height ``z``."""
        return (self.edge(1.0, z) + self.edge(-1.0, z)) / 2


@dataclass
class _Draw:
    """Random numbers for one implant, and the bones that it is fixed to."""

    generator: torch.Generator
    outline: Outline

    def between(self, low: float, high: float) -> float:
        """A number in [low,high)."""
        value: float = torch.rand((), generator=self.generator, dtype=torch.float64).item()
        return low + (high - low) * value

    def chance(self, share: float) -> bool:
        """True with a probability."""
        return self.between(0.0, 1.0) < share


def fitted(shape: KneeShape, kind: Hardware) -> KneeShape:
    """The shape of a knee with an implant.

    A total prosthesis determines the distance of the bones and the axis of the leg. A unicondylar one restores the
    joint space of the worn compartment; :func:`resected` removes the bone that it replaces.
    """
    if kind == "total prosthesis":
        return replace(shape, joint_space=(_POLYETHYLENE_MM,) * 2, varus=0.0)
    if kind == "unicondylar prosthesis":
        return replace(shape, joint_space=(shape.joint_space[1],) * 2)
    return shape


def resected(anatomy: KneeAnatomy, kind: Hardware) -> KneeAnatomy:
    """The anatomy without the bone that a prosthesis replaces: horizontal cuts through femur and tibia."""
    tray = {"total prosthesis": _POLYETHYLENE_MM, "unicondylar prosthesis": _INLAY_MM}.get(kind)
    if tray is None:
        return anatomy
    femur, tibia = anatomy.femur.distance, anatomy.tibia.distance
    thigh, shin = (bone.lattice.points(bone.values.device) for bone in (femur, tibia))
    below, above = FEMUR_ENDS_MM + _DISTAL_MM - thigh.z, shin.z - (FEMUR_ENDS_MM - tray)
    if kind == "unicondylar prosthesis":  # the cuts end in the notch and at the spines
        below, above = torch.minimum(below, thigh.x - _INLAY_FROM_X), torch.minimum(above, shin.x - _INLAY_FROM_X)
    return replace(
        anatomy,
        femur=replace(anatomy.femur, distance=replace(femur, values=torch.maximum(femur.values, below))),
        tibia=replace(anatomy.tibia, distance=replace(tibia, values=torch.maximum(tibia.values, above))),
    )


def implant(kind: Hardware, generator: torch.Generator, anatomy: KneeAnatomy) -> tuple[Body, ...]:
    """The parts of an implant in reference mm of a right knee.

    Args:
        kind: kind of implant.
        generator: random generator of variant, number and positions.
        anatomy: the knee in the film's pose; plates and screws are fixed to its bones.
    """
    return tuple(_MAKERS[kind](_Draw(generator, Outline.of(anatomy))))


def _total(draw: _Draw) -> list[Body]:
    """Femoral component with flange, tibial tray with stem and fins, cement."""
    tray = FEMUR_ENDS_MM - _POLYETHYLENE_MM
    width = draw.between(0.95, 1.05)
    bodies = [_condyle(turn * 20.5 * width, 14.0 * width, 31.0, 22.0) for turn in (-1.0, 1.0)]
    flange = ellipsoid((0.0, -27.0, 30.0), (29.0 * width, 4.0, draw.between(16.0, 20.0)))
    bodies.append(Body((flange,), flange.center, 32.0, STEEL))
    if draw.chance(0.5):  # posterior stabilized: a box between the condyles
        bodies.append(block((0.0, 4.0, 20.0), UPRIGHT, (9.0, 14.0, 8.0), STEEL))
    bodies += _tray((0.0, 1.0, tray), (35.5 * width, 24.0), 2.0)
    stem = draw.between(28.0, 48.0)
    bodies.append(rod((0.0, 3.0, tray - 3.0), (0.0, 3.0, tray - 4.0 - stem), draw.between(5.5, 7.5), TITANIUM * 2))
    return bodies + [_fin(turn, tray) for turn in (-1.0, 1.0)]


def _condyle(x: float, half_width: float, half_depth: float, height: float, top: float = 31.0) -> Body:
    """One half of a femoral component: an extruded C about the condyle, its lower edge rounded from side to side."""
    center = (x, 3.0, FEMUR_ENDS_MM + height)
    outside = ellipsoid(center, (1.6 * half_width, half_depth, height))
    above = Slab((x, 3.0, top / 2 - 10.0), (0.0, 0.0, 1.0), top / 2 + 10.0)
    along = (UPRIGHT[1], UPRIGHT[2], UPRIGHT[0])
    hollow = Quadric((x, 3.0, center[2] + 1.0), along, (half_depth - 8.5, height - 7.5, math.inf))
    sides = Slab(center, UPRIGHT[0], half_width)
    # The component narrows towards the shaft, so its upper outer corner is cut off.
    turn = math.copysign(1.0, x)
    corner = Slab((x - turn * 20.0, 3.0, top - 30.0), (turn * 0.64, 0.0, 0.77), 40.0)
    return Body((outside, sides, above, corner), center, max(half_depth, 1.3 * height), STEEL, (hollow,))


def _tray(center: Vector, semi: tuple[float, float], half: float) -> list[Body]:
    """Metal plate under the polyethylene, and the cement under it."""
    x, y, z = center
    bodies = []
    for top, thickness, share, attenuation in ((z, half, 1.0, TITANIUM * 1.6), (z - 2 * half, 0.8, 0.94, CEMENT)):
        middle = (x, y, top - thickness)
        rim = Quadric(middle, UPRIGHT, (share * semi[0], share * semi[1], math.inf))
        bodies.append(Body((rim, Slab(middle, UPRIGHT[2], thickness)), middle, max(semi) + 2.0, attenuation))
    return bodies


def _fin(turn: float, tray: float) -> Body:
    """A fin between stem and tray; it runs obliquely backwards, and its height decreases outwards."""
    direction = (turn * 0.88, 0.475, 0.0)
    across = (-0.475 * turn, 0.88, 0.0)
    center = (turn * 13.0, 9.0, tray - 10.0)
    slope = frame_along((turn * 0.45, 0.24, -0.86))[2]
    parts = (
        Slab(center, direction, 13.0),
        Slab(center, across, 1.6),
        Slab((center[0], center[1], tray - 10.0), UPRIGHT[2], 8.0),
        Slab((turn * 5.0, 4.5, tray - 6.0), slope, 9.0),
    )
    return Body(parts, center, 18.0, TITANIUM * 1.6)


def _unicondylar(draw: _Draw) -> list[Body]:
    """One medial femoral shell with a peg, a small tray with a keel, cement."""
    tray, x = FEMUR_ENDS_MM - _INLAY_MM, draw.between(20.5, 23.0)
    bodies = [_condyle(x, 9.5, 26.0, 20.0, top=22.0)]
    bodies.append(rod((x, 3.0, FEMUR_ENDS_MM + 6.0), (x, 3.0, FEMUR_ENDS_MM + 24.0), 3.0, STEEL))
    bodies += _tray((x + 1.0, 1.0, tray), (13.5, 22.0), 1.6)
    bodies.append(block((x - 3.0, 1.0, tray - 8.0), UPRIGHT, (1.2, 12.0, 5.0), STEEL))
    return bodies


def _lag_screw(start: Vector, end: Vector, metal: float, shank: float = 2.3) -> list[Body]:
    """Screw with a head, a smooth shank and a threaded end, from ``start`` to ``end``."""
    length = math.dist(start, end)
    direction = tuple((b - a) / length for a, b in zip(start, end, strict=True))

    def at(distance: float) -> Vector:
        x, y, z = (a + distance * d for a, d in zip(start, direction, strict=True))
        return x, y, z

    thread = min(0.45 * length, 32.0)
    return [
        rod(start, at(3.5), 1.75 * shank, metal),
        rod(at(3.5), at(length - thread), shank, metal),
        rod(at(length - thread), end, 0.9 * shank, metal, (2.75, 0.5 * shank)),
    ]


def _screws(draw: _Draw) -> list[Body]:
    """Lag screws across the tibial head or the condyles, or the two interference screws of a ligament graft."""
    metal = TITANIUM if draw.chance(0.6) else STEEL
    if draw.chance(0.4):
        bodies = _lag_screw((-16.0, 8.0, 32.0), (-8.0, 6.0, 20.0), metal, 3.4)
        return bodies + _lag_screw((14.0, -14.0, -38.0), (5.0, -6.0, -18.0), metal, 3.8)
    above, turn = draw.chance(0.3), -1.0 if draw.chance(0.7) else 1.0
    level = 26.0 if above else -13.0
    bodies = []
    for number in range(2 + int(draw.chance(0.5))):
        z, y = level + draw.between(-5.0, 5.0), -14.0 + 14.0 * number + draw.between(-3.0, 3.0)
        start = (draw.outline.edge(turn, z) + 2.0 * turn, y, z)
        tip = draw.outline.edge(-turn, z) + turn * draw.between(6.0, 14.0), y, z + draw.between(-5.0, 5.0)
        bodies += _lag_screw(start, tip, metal)
    return bodies


def _plate(draw: _Draw) -> list[Body]:
    """Plate along the lateral side of the tibial head, with screws through the bone."""
    turn = -1.0 if draw.chance(0.75) else 1.0
    metal = TITANIUM if draw.chance(0.5) else STEEL
    heights = (-9.0, -18.0, -30.0, -44.0, -60.0, -85.0, -115.0)
    contour = [(draw.outline.edge(turn, z) + 1.5 * turn, z) for z in heights]
    bodies = []
    for (x, z), (next_x, next_z) in itertools.pairwise(contour):
        axes = frame_along((next_x - x, 0.0, next_z - z))
        half = (1.9, 7.0 if z > -30 else 5.5, math.dist((x, z), (next_x, next_z)) / 2 + 0.8)
        # The second axis of ``frame_along`` runs from front to back here.
        bodies.append(block(((x + next_x) / 2, _PLATE_Y, (z + next_z) / 2), axes, half, metal))
    for number, z in enumerate((-12.0, -16.0, -42.0, -66.0, -98.0)):
        if number >= 2 and draw.chance(0.2):
            continue  # an empty hole
        y = _PLATE_Y + (8.0 if number == 1 else 0.0)
        near, far = (
            draw.outline.edge(turn, z) + 3.0 * turn,
            draw.outline.edge(-turn, z) + draw.between(-1.0, 3.0) * turn,
        )
        bodies.append(
            rod((near, y, z), (far, y + draw.between(-3.0, 3.0), z + draw.between(-3.0, 3.0)), 1.6, metal, _THREAD)
        )
    return bodies


def _nail(draw: _Draw) -> list[Body]:
    """Intramedullary nail of the tibia or (retrograde) of the femur, with locking screws."""
    metal, radius = (TITANIUM if draw.chance(0.7) else STEEL), draw.between(4.5, 5.5)
    if draw.chance(0.7):
        ends, levels = ((-20.0, -10.0), (-200.0, 2.0)), (-42.0, -56.0)
    else:
        ends, levels = ((18.0, 2.0), (220.0, -6.0)), (34.0, 48.0)
    # The middle of the shaft is measured at two heights on the film and continued beyond it.
    near, far = (draw.outline.middle(math.copysign(z, ends[0][0])) for z in (60.0, 140.0))
    slope = (far - near) / 80.0
    start, end = ((near + slope * (abs(z) - 60.0), y, z) for z, y in ends)
    screws = []
    for z in levels:
        sides = (draw.outline.edge(-1.0, z) - 2.0, draw.outline.edge(1.0, z) - 2.0)
        y = -6.0 + draw.between(-3.0, 3.0)
        screws.append(rod((sides[0], y, z), (sides[1], y, z + draw.between(-2.0, 2.0)), 2.0, metal, _THREAD))
    return [rod(start, end, radius, metal), *screws]


def _staples(draw: _Draw) -> list[Body]:
    """U-shaped staples on one side of the tibial head."""
    turn = -1.0 if draw.chance(0.5) else 1.0
    bodies = []
    for number in range(1 + int(draw.between(0.0, 2.99))):
        z = -16.0 - 9.0 * number
        x = draw.outline.edge(turn, z) + 1.0 * turn
        y, bridge = draw.between(-14.0, 14.0), draw.between(8.0, 12.0)
        upper, lower = (x, y, z + bridge / 2), (x - turn * 2.0, y + draw.between(-3.0, 3.0), z - bridge / 2)
        depth = draw.between(16.0, 22.0)
        bodies.append(rod(upper, lower, 1.1, STEEL))
        bodies += [rod(end, (end[0] - turn * depth, end[1], end[2] - 1.5), 1.0, STEEL) for end in (upper, lower)]
    return bodies


def _clips(draw: _Draw) -> list[Body]:
    """Vessel clips in the soft tissue of the medial side, as after the removal of a vein."""
    bodies = []
    for _ in range(3 + int(draw.between(0.0, 6.0))):
        place = (draw.between(38.0, 58.0), draw.between(5.0, 40.0), draw.between(-130.0, 90.0))
        angle, half = draw.between(0.0, math.pi), draw.between(1.6, 2.6)
        x, z = half * math.cos(angle), half * math.sin(angle)
        for shift in (-0.5, 0.5):
            start = (place[0] - x + shift * z / half, place[1], place[2] - z - shift * x / half)
            end = (place[0] + x + shift * z / half, place[1], place[2] + z - shift * x / half)
            bodies.append(rod(start, end, 0.4, TITANIUM))
    return bodies


def _wires(draw: _Draw) -> list[Body]:
    """Tension band of the patella: two pins, and in front of it a wire in a figure of eight."""
    x, y, z = -10.0, -50.0, 36.0
    half, apart = draw.between(22.0, 26.0), draw.between(6.0, 8.5)
    pins = [rod((x + s * apart, y, z - half), (x + s * apart, y, z + half), 0.9, STEEL) for s in (-1.0, 1.0)]
    corners: list[Vector] = []
    for step in range(25):
        angle = math.tau * step / 24
        corners.append((x + 1.3 * apart * math.sin(2 * angle), y - 9.0, z + 0.9 * half * math.cos(angle)))
    return pins + [rod(start, end, 0.6, STEEL) for start, end in itertools.pairwise(corners)]


_MAKERS: Final[Mapping[Hardware, Callable[[_Draw], list[Body]]]] = {
    "total prosthesis": _total,
    "unicondylar prosthesis": _unicondylar,
    "screws": _screws,
    "plate": _plate,
    "nail": _nail,
    "staples": _staples,
    "clips": _clips,
    "wires": _wires,
}
