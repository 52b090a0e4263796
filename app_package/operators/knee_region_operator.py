"""Operator: from the selected radiographs to the knees on them."""

from __future__ import annotations

from typing import Any

from holoscan.core import ExecutionContext, InputContext, OutputContext
from monai.deploy.core import Fragment, Operator, OperatorSpec

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.radiograph.kinds import RADIOGRAPHS
from monai_xray2mri.systems.knee_xray2mri.plan import locate_knees
from monai_xray2mri.systems.knee_xray2mri.system import region_mm
from operators.selection import selected_files
from run import Run


class KneeRegionOperator(Operator):
    """Finds the knees on the radiographs, after all checks of the pictures.

    Named inputs:
        radiographs: selected series of radiographs (SDK's series selector).

    Named outputs:
        plan: :class:`monai_xray2mri.core.system.Plan` of knees, features still unknown.

    Args:
        run: the study, the loaded bundle, and what is wanted.
    """

    def __init__(self, fragment: Fragment, *args: Any, run: Run, **kwargs: Any) -> None:
        self._run = run
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """Declare the ports."""
        spec.input("radiographs")
        spec.output("plan")

    def compute(self, op_input: InputContext, op_output: OutputContext, context: ExecutionContext) -> None:
        """Check and locate; raises InputRefused if no knee can be used."""
        run, study = self._run, self._run.study
        assert study is not None  # launch reads it for this system
        found = study.of(RADIOGRAPHS)
        films = selected_files(found, op_input.receive("radiographs"))
        missed = tuple(
            f"{film.name}: the MONAI Deploy loader does not read it (no DICOM Part 10 file)"
            for film in found
            if film not in films
        )
        if not films:
            remedy = "Convert it to a DICOM Part 10 file, or use: xray2mri synthesize."
            raise InputRefused("study", "needs a radiograph that MONAI Deploy can load", " | ".join(missed), remedy)
        usable = study.with_files(RADIOGRAPHS, films, missed)
        op_output.emit(locate_knees(usable, run.request, region_mm(run.bundle)), "plan")
