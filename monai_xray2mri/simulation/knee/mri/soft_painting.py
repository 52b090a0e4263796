"""Paints skin, fat and muscles onto a slice, with the septa that run through them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from torch import Tensor

from monai_xray2mri.simulation.knee.anatomy.body import spare_normals
from monai_xray2mri.simulation.knee.mri.frame import Piece
from monai_xray2mri.simulation.knee.mri.mr import Tissue
from monai_xray2mri.simulation.knee.mri.scene import SliceScene
from monai_xray2mri.simulation.tools.primitives import smoothstep
from monai_xray2mri.simulation.tools.slicing import Box, SlicedField

_SKIN_MM: Final = 1.2
_FASCIA_MM: Final = 0.35
_GAP_MM: Final = 0.6
_FATTY_OFFSET: Final = 46


def _ridges(noise: Tensor, width: float) -> Tensor:
    """1 on the surfaces where smooth noise is 0, falling to both sides: sheets through a tissue."""
    return noise.div(width).square_().neg_().exp_()


def _septate_fat(slice_: SliceScene, kind: str, box: Box, strength: float) -> Tensor:
    """Intensity of fat with septa between its lobules, which are seen here and there only."""
    fat = slice_.fatty(kind, box)
    fat.mul_(slice_.texture("grain", box).add(slice_.texture("streaks", box)).mul_(0.02).add_(1))
    seen = slice_.texture("patches", box).mul(0.5).add_(strength).clamp_(0, 1)
    septa = _ridges(slice_.texture("lobules", box), 0.15).mul_(seen).mul_(0.7)
    return fat.lerp_(fat.new_tensor(slice_.scene.contrast["septum"]), septa)


def paint_skin(slice_: SliceScene, skin: SlicedField, fascia: SlicedField) -> None:
    """Skin, the fat under it, and the fascia around the muscles."""
    box, contrast = slice_.whole, slice_.scene.contrast
    depth, streaks = skin.read(slice_.number, box), slice_.texture("streaks", box)
    slice_.paint_inside(box, depth, contrast["skin"] * (1 + 0.12 * streaks), Tissue.SKIN, slice_.edge_around)
    fat = _septate_fat(slice_, "fat", box, 0.25)
    slice_.paint_inside(box, depth.add_(_SKIN_MM).add_(streaks, alpha=0.2), fat, Tissue.FAT, slice_.edge_around)
    sheet = fascia.read(slice_.number, box).abs_().sub_(_FASCIA_MM / 2).sub_(slice_.texture("patches", box), alpha=0.25)
    slice_.paint_inside(box, sheet, 0.5 * contrast["septum"], None, slice_.edge_around)


def paint_fat_pad(slice_: SliceScene, pieces: Sequence[Piece]) -> None:
    """Hoffa's fat pad, full of septa."""
    for piece in pieces:
        spot = slice_.spot(piece.window)
        if spot is not None:
            fat = _septate_fat(slice_, "fat pad", spot.box, 0.7)
            uneven = piece.distance(spot).add_(slice_.texture("lobules", spot.box).clamp(min=-0.5), alpha=1.5)
            slice_.paint_inside(spot.box, uneven, fat, piece.label)


def paint_muscles(slice_: SliceScene, muscles: Sequence[SlicedField]) -> None:
    """Muscles, each in fat of varying width, one displacing the other."""
    tissues = None
    for muscle in muscles:
        known = muscle.box(slice_.number, slice_.columns)
        if known is None:
            continue
        plane = muscle.plane(slice_.number)
        box = muscle.near(plane, known, 2.0)
        if box is None:
            continue
        if tissues is None:
            tissues = _flesh(slice_)
        flesh, fat, around = tissues
        inside = slice_.inside(box)
        distance = muscle.shown(slice_.softened(muscle, plane), box)
        slice_.paint_inside(box, distance - around[inside], fat[inside], Tissue.FAT)
        slice_.paint_inside(box, distance, flesh[inside], Tissue.MUSCLE)


def _flesh(slice_: SliceScene) -> tuple[Tensor, Tensor, Tensor]:
    """Intensity of muscle and of the fat between muscles, and half the width of that fat in mm, in a whole slice.

    Septa and streaks of fat run along the fibers of a muscle. How fatty the muscles are belongs to the knee.
    """
    shape, contrast, box = slice_.scene.anatomy.shape, slice_.scene.contrast, slice_.whole
    fatty = 0.5 + 0.22 * spare_normals(shape, 1, _FATTY_OFFSET)[0] + 0.02 * (shape.fat - 9.0)
    fatty = min(max(fatty, 0.0), 1.2)
    streaks, lobules, fat = slice_.texture("streaks", box), slice_.texture("lobules", box), slice_.fatty("fat", box)
    flesh = slice_.texture("grain", box).mul(0.025).add_(streaks, alpha=0.03).add_(1).mul_(contrast["muscle"])
    low = 2.1 - 0.7 * fatty
    seen = lobules.mul(0.3).add_(0.18 + 0.18 * fatty).clamp_(0, 0.6)
    share = _ridges(slice_.texture("septa", box), 0.13).mul_(seen).add_(smoothstep(streaks, low, low + 0.7), alpha=0.8)
    flesh.lerp_(fat, share.clamp_(max=1))
    return flesh, fat.mul_(0.85), lobules.clamp(-1, 1.5).mul_(0.5).add_(_GAP_MM)
