"""Operator: from synthetic volumes to result folders."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from holoscan.core import ExecutionContext, InputContext, OutputContext
from monai.deploy.core import Fragment, Operator, OperatorSpec

from monai_xray2mri.core.system import Outputs
from monai_xray2mri.errors import SomeCasesFailed


class DICOMSeriesWriterOperator(Operator):
    """Writes for each knee a folder with its DICOM objects, the preview picture and ``report.json``.

    Named inputs:
        plan: knees with features (:class:`GradingOperator`).
        syntheses: a volume for each (:class:`SliceDiffusionOperator`).

    Args:
        output: the output folder.
        outputs: what is written beside each volume.
        allow_partial: only log which knees were refused, if others were written.
    """

    def __init__(
        self,
        fragment: Fragment,
        *args: Any,
        output: Path,
        outputs: Outputs,
        allow_partial: bool,
        **kwargs: Any,
    ) -> None:
        self._output, self._outputs, self._allow_partial = output, outputs, allow_partial
        self._logger = logging.getLogger("xray2mri")
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """Declare the ports."""
        spec.input("plan")
        spec.input("syntheses")

    def compute(self, op_input: InputContext, op_output: OutputContext, context: ExecutionContext) -> None:
        """Write; raises SomeCasesFailed after that if another knee of the study was refused."""
        plan = op_input.receive("plan")
        for remark in plan.remarks:
            self._logger.warning("%s", remark)
        for synthesis in op_input.receive("syntheses"):
            written = synthesis.save(self._output, self._outputs)
            self._logger.info("%s written to %s", synthesis.case.title, written.directory.name)
        if not plan.refusals:
            return
        knees = len(plan.cases) + len(plan.refusals)
        refused = " | ".join(str(refusal) for refusal in plan.refusals)
        failure = SomeCasesFailed("study", f"{len(plan.cases)} of {knees} knees were written", refused)
        if not self._allow_partial:
            raise failure
        self._logger.warning("%s", failure)
