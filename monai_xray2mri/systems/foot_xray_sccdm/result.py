"""What the predictor returns for one foot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from monai_xray2mri.core.system import Outputs
from monai_xray2mri.systems.foot_xray_sccdm.records import Synthesis

if TYPE_CHECKING:
    from monai_xray2mri.systems.foot_xray_sccdm.output import ResultFolder


@dataclass(frozen=True)
class FootResult(Synthesis):
    """The synthetic radiograph of a foot, which can be saved: a :class:`~monai_xray2mri.core.system.Result`."""

    def save(self, folder: Path | str, outputs: Outputs | None = None) -> ResultFolder:
        """Write what ``xray2mri synthesize`` writes for this foot: ``foot_right`` or ``foot_left`` below a folder.

        Args:
            folder: made if needed.
            outputs: what is written beside the result itself; None: nothing more.

        Raises:
            UsageError: the foot's folder holds something or cannot be written, or a parametric map is asked for.
        """
        from monai_xray2mri.systems.foot_xray_sccdm.output import write_result  # fonts and codes take a second to load

        return write_result(Path(folder), self, outputs or Outputs())
