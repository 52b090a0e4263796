"""What the predictor returns for one knee."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from monai_xray2mri.core.system import Outputs
from monai_xray2mri.systems.knee_xray2mri.records import Synthesis
from monai_xray2mri.types import Side, Volume

if TYPE_CHECKING:
    from monai_xray2mri.systems.knee_xray2mri.output import ResultFolder


@dataclass(frozen=True)
class KneeResult(Synthesis):
    """The synthetic MR of one knee, which can be saved: a :class:`~monai_xray2mri.core.system.Result`."""

    def numbers(self) -> dict[str, float]:
        """Joint space widths in mm as a segmenter sees them in the volume; none where the grid is not OAI's.

        ``joint_space_medial_mm`` and ``joint_space_lateral_mm``, NaN where no joint is found
        (:mod:`monai_xray2mri.knee.measures.joint_space`; the error on true volumes is in docs/evaluation/benchmark.md).

        Raises:
            WeightsError: the segmenter's weights are missing or damaged.
        """
        from monai_xray2mri.knee.measures import joint_space_from_volume  # needs SciPy

        voxels, affine = _as_right_knee(self.volume, self.case.side)
        try:
            found = joint_space_from_volume(voxels, affine)
        except ValueError:  # other slices than OAI's
            return {}
        return {"joint_space_medial_mm": found["M"], "joint_space_lateral_mm": found["L"]}

    def save(self, folder: Path | str, outputs: Outputs | None = None) -> ResultFolder:
        """Write what ``xray2mri synthesize`` writes for this knee: ``knee_right`` or ``knee_left`` below a folder.

        Args:
            folder: made if needed.
            outputs: what is written beside the result itself; None: nothing more.

        Returns:
            Where everything lies.

        Raises:
            UsageError: the knee's folder holds something or cannot be written.

        Example::

            result.save("out/", Outputs(nifti=True)).directory  # out/knee_right
        """
        from monai_xray2mri.systems.knee_xray2mri.output import write_result  # fonts and codes take a second to load

        return write_result(Path(folder), self, outputs or Outputs())


def _as_right_knee(volume: Volume, side: Side) -> tuple[np.ndarray, np.ndarray]:
    """Voxels [S,H,W] from posterior on, and their affine, of a right knee: as the measures take them."""
    last = len(volume.voxels) - 1
    reversed_slices = np.diag([1.0, 1.0, -1.0, 1.0])
    reversed_slices[2, 3] = last
    voxels, affine = volume.voxels[::-1], volume.affine @ reversed_slices
    if side is Side.LEFT:
        reversed_columns = np.diag([-1.0, 1.0, 1.0, 1.0])
        reversed_columns[0, 3] = voxels.shape[2] - 1
        voxels, affine = voxels[..., ::-1], np.diag([-1.0, 1.0, 1.0, 1.0]) @ affine @ reversed_columns
    return np.ascontiguousarray(voxels), affine
