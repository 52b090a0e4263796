"""Paints bones onto a slice: cortex, marrow, sclerosis, and the lesions in and between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from monai_xray2mri.simulation.knee.mri.mr import EDGE_MM, Tissue
from monai_xray2mri.simulation.knee.mri.scene import Scene, SliceScene
from monai_xray2mri.simulation.tools.lattice import Field
from monai_xray2mri.simulation.tools.noise import smooth_noise
from monai_xray2mri.simulation.tools.primitives import occupancy, smoothstep, table
from monai_xray2mri.simulation.tools.slicing import Box, SlicedField

if TYPE_CHECKING:
    from monai_xray2mri.simulation.knee.anatomy.bones import Bone
    from monai_xray2mri.simulation.knee.anatomy.disease import Crystals

_SCAR_Z: Final = {"femur": 27.0, "tibia": -19.0}
_PATELLAR_CORTEX_MM: Final = 0.7
_CORTEX_KNOT_MM: Final = 8.0
_CORTEX_SPREAD: Final = 0.3
_CORTEX_LEAST_MM: Final = 0.2
_LABELS: Final = {
    "femur": Tissue.FEMUR,
    "tibia": Tissue.TIBIA,
    "fibula": Tissue.FIBULA,
    "patella": Tissue.PATELLA,
}


def cortical_thickness(cortex: float, z: Tensor) -> Tensor:
    """Thickness of the cortex in mm: a thin shell at the joint, thick in the shafts.

    Args:
        cortex: factor on the thickness, :attr:`KneeShape.cortex`.
        z: heights in reference mm, any shape.
    """
    knots = (-110.0, -70.0, -45.0, -25.0, -10.0, 10.0, 35.0, 55.0, 80.0, 120.0)
    return cortex * table(z, knots, (4.0, 2.6, 1.2, 0.6, 0.45, 0.45, 0.5, 0.9, 2.4, 4.2))


@dataclass(frozen=True)
class PaintedBone:
    """A bone on the grid of an image.

    Attributes:
        name: the bone's.
        distance: its signed distance.
        cortex: thickness of its cortex in mm.
        sclerosis: density of sclerosis, 0 to 1; None without any.
        cysts: stem to signed distance.
        worn: stem to signed distance of what attrition took away.
    """

    name: str
    distance: SlicedField
    cortex: SlicedField
    sclerosis: SlicedField | None
    cysts: Mapping[str, SlicedField]
    worn: Mapping[str, SlicedField]

    @classmethod
    def of(cls, scene: Scene, bone: Bone) -> PaintedBone:
        """Ready a bone for its slices."""
        sliced, lattice = scene.slicer.field, bone.distance.lattice
        return cls(
            name=bone.name,
            distance=sliced(bone.distance),
            cortex=sliced(Field(lattice, _cortex(scene, bone))),
            sclerosis=None if bone.sclerosis is None else sliced(bone.sclerosis),
            cysts={stem: sliced(cyst) for stem, cyst in bone.cysts.items()},
            worn={stem: sliced(worn) for stem, worn in bone.worn.items()},
        )


def _cortex(scene: Scene, bone: Bone) -> Tensor:
    """Thickness of the cortex [Y,Z,X] in mm, thicker here and thinner there."""
    lattice, device = bone.distance.lattice, bone.distance.values.device
    uneven = smooth_noise(scene.few_knots, lattice, _CORTEX_KNOT_MM, device)
    z = lattice.points(device).z
    usual = cortical_thickness(scene.anatomy.shape.cortex, z) if bone.name != "patella" else _PATELLAR_CORTEX_MM
    return (usual * (1 + _CORTEX_SPREAD * uneven)).clamp(min=_CORTEX_LEAST_MM)


def paint_bone(slice_: SliceScene, bone: PaintedBone) -> None:
    """Paint cortex, marrow with its texture, the scar of the growth plate, sclerosis and cysts."""
    number, known = slice_.number, bone.distance.box(slice_.number, slice_.columns)
    if known is None:
        return
    plane = bone.distance.plane(number)
    # What attrition takes must not move the box: the rest of the bone keeps its bits without it.
    box = known if bone.name == "tibia" else bone.distance.near(plane, known, 1.5)
    if box is None:
        return
    distance, edge = bone.distance.shown(plane, box), slice_.edge_of(bone.distance, box)
    slice_.paint_inside(box, distance, slice_.scene.contrast["cortex"], Tissue.CORTEX, edge)
    inner = distance + bone.cortex.read(number, box)
    slice_.paint_inside(box, inner, _marrow(slice_, bone.name, box), _LABELS[bone.name], edge)
    if bone.sclerosis is not None:
        share = bone.sclerosis.read(number, box).clamp_(0, 1) * occupancy(distance + 0.8, EDGE_MM)
        slice_.canvas.paint((slice(None), *box), share, slice_.scene.contrast["sclerosis"], None)
    for stem, cyst in bone.cysts.items():
        _paint_cyst(slice_, stem, cyst, bone)


def _marrow(slice_: SliceScene, name: str, box: Box) -> Tensor:
    """Intensity of marrow: fat with fine texture, red marrow away from the joint, the growth plate's dark scar."""
    grain, patches = slice_.texture("grain", box), slice_.texture("patches", box)
    found = slice_.fatty("marrow", box)
    found.mul_(1 + 0.02 * grain + 0.015 * slice_.texture("streaks", box) + 0.012 * patches)
    z = slice_.scene.grid.z[box[0]].to(grain.device)[None, :, None]
    red = smoothstep(z.abs(), 35.0, 80.0).mul(0.14) * (patches + 0.35).clamp_(0, 1.2)
    found += red * (slice_.scene.contrast["red marrow"] - found)
    if name in _SCAR_Z:
        scar = (z - _SCAR_Z[name] - 2.2 * patches).abs_().sub_(0.1)
        found *= 1 - occupancy(scar, 1.4) * slice_.texture("lobules", box).mul(0.25).add_(0.22).clamp_(0, 0.5)
    return found


def _paint_cyst(slice_: SliceScene, stem: str, cyst: SlicedField, bone: PaintedBone) -> None:
    """A subchondral cyst: fluid and fibrous tissue inside a dark rim."""
    box = cyst.box(slice_.number, slice_.columns)
    if box is None:
        return
    contrast, grain = slice_.scene.contrast, slice_.texture("grain", box)
    inside = torch.maximum(cyst.read(slice_.number, box) + 0.3 * grain, bone.distance.read(slice_.number, box) + 0.4)
    slice_.paint_inside(box, inside - 0.8, 0.6 * contrast["sclerosis"], None)
    slice_.paint_inside(box, inside, contrast["cyst"] * (1 + 0.08 * grain), Tissue.CYST)
    slice_.mark(box, inside < 0, stem)


@dataclass(frozen=True)
class PaintedCrystals:
    """Chondrocalcinosis of one compartment on the grid of an image; the parts of :class:`Crystals`."""

    crystals: Crystals
    patch: SlicedField
    layers: tuple[tuple[SlicedField, SlicedField], ...]
    meniscus: SlicedField

    @classmethod
    def of(cls, scene: Scene, crystals: Crystals) -> PaintedCrystals:
        """Ready the crystals of a compartment for their slices."""
        parts = [tuple(scene.slicer.field(part) for part in layer) for layer in crystals.layers]
        patch, meniscus = (scene.slicer.field(part) for part in (crystals.patch, crystals.meniscus))
        return cls(crystals, patch, tuple((layer[0], layer[1]) for layer in parts), meniscus)


def paint_crystals(slice_: SliceScene, crystals: Mapping[str, PaintedCrystals]) -> None:
    """Chondrocalcinosis: dark spots, only in cartilage and menisci."""
    hosts = (Tissue.FEMORAL_CARTILAGE, Tissue.TIBIAL_CARTILAGE, Tissue.MENISCUS)
    number = slice_.number
    for stem, each in crystals.items():
        box = each.patch.box(number, slice_.columns)
        if box is None:
            continue
        window = (slice(None), *box)
        labels = slice_.canvas.labels[window]
        host = torch.stack([labels == int(tissue) for tissue in hosts]).any(0)
        layers = [(distance.read(number, box), deep.read(number, box)) for distance, deep in each.layers]
        share = each.crystals.share(each.patch.read(number, box), layers, each.meniscus.read(number, box)) * host
        slice_.canvas.paint(window, share, slice_.scene.contrast["crystals"], Tissue.CRYSTALS)
        slice_.mark(box, share > 0.5, stem)


def paint_worn(slice_: SliceScene, femur: PaintedBone, tibia: PaintedBone) -> None:
    """Attrition: fluid and granulation tissue fill the worn part of the plateau, as far as the femur leaves room."""
    number = slice_.number
    for stem, worn in tibia.worn.items():
        box = worn.box(number, slice_.columns)
        if box is None:
            continue
        free = torch.maximum(0.3 - femur.distance.read(number, box), -tibia.distance.read(number, box))
        inside = torch.maximum(worn.read(number, box), free)
        tissue = slice_.scene.contrast["attrition"] * (1 + 0.15 * slice_.texture("grain", box))
        slice_.paint_inside(box, inside, tissue, Tissue.ATTRITION)
        slice_.mark(box, inside < 0, stem)
