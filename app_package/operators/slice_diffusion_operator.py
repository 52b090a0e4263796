"""Operator: from knees to synthetic volumes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from holoscan.core import ExecutionContext, InputContext, OutputContext
from monai.deploy.core import Fragment, Operator, OperatorSpec

from monai_xray2mri.runtime.files import require_free
from monai_xray2mri.systems.knee_xray2mri.predictor import Options, Xray2MRI
from monai_xray2mri.systems.knee_xray2mri.run import synthesize_case


class SliceDiffusionOperator(Operator):
    """Generates a volume for each knee.

    Named inputs:
        plan: knees with features (:class:`GradingOperator`).

    Named outputs:
        syntheses: list of :class:`monai_xray2mri.systems.knee_xray2mri.records.Synthesis`, in
            the plan's order.

    Args:
        model: the predictor.
        options: of the synthesis.
        output: where the results will lie: checked before anything is computed.
    """

    def __init__(
        self, fragment: Fragment, *args: Any, model: Xray2MRI, options: Options, output: Path, **kwargs: Any
    ) -> None:
        self._model, self._options, self._output = model, options, output
        super().__init__(fragment, *args, **kwargs)

    def setup(self, spec: OperatorSpec) -> None:
        """Declare the ports."""
        spec.input("plan")
        spec.output("syntheses")

    def compute(self, op_input: InputContext, op_output: OutputContext, context: ExecutionContext) -> None:
        """Generate; raises UsageError if a result could not be written, OutOfMemory if the device is too small."""
        cases = op_input.receive("plan").cases
        require_free(self._output, [case.name for case in cases])
        show = sys.stderr.isatty()
        syntheses = [synthesize_case(case, self._model, self._options, progress=show) for case in cases]
        op_output.emit(syntheses, "syntheses")
