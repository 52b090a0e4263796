"""What the knee systems return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from monai_xray2mri.core.system import Outputs
from monai_xray2mri.systems.knee_xray2mri.plan import KneeCase
from monai_xray2mri.types import Volume

if TYPE_CHECKING:
    from monai_xray2mri.systems.knee_xray2mri.output import ResultFolder


@dataclass(frozen=True)
class Synthesis:
    """The synthetic MR of one knee: the :class:`~monai_xray2mri.core.system.Result` of this system.

    Attributes:
        case: what it was generated from.
        volume: the mean of the samples (the sample itself if there is one), intensities in [0,1].
        uncertainty: voxel-wise standard deviation of the samples; None for one sample.
        samples: every sample on the same grid.
        provenance: versions, weights hash, seed, options, remarks: what ``report.json`` holds.
        run: what may differ between equal results (device, seconds); goes into ``report.json`` only.
    """

    case: KneeCase
    volume: Volume
    uncertainty: Volume | None
    samples: tuple[Volume, ...]
    provenance: Mapping[str, object]
    run: Mapping[str, object] = field(default_factory=dict)

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
