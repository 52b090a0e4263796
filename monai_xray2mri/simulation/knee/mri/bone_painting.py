"""Paints bones onto the MR volume: cortex, marrow, sclerosis, and the lesions in the bones and between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from monai_xray2mri.simulation.knee.mri.mr import EDGE_MM, INTENSITY, Tissue
from monai_xray2mri.simulation.knee.mri.scene import Scene
from monai_xray2mri.simulation.tools.lattice import Field, Grid, Window
from monai_xray2mri.simulation.tools.noise import smooth_noise
from monai_xray2mri.simulation.tools.primitives import occupancy, smoothstep, table

if TYPE_CHECKING:
    from monai_xray2mri.simulation.knee.anatomy.bones import Bone

_SCAR_Z: Final = {"femur": 27.0, "tibia": -19.0}
"""Height of the scar of the closed growth plate in reference mm."""
_PATELLAR_CORTEX_MM: Final = 0.9
_LABELS: Final = {
    "femur": Tissue.FEMUR,
    "tibia": Tissue.TIBIA,
    "fibula": Tissue.FIBULA,
    "patella": Tissue.PATELLA,
}


def cortical_thickness(cortex: float, z: Tensor) -> Tensor:
    """Thickness of the cortex in mm, of the shape of ``z``: thin at the joint, thick in the shafts.

    Args:
        cortex: factor of this knee on the thickness.
        z: heights in reference mm.
    """
    knots = (-110.0, -70.0, -40.0, -20.0, 0.0, 35.0, 55.0, 80.0, 120.0)
    return cortex * table(z, knots, (4.0, 2.8, 1.3, 0.75, 0.7, 0.7, 1.1, 2.4, 4.2))


def paint_bone(scene: Scene, bone: Bone) -> None:
    """Paint the cortex, the marrow with its texture, the scar of the growth plate, sclerosis and cysts."""
    window = bone.distance.window(scene.grid)
    inner = scene.grid.crop(window)
    distance = bone.distance.at(inner)
    canvas, label = scene.canvas, _LABELS[bone.name]
    canvas.paint_inside(window, distance, INTENSITY["cortex"], Tissue.CORTEX)
    z = inner.points(scene.device).z
    thickness = cortical_thickness(scene.anatomy.shape.cortex, z) if bone.name != "patella" else _PATELLAR_CORTEX_MM
    thickness = thickness + 0.15 * scene.grain[window]
    canvas.paint_inside(window, distance + thickness, _marrow(scene, bone.name, window, inner), label)
    if bone.sclerosis is not None:
        share = bone.sclerosis.at(inner).clamp_(0, 1) * occupancy(distance + 0.8, EDGE_MM)
        canvas.paint(window, share, INTENSITY["sclerosis"], None)
    for stem, cyst in bone.cysts.items():
        _paint_cyst(scene, stem, cyst, bone)


def _marrow(scene: Scene, name: str, window: Window, inner: Grid) -> Tensor:
    """Intensity [Y,Z,X] of marrow: textured fat, red marrow far from the joint, a dark scar at the growth plate."""
    grain = scene.grain[window]
    z = inner.points(scene.device).z
    patches = smooth_noise(scene.knots[30:62, 30:62, 30:62], inner, 10.0, scene.device)
    found = scene.fatty("marrow", window) * (1 + 0.17 * grain)
    red = 0.30 * smoothstep(z.abs(), 30.0, 72.0) * (patches + 0.35).clamp_(0, 1.2) * (1 + 0.2 * grain)
    found += red * INTENSITY["red marrow"]
    if name in _SCAR_Z:
        scar = (z - _SCAR_Z[name] - 2.2 * patches).abs_().sub_(0.5)
        found *= 1 - 0.4 * occupancy(scar, 1.0)
    return found


def _paint_cyst(scene: Scene, stem: str, cyst: Field, bone: Bone) -> None:
    """Paint a subchondral cyst: fluid and fibrous tissue inside a dark rim."""
    window = cyst.window(scene.grid)
    inner = scene.grid.crop(window)
    if 0 in inner.shape:
        return
    grain = scene.grain[window]
    inside = torch.maximum(cyst.at(inner) + 0.3 * grain, bone.distance.at(inner) + 0.4)
    scene.canvas.paint_inside(window, inside - 0.8, 0.6 * INTENSITY["sclerosis"], None)
    scene.canvas.paint_inside(window, inside, INTENSITY["cyst"] * (1 + 0.08 * grain), Tissue.CYST)
    scene.mark(window, inside < 0, stem)


def paint_crystals(scene: Scene) -> None:
    """Paint chondrocalcinosis: dark spots, only in cartilage and menisci."""
    hosts = (Tissue.FEMORAL_CARTILAGE, Tissue.TIBIAL_CARTILAGE, Tissue.MENISCUS)
    for stem, crystals in scene.anatomy.crystals.items():
        window = crystals.window(scene.grid)
        labels = scene.canvas.labels[window]
        host = torch.stack([labels == int(tissue) for tissue in hosts]).any(0)
        share = crystals.at(scene.grid.crop(window)).clamp_(0, 1) * host
        scene.canvas.paint(window, share, INTENSITY["crystals"], Tissue.CRYSTALS)
        scene.mark(window, share > 0.5, stem)


def paint_worn(scene: Scene) -> None:
    """Paint attrition: fluid and granulation tissue fill the space between the worn plateau and the femur."""
    femur, tibia = scene.anatomy.femur.distance, scene.anatomy.tibia
    for stem, worn in tibia.worn.items():
        window = worn.window(scene.grid)
        inner = scene.grid.crop(window)
        free = torch.maximum(0.3 - femur.at(inner), -tibia.distance.at(inner))
        inside = torch.maximum(worn.at(inner), free)
        tissue = INTENSITY["attrition"] * (1 + 0.15 * scene.grain[window])
        scene.canvas.paint_inside(window, inside, tissue, Tissue.ATTRITION)
        scene.mark(window, inside < 0, stem)
