"""Paints the tissues of a knee onto the MR volume, from the skin inwards, and marks its lesions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from monai_xray2mri.simulation.knee.anatomy.body import skin_and_fascia, spare_normals
from monai_xray2mri.simulation.knee.anatomy.muscles import muscle_fields
from monai_xray2mri.simulation.knee.mri import ligaments
from monai_xray2mri.simulation.knee.mri.bone_painting import paint_bone, paint_crystals, paint_worn
from monai_xray2mri.simulation.knee.mri.mr import EDGE_MM, INTENSITY, Canvas, Tissue
from monai_xray2mri.simulation.knee.mri.scene import TEXTURE_KNOT_MM, Scene, draw_scene
from monai_xray2mri.simulation.knee.mri.vessels import vessels
from monai_xray2mri.simulation.knee.people.grades import kellgren_lawrence
from monai_xray2mri.simulation.tools.lattice import Field, Grid, Lattice
from monai_xray2mri.simulation.tools.noise import smooth_noise
from monai_xray2mri.simulation.tools.primitives import occupancy, smoothstep

if TYPE_CHECKING:
    from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import KneeAnatomy

_SKIN_MM: Final = 1.5
_FASCIA_MM: Final = 0.9
_FLUID_OFFSET: Final = 44
_FATTY_OFFSET: Final = 46
_CARTILAGES: Final = {
    "femoral": ("femur", Tissue.FEMORAL_CARTILAGE),
    "tibial": ("tibia", Tissue.TIBIAL_CARTILAGE),
    "patellar": ("patella", Tissue.PATELLAR_CARTILAGE),
}


def paint_knee(anatomy: KneeAnatomy, grid: Grid, texture: torch.Generator) -> tuple[Canvas, Tensor]:
    """Paint one knee in the straight, unloaded pose of the MR examination.

    Args:
        anatomy: its bones, cartilages and menisci, on any device.
        grid: voxel centers in reference mm.
        texture: random generator of field, marrow texture and muscle texture, which the radiograph does not determine.

    Returns:
        The painted canvas, and the lesions [Y,Z,X] uint8: 0 for none, else 1 + the index of the feature in
        :data:`~monai_xray2mri.simulation.knee.anatomy.truth.LESION_FEATURES`.
    """
    scene = draw_scene(anatomy, grid, texture)
    _paint_soft_tissue(scene)
    _paint_joint(scene)
    for bone in scene.anatomy.bones:
        paint_bone(scene, bone)
    paint_crystals(scene)
    paint_worn(scene)
    return scene.canvas, scene.lesions


def _on_lattice(field: Field, lattice: Lattice) -> Tensor:
    """A signed distance on another lattice; outside the field's box it grows by the distance from the box."""
    grid = Grid(lattice.axis(1), lattice.axis(2), lattice.axis(0))
    beyond = [
        torch.maximum(low - axis, axis - high).clamp(min=0).to(field.values.device)
        for axis, (low, high) in zip((grid.x, grid.y, grid.z), field.lattice.ranges, strict=True)
    ]
    x, y, z = beyond[0][None, None], beyond[1][:, None, None], beyond[2][None, :, None]
    return field.at(grid) + (x * x + y * y + z * z).sqrt_()


def _paint_soft_tissue(scene: Scene) -> None:
    """Paint skin, fat and muscles, and the ligaments, tendons, vessels and nerves between them."""
    shape, lattice, frame = scene.anatomy.shape, scene.lattice, scene.frame
    distances = {bone.name: _on_lattice(bone.distance, lattice) for bone in scene.anatomy.bones}
    nearest = torch.stack(list(distances.values())).amin(0)
    skin, fascia = skin_and_fascia(shape, lattice, nearest, scene.anatomy.pose)
    _paint_skin(scene, skin, fascia)
    window, distance = ligaments.fat_pad(shape, frame)
    pad = scene.fatty("fat pad", window) * (1 + 0.14 * scene.grain[window])
    scene.canvas.paint_inside(window, distance, pad, Tissue.FAT_PAD)
    scene.paint(ligaments.cords(shape, frame))  # first: muscles cover the ends that lie in them
    _paint_muscles(scene, fascia)
    joint = Field(lattice, ligaments.joint_surface(distances["femur"], distances["tibia"]))
    scene.paint(ligaments.sheets(frame, joint, fascia))
    scene.paint(ligaments.bands(shape, frame, scene.streaks))
    scene.paint(vessels(shape, frame))


def _paint_skin(scene: Scene, skin: Field, fascia: Field) -> None:
    """Paint the skin, and under it fat with septa between its lobules."""
    everywhere = (slice(None),) * 3
    depth = skin.at(scene.grid)
    canvas = scene.canvas
    canvas.paint_inside(everywhere, depth, INTENSITY["skin"], Tissue.SKIN)
    lobules = Grid(0.35 * scene.grid.y, 0.25 * scene.grid.z, 0.3 * scene.grid.x)
    septa = smooth_noise(scene.knots, lobules, TEXTURE_KNOT_MM, scene.device).mul_(5.0).square_().neg_().exp_()
    septa *= scene.streaks.clamp(0, 1.5)  # septa are visible only in places
    fat = scene.fatty("fat", everywhere).mul_(1 + 0.08 * scene.grain + 0.07 * scene.streaks).add_(septa, alpha=0.07)
    canvas.paint_inside(everywhere, depth.add_(_SKIN_MM), fat, Tissue.FAT)
    sheet = fascia.at(scene.grid).abs_().sub_(_FASCIA_MM / 2)
    canvas.paint_inside(everywhere, sheet, 2 * INTENSITY["tendon"], None)


def _paint_muscles(scene: Scene, fascia: Field) -> None:
    """Paint each muscle in its fascia, with streaks of fat along its fibers; each knee has its own amount of fat."""
    shape = scene.anatomy.shape
    fatty = 0.5 + 0.22 * spare_normals(shape, 1, _FATTY_OFFSET)[0] + 0.02 * (shape.fat - 9.0)
    fatty = min(max(fatty, 0.0), 1.2)
    low, ridge = 1.4 - 0.55 * fatty, 0.05 + 0.14 * fatty  # streaks; septa between fiber bundles
    for _, field in muscle_fields(shape, scene.lattice, fascia.values, scene.anatomy.pose):
        window = field.window(scene.grid)
        inner = scene.grid.crop(window)
        if 0 in inner.shape:
            continue
        distance = field.at(inner)
        streaks = scene.streaks[window]
        flesh = INTENSITY["muscle"] * (1 + 0.05 * scene.grain[window] + 0.05 * streaks)
        fat = smoothstep(streaks, low, low + 0.9).mul_(0.8) + ridge * streaks.mul(3.0).square_().neg_().exp_()
        flesh += fat * (scene.fatty("fat", window) - flesh)
        scene.canvas.paint_inside(window, distance - _FASCIA_MM, 2.5 * INTENSITY["tendon"], Tissue.FAT)
        scene.canvas.paint_inside(window, distance, flesh, Tissue.MUSCLE)


def _paint_joint(scene: Scene) -> None:
    """Paint what lies between the bones: fluid, cruciate ligaments, menisci and cartilage."""
    anatomy, grid = scene.anatomy, scene.grid
    grade = kellgren_lawrence(anatomy.pathology.grades)
    amount = max(0.2, 0.5 + 0.35 * grade + 0.4 * spare_normals(anatomy.shape, 1, _FLUID_OFFSET)[0])
    scene.paint(ligaments.suprapatellar_fluid(anatomy.shape, scene.frame, 2.0 * amount))
    cartilage = anatomy.cartilage
    window, distance = ligaments.gap_fluid(scene.frame, cartilage["femoral"], cartilage["tibial"], 0.7 + amount)
    scene.canvas.paint_inside(window, distance, INTENSITY["fluid"], Tissue.FLUID)
    scene.paint(ligaments.cruciates(anatomy.shape, scene.frame, scene.streaks))
    for meniscus in anatomy.menisci.values():
        window = meniscus.window(grid)
        inside = INTENSITY["meniscus"] * (1 + 0.10 * scene.grain[window])
        scene.canvas.paint_inside(window, meniscus.at(grid.crop(window)), inside, Tissue.MENISCUS)
    for name, field in cartilage.items():
        _paint_cartilage(scene, name, field)


def _paint_cartilage(scene: Scene, name: str, field: Field) -> None:
    """Paint cartilage; its deep zone is a little darker, because collagen is upright there and T2* is short."""
    host, label = _CARTILAGES[name]
    window = field.window(scene.grid)
    inner = scene.grid.crop(window)
    surface, bone = field.at(inner), getattr(scene.anatomy, host).distance.at(inner)
    # Where a bone has no cartilage both distances are equal; without the second factor its edge would turn bright.
    share = occupancy(surface, EDGE_MM) * smoothstep(bone - surface, 0.1, 0.5)
    zone = 1 - 0.16 * smoothstep(bone, 1.0, 0.2) + 0.02 * scene.grain[window]
    scene.canvas.paint(window, share, INTENSITY["cartilage"] * zone, label)
