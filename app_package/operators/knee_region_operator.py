"""Operator: from the selected radiographs to the knees on them."""

from __future__ import annotations

from typing import Any

from holoscan.core import ExecutionContext, InputContext, OutputContext
from monai.deploy.core import Fragment, Operator, OperatorSpec

from monai_xray2mri.dicom.study import Study
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.radiograph.kinds import RADIOGRAPHS
from monai_xray2mri.systems.knee_xray2mri.plan import locate_knees
from monai_xray2mri.types import Side
from operators.selection import selected_files


class KneeRegionOperator(Operator):
    """Finds the knees on the radiographs, after all checks of the pictures.

    Named inputs:
        radiographs: selected series of radiographs (SDK's series selector).

    Named outputs:
        plan: :class:`monai_xray2mri.core.system.Plan` of knees, features still unknown.

    Args:
        study: the files of the study.
        side: the only knee wanted; None = both.
        region_mm: side of the region at the detector in mm; the model's.
        force: use also radiographs that the checks doubt.
    """

    def __init__(
        self,
        fragment: Fragment,
        *args: Any,
        study: Study,
        side: Side | None,
        region_mm: float,
        force: bool,
        **kwargs: Any,
    ) -> None:
        self._study, self._side, self._region_mm, self._force = study, side, region_mm, force
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """Declare the ports."""
        spec.input("radiographs")
        spec.output("plan")

    def compute(self, op_input: InputContext, op_output: OutputContext, context: ExecutionContext) -> None:
        """Check and locate; raises InputRefused if no knee can be used."""
        found = self._study.of(RADIOGRAPHS)
        films = selected_files(found, op_input.receive("radiographs"))
        missed = tuple(
            f"{film.name}: the MONAI Deploy loader does not read it (no DICOM Part 10 file)"
            for film in found
            if film not in films
        )
        if not films:
            remedy = "Convert it to a DICOM Part 10 file, or use: xray2mri synthesize."
            raise InputRefused("study", "needs a radiograph that MONAI Deploy can load", " | ".join(missed), remedy)
        study = self._study.with_files(RADIOGRAPHS, films, missed)
        op_output.emit(locate_knees(study, side=self._side, region_mm=self._region_mm, force=self._force), "plan")
