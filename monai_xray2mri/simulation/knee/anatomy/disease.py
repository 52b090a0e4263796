"""The lesions of a knee on its anatomy: diseased femur and tibia, and chondrocalcinosis.

:mod:`~monai_xray2mri.simulation.knee.anatomy.pathology` says what each grade does; this module does it to the bones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from monai_xray2mri.simulation.knee.anatomy import pathology as lesions
from monai_xray2mri.simulation.knee.anatomy.bones import (
    Bone,
    TibialPlace,
    femur_points,
    posed,
    tibia_points,
    united,
)
from monai_xray2mri.simulation.knee.anatomy.pathology import CONDYLE_X, CRYSTAL_KNOT_MM, SIDES, Pathology
from monai_xray2mri.simulation.knee.anatomy.shape import KneeShape, Pose
from monai_xray2mri.simulation.tools.lattice import Field, Grid, HeightMap, Window
from monai_xray2mri.simulation.tools.noise import noise_at
from monai_xray2mri.simulation.tools.primitives import occupancy, smoothstep

_CRYSTAL_HALF_MM = 0.6
_FAR_MM = 60.0
"""Larger than every distance on a lattice: where nothing is worn, no distance may change, even far from the bone."""


@dataclass(frozen=True)
class Crystals:
    """Chondrocalcinosis of one compartment: crystals in the middle layer of both cartilages and in the meniscus.

    Attributes:
        patch: density of the crystals in the plane of the joint, 0 to 1.
        layers: (signed distance of the bone, thickness of its cartilage), for femur and tibia.
        meniscus: signed distance of the meniscus.
    """

    patch: Field
    layers: tuple[tuple[Field, Field], ...]
    meniscus: Field

    def window(self, grid: Grid) -> Window:
        """Index box of a grid; no crystals lie outside it."""
        return self.patch.window(grid)

    def at(self, grid: Grid) -> Tensor:
        """Share [Y,Z,X] of crystals in each voxel of a grid cropped to :meth:`window`, 0 to 1."""
        layers = [(distance.at(grid), thickness.at(grid)) for distance, thickness in self.layers]
        return self.share(self.patch.at(grid), layers, self.meniscus.at(grid))

    @staticmethod
    def share(patch: Tensor, layers: Iterable[tuple[Tensor, Tensor]], meniscus: Tensor) -> Tensor:
        """Share of crystals in each voxel from the values of all fields there, any shape."""
        share = 0.8 * occupancy(meniscus + 0.9, 1.2)
        for distance, deep in layers:
            layer = occupancy((distance - 0.5 * deep).abs() - _CRYSTAL_HALF_MM, 0.8)
            share = torch.maximum(share, layer * smoothstep(deep, 0.5, 1.2))
        return share * patch.clamp(0, 1)


def diseased_femur(femur: Field, shape: KneeShape, pathology: Pathology, pose: Pose, condyles: HeightMap) -> Bone:
    """The femur with osteophytes, sclerosis and cysts.

    Args:
        femur: its signed distance without lesions.
        shape: the knee's shape.
        pathology: grades and sites of the knee.
        pose: how it lies or stands.
        condyles: height of the femur's joint surface.
    """
    points = femur.lattice.points(femur.values.device)
    own = femur_points(points, pose)
    widening = dict(zip(SIDES, shape.condyle_width, strict=True))
    grown = lesions.osteophytes("F", pathology, own, condyles, widening)
    depth = Field(femur.lattice, -femur.values)
    density = lesions.sclerosis("F", pathology, own, depth.values)
    return Bone(
        "femur",
        united(femur, grown, 3.5),
        depth,
        None if density is None else Field(femur.lattice, density),
        lesions.as_fields(lesions.cysts("F", pathology, points, condyles), femur),
    )


def diseased_tibia(
    tibia: Field, shape: KneeShape, pathology: Pathology, pose: Pose, place: TibialPlace, plateau: HeightMap
) -> Bone:
    """The tibia with osteophytes, sclerosis, cysts and attrition.

    Args:
        tibia: its signed distance without lesions.
        shape: the knee's shape.
        pathology: grades and sites of the knee.
        pose: how it lies or stands.
        place: where the lower leg lies under the femur.
        plateau: height of the tibia's joint surface before attrition.
    """
    points = tibia.lattice.points(tibia.values.device)
    own = tibia_points(shape, points, pose, place)
    widening = {"M": 30.5 * (shape.tibia - 1), "L": 35.0 * (shape.tibia - 1)}
    # The plateau's heights are in the frame of the examination; near the plateau its z is almost the tibia's own.
    grown = lesions.osteophytes("T", pathology, points, plateau, widening)
    top = plateau.values.clamp(min=-25.0)[:, None, :]  # [Y,1,X]
    depth = Field(tibia.lattice, top - points.z)
    density = lesions.sclerosis("T", pathology, own, depth.values)
    worn, surface = _attrition(tibia, pathology, top)
    return Bone(
        "tibia",
        united(surface, grown, 3.5),
        depth,
        None if density is None else Field(tibia.lattice, density),
        lesions.as_fields(lesions.cysts("T", pathology, points, plateau), tibia),
        worn,
    )


def _attrition(tibia: Field, pathology: Pathology, top: Tensor) -> tuple[dict[str, Field], Field]:
    """The bone that attrition removes, by OAI stem, and the tibia that remains."""
    points = tibia.lattice.points(tibia.values.device)
    worn, left = {}, tibia.values
    for stem, depth in lesions.attrition_depth(pathology, points).items():
        above = top - depth - points.z  # negative above the new surface
        worn[stem] = Field(tibia.lattice, torch.maximum(tibia.values, above) + 2.0 * smoothstep(depth, 0.6, 0.2))
        # At most the depth of the attrition: soft tissue follows the distance of the bones and must not see a far bone.
        cut = torch.minimum(-above, depth) - _FAR_MM * smoothstep(depth, 0.3, 0.05)
        left = torch.maximum(left, cut)
    return worn, replace(tibia, values=left)


def crystals(
    pathology: Pathology,
    pose: Pose,
    pair: tuple[Field, Field],
    layers: Mapping[str, Field],
    menisci: Mapping[str, Field],
) -> dict[str, Crystals]:
    """The chondrocalcinosis of each compartment that is graded with it, by OAI stem.

    Args:
        pathology: grades and sites of the knee.
        pose: how it lies or stands.
        pair: signed distance of (femur, tibia), without lesions.
        layers: ``"femoral"`` and ``"tibial"`` to the thickness of the cartilage.
        menisci: ``"M"`` and ``"L"`` to signed distance.
    """
    found = {}
    for side, meniscus in menisci.items():
        stem = f"XRCH{side}"
        if not pathology.grade(stem):
            continue
        lattice = meniscus.lattice
        points = lattice.points(meniscus.values.device)
        own = posed(points, pose)
        speckle = noise_at(pathology.crystals[None], own.moved(x=SIDES[side] * CONDYLE_X), CRYSTAL_KNOT_MM)[0]
        patch = lesions.crystal_patch(side, pathology, own) * smoothstep(speckle, -0.5, 0.5)
        sides = ((pair[0], layers["femoral"]), (pair[1], layers["tibial"]))
        found[stem] = Crystals(Field(lattice, patch), sides, meniscus)
    return found
