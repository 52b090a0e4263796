"""The anatomy of one right knee in the pose of one examination, ready to be drawn on any grid.

Bones come from the template (:mod:`~monai_xray2mri.simulation.knee.anatomy.template`), varied by the knee's shape and
rotated by its pose. Then the lower leg is moved until both joint spaces have the width that shape, narrowing and load
require. Lesions are placed last, relative to the joint surfaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from monai_xray2mri.simulation.knee.anatomy import bones
from monai_xray2mri.simulation.knee.anatomy.bones import Bone, TibialPlace
from monai_xray2mri.simulation.knee.anatomy.disease import Crystals, crystals, diseased_femur, diseased_tibia
from monai_xray2mri.simulation.knee.anatomy.pathology import CONDYLE_X, SIDES, Pathology, narrowed_share
from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape, Pose
from monai_xray2mri.simulation.knee.anatomy.template import Template, shipped_template
from monai_xray2mri.simulation.tools.lattice import (
    CPU,
    Field,
    Grid,
    HeightMap,
    Lattice,
    Range,
    lower_surface,
    upper_surface,
)
from monai_xray2mri.simulation.tools.primitives import smoothstep

MIDDLE_X: Range = (14.0, 30.0)
MIDDLE_Y: Range = (-12.0, 12.0)
"""Ranges of the absolute x and of y in reference mm: the middle of a plateau, where the joint space is measured."""
_ABSENT_MM = 60.0
_FITTING_STEPS = 3
_TEMPLATE_CARTILAGE = {"M": 4.5, "L": 5.7}
"""Thickness in mm of femoral plus tibial cartilage in the middle of the template's compartments."""
_FIBULAR_GAP_MM = 0.6
_PATELLAR_GAP_MM = 1.2
"""Least distance of fibula and tibia, and of patella and femur; 0.5 and 1.3 mm in the knee of the template."""


@dataclass(frozen=True)
class KneeAnatomy:
    """Everything about a knee in one examination, in reference mm.

    Attributes:
        femur, tibia, fibula, patella: the bones.
        cartilage: ``"femoral"``, ``"tibial"``, ``"patellar"`` to the signed distance of the bone with its cartilage.
        thickness: the same keys to the thickness of the cartilage on the nearest point of the bone.
        menisci: ``"M"``, ``"L"`` to signed distance.
        crystals: OAI stem (XRCHM, XRCHL) to the chondrocalcinosis of that feature.
        condyles: height of the femur's joint surface.
        plateau: height of the tibia's joint surface before attrition.
        place: where the lower leg lies under the femur.
        shape, pathology, pose: the arguments of :func:`build_anatomy`.
    """

    femur: Bone
    tibia: Bone
    fibula: Bone
    patella: Bone
    cartilage: Mapping[str, Field]
    thickness: Mapping[str, Field]
    menisci: Mapping[str, Field]
    crystals: Mapping[str, Crystals]
    condyles: HeightMap
    plateau: HeightMap
    place: TibialPlace
    shape: KneeShape
    pathology: Pathology
    pose: Pose

    @property
    def bones(self) -> tuple[Bone, ...]:
        """All four, from the femur to the patella."""
        return self.femur, self.tibia, self.fibula, self.patella


def build_anatomy(
    shape: KneeShape,
    pathology: Pathology,
    pose: Pose,
    z_range: Range = (-84.0, 84.0),
    *,
    template: Template | None = None,
    device: torch.device = CPU,
) -> KneeAnatomy:
    """Build the anatomy of a knee in one examination.

    Args:
        shape: the knee's shape.
        pathology: its grades and the sites of its lesions.
        pose: how it lies or stands.
        z_range: range along the leg that the image covers, in reference mm.
        template: the knee that the shape varies; the shipped one by default.
        device: device of the fields.
    """
    source = template or shipped_template()
    lattices = bones.femur_lattice(z_range), bones.tibia_lattice(z_range)
    femur = bones.femur(source, shape, lattices[0], pose, device)
    condyles = lower_surface(femur, _ABSENT_MM)
    place = _fitted_place(source, shape, pathology, pose, condyles, device)
    tibia = bones.tibia(source, shape, lattices[1], pose, place, device)
    plateau = upper_surface(tibia, -_ABSENT_MM)
    layers = _cartilage_thickness(source, shape, pathology, pose, place, (femur, tibia), device)
    menisci = _menisci(source, shape, pathology, pose, place, (femur, tibia), layers, device)
    fibula = bones.fibula(source, shape, bones.fibula_lattice(z_range), pose, place, device)
    fibula = _apart(fibula, tibia, _FIBULAR_GAP_MM)
    patella = bones.patella(source, shape, bones.patella_lattice(shape), pose, device)
    patella = _apart(patella, femur, _PATELLAR_GAP_MM)
    layers["patellar"] = Field(
        patella.lattice,
        shape.cartilage
        * shape.patellar_cartilage
        * bones.cartilage_thickness(source, shape, "patella", patella.lattice, pose, place, device),
    )
    coated = {"femoral": femur, "tibial": tibia, "patellar": patella}
    return KneeAnatomy(
        femur=diseased_femur(femur, shape, pathology, pose, condyles),
        tibia=diseased_tibia(tibia, shape, pathology, pose, place, plateau),
        fibula=Bone("fibula", fibula),
        patella=Bone("patella", patella),
        cartilage={name: _coated(coated[name], thickness) for name, thickness in layers.items()},
        thickness=layers,
        menisci=menisci,
        crystals=crystals(pathology, pose, (femur, tibia), layers, menisci),
        condyles=condyles,
        plateau=plateau,
        place=place,
        shape=shape,
        pathology=pathology,
        pose=pose,
    )


def _apart(bone: Field, other: Field, gap: float) -> Field:
    """A bone without its part nearer to another bone than ``gap`` mm; bones are drawn one by one and may overlap."""
    lattice = bone.lattice
    distance = other.at(Grid(lattice.axis(1), lattice.axis(2), lattice.axis(0)))
    return Field(lattice, torch.maximum(bone.values, gap - distance))


def middle_gap(condyles: HeightMap, plateau: HeightMap, side: str) -> Tensor:
    """Distance [y,x] of the bones along z in reference mm, over the middle of a plateau (``"M"`` or ``"L"``)."""
    limits = MIDDLE_X if side == "M" else (-MIDDLE_X[1], -MIDDLE_X[0])
    above = condyles.values[condyles.window(limits, MIDDLE_Y)]
    return above - plateau.values[plateau.window(limits, MIDDLE_Y)]


def _fitted_place(
    template: Template, shape: KneeShape, pathology: Pathology, pose: Pose, condyles: HeightMap, device: torch.device
) -> TibialPlace:
    """The place of the lower leg at which both joint spaces have the required width."""
    level, rise = torch.zeros((), device=device), torch.zeros((), device=device)
    thin = Lattice.covering((-50.0, 50.0), (-56.0, 44.0), (-16.0, 20.0), bones.STEP_MM)
    for _ in range(_FITTING_STEPS):
        tibia = bones.tibia(template, shape, thin, pose, TibialPlace(level, rise), device)
        plateau = upper_surface(tibia, -_ABSENT_MM)
        excess = [
            middle_gap(condyles, plateau, side).min() - pathology.narrowed(space, side, pose.load)
            for side, space in zip(SIDES, shape.joint_space, strict=True)
        ]
        level = level + (excess[0] + excess[1]) / 2
        rise = rise + (excess[0] - excess[1]) / (2 * CONDYLE_X)
    return TibialPlace(level, rise)


def _cartilage_thickness(
    template: Template,
    shape: KneeShape,
    pathology: Pathology,
    pose: Pose,
    place: TibialPlace,
    pair: tuple[Field, Field],
    device: torch.device,
) -> dict[str, Field]:
    """Thickness of femoral and tibial cartilage: the template's, scaled to the joint space that is there."""
    found = {}
    room = [
        min(1.0, space / (shape.cartilage * _TEMPLATE_CARTILAGE[side]))
        for side, space in zip(SIDES, shape.joint_space, strict=True)
    ]
    for name, bone, field in (("femoral", "femur", pair[0]), ("tibial", "tibia", pair[1])):
        points = field.lattice.points(device)
        usual = bones.cartilage_thickness(template, shape, bone, field.lattice, pose, place, device)
        fit = room[1] + (room[0] - room[1]) * smoothstep(points.x, -12.0, 12.0)
        left = narrowed_share(pathology, points)
        # Narrowing thins the weight-bearing surfaces, not the trochlea.
        loaded = smoothstep(points.y, -30.0, -18.0) if bone == "femur" else torch.ones_like(points.y)
        factor = shape.cartilage * fit * (1 + (left - 1) * loaded)
        found[name] = Field(field.lattice, usual.clamp(min=0) * factor)
    return found


def _coated(bone: Field, thickness: Field) -> Field:
    """Signed distance of a bone with its cartilage; where the bone is bare, the surface lies inside the bone."""
    bare = 2.5 * smoothstep(thickness.values, 0.7, 0.15)
    return Field(bone.lattice, bone.values - thickness.values + bare)


def _menisci(
    template: Template,
    shape: KneeShape,
    pathology: Pathology,
    pose: Pose,
    place: TibialPlace,
    pair: tuple[Field, Field],
    layers: Mapping[str, Field],
    device: torch.device,
) -> dict[str, Field]:
    """Signed distance of both menisci, cut by both cartilages; narrowing moves them out of the joint."""
    lattice = Lattice.covering(*pair[0].lattice.ranges[:2], (-14.0, 18.0), bones.STEP_MM)
    walls = []
    for bone, name in zip(pair, ("femoral", "tibial"), strict=True):
        coated = bone.values - layers[name].values
        walls.append(_cropped(Field(bone.lattice, coated), lattice))
    found = {}
    for side in SIDES:
        extrusion = 3.5 * pathology.narrowing(side)
        ring = bones.meniscus(template, shape, side, lattice, pose, place, extrusion, device)
        found[side] = Field(lattice, torch.maximum(ring, torch.maximum(0.2 - walls[0], 0.2 - walls[1])))
    return found


def _cropped(field: Field, lattice: Lattice) -> Tensor:
    """Values of a field on a lattice that shares its points; 20 mm (far outside) where the field ends along z."""
    offset = round((lattice.low[2] - field.lattice.low[2]) / lattice.step)
    values = field.values.new_full((lattice.size[1], lattice.size[2], lattice.size[0]), 20.0)
    first, last = max(0, -offset), min(lattice.size[2], field.lattice.size[2] - offset)
    values[:, first:last] = field.values[:, first + offset : last + offset]
    return values
