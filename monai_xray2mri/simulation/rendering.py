"""Paints the tissues of a knee onto the MR volume, from the skin inwards, and marks its lesions."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_xray2mri.simulation import anatomy, cartilage, soft_tissue
from monai_xray2mri.simulation.anatomy import Bone
from monai_xray2mri.simulation.fields import Grid, Points, noise_knots, occupancy, smooth_noise, smoothstep, table
from monai_xray2mri.simulation.mr import EDGE_MM, INTENSITY, Canvas, Tissue
from monai_xray2mri.simulation.pathology import Pathology, crystal_share, cyst_distance, sclerosis
from monai_xray2mri.simulation.shape import KneeShape, Pose

_EVERYWHERE = (slice(None), slice(None), slice(None))
_JOINT_BOX = ((-46.0, 46.0), (-30.0, 30.0), (-11.0, 14.0))
_SKIN_MM = 1.6
_CRYSTAL_HALF_MM = 0.75
_TEXTURE_KNOT_MM = 2.4
_TEXTURE_KNOTS = 112


def paint_knee(shape: KneeShape, pathology: Pathology, grid: Grid, texture: torch.Generator) -> tuple[Canvas, Tensor]:
    """Paint one knee in the straight, unloaded pose of the MR examination.

    Args:
        shape: the knee's shape.
        pathology: its grades and lesion sites.
        grid: voxel centres in reference mm.
        texture: generator of what no radiograph tells (marrow and muscle texture).

    Returns:
        The painted canvas, and the lesion mask [Y,Z,X] bool: cysts, crystals and attrition.
    """
    canvas = Canvas()
    knots = noise_knots(texture, _TEXTURE_KNOTS)
    level, rise = anatomy.tibial_tilt(shape, pathology)
    pose = Pose()
    femur = anatomy.femur(shape, pathology, grid, pose)
    tibia = anatomy.tibia(shape, pathology, grid, pose)
    _paint_soft_tissue(canvas, shape, grid, knots)
    _paint_joint(canvas, shape, pathology, grid, femur, tibia)
    for window, distance in soft_tissue.cruciate_shapes(grid, level):
        canvas.paint_inside(window, distance, INTENSITY["cruciate"], Tissue.CRUCIATE)
    patella = anatomy.patella(shape, grid, pose)
    _paint_patellar_cartilage(canvas, shape, patella)
    for bone, label in ((femur, Tissue.FEMUR), (tibia, Tissue.TIBIA), (patella, Tissue.PATELLA)):
        _paint_bone(canvas, shape, bone, label, knots)
    _paint_bone(canvas, shape, anatomy.fibula(shape, grid, pose), Tissue.FIBULA, knots)
    _paint_lesions(canvas, pathology, femur, tibia, level, rise)
    return canvas, canvas.labels >= int(Tissue.CYST)


def _paint_soft_tissue(canvas: Canvas, shape: KneeShape, grid: Grid, knots: Tensor) -> None:
    points = grid.points()
    body = soft_tissue.body_distance(shape, points)
    mottle = smooth_noise(knots, grid, _TEXTURE_KNOT_MM)
    canvas.paint_inside(_EVERYWHERE, body, INTENSITY["skin"], Tissue.SKIN)
    canvas.paint_inside(_EVERYWHERE, body + _SKIN_MM, INTENSITY["fat"] * (1 + 0.12 * mottle), Tissue.FAT)
    fascia = soft_tissue.body_distance(shape, points, inner=True)
    for window, distance in soft_tissue.muscle_shapes(shape, grid):
        inside = torch.maximum(distance, fascia[window])
        canvas.paint_inside(window, inside, INTENSITY["muscle"] * (1 + 0.06 * mottle[window]), Tissue.MUSCLE)
    for window, distance in soft_tissue.vessel_shapes(grid):
        canvas.paint_inside(window, distance, INTENSITY["blood"], Tissue.VESSEL)
    window, distance = soft_tissue.fat_pad(grid)
    canvas.paint_inside(window, distance, INTENSITY["fat pad"] * (1 + 0.2 * mottle[window]), Tissue.FAT_PAD)
    for window, distance in soft_tissue.tendon_shapes(shape, grid):
        canvas.paint_inside(window, distance, INTENSITY["tendon"], Tissue.TENDON)


def _paint_joint(canvas: Canvas, shape: KneeShape, pathology: Pathology, grid: Grid, femur: Bone, tibia: Bone) -> None:
    """Fluid, menisci and cartilage: everything between femur and tibia."""
    window = grid.window(*_JOINT_BOX)
    points = grid.crop(window).points()
    to_femur = _within(femur, window, canvas.signal.shape)
    height = _within(tibia, window, canvas.signal.shape, articular=True)
    recess = torch.maximum(_capsule(points), torch.maximum(-height - 2.0, -to_femur))
    recess = torch.maximum(recess, height + 0.12 * points.x.square() - 12.0)
    canvas.paint_inside(window, recess, INTENSITY["fluid"], Tissue.FLUID)
    for side in (1.0, -1.0):
        ring = cartilage.meniscus_ring(points, side)
        wedge = torch.maximum(torch.maximum(ring, -height), torch.maximum(height - 8.0, 0.4 - to_femur))
        canvas.paint_inside(window, wedge, INTENSITY["meniscus"], Tissue.MENISCUS)
    femoral = cartilage.femoral_cartilage_thickness(shape, pathology, femur)
    share = occupancy(femur.distance - femoral, EDGE_MM) * smoothstep(femoral, 0.1, 0.5)
    canvas.paint(femur.window, share, INTENSITY["cartilage"], Tissue.FEMORAL_CARTILAGE)
    tibial = cartilage.tibial_cartilage_thickness(shape, pathology, tibia)
    share = occupancy(torch.maximum(tibia.articular - tibial, tibia.distance - tibial), EDGE_MM)
    share *= smoothstep(tibial, 0.1, 0.5)
    canvas.paint(tibia.window, share, 0.96 * INTENSITY["cartilage"], Tissue.TIBIAL_CARTILAGE)
    _paint_crystals(canvas, pathology, femur, 0.5 * femoral, Tissue.FEMORAL_CARTILAGE)
    _paint_crystals(canvas, pathology, tibia, 0.5 * tibial, Tissue.TIBIAL_CARTILAGE)


def _capsule(points: Points) -> Tensor:
    return ((points.x / 38.0).square() + (points.y / 25.0).square()).sqrt_().sub_(1).mul_(25.0)


def _within(bone: Bone, window: tuple[slice, slice, slice], shape: torch.Size, articular: bool = False) -> Tensor:
    """The bone's distance (or articular field) on another index box, far outside (20 mm) where it is not defined."""
    whole = torch.full([part.stop - part.start for part in window], 20.0)
    target, source = [], []
    for mine, theirs in zip(window, bone.window, strict=True):
        low, high = max(mine.start, theirs.start), min(mine.stop, theirs.stop)
        target.append(slice(low - mine.start, high - mine.start))
        source.append(slice(low - theirs.start, high - theirs.start))
    field = bone.articular if articular else bone.distance
    whole[tuple(target)] = field[tuple(source)]
    return whole


def _paint_patellar_cartilage(canvas: Canvas, shape: KneeShape, bone: Bone) -> None:
    x, y, z = shape.patella
    behind = smoothstep(bone.points.y - y, 1.0, 4.0) * smoothstep((bone.points.x - x).abs(), 20.0, 15.0)
    thickness = 2.8 * shape.cartilage * behind * smoothstep((bone.points.z - z).abs(), 16.0, 11.0)
    share = occupancy(bone.distance - thickness, EDGE_MM) * smoothstep(thickness, 0.1, 0.5)
    canvas.paint(bone.window, share, INTENSITY["cartilage"], Tissue.PATELLAR_CARTILAGE)


def cortical_thickness(shape: KneeShape, z: Tensor) -> Tensor:
    """Thickness of the cortex in mm over height: a thin shell at the joint, thick in the shafts."""
    knots = (-110.0, -70.0, -40.0, -20.0, 0.0, 35.0, 55.0, 80.0, 120.0)
    return shape.cortex * table(z, knots, (4.2, 3.0, 1.7, 1.1, 1.1, 1.0, 1.5, 3.0, 4.5))


def _paint_bone(canvas: Canvas, shape: KneeShape, bone: Bone, label: Tissue, knots: Tensor) -> None:
    canvas.paint_inside(bone.window, bone.distance, INTENSITY["cortex"], Tissue.CORTEX)
    z = bone.points.z
    texture = smooth_noise(knots, bone.grid, _TEXTURE_KNOT_MM)
    patches = smooth_noise(knots[40:72, 40:72, 40:72], bone.grid, 9.0)
    # Red marrow stays in the metaphysis; water excitation does not darken it.
    red = 0.35 * smoothstep(z.abs(), 32.0, 75.0) * (patches + 0.4).clamp_(0, 1)
    marrow = INTENSITY["marrow"] * (1 + 0.16 * texture) + red * INTENSITY["red marrow"]
    canvas.paint_inside(bone.window, bone.distance + cortical_thickness(shape, z), marrow, label)


def _paint_lesions(canvas: Canvas, pathology: Pathology, femur: Bone, tibia: Bone, level: float, rise: float) -> None:
    for name, bone in (("F", femur), ("T", tibia)):
        depth = -bone.articular if name == "T" else -bone.distance
        low = bone.points.z < 16.0 if name == "F" else bone.points.z > -24.0
        density = sclerosis(pathology, name, bone.points, depth)
        if density is not None:
            share = density * low * occupancy(bone.distance + 0.8, EDGE_MM)
            canvas.paint(bone.window, share, INTENSITY["sclerosis"], None)
        distance = cyst_distance(pathology, name, bone.points, level, rise)
        if distance is not None:
            inside = torch.maximum(distance, bone.distance + 0.8)
            canvas.paint_inside(bone.window, inside + 0.8, INTENSITY["cyst"], Tissue.CYST)
    if tibia.removed is not None:
        canvas.paint(tibia.window, tibia.removed.float(), INTENSITY["attrition"], Tissue.ATTRITION)


def _paint_crystals(canvas: Canvas, pathology: Pathology, bone: Bone, middle: Tensor, host: Tissue) -> None:
    """Crystals blacken the mid layer of the cartilage that is already painted, and nothing else."""
    share = crystal_share(pathology, bone.points)
    if share is None:
        return
    surface = bone.articular if host is Tissue.TIBIAL_CARTILAGE else bone.distance
    layer = occupancy((surface - middle).abs() - _CRYSTAL_HALF_MM, EDGE_MM) * share
    layer *= canvas.labels[bone.window] == int(host)
    canvas.paint(bone.window, layer, INTENSITY["crystals"], Tissue.CRYSTALS)
