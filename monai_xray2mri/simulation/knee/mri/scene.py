"""What the painters of a knee's MR volume share: grid, textures, and the slice that is painted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from monai_xray2mri.simulation.knee.anatomy.body import CENTER_X_MM, STEP_MM, leg_points, soft_lattice
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.simulation.knee.mri.contrast import Contrast
from monai_xray2mri.simulation.knee.mri.frame import Frame, Piece, Spot
from monai_xray2mri.simulation.knee.mri.mr import CENTER_Y_MM, EDGE_MM, Canvas, Tissue, edge_mm, fat_left
from monai_xray2mri.simulation.tools.lattice import Field, Grid, Lattice, Points, Window
from monai_xray2mri.simulation.tools.noise import noise_knots, smooth_noise
from monai_xray2mri.simulation.tools.slicing import Box, SlicedField, Slicer

if TYPE_CHECKING:
    from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import KneeAnatomy

_KNOTS: Final = 112
_FEW: Final = slice(30, 62)
_SHIM_KNOTS: Final = 10
_SHIM_MM: Final = 40.0
_FIELD_STEP_MM: Final = 5.0
# Noise to its knots and how many mm apart they are along (y, z, x).
_TEXTURES: Final = {
    "grain": (slice(0, _KNOTS), (1.6, 1.6, 1.6)),
    "streaks": (slice(0, _KNOTS), (2.0, 10.0, 2.0)),
    "lobules": (slice(0, _KNOTS), (6.0, 9.0, 5.5)),
    "septa": (slice(8, 88), (4.0, 30.0, 4.0)),
    "patches": (_FEW, (10.0, 10.0, 10.0)),
}


@dataclass(frozen=True)
class Scene:
    """What the painters share of a knee.

    Attributes:
        anatomy: the knee in the pose of the MR examination.
        frame: grid, pose and sequence.
        lattice: 2 mm lattice of the soft tissues.
        slicer: lays fields onto the slices.
        textures: name to noise of about unit size: ``"grain"`` is fine, ``"streaks"`` and ``"septa"`` are drawn out
            along the leg, ``"lobules"`` are some 5 mm large, ``"patches"`` some 10 mm.
        fat_left: share of the fat signal that remains under water excitation (:func:`fat_left`).
        knots: [K,K,K] knots of the textures.
    """

    anatomy: KneeAnatomy
    frame: Frame
    lattice: Lattice
    slicer: Slicer
    textures: dict[str, SlicedField]
    fat_left: SlicedField
    knots: Tensor

    @property
    def grid(self) -> Grid:
        """Voxel centers in reference mm."""
        return self.frame.grid

    @property
    def contrast(self) -> Contrast:
        """The sequence."""
        return self.frame.contrast

    @property
    def few_knots(self) -> Tensor:
        """Knots of noise on a coarse lattice."""
        return self.knots[_FEW, _FEW, _FEW]


def draw_scene(anatomy: KneeAnatomy, grid: Grid, texture: torch.Generator, contrast: Contrast) -> Scene:
    """Draw the textures of a scene.

    Args:
        anatomy: the knee; its device is used.
        grid: voxel centers in reference mm.
        texture: random generator of what the radiograph does not show (field, marrow and muscle texture).
        contrast: the sequence.
    """
    device = anatomy.femur.distance.values.device
    knots = noise_knots(texture, _KNOTS)
    slicer = Slicer(grid, device)
    textures = {name: slicer.noise(knots[part, part, part], steps) for name, (part, steps) in _TEXTURES.items()}
    lattice = soft_lattice(grid)
    coarse = Lattice.covering(*lattice.ranges, _FIELD_STEP_MM)
    shim = smooth_noise(noise_knots(texture, _SHIM_KNOTS), coarse, _SHIM_MM, device)
    left = slicer.field(Field(coarse, fat_left(shim, coarse.points(device))))
    return Scene(anatomy, Frame(grid, anatomy.pose, device, contrast), lattice, slicer, textures, left, knots)


@dataclass(frozen=True)
class SliceScene:
    """One slice that is painted.

    Attributes:
        scene: what it shares with the other slices.
        number: its place in the grid.
        columns: the columns that hold some of the leg.
        canvas: [1,Z,X] what is painted on.
        lesions: [1,Z,X] uint8 codes of lesions.
    """

    scene: Scene
    number: int
    columns: slice
    canvas: Canvas
    lesions: Tensor
    _noise: dict[str, Tensor] = field(default_factory=dict)

    @property
    def whole(self) -> Box:
        """All of it that holds some of the leg."""
        return slice(0, self.canvas.signal.shape[1]), self.columns

    def texture(self, name: str, box: Box) -> Tensor:
        """Noise [1,rows,columns] of about unit size in a box; see :class:`Scene`."""
        if name not in self._noise:
            self._noise[name] = self.scene.textures[name].read(self.number, self.whole)
        return self._noise[name][self.inside(box)]

    def fatty(self, kind: str, box: Box) -> Tensor:
        """Intensity [1,rows,columns] of ``"fat"``, ``"fat pad"`` or ``"marrow"`` in a box."""
        return self.scene.contrast.fatty(kind, self._fat_left[self.inside(box)])

    @cached_property
    def _fat_left(self) -> Tensor:
        return self.scene.fat_left.read(self.number, self.whole)

    @cached_property
    def edge_around(self) -> Tensor:
        """Over how many mm [1,1,columns] a surface around the leg fades; see :func:`edge_mm`."""
        across, behind = self._points.x - CENTER_X_MM, self._points.y - CENTER_Y_MM
        return edge_mm(behind.abs() / (across.square() + behind.square()).sqrt_().clamp_(min=1))

    def softened(self, surface: SlicedField, plane: Tensor) -> Tensor:
        """A plane [n_z,n_x] of signed distances, shrunk where the slice cuts the surface obliquely.

        Painted with the usual edge it then fades over :func:`edge_mm`.
        """
        return plane * (EDGE_MM / edge_mm(surface.slope(self.number).mul_(1 / STEP_MM).clamp_(max=1)))

    def edge_of(self, surface: SlicedField, box: Box) -> Tensor:
        """Over how many mm [1,rows,columns] a surface on the 2 mm lattice fades in a box; see :func:`edge_mm`."""
        return edge_mm(surface.shown(surface.slope(self.number).mul_(1 / STEP_MM).clamp_(max=1), box))

    def inside(self, box: Box) -> Window:
        """Where a box lies in an array of :attr:`whole`."""
        shift = self.columns.start
        return slice(None), box[0], slice(box[1].start - shift, box[1].stop - shift)

    def spot(self, window: Window) -> Spot | None:
        """The slice's part of an index box of the grid; None if it has none."""
        if not window[0].start <= self.number < window[0].stop:
            return None
        left, right = max(window[2].start, self.columns.start), min(window[2].stop, self.columns.stop)
        if right <= left or window[1].stop <= window[1].start:
            return None
        box = window[1], slice(left, right)
        columns = self.inside(box)[2]
        leg = self._leg
        points = Points(leg.x[:, box[0], columns], leg.y[..., columns], leg.z[:, box[0]])
        return Spot(self.number, box, points, lambda: self.texture("streaks", box))

    @cached_property
    def _points(self) -> Points:
        return self.scene.grid.crop((slice(self.number, self.number + 1), *self.whole)).points(self.canvas.device)

    @cached_property
    def _leg(self) -> Points:
        own, points = leg_points(self._points, self.scene.anatomy.pose), self._points
        rows, columns = points.z.shape[1], points.x.shape[2]
        return Points(own.x.expand(1, rows, columns), own.y.expand(1, 1, columns), own.z)

    def paint(self, pieces: Iterable[Piece]) -> None:
        """Paint structures one over the other."""
        for piece in pieces:
            spot = self.spot(piece.window)
            if spot is not None:
                self.paint_inside(spot.box, piece.distance(spot), piece.intensity(spot), piece.label)

    def paint_inside(
        self,
        box: Box,
        distance: Tensor,
        intensity: float | Tensor,
        label: Tissue | None,
        edge: float | Tensor = EDGE_MM,
    ) -> None:
        """Blend a tissue in where its signed distance [1,rows,columns] in mm is negative.

        Args:
            box: where.
            distance: in mm.
            intensity: one number or [1,rows,columns].
            label: label of the voxels that the tissue fills by more than half; None keeps their labels.
            edge: over how many mm of distance a voxel's share goes from 0 to 1.
        """
        share = distance.mul(-1 / edge).add_(0.5).clamp_(0, 1)
        self.canvas.paint((slice(None), *box), share, intensity, label)

    def mark(self, box: Box, where: Tensor, stem: str) -> None:
        """Mark voxels [1,rows,columns] of a box as a lesion of a feature."""
        self.lesions[(slice(None), *box)].masked_fill_(where, 1 + LESION_FEATURES.index(stem))
