"""Volumes in a cube, on the disk: what X-Diffusion is trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch

from monai_xray2mri.systems.mri_xdiffusion.sections import SampledVolume
from monai_xray2mri.systems.mri_xdiffusion.volumes.cube import Cube
from monai_xray2mri.training.store import ArraySpec, ArrayStore

SPLITS = ("training", "validation", "calibration", "test")


class VolumeStore(ArrayStore):
    """A set of volumes of one size.

    Its arrays are ``voxels``, uint8 [N,D,D,D], 0..255 for intensities 0..1, axes slices, rows, columns of the cube; and
    ``acquired``, float32 [N,2,3], lowest and highest (x, y, z) of what was acquired, in halves of the cube's side. Its
    index says ``source``, ``volumes`` (their names), ``splits`` (one of training, validation, calibration, test each)
    and ``side_mm``.
    """

    case: ClassVar[str] = "volume"

    @classmethod
    def of_cubes(
        cls, directory: Path, names: Sequence[str], splits: Sequence[str], size: int, side_mm: float, **index: Any
    ) -> Self:
        """Make a store of cubes, or open the one that is there.

        Args:
            directory: its folder.
            names: of the volumes.
            splits: of each, same order.
            size: D.
            side_mm: side of the cube.
            **index: what else tells this set from another: ``source``, versions.

        Raises:
            UsageError: the folder holds another set, or there is no room.
            ValueError: an unknown split.
        """
        complete = {"volumes": list(names), "splits": list(splits), "side_mm": side_mm, **index}
        arrays = {"voxels": ArraySpec("uint8", (size, size, size)), "acquired": ArraySpec("float32", (2, 3))}
        return cls.create(Path(directory), len(names), complete, arrays)

    @classmethod
    def check_index(cls, count: int, index: Mapping[str, Any]) -> None:
        """Refuse an index that does not say what the volumes are.

        Raises:
            UsageError: no volume.
            ValueError: a key is missing, or a split is unknown.
        """
        super().check_index(count, index)
        for key in ("source", "splits", "side_mm"):
            if key not in index:
                raise ValueError(f"the index of volumes needs {key!r}")
        if len(index["splits"]) != count or not set(index["splits"]) <= set(SPLITS):
            raise ValueError(f"the index of volumes needs one of {SPLITS} for each of {count} volumes")

    def write_cube(self, position: int, cube: Cube) -> None:
        """Write one volume.

        Raises:
            ValueError: a cube of another size.
        """
        voxels = np.rint(np.clip(cube.voxels, 0, 1) * 255).astype(np.uint8)
        self.write(position, {"voxels": voxels, "acquired": np.asarray(cube.acquired, np.float32)})

    def sampled(self, position: int) -> SampledVolume:
        """One volume to be cut, values 0..255."""
        voxels = torch.from_numpy(np.array(self.array("voxels")[position]))
        corners: Any = [tuple(corner) for corner in self.array("acquired")[position].tolist()]
        return SampledVolume(voxels, low=corners[0], high=corners[1])
