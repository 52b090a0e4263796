"""What the predictor returns for one case."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from monai_xray2mri.core.system import Outputs
from monai_xray2mri.systems.mri_xdiffusion.records import Synthesis

if TYPE_CHECKING:
    from monai_xray2mri.systems.mri_xdiffusion.output import ResultFolder


@dataclass(frozen=True)
class VolumeResult(Synthesis):
    """The synthetic volume of some slices, which can be saved: a :class:`~monai_xray2mri.core.system.Result`."""

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
