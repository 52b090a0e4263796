"""Operator: from the folder of a study to planned cases."""

from __future__ import annotations

from typing import Any

from holoscan.core import ExecutionContext, InputContext, OutputContext
from monai.deploy.core import Fragment, Operator, OperatorSpec

from run import Run


class PlanOperator(Operator):
    """All checks of a study, by the function that the command line calls: both take and refuse the same studies.

    The SDK's own loader and series selector are not used: the loader stops at links that lead nowhere, and knows
    neither files without preamble nor rejection notes.

    Named outputs:
        plan: :class:`monai_xray2mri.core.system.Plan`.

    Args:
        run: the system, the study's folder and what is wanted of it.
    """

    def __init__(self, fragment: Fragment, *args: Any, run: Run, **kwargs: Any) -> None:
        self._run = run
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """Declare the port."""
        spec.output("plan")

    def compute(self, op_input: InputContext, op_output: OutputContext, context: ExecutionContext) -> None:
        """Plan; raises InputRefused if nothing of the study can be used."""
        run = self._run
        op_output.emit(run.system.plan(run.source, run.request, run.bundle), "plan")
