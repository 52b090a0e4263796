"""Where the cube lies in the patient: slices of a series as sections of it, and the generated cube as a volume again.

The cube's axes are those of the series, turned by quarter turns to the directions of
:data:`~monai_xray2mri.systems.mri_xdiffusion.volumes.reading.ORDER`; its middle is that of the series, moved by half a
voxel at most so that the first given slice lies on a section. Networks that know one side of a body see the other one
mirrored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.systems.mri_xdiffusion.planes import places, plane_rotation, poses
from monai_xray2mri.systems.mri_xdiffusion.sections import SampledVolume
from monai_xray2mri.systems.mri_xdiffusion.volumes.cube import axis_weights
from monai_xray2mri.systems.mri_xdiffusion.volumes.reading import ORDER, oriented
from monai_xray2mri.types import Volume

_PAIRS = ("LR", "IS", "PA")


@dataclass(frozen=True)
class GivenSlice:
    """A slice that is known.

    Attributes:
        number: of it in its series, from 1.
        image: it as a volume [S,H,W] of one slice, axes in the order of ``ORDER``, intensities as stored.
    """

    number: int
    image: Volume

    @property
    def middle(self) -> np.ndarray:
        """Its center [3], LPS mm."""
        shape = np.array(self.image.voxels.shape[::-1])
        center: np.ndarray = (self.image.affine @ np.array([*((shape - 1) / 2), 1.0]))[:3]
        return center


def slice_axis(orientation: str) -> tuple[int, bool]:
    """Which axis of a volume [S,H,W] in the order ``ORDER`` a file's slices are, and whether they ran against it."""
    letter = orientation[2]
    axis = next(index for index, pair in enumerate(_PAIRS) if letter in pair)
    return 2 - axis, letter not in ORDER


@dataclass(frozen=True)
class Frame:
    """The cube of one case.

    Attributes:
        axes: [3,3], unit vectors in LPS: columns, rows, slices of the cube.
        center: [3], LPS mm.
        side_mm: side of the cube.
        size: D.
        axis: of the cube [S,H,W] that given slices are counted along.
        mirrored: the network sees left and right exchanged.
    """

    axes: np.ndarray
    center: np.ndarray
    side_mm: float
    size: int
    axis: int
    mirrored: bool = False

    @classmethod
    def around(
        cls, given: Sequence[GivenSlice], middle: np.ndarray, axis: int, side_mm: float, size: int, mirrored: bool
    ) -> Frame:
        """The cube around a middle [3] (LPS mm) on which the first of the given slices lies exactly."""
        axes = _orthonormal(given[0].image.affine[:3, :3])
        pixel = side_mm / size
        along = axes[:, 2 - axis]
        ticks = (float((given[0].middle - middle) @ along) / pixel) + (size - 1) / 2
        center = middle + along * (ticks - round(ticks)) * pixel
        return cls(axes, center, side_mm, size, axis, mirrored)

    @property
    def affine(self) -> np.ndarray:
        """[4,4], maps (column, row, slice) of the cube, not mirrored, to LPS mm."""
        pixel = self.side_mm / self.size
        affine = np.eye(4)
        affine[:3, :3] = self.axes * pixel
        affine[:3, 3] = self.center - affine[:3, :3] @ np.full(3, (self.size - 1) / 2)
        return affine

    def depth(self, given: GivenSlice) -> float:
        """Where a slice lies along its axis, in halves of the side, as the network sees it."""
        depth = float((given.middle - self.center) @ self.axes[:, 2 - self.axis]) / (self.side_mm / 2)
        return -depth if self.mirrored and self.axis == 2 else depth

    def slab(self, given: GivenSlice) -> SampledVolume:
        """A slice as a volume one voxel thick in the cube that the network sees, its pixels those of sections."""
        voxels = torch.from_numpy(np.ascontiguousarray(given.image.voxels, np.float32))
        start, end, low, high = [-1.0] * 3, [1.0] * 3, [-1.0] * 3, [1.0] * 3
        offset = (given.middle - self.center) @ self.axes  # x, y, z, mm
        for axis, step in enumerate(reversed(given.image.spacing)):
            if axis == self.axis:
                depth = self.depth(given)
                start[2 - axis], end[2 - axis] = depth - 1 / self.size, depth + 1 / self.size
                continue
            weights = axis_weights(voxels.shape[axis], step, self.size, self.side_mm / self.size, offset[2 - axis])
            half = voxels.shape[axis] * step / self.side_mm
            voxels = torch.tensordot(weights, voxels, dims=([1], [axis])).movedim(0, axis)
            at = 2 * offset[2 - axis] / self.side_mm
            low[2 - axis], high[2 - axis] = max(at - half, -1.0), min(at + half, 1.0)
        if self.mirrored:
            voxels = voxels.flip(2)
            low[0], high[0] = -high[0], -low[0]
        corners = [(corner[0], corner[1], corner[2]) for corner in (start, end, low, high)]
        return SampledVolume(voxels, *corners)

    def section(self, given: GivenSlice) -> tuple[Tensor, Tensor, Tensor]:
        """A slice as the network takes it.

        Returns:
            Pixels [D,D], 0 where nothing was acquired; where something was, [D,D], bool; and its pose [11].
        """
        place = places(plane_rotation(self.axis)[None], torch.tensor([self.depth(given)]))  # [1,10]
        pixels, known = self.slab(given).sections(place, self.size)
        return pixels[0], known[0], poses(place)[0]

    def volume(
        self, cube: Tensor, box: np.ndarray, orientation: str, extent: Sequence[float] = (1.0, 1.0, 1.0)
    ) -> Volume:
        """A cube [D,D,D] as the network sees it, as a volume in the directions of a series.

        Args:
            cube: intensities.
            box: [2,3], lowest and highest (x, y, z) that the series reaches, in halves of the side.
            orientation: of the series; where it is left-handed its slices run the other way, as DICOM has it.
            extent: half lengths (x, y, z) of what the network knows, in halves of the side.
        """
        low = np.floor((np.maximum(box[0], -np.array(extent)) + 1) * self.size / 2 + 1e-4)
        high = np.ceil((np.minimum(box[1], extent) + 1) * self.size / 2 - 1e-4)
        low = low.clip(0, self.size - 1).astype(int)
        high = high.clip(low + 1, self.size).astype(int)
        whole = cube.flip(2) if self.mirrored else cube
        kept = whole[low[2] : high[2], low[1] : high[1], low[0] : high[0]]
        affine = self.affine.copy()
        affine[:3, 3] += affine[:3, :3] @ low
        turned = oriented(Volume(np.ascontiguousarray(kept.numpy(), np.float32), affine), orientation)
        if np.linalg.det(turned.affine[:3, :3]) < 0:
            turned = oriented(turned, orientation[:2] + opposite(orientation[2]))
        exact = turned.affine.copy()
        exact[:3, :3] = _orthonormal(exact[:3, :3]) * (self.side_mm / self.size)
        return Volume(turned.voxels, exact)


def opposite(letter: str) -> str:
    """The other end of an axis: ``R`` of ``L``."""
    pair = next(pair for pair in _PAIRS if letter in pair)
    return pair.replace(letter, "")


def _orthonormal(axes: np.ndarray) -> np.ndarray:
    """The nearest axes [3,3] of length 1 that are at right angles, exact at quarter turns."""
    left, _, right = np.linalg.svd(axes / np.linalg.norm(axes, axis=0))
    found: np.ndarray = left @ right
    rounded = np.round(found)
    return rounded if np.abs(found - rounded).max() < 1e-6 else found
