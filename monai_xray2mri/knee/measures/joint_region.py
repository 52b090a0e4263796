"""The region of the joint in which RSSIM compares bone edges (Wang 2024a and 2024b)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monai_xray2mri.knee.measures.crop import axes_mm
from monai_xray2mri.knee.measures.surfaces import JointReading, bone_probabilities, read_volume
from monai_xray2mri.simulation.knee.mri.mr import Tissue

_MARGIN_MM = 2.5
"""Margin around the marrow of a label map, which holds the cortex and its blurred edge."""
_BESIDE_CORTEX_MM = 1.25
"""Margin around the segmenter's bones, which include the cortex; it holds the blurred edge."""
_FEWEST_VOXELS = 50
"""Least number of voxels of each bone in a slice near the joint."""


@dataclass(frozen=True)
class JointRegion:
    """A box around the joint, the same in each of its slices.

    Wang 2024a (section IV-A.2) and 2024b (section 4.1.2): "we focus on the lower third of the femoral edge to the upper
    third of the tibial edge". The papers do not say in which slice these thirds are measured. Here they are thirds of
    the extent of both bones over the whole volume, so all slices have one region. The slices are those that show femur
    and tibia in this region.

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
        """Slices (rows, columns) of the region, to index a slice [H,W]."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def mask(self, shape: tuple[int, ...]) -> np.ndarray:
        """[S,H,W] bool, true inside the region."""
        inside = np.zeros(shape, dtype=bool)
        inside[(list(self.slices), *self.window)] = True
        return inside

    def check(self, shape: tuple[int, ...]) -> None:
        """Check that a volume of a shape (S, H, W) holds the region.

        Raises:
            ValueError: the region is empty or exceeds ``shape``.
        """
        fits = len(shape) == 3 and 0 <= self.top < self.bottom <= shape[1] and 0 <= self.left < self.right <= shape[2]
        if not fits or not self.slices or min(self.slices) < 0 or max(self.slices) >= shape[0]:
            raise ValueError(f"the region must lie within the volume, got {self} and {shape}")


def region_from_labels(labels: np.ndarray, affine: np.ndarray) -> JointRegion:
    """The region of a label map, as wide as both bones.

    Args:
        labels: [S,H,W] of :class:`~monai_xray2mri.simulation.knee.mri.mr.Tissue`.
        affine: [4,4], maps (column, row, slice) to LPS mm.

    Raises:
        ValueError: femur or tibia is absent, no slice shows both in the region, or the affine rotates the axes.
    """
    femur, tibia = labels == Tissue.FEMUR, labels == Tissue.TIBIA
    if not femur.any() or not tibia.any():
        raise ValueError("needs labels with femur and tibia")
    x, _, _ = axes_mm(labels.shape, affine)
    (femur_top, femur_end), (tibia_top, tibia_end) = (_extent(bone.any(axis=(0, 2))) for bone in (femur, tibia))
    top, bottom = _thirds(femur_top, femur_end, tibia_top, tibia_end)
    band = np.s_[:, top:bottom, :]
    left, right = _extent((femur | tibia)[band].any(axis=(0, 1)))
    both = np.flatnonzero(femur[band].any(axis=(1, 2)) & tibia[band].any(axis=(1, 2)))
    margin = round(_MARGIN_MM / abs(float(x[1] - x[0])))
    region = JointRegion(top, bottom, max(left - margin, 0), min(right + margin, len(x)), tuple(both.tolist()))
    region.check(labels.shape)
    return region


def region_from_volume(volume: np.ndarray, affine: np.ndarray) -> JointRegion:
    """The region of a volume, from its intensities.

    Args:
        volume: [S,H,W] of intensities 0 to 1 at OAI's spacing.
        affine: [4,4], maps (column, row, slice) to LPS mm, origin near the joint's center.

    Raises:
        ValueError: the affine rotates the axes, the spacing is not OAI's, the volume does not reach the joint or shows
            none.
        WeightsError: the segmenter's weights are missing or damaged.
    """
    return region_from_reading(read_volume(volume, affine), volume.shape, affine)


def region_from_reading(reading: JointReading, shape: tuple[int, ...], affine: np.ndarray) -> JointRegion:
    """The region of a volume, from its reading.

    Femur and tibia come from the segmenter, which covers 20 mm up and down from the joint and 40 mm to either side.
    Joint line, columns and slices of the region follow from them. The femur is assumed to extend to the upper border of
    the field of view, the tibia to the lower one, as in coronal series of a knee.

    Args:
        reading: reading of the volume.
        shape: (S, H, W) of the volume.
        affine: [4,4] of the volume, maps (column, row, slice) to LPS mm.

    Raises:
        ValueError: the volume shows no joint.
    """
    femur, tibia = (np.asarray(bone > 0.5) for bone in bone_probabilities(reading.parts))
    shown = np.flatnonzero(np.minimum(femur.sum(axis=(1, 2)), tibia.sum(axis=(1, 2))) > _FEWEST_VOXELS)
    if not len(shown):
        raise ValueError("no slice of the volume shows a femur over a tibia")
    x, _, z = axes_mm(shape, affine)
    rows, columns = np.abs(z - reading.crop.z[0]).argmin(), np.abs(x - reading.crop.x[0]).argmin()
    lowest, highest = _extent(np.any(femur[shown], axis=(0, 2)))[1], _extent(np.any(tibia[shown], axis=(0, 2)))[0]
    top, bottom = _thirds(0, int(rows) + lowest, int(rows) + highest, len(z))
    left, right = (int(columns) + edge for edge in _extent(np.any((femur | tibia)[shown], axis=(0, 1))))
    slices = tuple(reading.crop.slices[position] for position in shown)
    margin = round(_BESIDE_CORTEX_MM / abs(float(x[1] - x[0])))
    region = JointRegion(top, bottom, max(left - margin, 0), min(right + margin, len(x)), slices)
    region.check(shape)
    return region


def _extent(present: np.ndarray) -> tuple[int, int]:
    """First index, and the index after the last, where a line of bool is true."""
    places = np.flatnonzero(present)
    return int(places[0]), int(places[-1]) + 1


def _thirds(femur_top: int, femur_end: int, tibia_top: int, tibia_end: int) -> tuple[int, int]:
    """Rows from the lower third of the femur to the upper third of the tibia."""
    return round(femur_end - (femur_end - femur_top) / 3), round(tibia_top + (tibia_end - tibia_top) / 3)
