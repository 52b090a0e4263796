"""Operator: from results to result folders."""

from __future__ import annotations

import logging
from typing import Any

from holoscan.core import ExecutionContext, InputContext, OutputContext
from monai.deploy.core import Fragment, Operator, OperatorSpec

from monai_xray2mri.systems.running import partial_failure
from run import Run


class ResultWriterOperator(Operator):
    """Writes the folder of each result: its DICOM objects, the preview picture and ``report.json``.

    Named inputs:
        plan: :class:`monai_xray2mri.core.system.Plan`.
        results: one for each case (:class:`PredictionOperator`).

    Args:
        run: where and what to write.
    """

    def __init__(self, fragment: Fragment, *args: Any, run: Run, **kwargs: Any) -> None:
        self._run, self._logger = run, logging.getLogger("xray2mri")
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """Declare the ports."""
        spec.input("plan")
        spec.input("results")

    def compute(self, op_input: InputContext, op_output: OutputContext, context: ExecutionContext) -> None:
        """Write; raises SomeCasesFailed after that if another case of the study was refused."""
        run, plan = self._run, op_input.receive("plan")
        for remark in plan.remarks:
            self._logger.warning("%s", remark)
        for result in op_input.receive("results"):
            written = result.save(run.output, run.outputs)
            self._logger.info("%s written to %s", result.case.title, written.directory.name)
        failure = partial_failure(run.system, plan)
        if failure is None:
            return
        if not run.allow_partial:
            raise failure
        self._logger.warning("%s", failure)
