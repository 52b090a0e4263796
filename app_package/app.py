"""The MONAI Deploy app: a study in; for each of its cases the result folder of the bundle's system out."""

from __future__ import annotations

import sys

from holoscan.conditions import CountCondition
from monai.deploy.core import Application
from monai.deploy.operators.dicom_data_loader_operator import DICOMDataLoaderOperator

from operators.prediction_operator import PredictionOperator
from operators.result_writer_operator import ResultWriterOperator
from run import Run
from wiring import planning_of


class Xray2MRIApp(Application):
    """Wires the operators.

    Args:
        run: what is run, and how.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        super().__init__([sys.executable, sys.argv[0]])  # the app's options are not for Holoscan's own parser

    def compose(self) -> None:
        """Loader, planning by the kind of the system's input, prediction, results."""
        run = self._run
        once = CountCondition(self, 1)
        loader = DICOMDataLoaderOperator(self, once, input_folder=run.source, must_load=False, name="dicom_loader")
        planning = planning_of(run.system)(self, run, loader)
        prediction = PredictionOperator(self, run=run, name="prediction")
        writer = ResultWriterOperator(self, run=run, name="result_writer")

        self.add_flow(planning, prediction, {("plan", "plan")})
        self.add_flow(planning, writer, {("plan", "plan")})
        self.add_flow(prediction, writer, {("results", "results")})
