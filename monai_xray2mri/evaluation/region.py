"""The region of the joint in which RSSIM compares bone edges (papers 000 and 001)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_xray2mri.evaluation.surfaces import GOOD_MISFIT, Surfaces, axes_mm, surfaces_from_volume
from monai_xray2mri.simulation.mr import Tissue

_HALF_WIDTH_MM = 45.0
"""Half the width of the region where no labels tell the bones' margins: an adult tibia is 65 to 90 mm wide."""
_MARGIN_MM = 2.5
"""Room for the cortex and the blur of its edge beside the labelled marrow."""
_SHARE_OF_COLUMNS = 0.3


@dataclass(frozen=True)
class JointRegion:
    """A box around the joint, the same in each of its slices.

    Papers 000 (section IV-A.2) and 001 (section 4.1.2): "we focus on the lower third of the femoral edge to the upper
    third of the tibial edge". They do not say in which slice the edges are measured: here both bones' extents are those
    of the whole volume within the field of view, so that the region does not jump from slice to slice, and the slices
    are those that show femur and tibia in it.

    Attributes:
        top: first row.
        bottom: row after the last.
        left: first column.
        right: column after the last.
        slices: indices of the slices.
    """

    top: int
    bottom: int
    left: int
    right: int
    slices: tuple[int, ...]

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns, to index a slice [H,W] with."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def mask(self, shape: tuple[int, ...]) -> np.ndarray:
        """[S,H,W] bool, true within the region: to draw it, or to compare two of them."""
        inside = np.zeros(shape, dtype=bool)
        inside[(list(self.slices), *self.window)] = True
        return inside

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse a volume that does not hold the region.

        Raises:
            ValueError: the region is empty or reaches out of ``shape``.
        """
        fits = len(shape) == 3 and 0 <= self.top < self.bottom <= shape[1] and 0 <= self.left < self.right <= shape[2]
        if not fits or not self.slices or min(self.slices) < 0 or max(self.slices) >= shape[0]:
            raise ValueError(f"the region must lie within the volume, got {self} and {shape}")


def region_from_labels(labels: np.ndarray, affine: np.ndarray) -> JointRegion:
    """The region of a label map [S,H,W] of :class:`~monai_xray2mri.simulation.mr.Tissue`; columns reach over both bones.

    Raises:
        ValueError: femur or tibia is absent, no slice shows both in the region, or the affine turns the axes.
    """
    femur, tibia = labels == Tissue.FEMUR, labels == Tissue.TIBIA
    if not femur.any() or not tibia.any():
        raise ValueError("needs labels with femur and tibia")
    x, _, z = axes_mm(labels.shape, affine)
    (femur_top, femur_end), (tibia_top, tibia_end) = (_extent(bone.any(axis=(0, 2))) for bone in (femur, tibia))
    top, bottom = _thirds(femur_top, femur_end, tibia_top, tibia_end)
    band = np.s_[:, top:bottom, :]
    left, right = _extent((femur | tibia)[band].any(axis=(0, 1)))
    both = np.flatnonzero(femur[band].any(axis=(1, 2)) & tibia[band].any(axis=(1, 2)))
    margin = round(_MARGIN_MM / abs(float(x[1] - x[0])))
    region = JointRegion(top, bottom, max(left - margin, 0), min(right + margin, len(x)), tuple(both.tolist()))
    region.check(labels.shape)
    return region


def region_from_volume(
    volume: np.ndarray, affine: np.ndarray, surfaces: dict[str, Surfaces] | None = None
) -> JointRegion:
    """The region of a volume alone.

    The joint line comes from the joint surfaces found in it; the femur is taken to reach up to the field of view's
    border and the tibia down to it, as they do in the coronal series of a knee, and both to 45 mm beside the joint's
    centre. The slices are those in which a joint space with bone above and below was found.

    Args:
        volume: [S,H,W].
        affine: [4,4] maps (column, row, slice) to LPS mm, origin near the joint's centre.
        surfaces: of this volume, where they are known already.

    Raises:
        ValueError: the affine turns the axes, the volume does not reach over the joint, or no slice shows one.
    """
    found = surfaces or surfaces_from_volume(volume, affine)
    x, y, z = axes_mm(volume.shape, affine)
    good = {side: each.misfit < GOOD_MISFIT for side, each in found.items()}
    shown = np.mean([each.mean(axis=1) for each in good.values()], axis=0) > _SHARE_OF_COLUMNS
    if not shown.any():
        raise ValueError("no slice of the volume shows a joint space between two bones")
    femur = min(np.percentile(each.femur[good[side]], 5) for side, each in found.items() if good[side].any())
    tibia = max(np.percentile(each.tibia[good[side]], 95) for side, each in found.items() if good[side].any())
    rows = [int(np.argmin(np.abs(z - height))) for height in (femur, tibia)]
    top, bottom = _thirds(0, rows[0], rows[1], len(z))
    left, right = _extent(np.abs(x) <= _HALF_WIDTH_MM)
    measured = next(iter(found.values())).y[shown]
    slices = tuple(int(np.argmin(np.abs(y - place))) for place in measured)
    region = JointRegion(top, bottom, left, right, tuple(sorted(slices)))
    region.check(volume.shape)
    return region


def _extent(present: np.ndarray) -> tuple[int, int]:
    """First index, and the index after the last, where a line of bool is true."""
    places = np.flatnonzero(present)
    return int(places[0]), int(places[-1]) + 1


def _thirds(femur_top: int, femur_end: int, tibia_top: int, tibia_end: int) -> tuple[int, int]:
    """Rows from the lower third of the femur to the upper third of the tibia."""
    return round(femur_end - (femur_end - femur_top) / 3), round(tibia_top + (tibia_end - tibia_top) / 3)
