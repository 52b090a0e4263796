"""Operator: from planned cases to results."""

from __future__ import annotations

from typing import Any

from holoscan.core import ExecutionContext, InputContext, OutputContext
from monai.deploy.core import Fragment, Operator, OperatorSpec

from monai_xray2mri.runtime.files import require_free
from monai_xray2mri.systems.running import progress_of
from run import Run


class PredictionOperator(Operator):
    """Makes a result of each case.

    Named inputs:
        plan: :class:`monai_xray2mri.core.system.Plan`.

    Named outputs:
        results: list of :class:`monai_xray2mri.core.system.Result`, in the plan's order.

    Args:
        run: the loaded bundle, and how it is run.
    """

    def __init__(self, fragment: Fragment, *args: Any, run: Run, **kwargs: Any) -> None:
        self._run = run
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """Declare the ports."""
        spec.input("plan")
        spec.output("results")

    def compute(self, op_input: InputContext, op_output: OutputContext, context: ExecutionContext) -> None:
        """Predict; raises UsageError if a result could not be written, OutOfMemory if the device is too small."""
        run, cases = self._run, op_input.receive("plan").cases
        require_free(run.output, (case.name for case in cases))  # before anything is computed
        results, work = [], run.predictor.work(run.sampling)
        for case in cases:
            with progress_of(work, run.system.work_unit, case.title, wanted=True) as update:
                results.append(run.predictor.predict(case, run.sampling, update))
        op_output.emit(results, "results")
