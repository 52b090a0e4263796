"""The four bones of a right knee on coarse lattices: the template, varied by a shape and rotated by a pose.

Reference mm: origin at the joint's center, +x to the patient's left (medial in a right knee), +y posterior, +z to the
head. Beyond the template's field of view the shafts continue with elliptical sections.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape, Pose
from monai_xray2mri.simulation.knee.anatomy.template import Template
from monai_xray2mri.simulation.tools.lattice import Field, Lattice, Points, Range
from monai_xray2mri.simulation.tools.primitives import ellipse, smooth_union, smoothstep, table

STEP_MM = 2.0
FLEXION_AXIS = (2.0, 22.0)
"""(y, z) of the axis about which the condyles roll."""
TEMPLATE_SLOPE = 2.0
"""Posterior slope of the template's plateau in degrees, mean of both sides."""
TEMPLATE_LEAN = -3.0
"""Rotation in the frontal plane, in degrees, that brings both condyles of the template to about the same height."""
_LONG_MM = 110.0
_TEMPLATE_MM = (-64.0, 74.0)
"""Range along z in which the template is used; beyond it the shafts have elliptical sections."""
_SHAFT_SLACK_MM = 20.0
_DEFORMATION_MM = 1.1
_ROUGHNESS_MM = 0.22
_UPPER, _LOWER = 0, 1


@dataclass(frozen=True)
class Bone:
    """One bone in the pose of an examination.

    Attributes:
        name: ``"femur"``, ``"tibia"``, ``"fibula"`` or ``"patella"``.
        distance: signed distance of its surface in mm, with osteophytes and attrition.
        depth: depth in mm under the joint surface, for femur and tibia; None for the others.
        sclerosis: density of subchondral sclerosis, 0 to 1; None where there is none.
        cysts: OAI stem of the feature to the signed distance of its cysts.
        worn: OAI stem of the feature to the signed distance of the bone that attrition removed.
    """

    name: str
    distance: Field
    depth: Field | None = None
    sclerosis: Field | None = None
    cysts: Mapping[str, Field] = field(default_factory=dict)
    worn: Mapping[str, Field] = field(default_factory=dict)


@dataclass(frozen=True)
class TibialPlace:
    """Where the lower leg lies under the femur.

    Attributes:
        level: [] displacement along z in mm.
        rise: [] further displacement along z in mm for each mm of x.
    """

    level: Tensor
    rise: Tensor


def _across(z: Range) -> Range:
    """Range along x of the lattices of femur and tibia; in varus or valgus a long leg needs more of it."""
    reach = 50.0 if max(-z[0], z[1]) < _LONG_MM else 66.0
    return -reach, reach


def femur_lattice(z: Range) -> Lattice:
    """Lattice of the femur for an image that covers the range ``z`` along the leg, in reference mm."""
    return Lattice.covering(_across(z), (-56.0, 44.0), (-8.0, max(z[1], 40.0)), STEP_MM)


def tibia_lattice(z: Range) -> Lattice:
    """Lattice of the tibia for an image that covers the range ``z`` along the leg; x and y are the femur's."""
    return Lattice.covering(_across(z), (-56.0, 44.0), (min(z[0], -40.0), 18.0), STEP_MM)


def fibula_lattice(z: Range) -> Lattice:
    """Lattice of the fibula for an image that covers the range ``z`` along the leg."""
    inner = 0.0 if -z[0] < _LONG_MM else 24.0
    return Lattice.covering((-68.0, inner), (-14.0, 56.0), (min(z[0], -40.0), 8.0), STEP_MM)


def patella_lattice(shape: KneeShape) -> Lattice:
    """Lattice around the patella, large enough for every flexion and tilt of the beam."""
    x, y, z = shape.patella
    return Lattice.covering((x - 32, x + 32), (y - 24, y + 26), (z - 34, z + 32), STEP_MM)


def posed(points: Points, pose: Pose) -> Points:
    """Coordinates in the knee's own frame, of points that are given in the frame of the examination."""
    turned = points.turned(math.radians(-pose.beam_tilt), 0.0, 0.0).rolled(math.radians(-pose.roll), 0.0, 0.0)
    lean = math.radians(pose.lean + TEMPLATE_LEAN)
    cosine, sine = math.cos(lean), math.sin(lean)
    return Points(cosine * turned.x - sine * turned.z, turned.y, sine * turned.x + cosine * turned.z)


def femur_points(points: Points, pose: Pose) -> Points:
    """Coordinates in the femur's own frame, of points that are given in the frame of the examination."""
    return posed(points, pose).turned(math.radians(pose.flexion), *FLEXION_AXIS)


def tibia_points(shape: KneeShape, points: Points, pose: Pose, place: TibialPlace) -> Points:
    """Coordinates in the lower leg's own frame, of points that are given in the frame of the examination."""
    own = posed(points, pose)
    own = Points(own.x + place.rise * own.z, own.y, own.z - place.level - place.rise * own.x)
    bend = math.tan(math.radians(shape.varus))
    return Points(own.x + bend * smooth_ramp(-own.z - 10.0), own.y, own.z)


def smooth_ramp(value: Tensor) -> Tensor:
    """Smooth version of ``max(value, 0)`` in mm; the bend at 0 is about 10 mm long."""
    return 0.5 * (value + (value.square() + 25.0).sqrt())


def femur(template: Template, shape: KneeShape, lattice: Lattice, pose: Pose, device: torch.device) -> Field:
    """Signed distance of the femur without osteophytes."""
    own = femur_points(lattice.points(device), pose)
    source = _varied_femur(shape, _deformed(shape, own, _UPPER))
    found = template.at("femur", source)
    found = _continued(found, _femoral_shaft(source), smoothstep(own.z, 62.0, _TEMPLATE_MM[1]))
    return Field(lattice, found + _rough(shape, own, _UPPER))


def _varied_femur(shape: KneeShape, points: Points) -> Points:
    """Points at which the template is evaluated so that condyles, notch and shaft take the given shape."""
    x, y, z = points.x, points.y, points.z
    medial, lateral = smoothstep(x, 8.0, 28.0), smoothstep(-x, 8.0, 28.0)
    low = smoothstep(z, 48.0, 28.0)
    out = low * (shape.condyle_width[0] * medial - shape.condyle_width[1] * lateral)
    outer = smoothstep(x, 14.0, 30.0) - smoothstep(-x, 14.0, 30.0)
    out = out + shape.epicondyle * outer * (-((y - 2.0) / 14.0).square() - ((z - 27.0) / 12.0).square()).exp()
    walls = smoothstep(x, 1.0, 5.0) * smoothstep(x, 16.0, 8.0) - smoothstep(-x, 1.0, 5.0) * smoothstep(-x, 16.0, 8.0)
    out = out + shape.notch_width * walls * smoothstep(z, 28.0, 14.0) * smoothstep(y, -16.0, -6.0)
    roof = (-(x / 9.0).square()).exp() * smoothstep(y, -14.0, -4.0) * smoothstep(z, 4.0, 12.0)
    up = shape.notch_height * roof * smoothstep(z, 38.0, 24.0)
    thicker = (1 - 1 / shape.shaft) * smoothstep(z, 40.0, 70.0)
    return Points(x - out - thicker * (x + 2.0), y, z - up)


def _femoral_shaft(points: Points) -> Tensor:
    z = points.z
    knots = (55.0, 62.0, 70.0, 75.0, 90.0, 120.0, 170.0)
    center = table(z, knots, (-1.2, -1.8, -3.5, -4.2, -5.5, -7.5, -10.0))
    half = table(z, knots, (22.5, 21.2, 20.0, 19.3, 16.8, 14.2, 13.4))
    front = table(z, knots, (-35.0, -34.4, -33.5, -32.4, -31.0, -30.0, -31.0))
    back = table(z, knots, (-1.0, -1.9, -3.6, -4.0, -4.6, -4.4, -5.0))
    return ellipse(points.x - center, points.y - (front + back) / 2, (half, (back - front) / 2))


def tibia(
    template: Template, shape: KneeShape, lattice: Lattice, pose: Pose, place: TibialPlace, device: torch.device
) -> Field:
    """Signed distance of the tibia without osteophytes and attrition."""
    own = tibia_points(shape, lattice.points(device), pose, place)
    source = _varied_tibia(shape, _deformed(shape, own, _LOWER))
    found = template.at("tibia", source)
    if float(lattice.low[2]) < -46.0 + _SHAFT_SLACK_MM:  # near the joint there is nothing of the shaft
        found = _continued(found, _tibial_shaft(source), smoothstep(-own.z, 46.0, -_TEMPLATE_MM[0]))
    return Field(lattice, found + _rough(shape, own, _LOWER))


def _varied_tibia(shape: KneeShape, points: Points) -> Points:
    """Points at which the template is evaluated so that plateau, spines and shaft take the given shape."""
    x, y = points.x / shape.tibia, points.y
    top = smoothstep(points.z, -26.0, -8.0)
    tilt = math.tan(math.radians(shape.slope - TEMPLATE_SLOPE)) * y.clamp(-30, 30)
    dish = shape.medial_dish * (-(((x - 20.0) / 10.0).square() + (y / 14.0).square())).exp()
    up = -tilt - dish
    for height, center_x, center_y in ((shape.spines[0], 4.0, 0.0), (shape.spines[1], -5.0, 6.0)):
        up = up + height * (-((x - center_x) / 3.0).square() - ((y - center_y) / 7.0).square()).exp()
    return Points(x, y, points.z - top * up)


def _tibial_shaft(points: Points) -> Tensor:
    z = points.z
    knots = (-190.0, -120.0, -80.0, -66.0, -60.0, -50.0)
    center = table(z, knots, (3.0, 1.35, -0.8, -1.55, -1.7, -2.15))
    half = table(z, knots, (11.5, 12.95, 15.8, 17.35, 18.2, 19.5))
    front = table(z, knots, (-17.0, -18.0, -18.6, -18.7, -18.9, -22.2))
    back = table(z, knots, (8.5, 10.0, 12.5, 13.8, 14.3, 13.5))
    return ellipse(points.x - center, points.y - (front + back) / 2, (half, (back - front) / 2))


def fibula(
    template: Template, shape: KneeShape, lattice: Lattice, pose: Pose, place: TibialPlace, device: torch.device
) -> Field:
    """Signed distance of the fibula."""
    own = tibia_points(shape, lattice.points(device), pose, place)
    x, y, z = (a - b for a, b in zip(shape.fibula, KneeShape().fibula, strict=True))
    source = _deformed(shape, own, _LOWER).moved(x, y, z)
    knots = (-190.0, -120.0, -58.0)
    center = table(source.z, knots, (-29.0, -28.0, -27.4))
    shaft = ellipse(source.x - center, source.y - 25.5, (5.2, 5.8))
    found = _continued(template.at("fibula", source), shaft, smoothstep(-source.z, 48.0, 60.0))
    return Field(lattice, found + _rough(shape, own, _LOWER))


def patella(template: Template, shape: KneeShape, lattice: Lattice, pose: Pose, device: torch.device) -> Field:
    """Signed distance of the patella; its tendon ties it to the tibia, so flexion of the femur does not move it."""
    own = posed(lattice.points(device), pose)
    source = _patella_source(shape, _deformed(shape, own, _UPPER))
    return Field(lattice, shape.patella_size * template.at("patella", source) + _rough(shape, own, _UPPER))


def _patella_source(shape: KneeShape, points: Points) -> Points:
    usual = KneeShape().patella
    moved = points.moved(*shape.patella)
    size = shape.patella_size
    return Points(moved.x / size + usual[0], moved.y / size + usual[1], moved.z / size + usual[2])


def cartilage_thickness(
    template: Template,
    shape: KneeShape,
    bone: str,
    lattice: Lattice,
    pose: Pose,
    place: TibialPlace,
    device: torch.device,
) -> Tensor:
    """Thickness [Y,Z,X] in mm of the template's cartilage on a bone (``"femur"``, ``"tibia"`` or ``"patella"``)."""
    points = lattice.points(device)
    if bone == "femur":
        own = _varied_femur(shape, _deformed(shape, femur_points(points, pose), _UPPER))
        return template.at("femoral cartilage", own)
    if bone == "tibia":
        own = tibia_points(shape, points, pose, place)
        own = _varied_tibia(shape, _deformed(shape, own, _LOWER))
        return template.at("tibial cartilage", own)
    own = _deformed(shape, posed(points, pose), _UPPER)
    return template.at("patellar cartilage", _patella_source(shape, own))


def meniscus(
    template: Template,
    shape: KneeShape,
    side: str,
    lattice: Lattice,
    pose: Pose,
    place: TibialPlace,
    extrusion: float,
    device: torch.device,
) -> Tensor:
    """Signed distance [Y,Z,X] of the template's meniscus (``"M"`` or ``"L"``), moved outwards by ``extrusion`` mm."""
    own = tibia_points(shape, lattice.points(device), pose, place)
    source = _varied_tibia(shape, _deformed(shape, own, _LOWER))
    return template.at(f"meniscus {side}", source.moved(x=extrusion if side == "M" else -extrusion))


def _deformed(shape: KneeShape, points: Points, part: int) -> Points:
    # Beyond the template's ends the displacement is that of the end: the shaft continues straight and without a step.
    place = Points(points.x, points.y, points.z.clamp(*_TEMPLATE_MM))
    x, y, z = _DEFORMATION_MM * shape.displacement[part].at(place)
    return points.moved(x, y, z)


def _rough(shape: KneeShape, points: Points, part: int) -> Tensor:
    return _ROUGHNESS_MM * shape.bumps[part].at(points)[0]


def _continued(near: Tensor, far: Tensor, share: Tensor) -> Tensor:
    """Blend of two distances; ``share`` 0 gives ``near``, 1 gives ``far``."""
    return near + share * (far - near)


def united(shape: Field, parts: Sequence[Tensor], radius: float) -> Field:
    """Smooth union of a shape with others; the seams are filled over ``radius`` mm."""
    values = shape.values
    for part in parts:
        values = smooth_union(values, part, radius)
    return replace(shape, values=values)
