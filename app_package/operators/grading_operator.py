"""Operator: from the knees and the selected structured reports to knees with features."""

from __future__ import annotations

from typing import Any

from holoscan.core import ExecutionContext, InputContext, OutputContext
from monai.deploy.core import Fragment, Operator, OperatorSpec

from monai_xray2mri.dicom.kinds import REPORTS
from monai_xray2mri.systems.knee_xray2mri.plan import add_gradings
from operators.selection import selected_files
from run import Run


class GradingOperator(Operator):
    """Gives each knee its 19 radiographic features: from a file, a report, OAI's table, or a classifier.

    Named inputs:
        plan: knees (:class:`KneeRegionOperator`).
        reports: selected SR series (SDK's series selector); may be empty.

    Named outputs:
        plan: knees with features.

    Args:
        run: the study, and what is wanted.
    """

    def __init__(self, fragment: Fragment, *args: Any, run: Run, **kwargs: Any) -> None:
        self._run = run
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """Declare the ports."""
        spec.input("plan")
        spec.input("reports")
        spec.output("plan")

    def compute(self, op_input: InputContext, op_output: OutputContext, context: ExecutionContext) -> None:
        """Read the features; raises InputRefused if every report is of another patient, film or knee."""
        run, study = self._run, self._run.study
        assert study is not None  # launch reads it for this system
        reports = selected_files(study.of(REPORTS), op_input.receive("reports"))
        plan, study = op_input.receive("plan"), study.with_files(REPORTS, reports)
        op_output.emit(add_gradings(plan, study, run.request), "plan")
