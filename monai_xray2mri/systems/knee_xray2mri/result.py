"""What the predictor returns for one knee."""

from __future__ import annotations

from collections.abc import Mapping
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
        """Joint space widths in mm as a segmenter sees them in the volume, and how far samples spread.

        ``joint_space_medial_mm`` and ``joint_space_lateral_mm``, NaN where no joint is found, not there where the grid
        is not OAI's (:mod:`monai_xray2mri.knee.measures.joint_space`; the error on true volumes is in
        docs/evaluation/benchmark.md). Of several samples ``spread_mean``, the standard deviation over all voxels, and
        where the interval is calibrated ``interval_half_width_mean``; both in units of the intensity range.

        Raises:
            WeightsError: the segmenter's weights are missing or damaged.
        """
        from monai_xray2mri.knee.measures import joint_space_from_volume  # needs SciPy

        voxels, affine = _as_right_knee(self.volume, self.case.side)
        try:
            widths = joint_space_from_volume(voxels, affine)
        except ValueError:  # other slices than OAI's
            return self._spread()
        return {"joint_space_medial_mm": widths["M"], "joint_space_lateral_mm": widths["L"], **self._spread()}

    def _spread(self) -> dict[str, float]:
        if self.uncertainty is None:
            return {}
        mean, interval = float(self.uncertainty.voxels.mean()), self.provenance.get("interval")
        found = {"spread_mean": round(mean, 6)}
        if isinstance(interval, Mapping):
            found["interval_half_width_mean"] = round(interval["scale"] * (mean + interval["floor"]), 6)
        return found

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
