"""Operator: from the knees and the selected structured reports to knees with features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from holoscan.core import ExecutionContext, InputContext, OutputContext
from monai.deploy.core import Fragment, Operator, OperatorSpec

from monai_xray2mri.dicom.kinds import REPORTS
from monai_xray2mri.dicom.study import Study
from monai_xray2mri.knee.grading.files import read_grading_file
from monai_xray2mri.systems.knee_xray2mri.plan import add_gradings
from operators.selection import selected_files


class GradingOperator(Operator):
    """Gives each knee its 19 radiographic features: from a file, a report, OAI's table, or a classifier.

    Named inputs:
        plan: knees (:class:`KneeRegionOperator`).
        reports: selected SR series (SDK's series selector); may be empty.

    Named outputs:
        plan: knees with features.

    Args:
        study: the files of the study.
        features: JSON or CSV file that replaces the reports; None = the reports.
        oai_table: OAI's central readings for knees that no report grades.
        estimate: let a classifier grade a knee that nothing else grades.
    """

    def __init__(
        self,
        fragment: Fragment,
        *args: Any,
        study: Study,
        features: Path | None,
        oai_table: Path | None,
        estimate: bool,
        **kwargs: Any,
    ) -> None:
        self._study, self._features, self._oai_table, self._estimate = study, features, oai_table, estimate
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """Declare the ports."""
        spec.input("plan")
        spec.input("reports")
        spec.output("plan")

    def compute(self, op_input: InputContext, op_output: OutputContext, context: ExecutionContext) -> None:
        """Read the features; raises InputRefused if every report is of another patient, film or knee."""
        plan = op_input.receive("plan")
        reports = selected_files(self._study.of(REPORTS), op_input.receive("reports"))
        sides = [case.side for case in plan.cases]
        given = None if self._features is None else read_grading_file(self._features, sides)
        study = self._study.with_files(REPORTS, reports)
        op_output.emit(add_gradings(plan, study, given, self._oai_table, self._estimate), "plan")
