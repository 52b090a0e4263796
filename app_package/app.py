"""The MONAI Deploy app: a study in; for each of its cases the result folder of the bundle's system out."""

from __future__ import annotations

import sys

from holoscan.conditions import CountCondition
from monai.deploy.core import Application

from operators.plan_operator import PlanOperator
from operators.prediction_operator import PredictionOperator
from operators.result_writer_operator import ResultWriterOperator
from run import Run


class Xray2MRIApp(Application):
    """Wires the operators.

    Args:
        run: what is run, and how.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        super().__init__([sys.executable, sys.argv[0]])  # the app's options are not for Holoscan's own parser

    def compose(self) -> None:
        """Plan, prediction, results."""
        plan = PlanOperator(self, CountCondition(self, 1), run=self._run, name="plan")
        prediction = PredictionOperator(self, run=self._run, name="prediction")
        writer = ResultWriterOperator(self, run=self._run, name="result_writer")
        self.add_flow(plan, prediction, {("plan", "plan")})
        self.add_flow(plan, writer, {("plan", "plan")})
        self.add_flow(prediction, writer, {("results", "results")})
