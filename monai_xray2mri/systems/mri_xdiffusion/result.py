"""What the predictor returns for one case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from monai_xray2mri.core.system import Outputs
from monai_xray2mri.systems.mri_xdiffusion.case import SliceCase
from monai_xray2mri.types import Volume

if TYPE_CHECKING:
    from monai_xray2mri.systems.mri_xdiffusion.output import ResultFolder


@dataclass(frozen=True)
class VolumeResult:
    """The synthetic volume of some slices: a :class:`~monai_xray2mri.core.system.Result`.

    Attributes:
        case: what it was generated from.
        volume: the aggregate of the views, intensities in [0,1], in the frame of reference of the source.
        uncertainty: voxel-wise standard deviation of the views; None for one view.
        views: each view on the same grid, where there are several.
        provenance: versions, weights hash, seed, options, slices, remarks: what ``report.json`` holds.
        run: what may differ between equal results (device, seconds); goes into ``report.json`` only.
    """

    case: SliceCase
    volume: Volume
    uncertainty: Volume | None
    views: tuple[Volume, ...]
    provenance: Mapping[str, object]
    run: Mapping[str, object] = field(default_factory=dict)

    def save(self, folder: Path | str, outputs: Outputs | None = None) -> ResultFolder:
        """Write what ``xray2mri synthesize`` writes: a folder ``volume`` below ``folder``, whole or not at all.

        Args:
            folder: made if needed.
            outputs: what is written beside the result itself; None: nothing more.

        Raises:
            UsageError: the result's folder holds something or cannot be written.
        """
        from monai_xray2mri.systems.mri_xdiffusion.output import write_result  # codes take a second to load

        return write_result(Path(folder), self, outputs or Outputs())
