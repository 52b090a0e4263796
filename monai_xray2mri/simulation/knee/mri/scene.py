"""What the painters of a knee's MR volume share: grid, canvas, textures and the visible share of fat."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from monai_xray2mri.simulation.knee.anatomy.body import soft_lattice
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.simulation.knee.mri.ligaments import Frame, Piece
from monai_xray2mri.simulation.knee.mri.mr import FAT_WATER, INTENSITY, Canvas, fat_left
from monai_xray2mri.simulation.tools.lattice import Grid, Lattice, Window
from monai_xray2mri.simulation.tools.noise import noise_knots, smooth_noise

if TYPE_CHECKING:
    from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import KneeAnatomy

TEXTURE_KNOT_MM: Final = 1.6
_TEXTURE_KNOTS: Final = 112
_ACROSS, _ALONG = 0.8, 0.16


@dataclass(frozen=True)
class Scene:
    """What the painters share.

    Attributes:
        anatomy: the knee in the pose of the MR examination.
        grid: voxel centers in reference mm.
        lattice: 2 mm lattice of the soft tissues.
        canvas: the volume that is painted on.
        lesions: [Y,Z,X] uint8 codes of lesions.
        grain: [Y,Z,X] fine random texture, about standard normal.
        streaks: [Y,Z,X] the same kind of texture, stretched along the leg.
        fat: [Y,Z,X] share of the fat signal that remains under water excitation (:func:`fat_left`).
        knots: [K,K,K] knots of the textures.
    """

    anatomy: KneeAnatomy
    grid: Grid
    lattice: Lattice
    canvas: Canvas
    lesions: Tensor
    grain: Tensor
    streaks: Tensor
    fat: Tensor
    knots: Tensor

    @property
    def device(self) -> torch.device:
        """The device of all tensors."""
        return self.grain.device

    @property
    def frame(self) -> Frame:
        """The grid with the pose of the leg."""
        return Frame(self.grid, self.anatomy.pose, self.device)

    def paint(self, pieces: Iterable[Piece]) -> None:
        """Paint structures of soft tissue in order, each over those before it."""
        for piece in pieces:
            self.canvas.paint_inside(piece.window, piece.distance, piece.intensity, piece.label)

    def fatty(self, kind: str, window: Window) -> Tensor:
        """Intensity [Y,Z,X] of ``"fat"``, ``"fat pad"`` or ``"marrow"`` in an index box under water excitation."""
        whole = INTENSITY["marrow" if kind == "marrow" else "fat"]
        return whole * (FAT_WATER[kind] + self.fat[window])

    def mark(self, window: Window, where: Tensor, stem: str) -> None:
        """Mark voxels as a lesion.

        Args:
            window: an index box.
            where: [Y,Z,X] bool, the voxels of the box.
            stem: OAI stem of the feature, one of ``LESION_FEATURES``.
        """
        self.lesions[window].masked_fill_(where, 1 + LESION_FEATURES.index(stem))


def draw_scene(anatomy: KneeAnatomy, grid: Grid, texture: torch.Generator) -> Scene:
    """A scene with an empty canvas and drawn textures.

    Args:
        anatomy: the knee; the scene is made on its device.
        grid: voxel centers in reference mm.
        texture: random generator of field, marrow texture and muscle texture, which the radiograph does not determine.
    """
    device = anatomy.femur.distance.values.device
    knots = noise_knots(texture, _TEXTURE_KNOTS)
    drawn_out = Grid(_ACROSS * grid.y, _ALONG * grid.z, _ACROSS * grid.x)
    canvas = Canvas.empty(grid, device)
    return Scene(
        anatomy=anatomy,
        grid=grid,
        lattice=soft_lattice(grid),
        canvas=canvas,
        lesions=torch.zeros_like(canvas.labels),
        grain=smooth_noise(knots, grid, TEXTURE_KNOT_MM, device),
        streaks=smooth_noise(knots, drawn_out, TEXTURE_KNOT_MM, device),
        fat=fat_left(grid, texture, device),
        knots=knots,
    )
