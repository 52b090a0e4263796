"""Paints the tissues of a knee onto the slices of an MR volume, from the skin inwards, and marks its lesions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from monai_xray2mri.simulation.knee.anatomy.body import skin_and_fascia, spare_normals
from monai_xray2mri.simulation.knee.anatomy.muscles import muscle_fields
from monai_xray2mri.simulation.knee.mri import ligaments
from monai_xray2mri.simulation.knee.mri.bone_painting import (
    PaintedBone,
    PaintedCrystals,
    paint_bone,
    paint_crystals,
    paint_worn,
)
from monai_xray2mri.simulation.knee.mri.contrast import WATER_EXCITED_FLASH, Contrast
from monai_xray2mri.simulation.knee.mri.frame import Piece
from monai_xray2mri.simulation.knee.mri.mr import EDGE_MM, Canvas, Tissue
from monai_xray2mri.simulation.knee.mri.scene import Scene, SliceScene, draw_scene
from monai_xray2mri.simulation.knee.mri.soft_painting import paint_fat_pad, paint_muscles, paint_skin
from monai_xray2mri.simulation.knee.mri.vessels import vessels
from monai_xray2mri.simulation.knee.people.grades import kellgren_lawrence
from monai_xray2mri.simulation.tools.lattice import Field, Grid, Lattice
from monai_xray2mri.simulation.tools.primitives import occupancy, smoothstep
from monai_xray2mri.simulation.tools.slicing import SlicedField

if TYPE_CHECKING:
    from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import KneeAnatomy

_BODY_MM: Final = 1.5
_COLUMN_STEP: Final = 16
_FLUID_OFFSET: Final = 44
_CARTILAGES: Final = {
    "femoral": ("femur", Tissue.FEMORAL_CARTILAGE),
    "tibial": ("tibia", Tissue.TIBIAL_CARTILAGE),
    "patellar": ("patella", Tissue.PATELLAR_CARTILAGE),
}


@dataclass(frozen=True)
class KneePainter:
    """A knee that is ready to be painted, slice by slice.

    Attributes:
        scene: what all slices share.
        skin, fascia: signed distances.
        muscles: signed distances, in the order in which they displace each other.
        fat_pad, cords, wrappings, fluid, cruciates: structures to paint, in this order; the wrappings are sheets,
            bands and vessels.
        menisci, cartilage: signed distances.
        bones: from the femur to the patella.
        crystals: stem to chondrocalcinosis.
    """

    scene: Scene
    skin: SlicedField
    fascia: SlicedField
    muscles: Sequence[SlicedField]
    fat_pad: Sequence[Piece]
    cords: Sequence[Piece]
    wrappings: Sequence[Piece]
    fluid: Sequence[Piece]
    cruciates: Sequence[Piece]
    menisci: Sequence[SlicedField]
    cartilage: Mapping[str, SlicedField]
    bones: Mapping[str, PaintedBone]
    crystals: Mapping[str, PaintedCrystals]

    @classmethod
    def of(
        cls,
        anatomy: KneeAnatomy,
        grid: Grid,
        texture: torch.Generator,
        contrast: Contrast = WATER_EXCITED_FLASH,
    ) -> KneePainter:
        """Ready a knee in the straight, unloaded pose of the MR examination.

        Args:
            anatomy: its bones, cartilages and menisci, on any device.
            grid: voxel centers in reference mm.
            texture: random generator of what the radiograph does not show (field, marrow and muscle texture).
            contrast: the sequence.
        """
        scene = draw_scene(anatomy, grid, texture, contrast)
        shape, lattice, frame = anatomy.shape, scene.lattice, scene.frame
        sliced = scene.slicer.field
        distances = {bone.name: _on_lattice(bone.distance, lattice) for bone in anatomy.bones}
        nearest = torch.stack(list(distances.values())).amin(0)
        skin, fascia = skin_and_fascia(shape, lattice, nearest, anatomy.pose)
        muscles = [field for _, field in muscle_fields(shape, lattice, fascia.values, anatomy.pose)]
        joint = Field(lattice, ligaments.joint_surface(distances["femur"], distances["tibia"]))
        sliced_skin, sliced_fascia = (sliced(field) for field in (skin, fascia))
        cartilage = {name: sliced(field) for name, field in anatomy.cartilage.items()}
        amount = _fluid_mm(anatomy)
        return cls(
            scene=scene,
            skin=sliced_skin,
            fascia=sliced_fascia,
            muscles=[sliced(field) for field in muscles],
            fat_pad=tuple(ligaments.fat_pad(shape, frame, sliced_skin)),
            cords=tuple(ligaments.cords(shape, frame)),
            wrappings=(
                *ligaments.sheets(frame, sliced(joint), sliced_fascia),
                *ligaments.bands(shape, frame, sliced_skin),
                *vessels(shape, frame),
            ),
            fluid=(
                *ligaments.suprapatellar_fluid(shape, frame, 2.0 * amount),
                *ligaments.gap_fluid(frame, cartilage["femoral"], cartilage["tibial"], 0.7 + amount),
            ),
            cruciates=tuple(ligaments.cruciates(shape, frame)),
            menisci=[sliced(field) for field in anatomy.menisci.values()],
            cartilage=cartilage,
            bones={bone.name: PaintedBone.of(scene, bone) for bone in anatomy.bones},
            crystals={stem: PaintedCrystals.of(scene, each) for stem, each in anatomy.crystals.items()},
        )

    def slices(self, numbers: Sequence[int]) -> tuple[Canvas, Tensor]:
        """Paint some slices.

        Args:
            numbers: their places in the grid. A slice has the same bits whichever others are painted.

        Returns:
            The painted canvas of N slices in this order, and the lesions [N,Z,X] uint8: 0 is none, else 1 + the index
            of the feature in :data:`~monai_xray2mri.simulation.knee.anatomy.truth.LESION_FEATURES`.
        """
        canvas = Canvas.empty((len(numbers), *self.scene.grid.shape[1:]), self.scene.frame.device)
        lesions = torch.zeros_like(canvas.labels)
        for place, number in enumerate(numbers):
            columns = self._columns(number)
            if columns is not None:
                slice_ = SliceScene(self.scene, number, columns, canvas.part(place), lesions[place : place + 1])
                self._paint_soft_tissue(slice_)
                self._paint_joint(slice_)
        return canvas, lesions

    def _paint_soft_tissue(self, slice_: SliceScene) -> None:
        """Everything that bones, cartilage and menisci cover where they meet."""
        paint_skin(slice_, self.skin, self.fascia)
        paint_fat_pad(slice_, self.fat_pad)
        slice_.paint(self.cords)  # before the muscles, out of which they come
        paint_muscles(slice_, self.muscles)
        for pieces in (self.wrappings, self.fluid, self.cruciates):
            slice_.paint(pieces)

    def _paint_joint(self, slice_: SliceScene) -> None:
        """Menisci, cartilage, bones, and the lesions in them."""
        for meniscus in self.menisci:
            _paint_meniscus(slice_, meniscus)
        for name, (host, label) in _CARTILAGES.items():
            _paint_cartilage(slice_, self.cartilage[name], self.bones[host].distance, label)
        for bone in self.bones.values():
            paint_bone(slice_, bone)
        paint_crystals(slice_, self.crystals)
        paint_worn(slice_, self.bones["femur"], self.bones["tibia"])

    def _columns(self, number: int) -> slice | None:
        """The columns of a slice that hold some of the leg, in steps, so that a lesion does not move them."""
        known = self.skin.box(number, slice(0, len(self.scene.grid.x)))
        box = known and self.skin.near(self.skin.plane(number), known, _BODY_MM)
        if box is None:
            return None
        first, last = box[1].start // _COLUMN_STEP, -(-box[1].stop // _COLUMN_STEP)
        return slice(first * _COLUMN_STEP, min(last * _COLUMN_STEP, len(self.scene.grid.x)))


def paint_knee(
    anatomy: KneeAnatomy, grid: Grid, texture: torch.Generator, contrast: Contrast = WATER_EXCITED_FLASH
) -> tuple[Canvas, Tensor]:
    """Paint all slices of a knee: :meth:`KneePainter.of`, then :meth:`KneePainter.slices`."""
    return KneePainter.of(anatomy, grid, texture, contrast).slices(range(len(grid.y)))


def _on_lattice(field: Field, lattice: Lattice) -> Tensor:
    """A distance [Y,Z,X] on another lattice; outside its own box the distance to that box is added."""
    grid = Grid(lattice.axis(1), lattice.axis(2), lattice.axis(0))
    beyond = [
        torch.maximum(low - axis, axis - high).clamp(min=0).to(field.values.device)
        for axis, (low, high) in zip((grid.x, grid.y, grid.z), field.lattice.ranges, strict=True)
    ]
    x, y, z = beyond[0][None, None], beyond[1][:, None, None], beyond[2][None, :, None]
    return field.at(grid) + (x * x + y * y + z * z).sqrt_()


def _fluid_mm(anatomy: KneeAnatomy) -> float:
    """How much fluid a joint holds, as the thickness of its film in mm."""
    grade = kellgren_lawrence(anatomy.pathology.grades)
    return max(0.2, 0.5 + 0.35 * grade + 0.4 * spare_normals(anatomy.shape, 1, _FLUID_OFFSET)[0])


def _paint_meniscus(slice_: SliceScene, meniscus: SlicedField) -> None:
    known = meniscus.box(slice_.number, slice_.columns)
    plane = meniscus.plane(slice_.number)
    box = known and meniscus.near(plane, known, 1.0)
    if box is None:
        return
    inside = slice_.scene.contrast["meniscus"] * (1 + 0.10 * slice_.texture("grain", box))
    slice_.paint_inside(box, meniscus.shown(plane, box), inside, Tissue.MENISCUS)


def _paint_cartilage(slice_: SliceScene, coated: SlicedField, host: SlicedField, label: Tissue) -> None:
    """Cartilage, a little darker in its deep zone, where the collagen fibers are upright and T2* is short."""
    number, known = slice_.number, coated.box(slice_.number, slice_.columns)
    plane = coated.plane(number)
    box = known and coated.near(plane, known, 1.0)
    if box is None:
        return
    surface, bone = coated.shown(plane, box), host.read(number, box)
    # Where a bone has no cartilage both distances are equal; the second factor keeps its edge from turning bright.
    share = occupancy(surface, EDGE_MM) * smoothstep(bone - surface, 0.1, 0.5)
    zone = 1 - 0.16 * smoothstep(bone, 1.0, 0.2) + 0.02 * slice_.texture("grain", box)
    slice_.canvas.paint((slice(None), *box), share, slice_.scene.contrast["cartilage"] * zone, label)
