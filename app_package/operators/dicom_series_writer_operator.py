"""Operator: from synthetic volumes to result folders."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from holoscan.core import ExecutionContext, InputContext, OutputContext
from monai.deploy.core import Fragment, Operator, OperatorSpec

from monai_xray2mri.dicom.burn_in import Label
from monai_xray2mri.errors import SomeCasesFailed
from monai_xray2mri.systems.knee_xray2mri.output import write_result


class DICOMSeriesWriterOperator(Operator):
    """Writes for each knee a folder with its DICOM objects, the preview picture and ``report.json``.

    Named inputs:
        plan: knees with features (:class:`GradingOperator`).
        syntheses: a volume for each (:class:`SliceDiffusionOperator`).

    Args:
        output: the output folder.
        label: ``"corner"`` burns a small SYNTHETIC into the slices, ``"none"`` does not.
        samples: also write a series per sample.
        parametric_map: also write the uncertainty as a Parametric Map.
        allow_partial: only log which knees were refused, if others were written.
    """

    def __init__(
        self,
        fragment: Fragment,
        *args: Any,
        output: Path,
        label: Label,
        samples: bool,
        parametric_map: bool,
        allow_partial: bool,
        **kwargs: Any,
    ) -> None:
        self._output, self._label, self._allow_partial = output, label, allow_partial
        self._more = {"samples": samples, "parametric_map": parametric_map}
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
        for case, (synthesis, run) in zip(plan.cases, op_input.receive("syntheses"), strict=True):
            result = write_result(self._output, case, synthesis, label=self._label, run=run, **self._more)
            self._logger.info("%s knee written to %s", case.side.word, result.directory.name)
        if not plan.refusals:
            return
        knees = len(plan.cases) + len(plan.refusals)
        refused = " | ".join(str(refusal) for refusal in plan.refusals)
        failure = SomeCasesFailed("study", f"{len(plan.cases)} of {knees} knees were written", refused)
        if not self._allow_partial:
            raise failure
        self._logger.warning("%s", failure)
