"""Signed-distance anatomy of a right knee in reference millimetres.

Origin at the joint centre, +x to the patient's left (medial in a right knee), +y posterior, +z to the head. Widths,
heights and positions follow the label map of a real right knee (pymskt example, data README), read off by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from monai_xray2mri.simulation.fields import (
    Grid,
    Points,
    Window,
    add_ellipsoid,
    ellipse,
    ellipsoid,
    rounded_extrusion,
    smooth_intersection,
    smooth_noise,
    smooth_union,
    smoothstep,
    table,
)
from monai_xray2mri.simulation.pathology import (
    CONDYLE_X,
    Pathology,
    add_femoral_osteophytes,
    add_tibial_osteophytes,
)
from monai_xray2mri.simulation.shape import KneeShape, Pose

CONDYLE_BOTTOM = 2.0
_FLEXION_AXIS = (0.0, 21.0)
_FEMUR_BOX = ((-54.0, 54.0), (-56.0, 34.0), (-6.0, 220.0))
_TIBIA_BOX = ((-54.0, 54.0), (-40.0, 36.0), (-220.0, 16.0))
_FIBULA_BOX = ((-56.0, -18.0), (-2.0, 34.0), (-220.0, 2.0))
_PATELLA_BOX = ((-36.0, 30.0), (-72.0, -34.0), (0.0, 66.0))


@dataclass(frozen=True)
class Bone:
    """One bone inside its index box.

    Attributes:
        window: index box on the grid.
        grid: the grid inside the box.
        points: coordinates in the bone's own frame.
        distance: [Y,Z,X] signed distance to the bone's surface.
        articular: [Y,Z,X] femur: signed distance to the outline of the joint surfaces in the sagittal plane;
            tibia: height above the plateau; elsewhere the distance.
        removed: [Y,Z,X] tibia with attrition: share of bone that attrition took; else None.
    """

    window: Window
    grid: Grid
    points: Points
    distance: Tensor
    articular: Tensor
    removed: Tensor | None = None


def _bone_frame(
    grid: Grid, box: tuple[tuple[float, float], ...], pose: Pose, angle: float
) -> tuple[Window, Grid, Points]:
    """Index box of a bone that the pose turns by up to ``angle`` degrees, and coordinates before flexion."""
    x, (front, back), (low, high) = box
    reach = min(max(abs(low), abs(high)), float(grid.z.abs().max()))
    slack = max(reach - 15.0, 0.0) * abs(float(torch.sin(torch.tensor(torch.pi / 180 * angle))))
    window = grid.window(x, (front - min(slack, 8.0), back + slack), (low - slack / 4, high + slack / 4))
    inner = grid.crop(window)
    return window, inner, inner.points().turned(torch.pi / 180 * pose.beam_tilt, 0.0, 0.0)


def femur(shape: KneeShape, pathology: Pathology, grid: Grid, pose: Pose) -> Bone:
    """Femur: two condyles, trochlea, notch, epicondyles, metaphysis and shaft, with its osteophytes."""
    window, inner, points = _bone_frame(grid, _FEMUR_BOX, pose, abs(pose.flexion) + abs(pose.beam_tilt))
    points = points.turned(torch.pi / 180 * pose.flexion, *_FLEXION_AXIS)
    profile = _condyle_profile(points)
    groove = profile + 6.5 + 0.07 * (points.y + 40).clamp(min=0)
    medial_half, lateral_half = shape.condyle_half_width
    rounding = shape.condyle_rounding
    distance = rounded_extrusion(profile, (points.x - CONDYLE_X).abs() - medial_half, rounding)
    lateral = rounded_extrusion(profile + 0.4, (points.x + CONDYLE_X - 0.5).abs() - lateral_half, rounding)
    distance = smooth_union(distance, lateral, 6.0)
    distance = smooth_union(distance, rounded_extrusion(groove, points.x.abs() - 23.0, 6.0), 9.0)
    window_of_notch = points.near((-36.0, 36.0), (-26.0, 60.0), (-20.0, 46.0))
    notch = _notch(shape, points.crop(window_of_notch))
    distance[window_of_notch] = smooth_intersection(distance[window_of_notch], -notch, 5.0)
    distance = smooth_union(distance, _femoral_shaft(shape, points), 8.0)
    for side in (1.0, -1.0):
        add_ellipsoid(distance, points, (side * 30.5, -1.0, 26.0), (7.8 + shape.epicondyle, 16.0, 14.0), 7.0)
    distance += 0.45 * smooth_noise(shape.surface[0], inner)
    add_femoral_osteophytes(distance, points, pathology)
    articular = torch.minimum(profile, groove)
    return Bone(window, inner, points, distance, articular)


def _condyle_profile(points: Points) -> Tensor:
    """Sagittal outline of a condyle: posterior circle and flatter anterior ellipse."""
    posterior = ((points.y - 1.0).square() + (points.z - 21.5).square()).sqrt() - (21.5 - CONDYLE_BOTTOM)
    anterior = ellipse(points.y + 14.0, points.z - 25.5, (28.0, 23.0))
    return smooth_union(posterior, anterior, 3.0)


def _notch(shape: KneeShape, points: Points) -> Tensor:
    """Intercondylar notch: an arch open to below and behind whose roof falls to the front."""
    roof = shape.notch_height + 0.35 * points.y.clamp(-20, 25)
    arch = ellipse(points.x, points.z - 2.0, (shape.notch_half_width, roof.clamp(min=6.0)))
    # The condyles fall away from the notch at about 40 degrees.
    lips = 0.64 * points.x.abs() + 0.77 * (points.z - shape.notch_height + 2.5)
    return smooth_intersection(smooth_union(arch, lips, 4.0), -14.0 - points.y, 6.0)


def _femoral_shaft(shape: KneeShape, points: Points) -> Tensor:
    z = points.z
    knots = (26.0, 38.0, 44.0, 50.0, 56.0, 70.0, 90.0, 120.0)
    half = shape.shaft * table(z, knots, (34.0, 33.0, 31.0, 29.0, 26.5, 21.0, 16.5, 14.0))
    front = table(z, knots, (-41.0, -42.0, -39.0, -37.5, -36.0, -33.0, -30.5, -29.0))
    back = table(z, knots, (8.0, 9.0, 6.0, -0.5, -2.5, -4.5, -4.5, -4.0))
    axis = -0.5 - 0.09 * (z - 40).clamp(min=0)
    shaft = ellipse(points.x - axis, points.y - (front + back) / 2, (half, (back - front) / 2))
    return smooth_intersection(shaft, 22.0 - z, 8.0)


def tibial_tilt(shape: KneeShape, pathology: Pathology, load: float = 0.0) -> tuple[float, float]:
    """Height of the tibial plateau at x = 0 and its rise per mm of x, which set both joint spaces (mm)."""
    medial = CONDYLE_BOTTOM - pathology.narrowed(shape.joint_space[0], "M", load)
    lateral = CONDYLE_BOTTOM - pathology.narrowed(shape.joint_space[1], "L", load)
    return (medial + lateral) / 2, (medial - lateral) / (2 * CONDYLE_X)


def tibia(shape: KneeShape, pathology: Pathology, grid: Grid, pose: Pose) -> Bone:
    """Tibia: plateaus, intercondylar eminence with two spines, tuberosity and shaft, osteophytes, attrition."""
    window, inner, points = _bone_frame(grid, _TIBIA_BOX, pose, pose.beam_tilt)
    level, rise = tibial_tilt(shape, pathology, pose.load)
    intact = points.z - (level + _plateau_relief(shape, points, rise))
    worn = pathology.attrition_depth(points)
    height = intact if worn is None else intact + worn
    # A tilted plateau carries the whole lower leg with it.
    leg = Points(points.x + rise * points.z, points.y, points.z)
    shaft = _tibial_shaft(shape, leg)
    noise = 0.4 * smooth_noise(shape.surface[1], inner)
    distance = smooth_intersection(shaft + noise, height + 0.35 * noise, 2.2)
    add_tibial_osteophytes(distance, points, pathology, level, rise)
    removed = None
    if worn is not None:
        removed = (worn > 0.5) * (intact < 0) * (height > 0) * (shaft < 0)
    return Bone(window, inner, points, distance, height, removed)


def _plateau_relief(shape: KneeShape, points: Points, rise: float) -> Tensor:
    """Height of the plateau over its level: tilt, slope, medial dish, lateral dome, eminence and spines."""
    x, y = points.x, points.y
    across = rise * x.clamp(-36, 36)
    medial = shape.medial_dish * (((x - CONDYLE_X) / 13).square().clamp(max=1.3))
    lateral = 0.7 * (((x + CONDYLE_X) / 13).square().clamp(max=1.3))
    dish = lateral + smoothstep(x, -8.0, 8.0) * (medial - lateral)
    mound = shape.eminence * torch.exp(-0.5 * (x / 9.0).square()) * torch.exp(-0.5 * (y / 15.0).square())
    spines = torch.zeros(1)
    for centre, height, front in ((5.5, shape.spine_heights[0], -1.0), (-5.5, shape.spine_heights[1], 3.0)):
        ridge = torch.exp(-0.5 * ((x - centre) / 2.9).square()) * torch.exp(-0.5 * ((y - front) / 7.0).square())
        spines = spines + 0.8 * height * ridge
    slope = float(torch.tan(torch.tensor(torch.pi / 180 * shape.slope)))
    return across + dish - slope * y + mound + spines


def _tibial_shaft(shape: KneeShape, points: Points) -> Tensor:
    x, y, z = points.x, points.y, points.z
    knots = (-120.0, -80.0, -55.0, -40.0, -34.0, -28.0, -22.0, -16.0, -10.0, 4.0)
    half = shape.tibia * table(z, knots, (13.0, 14.5, 17.5, 22.0, 25.0, 29.0, 33.0, 36.0, 37.5, 37.5))
    front = table(z, knots, (-20.0, -22.0, -25.0, -27.0, -27.0, -26.5, -26.0, -25.5, -24.5, -21.0))
    back = table(z, knots, (9.0, 9.0, 10.0, 12.0, 13.0, 15.0, 18.0, 22.0, 24.0, 22.0))
    u = ((x + 0.5) / half).square()
    v = ((y - (front + back) / 2) / ((back - front) / 2)).square()
    # Between an ellipse and a fourth-power oval, as the plateau is.
    oval = (u * u + v * v + u * v).sqrt_().sqrt_()
    distance = (oval - 1) * torch.minimum(half, (back - front) / 2) * 1.1
    gap = ellipse(x, y - 27.0, (9.0, 11.0)) + 0.4 * (-4 - z).clamp(min=0)
    distance = smooth_intersection(distance, -gap, 4.0)
    add_ellipsoid(distance, points, (-3.0, -24.0, -33.0), (9.0, 6.0, 12.0), 7.0)
    return distance


def fibula(shape: KneeShape, grid: Grid, pose: Pose) -> Bone:
    """Fibula: head and shaft, lateral and posterior."""
    window, inner, points = _bone_frame(grid, _FIBULA_BOX, pose, pose.beam_tilt)
    x, y, z = shape.fibula
    head = ellipsoid(points, (x, y, z - 3), (9.5, 8.5, 13.0))
    neck = table(points.z, (-120.0, z - 30, z), (6.5, 6.0, 8.0))
    shaft = ellipse(points.x - x - 0.06 * (z - points.z), points.y - y - 0.02 * (z - points.z), (neck, neck))
    distance = smooth_union(head, smooth_intersection(shaft, points.z - z, 4.0), 5.0)
    distance = distance + 0.3 * smooth_noise(shape.surface[1], inner)
    return Bone(window, inner, points, distance, distance)


def patella(shape: KneeShape, grid: Grid, pose: Pose) -> Bone:
    """Patella: a lens with a ridge towards the trochlea."""
    window, inner, points = _bone_frame(grid, _PATELLA_BOX, pose, pose.beam_tilt)
    x, y, z = shape.patella
    size = shape.patella_size
    lens = ellipsoid(points, (x, y, z), (21.0 * size, 8.5 * size, 19.0 * size))
    taper = ellipsoid(points, (x, y - 1.5, z - 9), (10.0 * size, 6.5 * size, 14.0 * size))
    distance = smooth_union(lens, taper, 5.0) + 0.3 * smooth_noise(shape.surface[0], inner)
    return Bone(window, inner, points, distance, distance)
