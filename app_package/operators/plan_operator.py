"""Operator: from the folder of a study to planned cases, for systems that need no operators of their own."""

from __future__ import annotations

from typing import Any

from holoscan.core import ExecutionContext, InputContext, OutputContext
from monai.deploy.core import Fragment, Operator, OperatorSpec

from run import Run


class PlanOperator(Operator):
    """All checks of the system's sources.

    Named inputs:
        sources: selected series (SDK's series selector); may be empty, for pictures are no series.

    Named outputs:
        plan: :class:`monai_xray2mri.core.system.Plan`.

    Args:
        run: the system, the study's folder and what is wanted of it.
    """

    def __init__(self, fragment: Fragment, *args: Any, run: Run, **kwargs: Any) -> None:
        self._run = run
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """Declare the ports."""
        spec.input("sources")
        spec.output("plan")

    def compute(self, op_input: InputContext, op_output: OutputContext, context: ExecutionContext) -> None:
        """Plan; raises InputRefused if nothing of the study can be used."""
        op_input.receive("sources")
        run = self._run
        op_output.emit(run.system.plan(run.source, run.request, run.bundle), "plan")
