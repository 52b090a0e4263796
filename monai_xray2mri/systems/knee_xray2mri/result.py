"""What the predictor returns for one knee."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from monai_xray2mri.core.system import Outputs
from monai_xray2mri.systems.knee_xray2mri.records import Synthesis

if TYPE_CHECKING:
    from monai_xray2mri.systems.knee_xray2mri.output import ResultFolder


@dataclass(frozen=True)
class KneeResult(Synthesis):
    """The synthetic MR of one knee, which can be saved: a :class:`~monai_xray2mri.core.system.Result`."""

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
